import io
import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import tf_keras as keras

from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.base.keras3 import keras3
from sqzkit.models import keras_file
from sqzkit.models.keras_file import load_keras_file

layers = keras.layers


def classifier(*middle):
    image = keras.Input((32, 32, 3))
    x = image
    for layer in (*middle, layers.GlobalAveragePooling2D(), layers.Dense(3)):
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_loads_stock_layers(tmp_path, suffix, noise_images):
    model = classifier(layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization())
    path = tmp_path / f"m{suffix}"
    model.save(path)
    images = noise_images.astype(np.float32)
    np.testing.assert_array_equal(load_keras_file(path)(images), model(images))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("library", [keras, keras3])
def test_mixed_precision_is_computed_in_float32(tmp_path, library, policy, noise_images):
    image = library.Input((32, 32, 3))
    convolution = library.layers.Conv2D(4, 3, dtype=policy)
    pooled = library.layers.GlobalAveragePooling2D(dtype=policy)(convolution(image))
    model = library.Model(image, library.layers.Dense(3, dtype=policy)(pooled))
    path = tmp_path / ("m.h5" if policy == "mixed_float16" else "m.keras")
    model.save(path)
    images = noise_images.astype(np.float32) / 255
    loaded = load_keras_file(path)
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    np.testing.assert_allclose(
        np.asarray(loaded(images)), np.asarray(model(images), np.float32), atol=0.02
    )


@pytest.mark.parametrize("library", [keras, keras3])
@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: {"name": x}])
def test_one_input_and_one_output_may_be_in_a_list_or_a_dictionary(
    tmp_path, library, wrap, noise_images
):
    image = library.Input((32, 32, 3), name="name")
    features = library.layers.GlobalAveragePooling2D()(image)
    model = library.Model(wrap(image), wrap(library.layers.Dense(3, name="name2")(features)))
    model.save(tmp_path / "m.keras")
    images = noise_images.astype(np.float32)
    outputs = model(wrap(images))
    if isinstance(outputs, list | dict):
        (outputs,) = outputs.values() if isinstance(outputs, dict) else outputs
    loaded = load_keras_file(tmp_path / "m.keras")
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(outputs))


def test_bfloat16_weights_are_read_where_keras_reads_them(tmp_path, noise_images):
    image = keras3.Input((32, 32, 3))
    flat = keras3.layers.GlobalAveragePooling2D(dtype="bfloat16")(image)
    model = keras3.Model(image, keras3.layers.Dense(3, dtype="bfloat16")(flat))
    model.save(tmp_path / "m.keras")
    images = noise_images.astype(np.float32) / 255
    found = np.asarray(load_keras_file(tmp_path / "m.keras")(images))
    np.testing.assert_allclose(found, np.asarray(model(images), np.float32), atol=0.02)
    model.save(tmp_path / "m.h5")
    with pytest.raises(FormatError, match=r"weights are bfloat16, .* save the model as \.keras"):
        load_keras_file(tmp_path / "m.h5")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_never_loads_a_lambda(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    classifier(layers.Lambda(lambda x: x * 2)).save(path)
    with pytest.raises(FormatError, match="Lambda layer, which holds code"):
        load_keras_file(path)


def test_never_imports_a_foreign_module(tmp_path):
    good, bad = tmp_path / "good.keras", tmp_path / "bad.keras"
    classifier(layers.Conv2D(4, 3, name="c")).save(good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1]["module"] = "os.path"
                data = json.dumps(config).encode()
            target.writestr(name, data)
    with pytest.raises(FormatError, match=r"wants to import 'os\.path'"):
        load_keras_file(bad)


def test_weights_alone_and_quantized_layers_say_what_to_save(tmp_path):
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 4), np.float32)
    with pytest.raises(FormatError, match=r"holds weights without a model; save it with model.sa"):
        load_keras_file(tmp_path / "m.weights.h5")
    policy = {"module": "keras.dtype_policies", "class_name": "QuantizedDTypePolicy"}
    with pytest.raises(FormatError, match=r"Keras quantized; save the model before model.quant"):
        keras_file.refuse_code({"config": {"dtype": policy}})


def test_refuses_other_files(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_keras_file(tmp_path / "m.keras")
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps([]))
    with pytest.raises(UsageError, match=r"must be one of \.keras, \.h5"):
        load_keras_file(path)
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"m{suffix}"
        path.write_bytes(b"neither zip nor HDF5")
        with pytest.raises(FormatError, match=r"m\..*(damaged zip|not a Keras model file)"):
            load_keras_file(path)
    path = tmp_path / "empty.keras"
    weights = io.BytesIO()
    h5py.File(weights, "w").close()
    with zipfile.ZipFile(path, "w") as archive:
        unknown = {"class_name": "LayerOfKeras4", "module": "keras.layers", "config": {}}
        archive.writestr("config.json", json.dumps(unknown))
        archive.writestr("model.weights.h5", weights.getvalue())
    with pytest.raises(FormatError, match="Keras 2 cannot load it"):
        load_keras_file(path)


@pytest.mark.parametrize(
    ("shape", "units"), [((32, 24, 3), 3), ((None, None, 3), 3), ((32, 32, 1), 3), ((32, 32, 3), 1)]
)
def test_refuses_what_does_not_classify_squares(tmp_path, shape, units):
    image = keras.Input(shape)
    model = keras.Model(image, layers.Dense(units)(layers.GlobalAveragePooling2D()(image)))
    model.save(tmp_path / "m.keras")
    with pytest.raises(RunError, match="must (take|give)"):
        load_keras_file(tmp_path / "m.keras")


def test_an_h5_that_is_also_a_zip_is_judged_by_what_keras_reads(tmp_path):
    """Keras goes by the suffix: a harmless zip behind an HDF5 file must not hide a Lambda."""
    path, harmless = tmp_path / "m.h5", tmp_path / "harmless.keras"
    classifier(layers.Lambda(lambda x: x * 2)).save(path)
    classifier().save(harmless)
    with open(path, "ab") as stream:
        stream.write(harmless.read_bytes())
    assert zipfile.is_zipfile(path)
    with pytest.raises(FormatError, match="Lambda layer, which holds code"):
        load_keras_file(path)


def test_what_keras_writes_passes_the_check(tmp_path, noise_images):
    """Regularizers, constraints, nested models, activations, a compiled loss: none is code."""
    nested = keras.Sequential([layers.SeparableConv2D(4, 3), layers.ReLU(6.0)], name="nested")
    model = classifier(
        layers.Conv2D(
            4, 3, activation="swish", kernel_regularizer="l2", bias_constraint="max_norm"
        ),
        layers.LeakyReLU(),
        layers.Rescaling(1 / 255),
        nested,
        layers.Dropout(0.5),
    )
    model.compile("adam", loss=lambda truth, answer: answer)
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"m{suffix}"
        model.save(path, include_optimizer=False) if suffix == ".h5" else model.save(path)
        images = noise_images.astype(np.float32)
        np.testing.assert_array_equal(load_keras_file(path)(images), model(images))


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"config": inner}])
def test_a_configuration_may_not_be_nested_too_deeply(wrap):
    config = {}
    for _ in range(500):
        config = wrap(config)
    with pytest.raises(FormatError, match="nested too deeply"):
        keras_file.refuse_code(config)


@pytest.mark.parametrize(
    ("metadata", "version"),
    [({"keras_version": "3.3.3"}, 3), ({"keras_version": "2.15.0"}, 2), ([], 2), (None, 2)],
)
def test_a_keras_file_says_which_keras_saved_it(tmp_path, metadata, version):
    weights = io.BytesIO()
    h5py.File(weights, "w").close()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())
        if metadata is not None:
            archive.writestr("metadata.json", json.dumps(metadata))
    assert keras_file.check(content.getvalue(), tmp_path / "m.keras") == version
