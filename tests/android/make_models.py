"""Make the small models that the app's tests open.

    PYTHONPATH=. python tests/android/make_models.py

Each tells red, green and blue pictures of 32x32 pixels apart, with weights set
by hand, so that every expected answer is plain. Run it anew only when the
format of converted files changes; the results are committed.
"""

import json
from pathlib import Path

import numpy as np

from sqzkit.preprocessing import Preprocessing

OUT = Path(__file__).parents[2] / "android_demo/app/src/test/resources/models"
SIDE = 32
LABELS = ("red", "green", "blue")
RECORD = Preprocessing(image_size=SIDE, resize_size=36, resize="shorter_side")


def colours(classes=3, channels=3, filters=8):
    """Build the network: each class's filter answers to one colour more than to the others."""
    from sqzkit.base.keras import keras

    image = keras.Input((SIDE, SIDE, channels))
    x = keras.layers.Conv2D(filters, 3, strides=2, activation="relu", name="conv1")(image)
    x = keras.layers.Conv2D(classes, 1, name="conv10")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool10")(x)
    model = keras.Model(image, keras.layers.Softmax(name="prob")(x))
    first = np.zeros((3, 3, channels, filters), np.float32)
    for colour in range(min(channels, classes)):
        first[:, :, :, colour] = -0.05
        first[:, :, colour, colour] = 1 / 9
    head = np.zeros((1, 1, filters, classes), np.float32)
    head[0, 0, range(classes), range(classes)] = 6
    model.get_layer("conv1").set_weights([first, np.full(filters, 0.2, np.float32)])
    model.get_layer("conv10").set_weights([head, np.zeros(classes, np.float32)])
    return model


def pictures():
    """Return uint8 [N, S, S, 3]: even colours and noise, so that every range is seen."""
    rng = np.random.default_rng(0)
    even = np.repeat(rng.integers(0, 256, (40, 1, 1, 3)), SIDE * SIDE, 1)
    plain = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).T.reshape(-1, 1, 1, 3)
    even = np.concatenate([even, np.repeat(plain, SIDE * SIDE, 1)])
    noise = rng.integers(0, 256, (8, SIDE, SIDE, 3))
    return np.concatenate([even.reshape(-1, SIDE, SIDE, 3), noise]).astype(np.uint8)


def converted(quantization="int8", input_type=None, granularity="per_channel"):
    """Return the network as the project's own converter writes it.

    With "dynamic" it is wider: TensorFlow quantizes no kernel below 1,024 values then.
    """
    from sqzkit.conversion.converter import convert_model
    from sqzkit.conversion.options import ConversionOptions
    from sqzkit.tflite.metadata import Description

    description = Description("Colours", "Tells red, green and blue pictures apart.", "1", "sqzkit")
    options = ConversionOptions(quantization, granularity, input_type, description)
    model = colours(filters=64 if quantization == "dynamic" else 8)
    return convert_model(model, RECORD, LABELS, options, pictures())


def bare(model):
    """Return a float file as TensorFlow's converter leaves it: no metadata, no names."""
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


def planar():
    """Return a float file whose input has all red values first, then green, then blue."""
    from sqzkit.base.keras import keras

    image = keras.Input((3, SIDE, SIDE))
    return bare(keras.Model(image, colours()(keras.layers.Permute((2, 3, 1))(image))))


def failing():
    """Return a float file that runs on dark pictures and fails on bright ones."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32)])
    def brightness(image):
        row = tf.cast(100 * (1 + tf.reduce_mean(image)), tf.int32)  # GATHER checks its range
        return tf.gather(tf.eye(len(LABELS)), tf.reshape(row, (1,)))

    return tf.lite.TFLiteConverter.from_concrete_functions(
        [brightness.get_concrete_function()]
    ).convert()


def foreign(plain, deviation=127.5, files=None):
    """Return a float file of another maker: standard metadata with mean and deviation."""
    from sqzkit.base import flatbuffer_tables
    from sqzkit.base.flatbuffer_tables import Scalar
    from sqzkit.tflite import metadata

    values = {0: np.full(1, 127.5, np.float32), 1: np.full(1, deviation, np.float32)}
    image = {0: "image", 4: [{0: Scalar("uint8", 1), 1: values}]}
    names = {0: "names.txt", 2: Scalar("int8", 2)}
    record = {0: "Elsewhere", 3: [{2: [image], 3: [{0: "score", 6: [names]}]}], 7: "1.0.0"}
    content = metadata.add_entry(
        plain, metadata.ENTRY, flatbuffer_tables.write(record, metadata.IDENTIFIER)
    )
    named = {"names.txt": b"rot\r\ngr\xc3\xbcn\r\nblau\r\n"}
    return metadata.append_files(content, named if files is None else files)


def altered(content, change):
    """Return a file whose parts `change` altered."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    change(model)
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_custom_operator(model):
    model.operatorCodes[0].deprecatedBuiltinCode = 32
    model.operatorCodes[0].builtinCode = 32
    model.operatorCodes[0].customCode = b"FancyConvolution"


def with_a_newer_operator(model):
    model.operatorCodes[0].version = 99


def with_two_outputs(model):
    graph = model.subgraphs[0]
    graph.outputs = [graph.outputs[0], graph.operators[0].outputs[0]]


def with_a_sigmoid(model):
    """Softmax is the last operator; a sigmoid takes the same tensors."""
    code = model.operatorCodes[model.subgraphs[0].operators[-1].opcodeIndex]
    code.deprecatedBuiltinCode = code.builtinCode = 14


def with_two_inputs(model):
    graph = model.subgraphs[0]
    graph.inputs = [graph.inputs[0], graph.operators[0].outputs[0]]


def with_int64_input(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = 4


def with_int32_output(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].type = 2


def with_scores_in_a_column(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].shape = [len(LABELS), 1]


def with_a_kernel_that_does_not_fit(model):
    graph = model.subgraphs[0]
    kernel = graph.tensors[graph.operators[0].inputs[1]]
    kernel.shape = [kernel.shape[0], 1, 1, int(np.prod(kernel.shape[1:]))]


def refused(plain):
    """Return the files that the app must refuse, by name; `plain` is what they are made of."""
    changes = {
        "custom_operator": with_custom_operator,
        "newer_operator": with_a_newer_operator,
        "two_outputs": with_two_outputs,
        "two_inputs": with_two_inputs,
        "int64_input": with_int64_input,
        "int32_output": with_int32_output,
        "column_output": with_scores_in_a_column,
        "misfit_kernel": with_a_kernel_that_does_not_fit,
    }
    files = {f"{name}.tflite": altered(plain, change) for name, change in changes.items()}
    record = json.dumps({**RECORD.to_json(), "channel_order": "XYZ"})
    files["odd_record.tflite"] = foreign(
        plain, files={"names.txt": b"a\nb\nc\n", "preprocessing.json": record.encode()}
    )
    files["no_names.tflite"] = foreign(plain, files={})
    files["no_deviation.tflite"] = foreign(plain, deviation=0)
    return files


def main():
    from sqzkit.coding import sqz
    from sqzkit.tflite import metadata

    OUT.mkdir(parents=True, exist_ok=True)
    plain = bare(colours())
    int8, uint8 = converted(), converted(input_type="uint8")
    one_more = b"\n".join(label.encode() for label in (*LABELS, "violet"))
    cut = int8[: int8.rindex(b"PK\x03\x04", 0, int8.rindex(b"PK\x03\x04"))]
    files = {
        "colours_int8.tflite": int8,
        "colours_int8.sqz": sqz.pack(int8),
        "colours_uint8.update.sqz": sqz.pack(uint8, int8),
        "text.sqz": sqz.pack(b"not a model, but a text. " * 20),
        "colours_uint8.tflite": uint8,
        "colours_float.tflite": converted("none"),
        "colours_float16.tflite": converted("float16"),
        "colours_dynamic.tflite": converted("dynamic"),
        "colours_int16x8.tflite": converted("int16x8"),
        "colours_per_tensor.tflite": converted(granularity="per_tensor"),
        "bare_float.tflite": plain,
        "planar.tflite": planar(),
        "foreign.tflite": foreign(plain),
        "four_labels.tflite": metadata.append_files(cut, {"labels.txt": one_more}),
        **refused(plain),
        "sigmoid.tflite": altered(plain, with_a_sigmoid),
        "fails_when_bright.tflite": failing(),
        "grey_input.tflite": bare(colours(classes=2, channels=1)),
    }
    for name, content in files.items():
        (OUT / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
