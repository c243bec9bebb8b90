"""A comparison as rows of text: for the page, for CSV and for Markdown."""

import csv
import io
from collections.abc import Sequence

from sqzkit.paper.config import TITLES
from sqzkit.paper.folder import Row
from sqzkit.paper.printed import PAPER

Table = tuple[list[str], list[list[str]]]
COLUMNS = (
    "row", "file", "bytes", "ratio", "top1", "top5", "test_images", "image_size", "latency_ms",
    "paper_size_file", "paper_size_bytes", "paper_size_ratio", "paper_size_latency_ms",
    "paper_megabytes", "paper_ratio", "paper_top1", "paper_top5",
)  # fmt: skip
NOTHING = "-"


def yours(rows: Sequence[Row]) -> Table:
    """Return titles and cells of the networks as trained."""
    titles = [
        "network",
        "file",
        "bytes",
        "times smaller",
        "top-1",
        "top-5",
        "pixels",
        "latency, ms",
    ]
    whole = rows[0].yours.bytes
    return titles, [
        [
            TITLES[row.name],
            row.yours.file,
            f"{row.yours.bytes:,}",
            _ratio(whole / row.yours.bytes),
            f"{row.top1:.2%}",
            f"{row.top5:.2%}",
            str(row.yours.image_size),
            _milliseconds(row.yours.latency_ms),
        ]
        for row in rows
    ]


def paper_size(rows: Sequence[Row]) -> Table:
    """Return titles and cells of the networks at the paper's size, with the paper's figures."""
    titles = ["network", "file", "bytes", "times smaller", "latency, ms"]
    titles += ["paper: MB", "times smaller", "top-1", "top-5"]
    whole = rows[0].paper.bytes
    cells = []
    for row in rows:
        printed = PAPER.get(row.name)
        stated = [NOTHING] * 4
        if printed:
            stated = [f"{printed.megabytes:g}", _ratio(printed.ratio)]
            stated += [f"{printed.top1} %", f"{printed.top5} %"]
        ours = [row.paper.file, f"{row.paper.bytes:,}", _ratio(whole / row.paper.bytes)]
        cells.append([TITLES[row.name], *ours, _milliseconds(row.paper.latency_ms), *stated])
    return titles, cells


def to_csv(rows: Sequence[Row]) -> str:
    """Return everything as CSV: shares 0..1 for ours, % for the paper's, sizes in bytes."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        printed = PAPER.get(row.name)
        stated = (printed.megabytes, printed.ratio, printed.top1, printed.top5) if printed else ()
        ours, larger = row.yours, row.paper
        writer.writerow([
            row.name, ours.file, ours.bytes, f"{rows[0].yours.bytes / ours.bytes:.4g}",
            f"{row.top1:.4f}", f"{row.top5:.4f}", row.examples, ours.image_size, ours.latency_ms,
            larger.file, larger.bytes, f"{rows[0].paper.bytes / larger.bytes:.4g}",
            larger.latency_ms, *(stated or [None] * 4),
        ])  # fmt: skip
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    titles, cells = table
    lines = [f"| {' | '.join(titles)} |", "|---|---" + "|---:" * (len(titles) - 2) + "|"]
    lines += [f"| {' | '.join(line)} |" for line in cells]
    return "\n".join(lines) + "\n"


def _ratio(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"
