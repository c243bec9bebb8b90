import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError
from sqzkit.models import caffemodel, onnx_file
from tests.models.test_caffemodel import arrays, field, integer, packed_dimensions, packed_floats

KERNEL, BIAS = arrays((4, 3, 2, 5), (4,))


def raw(array):
    return integer(2, 1) + field(9, array.astype("<f4").tobytes())


def listed(array):
    return integer(2, 1) + packed_floats(4, array.ravel().tolist())


def raw_half(array):
    return integer(2, 10) + field(9, array.astype("<f2").tobytes())


def listed_half(array):
    bits = array.astype("<f2").view("<u2").ravel().tolist()
    return integer(2, 10) + b"".join(integer(5, value) for value in bits)


def tensor(name, array, values=raw, shape=None, more=b""):
    dims = packed_dimensions(array.shape if shape is None else shape)
    return field(5, dims + field(8, name.encode()) + values(array) + more)


def conv(*names, kind=b"Conv"):
    inputs = b"".join(field(1, name.encode()) for name in ("image", *names))
    return field(1, inputs + field(2, b"output") + field(4, kind))


def model(*parts):
    return integer(1, 3) + field(2, b"maker") + field(7, b"".join(parts))


NODE = conv("conv1_w_0", "conv1_b_0")
BIAS_TENSOR = tensor("conv1_b_0", BIAS)
WHOLE = model(NODE, tensor("conv1_w_0", KERNEL), BIAS_TENSOR)


@pytest.mark.parametrize("values", [raw, listed, raw_half, listed_half])
@pytest.mark.parametrize("names", [("conv1_w_0", "conv1_b_0"), ("conv1.weight", "conv1.bias")])
def test_convolutions_are_read(values, names):
    """The tensors of other nodes do not matter, whatever their type."""
    shape = field(5, packed_dimensions((2,)) + integer(2, 7) + field(8, b"reshape"))
    given_tensors = [tensor(n, a, values) for n, a in zip(names, (KERNEL, BIAS), strict=True)]
    content = model(conv(*names), conv("reshape", kind=b"Reshape"), shape, *given_tensors)
    result = onnx_file.read(content, "a.onnx")
    tolerance = 1e-3 if values in (raw_half, listed_half) else 0
    np.testing.assert_allclose(result["conv1"][0], KERNEL, rtol=tolerance)
    np.testing.assert_allclose(result["conv1"][1], BIAS, rtol=tolerance)
    assert list(result) == list(caffemodel.convolutions(result, "a.onnx")) == ["conv1"]


def test_weights_that_constant_nodes_give_are_read():
    """As older exporters write them."""
    dims = packed_dimensions(KERNEL.shape)
    value = field(1, b"value") + field(5, dims + raw(KERNEL))
    node = field(1, field(2, b"conv1_w_0") + field(4, b"Constant") + field(5, value))
    found = onnx_file.read(model(node, NODE, BIAS_TENSOR), "a.onnx")
    np.testing.assert_array_equal(found["conv1"][0], KERNEL)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([conv("reshape", kind=b"Reshape")], "no convolution has weights"),
        ([NODE, BIAS_TENSOR], "conv1_w_0: the weights of a convolution are not a constant"),
        ([NODE, NODE, tensor("conv1_w_0", KERNEL), BIAS_TENSOR], "two convolutions use .*'conv1'"),
        ([NODE, tensor("conv1_w_0", KERNEL, shape=(4, 3, 2)), BIAS_TENSOR], "does not fit its 120"),
        ([NODE, tensor("conv1_w_0", KERNEL, shape=(2**40,) * 2), BIAS_TENSOR], "does not fit its"),
        ([NODE, tensor("conv1_w_0", KERNEL, shape=(1,) * 999), BIAS_TENSOR], "does not fit its"),
        ([NODE, tensor("conv1_w_0", KERNEL * np.inf), BIAS_TENSOR], "conv1_w_0: .*not finite"),
        ([NODE, tensor("conv1_w_0", KERNEL, more=integer(14, 1))], "lies in another file"),
        ([NODE, tensor("conv1_w_0", KERNEL, lambda _: integer(2, 11))], "data type 11; must be 1"),
        ([field(1, b"")] * 5000, "5000 nodes and 0 tensors, more than 4096"),
        ([conv("\xff"), field(5, b"")], "not a constant"),
    ],
)
def test_other_files_are_refused_by_place(parts, message):
    with pytest.raises(FormatError, match=f"^a.onnx: .*{message}") as error:
        onnx_file.read(model(*parts), "a.onnx")
    assert len(str(error.value)) < 200


def test_a_tensor_of_many_nodes_is_decoded_once():
    """So that a file cannot name its largest tensor as the bias of thousands of nodes."""
    others = [
        part for n in "ab" for part in (conv(f"{n}_w_0", "conv1_b_0"), tensor(f"{n}_w_0", KERNEL))
    ]
    result = onnx_file.read(model(BIAS_TENSOR, *others), "a.onnx")
    assert result["a"][1] is result["b"][1]


def test_a_convolution_without_bias_is_refused():
    content = model(conv("conv1_w_0"), tensor("conv1_w_0", KERNEL))
    with pytest.raises(FormatError, match="conv1: not a convolution with a bias"):
        caffemodel.convolutions(onnx_file.read(content, "a.onnx"), "a.onnx")
    with pytest.raises(FormatError, match="not a convolution with a bias"):
        caffemodel.convolutions(onnx_file.read(model(conv()), "a.onnx"), "a.onnx")


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(FormatError, match="more than 16777216"):
        onnx_file.read(bytes(onnx_file.MAX_BYTES + 1), "a.onnx")


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4))
def test_damaged_files_are_read_or_refused(at, change):
    for content in (WHOLE[:at], WHOLE[:at] + change + WHOLE[at + len(change) :]):
        try:
            caffemodel.convolutions(onnx_file.read(content, "a.onnx"), "a.onnx")
        except FormatError as error:
            assert str(error).startswith("a.onnx: ")
