import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError
from sqzkit.models import caffemodel
from sqzkit.models.caffemodel import message_class


def varint(value):
    """Encode by hand: these tests must not trust the class under test to write."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number, value):
    return varint(number << 3) + varint(value)


def packed_floats(number, values):
    return field(number, struct.pack(f"<{len(values)}f", *values))


def single_floats(number, values):
    return b"".join(varint(number << 3 | 5) + struct.pack("<f", value) for value in values)


def blob(array, legacy=False, floats=packed_floats):
    data = floats(5, array.ravel().tolist())
    if legacy:
        shape = (1,) * (4 - array.ndim) + array.shape
        return b"".join(integer(i + 1, side) for i, side in enumerate(shape)) + data
    return field(7, packed_dimensions(array.shape)) + data


def packed_dimensions(shape):
    return field(1, b"".join(map(varint, shape)))


def layer(name, *blobs, legacy=False):
    """One layer, with fields this reader does not know about around it."""
    number, name_number, blob_number = (2, 4, 6) if legacy else (100, 1, 7)
    kind = integer(5, 4) if legacy else field(2, b"Convolution")
    parts = [field(name_number, name.encode()), kind, field(3, b"bottom")]
    return field(number, b"".join([*parts, *(field(blob_number, item) for item in blobs)]))


def arrays(*shapes):
    generator = np.random.default_rng(len(shapes))
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("floats", [packed_floats, single_floats])
def test_layers_are_read(legacy, floats):
    kernel, bias = arrays((4, 3, 2, 5), (4,))
    blobs = [blob(array, legacy, floats) for array in (kernel, bias)]
    content = (
        field(1, b"net") + layer("data", legacy=legacy) + layer("conv1", *blobs, legacy=legacy)
    )
    result = caffemodel.read(content, "a.caffemodel")
    assert list(result) == ["conv1"]
    np.testing.assert_array_equal(result["conv1"][0], kernel)
    np.testing.assert_array_equal(result["conv1"][1].ravel(), bias)
    (converted,) = caffemodel.convolutions(result, "a.caffemodel").values()
    assert converted[0].shape == (2, 5, 3, 4)
    np.testing.assert_array_equal(converted[0][1, 4, 2, 3], kernel[3, 2, 1, 4])
    np.testing.assert_array_equal(converted[1], bias)


def test_our_descriptors_agree_with_the_bytes_written_by_hand():
    (array,) = arrays((2, 3))
    net = message_class("NetParameter")()
    entry = net.layer.add(name=b"fc")
    entry.blobs.add(data=array.ravel().tolist()).shape.dim.extend(array.shape)
    expected = field(
        100,
        field(1, b"fc")
        + field(
            7, packed_floats(5, array.ravel().tolist()) + field(7, packed_dimensions(array.shape))
        ),
    )
    assert net.SerializeToString() == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    try:
        caffemodel.read(content, "a.caffemodel")
    except FormatError as error:
        assert str(error).startswith("a.caffemodel: ")


@given(st.data())
def test_a_truncated_file_is_refused(data):
    kernel, bias = arrays((4, 3, 1, 1), (4,))
    content = layer("conv1", blob(kernel), blob(bias))
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(FormatError):
        caffemodel.read(content[:end], "a.caffemodel")


@pytest.mark.parametrize(
    ("shape", "count"),
    [((2, 3), 5), ((0,), 0), ((1, 1, 1, 1, 2), 2), ((2**40, 2**40), 4), ((2**63 - 1,), 1)],
)
def test_shapes_that_do_not_fit_are_refused(shape, count):
    content = layer("x", field(7, packed_dimensions(shape)) + packed_floats(5, [0.0] * count))
    with pytest.raises(FormatError, match=r"a.caffemodel: x: shape .* does not fit"):
        caffemodel.read(content, "a.caffemodel")


def test_legacy_shapes_that_are_missing_are_refused():
    content = layer("x", packed_floats(5, [1.0]), legacy=True)
    with pytest.raises(FormatError, match=r"shape \(0, 0, 0, 0\) does not fit its 1 values"):
        caffemodel.read(content, "a.caffemodel")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(value):
    content = layer("x", blob(np.array([1, value], np.float32)))
    with pytest.raises(FormatError, match="not finite"):
        caffemodel.read(content, "a.caffemodel")


def test_two_layers_of_one_name_are_refused():
    entry = layer("x", blob(np.ones(2, np.float32)))
    with pytest.raises(FormatError, match="two layers with weights are named 'x'"):
        caffemodel.read(entry + entry, "a.caffemodel")


def test_a_name_that_is_not_text_is_refused():
    entry = field(1, b"\xff") + field(7, blob(np.ones(2, np.float32)))
    with pytest.raises(FormatError, match="not text"):
        caffemodel.read(field(100, entry), "a.caffemodel")


def test_hostile_sizes_are_bounded():
    with pytest.raises(FormatError, match="more than 16777216"):
        caffemodel.read(bytes(caffemodel.MAX_BYTES + 1), "a.caffemodel")
    with pytest.raises(FormatError, match="5000 layers, more than 4096"):
        caffemodel.read(field(100, b"") * 5000, "a.caffemodel")


@pytest.mark.parametrize("shapes", [[(2, 2, 1, 1)], [(2, 3), (2,)], [(2, 2, 1, 1), (3,)]])
def test_layers_that_are_no_convolutions_are_refused(shapes):
    with pytest.raises(FormatError, match="x: not a convolution with a bias"):
        caffemodel.convolutions({"x": arrays(*shapes)}, "a.caffemodel")


def test_millions_of_dimensions_or_blobs_make_a_short_message():
    dimensions = field(7, field(1, varint(1) * 1_000_000)) + packed_floats(5, [1.0])
    for content in (layer("x", dimensions), layer("x", *[b""] * 100_000)):
        with pytest.raises(FormatError, match=r"does not fit its 1 values|100000 blobs") as error:
            caffemodel.read(content, "a.caffemodel")
        assert len(str(error.value)) < 200
