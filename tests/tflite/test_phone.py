import pytest
from ai_edge_litert import schema_py_generated as schema

from sqzkit.base import flatbuffer_tables
from sqzkit.base.flatbuffer_tables import Scalar
from sqzkit.tflite import phone
from sqzkit.tflite.flatbuffer import IDENTIFIER, TFLiteFile

CODES = vars(schema.BuiltinOperator)


def file_with(code, version):
    """A file of one operator code, which no operator uses."""
    entry = {0: Scalar("int8", min(code, 127)), 2: Scalar("uint32", version)}
    entry[3] = Scalar("uint32", code)
    return TFLiteFile(flatbuffer_tables.write({1: [entry], 2: [{}]}, IDENTIFIER))


@pytest.mark.parametrize(
    ("name", "newest"),
    [("FULLY_CONNECTED", 11), ("CONV_2D", 8), ("RESHAPE", 1), ("GELU", 2), ("SOFTMAX", 3)],
)
def test_the_newest_version_is_known_and_the_next_is_not(name, newest):
    assert phone.unknown_operators(file_with(CODES[name], newest)) == []
    found = phone.unknown_operators(file_with(CODES[name], newest + 1))
    assert found == [f"{name} {newest + 1}"]


def test_operators_of_later_schemas_are_unknown():
    assert phone.unknown_operators(file_with(CODES["STABLEHLO_SCATTER"], 1))
    assert phone.unknown_operators(file_with(5000, 1)) == ["OPERATOR_5000 1"]


def test_what_convert_writes_is_known(converted):
    for kind in ("none", "float16", "int8", "uint8"):
        assert phone.unknown_operators(TFLiteFile(converted[kind])) == []
