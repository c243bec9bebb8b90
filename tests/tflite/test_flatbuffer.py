import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from sqzkit.base.errors import FormatError, InvariantError
from sqzkit.tflite.flatbuffer import TFLiteFile

LAYERS = ["conv1"]
LAYERS += [f"{f}/{c}" for f in ("fire2", "fire3") for c in ("squeeze1x1", "expand1x1", "expand3x3")]
LAYERS += ["conv10"]


@pytest.fixture
def model(bare_int8):
    return TFLiteFile(bare_int8)


def run(content, images):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    outputs = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(outputs)


def test_reads_what_the_interpreter_reads(model, bare_int8):
    interpreter = Interpreter(model_content=bare_int8)
    interpreter.allocate_tensors()
    details = {item["index"]: item for item in interpreter.get_tensor_details()}
    for tensor in model.tensors:
        other = details[tensor.index]
        assert tensor.name == other["name"]
        assert list(tensor.shape) == other["shape"].tolist()
        assert np.dtype(tensor.dtype) == other["dtype"]
        quantization = other["quantization_parameters"]
        np.testing.assert_array_equal(tensor.scales, quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_points, quantization["zero_points"])
        if model.is_constant(tensor):
            np.testing.assert_array_equal(model.data(tensor), interpreter.get_tensor(tensor.index))
    assert model.inputs == (interpreter.get_input_details()[0]["index"],)
    assert model.outputs == (interpreter.get_output_details()[0]["index"],)


def moved_outside(content):
    """Return the model with its buffers behind the flatbuffer, as ai-edge-quantizer writes them."""
    made = schema.ModelT.InitFromPackedBuf(content, 0)
    values = [np.asarray([] if b.data is None else b.data, np.uint8) for b in made.buffers]
    end = start = -(-len(content) // 64) * 64 + 4096  # each buffer takes two numbers more
    for buffer, data in zip(made.buffers, values, strict=True):
        if data.size:
            buffer.data, buffer.offset, buffer.size = None, end, data.size
            end += -(-data.size // 16) * 16
    builder = flatbuffers.Builder(len(content))
    builder.Finish(made.Pack(builder), b"TFL3")
    pieces = [data.tobytes().ljust(-(-data.size // 16) * 16, b"\0") for data in values]
    return bytes(builder.Output()).ljust(start, b"\0") + b"".join(pieces)


def test_reads_buffers_behind_the_flatbuffer(bare_int8, model, noise_images):
    content = moved_outside(bare_int8)
    images = (noise_images[:4] - 128).astype(np.int8)
    np.testing.assert_array_equal(run(content, images), run(bare_int8, images))
    moved = TFLiteFile(content)
    for tensor, other in zip(model.tensors, moved.tensors, strict=True):
        assert model.is_constant(tensor) == moved.is_constant(other)
        if model.is_constant(tensor):
            np.testing.assert_array_equal(model.data(tensor), moved.data(other))
    with pytest.raises(FormatError, match="bytes at .* do not fit"):
        TFLiteFile(content[:-100])


def test_counts_operators_and_dtypes(model):
    expected = {"CONCATENATION": 2, "CONV_2D": 8, "MAX_POOL_2D": 1, "MEAN": 1}
    assert model.operator_counts() == expected
    assert model.dtype_counts()["int8"] == 8 + 13
    assert set(model.dtype_counts()) == {"int8", "int32"}


def test_convolutions_have_their_layers_names_and_kernels(model, small_network):
    found = model.convolutions()
    assert [item.layer for item in found] == LAYERS
    for item in found:
        layer = small_network.get_layer(item.layer)
        kernel, bias = layer.get_weights()
        ours = model.data(item.kernel) * item.kernel.scales[:, None, None, None]
        np.testing.assert_allclose(
            ours, kernel.transpose(3, 0, 1, 2), atol=item.kernel.scales.max()
        )
        found_bias = model.data(item.bias) * item.bias.scales
        np.testing.assert_allclose(found_bias, bias, atol=item.bias.scales.max())
        assert item.kernel.axis == 0


def test_replaced_values_are_what_the_interpreter_uses(model, noise_images):
    conv10 = model.convolutions()[-1]
    zero = np.zeros_like(model.data(conv10.kernel))
    bias = np.arange(5, dtype=np.int32) * 1000 + 1000
    changed = model.replace({conv10.kernel.index: zero, conv10.bias.index: bias})
    assert len(changed) == len(model.content)
    images = (noise_images[:3].astype(np.int16) - 128).astype(np.int8)
    scores = run(changed, images)
    assert (scores == scores[0]).all()
    assert (np.diff(scores[0].astype(int)) >= 0).all()
    again = TFLiteFile(changed)
    np.testing.assert_array_equal(again.data(again.convolutions()[-1].bias), bias)


def test_replacing_by_the_same_values_changes_nothing(model):
    values = {
        t.index: model.data(t) for t in model.tensors if t.dtype == "int8" and model.is_constant(t)
    }
    scales = {index: model.tensors[index].scales for index in values}
    assert len(values) == 8
    assert model.replace(values, scales) == model.content


def test_replaced_scales_are_read_back(model):
    kernel = model.convolutions()[0].kernel
    changed = TFLiteFile(model.replace({}, {kernel.index: kernel.scales * 2}))
    np.testing.assert_array_equal(changed.tensors[kernel.index].scales, kernel.scales * 2)
    differing = sum(a != b for a, b in zip(changed.content, model.content, strict=True))
    assert 0 < differing <= 4 * kernel.scales.size


@pytest.mark.parametrize(
    ("values", "scales"),
    [
        (lambda k: {k.index: np.zeros((1, 3, 3, 3), np.int8)}, lambda k: {}),
        (lambda k: {k.index: np.zeros(k.shape, np.float32)}, lambda k: {}),
        (lambda k: {}, lambda k: {k.index: k.scales[:1]}),
        (lambda k: {}, lambda k: {k.index: k.scales * 0}),
        (lambda k: {}, lambda k: {k.index: k.scales * np.nan}),
    ],
)
def test_refuses_replacements_that_do_not_fit(model, values, scales):
    kernel = model.convolutions()[0].kernel
    with pytest.raises(InvariantError, match="conv1"):
        model.replace(values(kernel), scales(kernel))


def test_an_activation_has_no_values(model):
    with pytest.raises(FormatError, match="holds no values"):
        model.data(model.tensors[model.inputs[0]])


def test_metadata_entries(model):
    assert model.metadata_entry("min_runtime_version").startswith(b"1.")
    assert model.metadata_entry("nothing") is None


@pytest.mark.parametrize("content", [b"", b"not a model, only text", bytes(1000)])
def test_refuses_other_files(content):
    with pytest.raises(FormatError, match="not a TFLite model"):
        TFLiteFile(content)


def test_mutations_give_a_model_or_a_format_error(bare_int8):
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(1500):
        content = bytearray(bare_int8)
        for position in random.integers(0, len(content), random.integers(1, 8)):
            content[position] = random.integers(0, 256)
        if random.random() < 0.2:
            del content[random.integers(0, len(content)) :]
        try:
            model = TFLiteFile(bytes(content))
            model.convolutions()
            [model.data(tensor) for tensor in model.tensors if model.is_constant(tensor)]
            model.metadata_entry("min_runtime_version")
        except FormatError:
            refused += 1
    assert 200 < refused < 1500


def sharing(content, which):
    """The small network's file with two layers that read the same kernel values."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    kernels = {item.layer: item.kernel.index for item in TFLiteFile(content).convolutions()}
    first, second = kernels["fire2/expand1x1"], kernels["fire3/expand1x1"]
    if which == "buffer":
        graph.tensors[second].buffer = graph.tensors[first].buffer
    else:
        for operator in graph.operators:
            operator.inputs = [first if i == second else i for i in operator.inputs]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return TFLiteFile(bytes(builder.Output())), first


@pytest.mark.parametrize("which", ["buffer", "tensor"])
def test_values_that_two_layers_read_are_not_replaced(bare_int8, which):
    file, kernel = sharing(bare_int8, which)
    values = file.data(file.tensors[kernel])
    with pytest.raises(InvariantError, match="shared by several operators"):
        file.replace({kernel: values})
    own = file.convolutions()[0].kernel
    assert file.replace({own.index: file.data(own)}) == file.content
