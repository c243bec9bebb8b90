"""Tables as CSV and as Markdown: lines of cells by column, all with the same columns."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def to_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return lines as CSV, with the columns' names first."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def to_markdown(lines: Sequence[Mapping[str, str]]) -> str:
    """Return lines as Markdown; all columns but the first are aligned to the right."""
    columns = list(lines[0])
    rule = ["---", *["---:"] * (len(columns) - 1)]
    cells = [columns, rule, *(list(line.values()) for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
