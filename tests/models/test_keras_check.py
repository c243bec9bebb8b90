"""What must never reach Keras; no Keras is needed to refuse it."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.models import keras_file as keras_check

NAME = Path("model.keras")


def store(fill=lambda file: None):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        fill(file)
    return stream.getvalue()


def archive(config, weights=None, names=("config.json", "model.weights.h5")):
    stream = io.BytesIO()
    contents = (json.dumps(config), store() if weights is None else weights)
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in zip(names, contents, strict=False):
            made.writestr(name, content)
    return stream.getvalue()


def layer(kind, module="keras.layers", **config):
    return {"class_name": kind, "module": module, "config": config}


def network(*layers):
    return {"class_name": "Sequential", "module": "keras", "config": {"layers": list(layers)}}


def test_neither_tensorflow_nor_keras_is_imported():
    code = (
        "import sys, sqzkit.models.keras_file; "
        "print({'tensorflow', 'tf_keras', 'keras'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"set()\n"


def test_a_stock_network_passes():
    keras_check.check(archive(network(layer("Dense", units=3, activation="relu"))), NAME)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (layer("Lambda", function="4wEAAA=="), "a Lambda layer, which holds code"),
        (layer("TFOpLambda", function="io.write_file"), "a TFOpLambda layer"),
        (layer("Activation", activation={"class_name": "__lambda__", "config": {}}), "__lambda__"),
        (
            layer(
                "Activation", activation=layer("function", "keras.utils") | {"config": "get_file"}
            ),
            "a function layer",
        ),
        (layer("StringLookup", vocabulary="/etc/passwd"), "may open other files"),
        (layer("system", "os"), "wants to import 'os'"),
        (layer("load_model", "keras.models"), "wants to import 'keras.models'"),
        (layer("Saver", "keras.src.saving.saving_lib"), "wants to import"),
        (layer("os.system"), "names the class 'os.system'"),
    ],
)
def test_code_and_foreign_objects_are_refused_wherever_they_are(bad, message):
    for config in (network(bad), network(layer("TimeDistributed", layer=bad)), [[{"x": bad}]]):
        with pytest.raises(FormatError, match=f"model.keras: .*{message}"):
            keras_check.check(archive(config), NAME)


def test_endless_nesting_is_refused():
    endless = {}
    endless["a"] = endless
    with pytest.raises(FormatError, match="nested too deeply"):
        keras_check.refuse_code(endless)
    text = '{"a":' * 5000 + "1" + "}" * 5000
    with pytest.raises(FormatError, match=r"nested too deeply|cannot be read as JSON"):
        keras_check.check(zipped_text(text), NAME)


def zipped_text(text):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("config.json", text)
        made.writestr("model.weights.h5", store())
    return stream.getvalue()


def test_pickled_weights_are_not_looked_at():
    stream = io.BytesIO()
    np.savez(stream, weights=np.array([object()], object))
    content = archive(network(), stream.getvalue(), ("config.json", "model.weights.npz"))
    with pytest.raises(FormatError, match=r"it has no model\.weights\.h5"):
        keras_check.check(content, NAME)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_in_another_file_are_refused(tmp_path, suffix):
    (tmp_path / "secret").write_bytes(bytes(16))

    def fill(file):
        file.attrs["model_config"] = json.dumps(network())
        outside = [(str(tmp_path / "secret"), 0, 16)]
        file.create_dataset("kernel", (4,), np.float32, external=outside)

    weights = store(fill)
    content = archive(network(), weights) if suffix == ".keras" else weights
    with pytest.raises(FormatError, match="'//?kernel' lie in another file"):
        keras_check.check(content, Path(f"m{suffix}"))


def test_what_is_no_model_is_named():
    for content in (b"", b"neither", b"PK\x05\x06" + bytes(18)):
        for suffix in (".keras", ".h5"):
            with pytest.raises(FormatError, match=f"m{suffix}: "):
                keras_check.check(content, Path(f"m{suffix}"))
