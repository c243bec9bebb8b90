import pytest

from sqzkit.base.errors import UsageError
from sqzkit.compression import layer_table

LAYERS = ["conv1", "fire2/squeeze1x1", "fire2/expand3x3", "fire3/expand3x3", "conv10"]


def parse(text):
    def fault(value):
        return None if 0 <= value < 1 else "0 or more and less than 1"

    return layer_table.parse(text, "--target_sparsity", float, fault)


def test_one_number_is_for_all_layers():
    assert parse("0.6").resolve(LAYERS) == dict.fromkeys(LAYERS, 0.6)


def test_layers_that_no_name_matches_are_left_alone():
    assert parse("fire*/expand3x3=0.67,conv10=0.8").resolve(LAYERS) == {
        "conv1": 0.0,
        "fire2/squeeze1x1": 0.0,
        "fire2/expand3x3": 0.67,
        "fire3/expand3x3": 0.67,
        "conv10": 0.8,
    }


def test_the_last_matching_name_wins_over_the_default():
    table = parse("0.5,fire*=0.7,fire3/*=0.9").resolve(LAYERS)
    assert table["conv1"] == 0.5
    assert table["fire2/expand3x3"] == 0.7
    assert table["fire3/expand3x3"] == 0.9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("much", r"--target_sparsity 'much': must be a number, or layer=number pairs"),
        ("", r"--target_sparsity '': must be a number"),
        ("conv1=", r"'conv1='.*must be a number"),
        ("1.0", r"'1.0': must be 0 or more and less than 1"),
        ("0.5,conv1=-0.1", r"'conv1=-0.1': must be 0 or more"),
        ("0.5,conv1=nan", r"'conv1=nan': must be 0 or more"),
        ("conv1=0.5,0.6", r"'0.6': a number without a layer's name must come first"),
    ],
)
def test_what_is_no_table_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_a_name_that_matches_nothing_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match=r"'fire99/\*': no layer has that name.*conv1, fire2"):
        parse("fire99/*=0.5").resolve(LAYERS)
