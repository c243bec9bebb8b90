from typing import Any

import flatbuffers
import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import planning, sqz, symbols
from sqzkit.coding.weights import four_dimensions
from tests import counting


@pytest.mark.parametrize("outside", [None, 4096])
def test_tensors_and_scales_are_found_where_they_are(tflite, kernel, outside):
    weights, bias = kernel((8, 3, 3, 4)), np.arange(8, dtype=np.int32)
    content = tflite([weights, bias], [[0.5, 0.25], None], b"labels", outside)
    found = {(span.role, span.dtype): span for span in planning.find_spans(content)}
    for key, values in (
        (("tensor", "int8"), weights),
        (("tensor", "int32"), bias),
        (("scales", "float32"), np.float32([0.5, 0.25])),
    ):
        span = found[key]
        run = content[span.offset : span.offset + span.length]
        assert run == values.tobytes()
        assert span.shape == values.shape


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"....TFL3", b"\xff" * 4 + b"TFL3" + b"\xff" * 99]
)
def test_other_bytes_have_no_spans(content):
    assert planning.find_spans(content) == []


@pytest.mark.parametrize("outside", [None, 600])
def test_no_damage_makes_the_reader_fail(tflite, kernel, outside):
    tensors = [kernel((4, 3, 3, 2)), np.ones(4, np.float32)]
    content = tflite(tensors, [[1.0, 2.0], None], outside=outside)
    random = np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 3):
            damaged[place] = random.integers(0, 256)
        end = 0
        for span in planning.find_spans(bytes(damaged)):
            assert end <= span.offset
            end = span.offset + span.length
            assert end <= len(damaged)
    for cut in range(0, len(content), 7):
        planning.find_spans(content[:cut])


def back(coded):
    """The elements of one tensor of symbols."""
    return symbols.from_symbols([coded.tensor], coded.symbols.reshape(-1), coded.codebook)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float16, np.float32, np.int32, np.int64])
def test_symbols_give_the_elements_back(kernel, dtype):
    values = kernel((6, 1, 1, 40)).astype(dtype)
    coded = symbols.to_symbols(values.tobytes(), values.itemsize, (6, 1, 1, 40))
    assert coded.symbols.dtype == np.int8
    if values.itemsize > 1 and dtype != np.int64:
        assert ((coded.symbols == 0) == (values == 0)).all()
    assert back(coded) == values.tobytes()


def test_codebooks_of_256_floats_with_both_zeros_come_back():
    book = np.concatenate([[-0.0], np.linspace(-1, 5, 255)]).astype(np.float32)
    values = np.random.default_rng(0).choice(book, 200_000)
    coded = symbols.to_symbols(values.tobytes(), 4, four_dimensions(values.shape))
    assert back(coded) == values.tobytes()
    assert symbols.to_symbols(np.arange(257.0).astype("<f4").tobytes(), 4, (1, 1, 1, 257)) is None


def test_tensors_of_several_widths_lie_one_behind_the_other(kernel):
    arrays = [kernel((5, 7)), kernel((3, 9)).astype(np.float16), kernel((1, 11)).astype(np.int32)]
    coded = [
        symbols.to_symbols(array.tobytes(), array.itemsize, four_dimensions(array.shape))
        for array in arrays
    ]
    elements = symbols.from_symbols(
        [one.tensor for one in coded],
        np.concatenate([one.symbols.reshape(-1) for one in coded]),
        b"".join(one.codebook for one in coded),
    )
    assert elements == b"".join(array.tobytes() for array in arrays)


@pytest.mark.parametrize("place", [1, 70_000])
def test_symbols_outside_the_codebook_are_refused(place):
    tensor = symbols.SymbolTensor((1, 1, 1, 80_000), 4, 0, 2)
    values = np.zeros(80_000, np.int8)
    values[place] = 2
    with pytest.raises(FormatError, match="codebook of 2"):
        symbols.from_symbols([tensor], values, bytes(8))


def test_a_bias_scale_is_stored_as_a_product(tflite, kernel):
    scales = (np.random.default_rng(0).random(16) + 0.1).astype(np.float32)
    biases = (scales * np.float32(0.0123)).tolist()
    content = tflite(
        [kernel((16, 1, 1, 64)), np.arange(16, dtype=np.int32)], [scales.tolist(), biases]
    )
    pieces = planning.plan(content).pieces
    assert len([piece for piece in pieces if piece.stream == 0]) == 1
    unequal = [*biases[:-1], biases[-1] * 1.001]
    content = tflite(
        [kernel((16, 1, 1, 64)), np.arange(16, dtype=np.int32)], [scales.tolist(), unequal]
    )
    assert all(piece.stream for piece in planning.plan(content).pieces)


def test_zeros_of_both_signs_are_no_product(tflite, kernel):
    scales = np.linspace(1, 2, 16).tolist()
    zeros = [0.0, -0.0] * 8
    content = tflite([kernel((16, 1, 1, 64)), np.arange(16, dtype=np.int32)], [scales, zeros])
    assert all(piece.stream for piece in planning.plan(content).pieces)
    assert sqz.unpack(sqz.pack(content)) == content


def test_of_tensors_that_share_values_the_first_counts(monkeypatch):
    shapes = [(64,), (8, 8), (2, 32), (32, 2), (4, 16), (16, 4), (1, 64), (64, 1)]
    for first in range(len(shapes)):
        listed = shapes[first:] + shapes[:first]
        spans = [planning.Span(16, 64, "int8", shape) for shape in listed]
        monkeypatch.setattr(planning, "_spans", lambda content, spans=spans: iter(spans))
        assert planning.find_spans(bytes(80)) == spans[:1]


def test_repetitive_tensors_are_left_to_the_plain_coders(tflite):
    table = np.tile(np.arange(64, dtype=np.int8), 64)
    assert planning.plan(tflite([table])).tensors == []


def test_shared_lists_are_not_walked_without_end():
    """A thousand subgraphs that are one list of tensors, each with one endless shape."""
    builder = flatbuffers.Builder()
    shape = builder.CreateNumpyVector(np.ones(20_000, np.int32))
    data = builder.CreateNumpyVector(np.ones(4, np.uint8))

    def table(**fields):
        builder.StartObject(8)
        for slot, offset in fields.items():
            builder.PrependUOffsetTRelativeSlot(int(slot[1:]), offset, 0)
        return builder.EndObject()

    def repeated(item, count):
        builder.StartVector(4, count, 4)
        for _ in range(count):
            builder.PrependUOffsetTRelative(item)
        return builder.EndVector()

    buffers = repeated(table(_0=data), 1)
    tensors = repeated(table(_0=shape), 20_000)
    subgraphs = repeated(table(_0=tensors), 20_000)
    builder.Finish(table(_2=subgraphs, _4=buffers), b"TFL3")
    content = bytes(builder.Output())
    found: list[Any] = []
    work = counting.calls(lambda: found.extend(planning.find_spans(content)))
    assert found == []
    assert work < 5_000_000  # each list walked anew would take 400 million
