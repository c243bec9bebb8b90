"""The table of a comparison as files: one HTML page that needs nothing else, CSV, Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import files, tables
from sqzkit.data.dataset import ImageDataset
from sqzkit.paper.config import QUICK, TITLES, CompareConfig
from sqzkit.paper.folder import Comparison, Row
from sqzkit.paper.printed import PAPER
from sqzkit.reporting import figures, templates
from sqzkit.tflite.latency import machine

TEMPLATE = Path(__file__).with_name("page.html")
NOTHING = "-"
_ALEXNETS = ("alexnet", "svd", "pruned", "alexnet_dc")


def write_table(
    rows: Sequence[Row],
    config: CompareConfig,
    folder: Comparison,
    dataset: ImageDataset,
) -> Path:
    """Write compare.html, compare.csv and compare.md; return the page's path.

    The rows are finished, AlexNet first.
    """
    yours, paper = table(rows), paper_table(rows)
    page = templates.render(
        TEMPLATE,
        data=dataset.name,
        classes=len(dataset.labels),
        examples=rows[0].examples,
        quick=config.effort == QUICK,
        accuracy=accuracy_plot(rows),
        ratios=ratio_plot(rows),
        machine=machine(),
        yours=yours,
        paper=paper,
        paper_classes=config.paper.classes,
        paper_side=config.paper.image_size,
        notes=[(TITLES[row.name], note) for row in rows for note in row.notes],
        command=config.command(),
    )
    head = f"# {dataset.name}: the SqueezeNet paper's table 2\n\n`{config.command()}`\n\n"
    files.write_text(folder.path / "compare.csv", tables.to_csv(records(rows)))
    text = head + tables.to_markdown(yours) + "\n" + tables.to_markdown(paper)
    files.write_text(folder.path / "compare.md", text)
    path = folder.path / "compare.html"
    files.write_text(path, page)
    return path


def table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return the networks as trained: by row, cells by column."""
    return [
        {
            "network": TITLES[row.name],
            "bytes": f"{row.yours.bytes:,}",
            "times smaller": _ratio(rows[0].yours.bytes / row.yours.bytes),
            "top-1": f"{row.top1:.2%}",
            "top-5": f"{row.top5:.2%}",
            "pixels": str(row.yours.image_size),
            "latency, ms": _milliseconds(row.yours.latency_ms),
            "file": row.yours.file,
        }
        for row in rows
    ]


def paper_table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return the networks at the paper's size, with the paper's figures."""
    lines = []
    for row in rows:
        printed = PAPER.get(row.name)
        lines.append({
            "network": TITLES[row.name],
            "bytes": f"{row.paper.bytes:,}",
            "times smaller": _ratio(rows[0].paper.bytes / row.paper.bytes),
            "latency, ms": _milliseconds(row.paper.latency_ms),
            "paper: MB": f"{printed.megabytes:g}" if printed else NOTHING,
            "paper: times smaller": _ratio(printed.ratio) if printed else NOTHING,
            "paper: top-1": f"{printed.top1} %" if printed else NOTHING,
            "paper: top-5": f"{printed.top5} %" if printed else NOTHING,
            "file": row.paper.file,
        })  # fmt: skip
    return lines


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return everything: our accuracies 0..1, the paper's in %, sizes in bytes."""
    lines = []
    for row in rows:
        printed, ours, larger = PAPER.get(row.name), row.yours, row.paper
        lines.append({
            "row": row.name,
            "file": ours.file,
            "bytes": ours.bytes,
            "ratio": f"{rows[0].yours.bytes / ours.bytes:.4g}",
            "top1": f"{row.top1:.4f}",
            "top5": f"{row.top5:.4f}",
            "test_images": row.examples,
            "image_size": ours.image_size,
            "latency_ms": ours.latency_ms,
            "paper_size_file": larger.file,
            "paper_size_bytes": larger.bytes,
            "paper_size_ratio": f"{rows[0].paper.bytes / larger.bytes:.4g}",
            "paper_size_latency_ms": larger.latency_ms,
            "paper_megabytes": printed and printed.megabytes,
            "paper_ratio": printed and printed.ratio,
            "paper_top1": printed and printed.top1,
            "paper_top5": printed and printed.top5,
        })  # fmt: skip
    return lines


def accuracy_plot(rows: Sequence[Row]) -> str:
    """Draw top-1 on the user's test split over the bytes of the file."""
    drawing, axes = figures.figure(6.4, 4.2)
    for row in rows:
        colour = figures.ORANGE if row.name in _ALEXNETS else figures.BLUE
        place = (row.yours.bytes / 1000, 100 * row.top1)
        axes.plot(*place, "o", color=colour)
        axes.annotate(
            _short_title(row), place,
            xytext=(3, 4), textcoords="offset points", fontsize=7, color=figures.GREY,
            rotation=35, rotation_mode="anchor",  # sizes differ where accuracies do not
        )  # fmt: skip
    axes.set(xscale="log", xlabel="file, kilobytes (1,000 bytes)", ylabel="top-1, %")
    axes.margins(x=0.15, y=0.35)
    axes.grid(alpha=0.25)
    return figures.to_svg(drawing)


def ratio_plot(rows: Sequence[Row]) -> str:
    """Draw how many times smaller than AlexNet each is at the paper's size, ours and printed."""
    drawing, axes = figures.figure(6.4, 1.0 + 0.45 * len(rows))
    ours = [(at - 0.2, rows[0].paper.bytes / row.paper.bytes) for at, row in enumerate(rows)]
    printed = [
        (at + 0.2, PAPER[row.name].ratio) for at, row in enumerate(rows) if row.name in PAPER
    ]
    for bars, label, colour, words in (
        (ours, "ours", figures.BLUE, "{:,.1f}"),
        (printed, "the paper", figures.GREY, "{:g}"),
    ):
        drawn = axes.barh(*zip(*bars, strict=True), 0.38, color=colour, label=label)
        axes.bar_label(drawn, fmt=words, padding=3, color=figures.GREY)
    axes.set_yticks(range(len(rows)), [_short_title(row) for row in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="times smaller than AlexNet")
    axes.margins(x=0.2)
    axes.legend(frameon=False, labelcolor=figures.GREY)
    return figures.to_svg(drawing)


def _short_title(row: Row) -> str:
    return TITLES[row.name].replace("Deep Compression", "DC")


def _ratio(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"
