import csv

import pytest

from sqzkit.base import tables

LINES = [{"name": 'a "b", c', "bytes": "1,234"}, {"name": "d", "bytes": ""}]


def test_csv_comes_back_cell_by_cell():
    text = tables.to_csv(LINES)
    assert list(csv.DictReader(text.splitlines())) == LINES
    assert text.endswith("d,\n")


def test_markdown_aligns_numbers():
    assert tables.to_markdown(LINES) == (
        '| name | bytes |\n| --- | ---: |\n| a "b", c | 1,234 |\n| d |  |\n'
    )


def test_a_line_with_another_column_is_refused():
    with pytest.raises(ValueError, match="other"):
        tables.to_csv([*LINES, {"name": "e", "other": "f"}])
