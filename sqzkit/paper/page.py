"""The table of a comparison as files: one HTML page that needs nothing else, CSV, Markdown."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from sqzkit.base import files
from sqzkit.data.dataset import ImageDataset
from sqzkit.paper import table
from sqzkit.paper.config import QUICK, TITLES, CompareConfig
from sqzkit.paper.folder import Comparison, Row
from sqzkit.paper.printed import PAPER
from sqzkit.reporting import figures, templates
from sqzkit.tflite.latency import machine

TEMPLATE = Path(__file__).with_name("page.html")


def write_table(
    rows: Sequence[Row],
    config: CompareConfig,
    folder: Comparison,
    dataset: ImageDataset,
    argv: Sequence[str],
) -> Path:
    """Write compare.html, compare.csv and compare.md; return the page's path.

    Args:
      rows: finished, AlexNet first.
      config: the comparison.
      folder: where it is.
      dataset: what was learned.
      argv: the command line.
    """
    yours, paper = table.yours(rows), table.paper_size(rows)
    command = shlex.join(["python", "-m", "sqzkit.compare", *argv[1:]])
    page = templates.render(
        TEMPLATE,
        data=dataset.name,
        classes=len(dataset.labels),
        examples=rows[0].examples,
        quick=config.effort == QUICK,
        accuracy=accuracy_plot(rows),
        ratios=ratio_plot(rows),
        machine=machine(),
        columns={"yours": yours[0], "paper": paper[0]},
        cells={"yours": yours[1], "paper": paper[1]},
        paper_classes=config.paper.classes,
        paper_side=config.paper.image_size,
        notes=[(TITLES[row.name], note) for row in rows for note in row.notes],
        command=command,
    )
    head = f"# {dataset.name}: the SqueezeNet paper's table 2\n\n`{command}`\n\n"
    text = head + table.to_markdown(yours) + "\n" + table.to_markdown(paper)
    files.write_text(folder.path / "compare.csv", table.to_csv(rows))
    files.write_text(folder.path / "compare.md", text)
    path = folder.path / "compare.html"
    files.write_text(path, page)
    return path


def accuracy_plot(rows: Sequence[Row]) -> str:
    """Draw top-1 on the user's test split over the bytes of the file."""
    drawing, axes = figures.figure(6.4, 4.2)
    for row in rows:
        colour = figures.ORANGE if row.name in _ALEXNETS else figures.BLUE
        axes.plot(row.yours.bytes / 1000, 100 * row.top1, "o", color=colour)
        axes.annotate(
            TITLES[row.name].replace("Deep Compression", "DC"),
            (row.yours.bytes / 1000, 100 * row.top1),
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
    names = [TITLES[row.name].replace("Deep Compression", "DC") for row in rows]
    ours = [rows[0].paper.bytes / row.paper.bytes for row in rows]
    printed = [PAPER[row.name].ratio if row.name in PAPER else None for row in rows]
    places = range(len(rows))
    bars = axes.barh([at - 0.2 for at in places], ours, 0.38, color=figures.BLUE, label="ours")
    axes.bar_label(bars, [f"{value:,.1f}" for value in ours], padding=3, color=figures.GREY)
    known = [(at + 0.2, value) for at, value in zip(places, printed, strict=True) if value]
    bars = axes.barh(*zip(*known, strict=True), 0.38, color=figures.GREY, label="the paper")
    axes.bar_label(bars, [f"{value:g}" for _, value in known], padding=3, color=figures.GREY)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="times smaller than AlexNet")
    axes.margins(x=0.2)
    axes.legend(frameon=False, labelcolor=figures.GREY)
    return figures.to_svg(drawing)


_ALEXNETS = ("alexnet", "svd", "pruned", "alexnet_dc")
