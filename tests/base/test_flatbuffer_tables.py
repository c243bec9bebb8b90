import flatbuffers
import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.base.flatbuffer_tables import Source


def written():
    """A file with one root table: 0 int32, 1 text, 3 float vector, 4 table, 5 tables."""
    builder = flatbuffers.Builder()
    floats = builder.CreateNumpyVector(np.array([1.5, -2], np.float32))
    children = []
    for value in (7, 8):
        builder.StartObject(1)
        builder.PrependInt32Slot(0, value, 0)
        children.append(builder.EndObject())
    builder.StartVector(4, 2, 4)
    for child in reversed(children):
        builder.PrependUOffsetTRelative(child)
    tables = builder.EndVector()
    text = builder.CreateString("héllo")
    builder.StartObject(6)
    builder.PrependInt32Slot(0, -5, 0)
    for slot, offset in ((1, text), (3, floats), (4, children[1]), (5, tables)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), b"TEST")
    return bytes(builder.Output())


def read_all(content):
    root = Source(content, "test file").root(b"TEST")
    return (
        root.scalar(0, "i", 0),
        root.text(1),
        root.vector(3, "float32").tolist(),
        root.table(4) and root.table(4).scalar(0, "i", 0),
        [table.scalar(0, "i", 0) for table in root.tables(5)],
    )


def test_reads_every_kind_of_field():
    assert read_all(written()) == (-5, "héllo", [1.5, -2.0], 8, [7, 8])


def test_absent_fields_are_empty():
    root = Source(written(), "test file").root(b"TEST")
    assert root.scalar(9, "i", 3) == 3
    assert root.text(9) == ""
    assert root.table(9) is None
    assert root.vector(9, "int8").size == 0
    assert root.extent(9, 4) == (0, 0)


def test_the_extent_is_where_the_values_lie():
    content = written()
    root = Source(content, "test file").root(b"TEST")
    start, count = root.extent(3, 4)
    assert np.frombuffer(content, "<f4", count, start).tolist() == [1.5, -2.0]


@pytest.mark.parametrize("content", [b"", b"1234567", written()[:4] + b"NOPE" + written()[8:]])
def test_refuses_what_is_another_file(content):
    with pytest.raises(FormatError, match="not a test file"):
        read_all(content)


def test_any_altered_byte_gives_values_or_a_format_error():
    good = written()
    refused = 0
    for position in range(8, len(good)):
        for value in (0, 1, 127, 128, 255):
            bad = good[:position] + bytes([value]) + good[position + 1 :]
            try:
                read_all(bad)
            except FormatError:
                refused += 1
    assert refused > 100


def test_any_cut_gives_a_format_error_or_values():
    good = written()
    refused = 0
    for length in range(len(good)):
        try:
            read_all(good[:length])
        except FormatError:
            refused += 1
    assert refused > len(good) // 2


def test_a_list_that_repeats_one_table_ends_soon():
    builder = flatbuffers.Builder()
    builder.StartObject(1)
    builder.PrependInt32Slot(0, 1, 0)
    child = builder.EndObject()
    for _ in range(3):  # each level would multiply the visits by 1,000
        builder.StartVector(4, 1000, 4)
        for _ in range(1000):
            builder.PrependUOffsetTRelative(child)
        vector = builder.EndVector()
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, vector, 0)
        child = builder.EndObject()
    builder.Finish(child, b"TEST")

    def visit(table, depth):
        for item in table.tables(0) if depth else []:
            visit(item, depth - 1)

    with pytest.raises(FormatError, match="more often than its size allows"):
        visit(Source(bytes(builder.Output()), "test file").root(b"TEST"), 3)
