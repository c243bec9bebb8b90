"""The report's section on compression: the waterfall of bytes, the table, the codebooks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.reporting import figures, templates
from sqzkit.runs.folder import RunFolder

RECORD = "compression"
TEMPLATE = Path(__file__).with_name("compression.html")
HISTOGRAM_COLUMNS = 4
MAX_STAGES, MAX_LAYERS = 16, 400  # more would take minutes to draw

Row = Mapping[str, Any]


def render(folder: RunFolder) -> str | None:
    """Return the section as HTML, or None for a run that was not compressed.

    Raises `KeyError` if `compression.json` does not hold what it should.
    """
    record = folder.read_record(RECORD)
    if not record or len(record["stages"]) < 2:
        return None
    if len(record["stages"]) > MAX_STAGES or len(record["histograms"]) > MAX_LAYERS:
        raise ValueError(f"more than {MAX_STAGES} stages or {MAX_LAYERS} layers")
    return templates.render(
        TEMPLATE,
        stages=record["stages"],
        layers=record["layers"],
        start=record["stages"][0]["float32_bytes"],
        waterfall=waterfall(record["stages"]),
        histograms=histograms(record["histograms"]),
    )


def waterfall(stages: Sequence[Row]) -> str:
    """Draw what every step takes off the float32 file, with the accuracy beside it."""
    steps = waterfall_steps(stages)
    drawing, axes = figures.figure(7.2, 0.9 + 0.42 * len(steps))
    left = [step[1] / 1000 for step in steps]
    before = [left[0], *left[:-1]]
    positions = np.arange(len(steps))
    removed = [max(0.0, old - new) for old, new in zip(before, left, strict=True)]
    axes.barh(positions, removed, left=left, color=figures.ORANGE, alpha=0.35, height=0.6)
    axes.barh(positions, left, color=figures.BLUE, height=0.6)
    for position, (_, size, accuracy) in enumerate(steps):
        text = f"  {size / 1000:,.1f} KB · {steps[0][1] / size:,.1f}x · {100 * accuracy:.2f} %"
        edge = max(left[position], before[position])
        axes.text(edge, position, text, va="center", fontsize=9, color=figures.GREY)
    axes.set_yticks(positions, [figures.plain(name) for name, _, _ in steps])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45 * left[0])
    axes.set(xlabel="kilobytes left (blue) and taken off (orange); times smaller; top-1")
    return figures.to_svg(drawing)


def waterfall_steps(stages: Sequence[Row]) -> list[tuple[str, int, float]]:
    """Return (name, bytes, top-1) from the float32 file to the last stage's archive."""
    first = stages[0]
    steps = [
        ("float32 .tflite", first["float32_bytes"], first["float_top1"]),
        ("int8 .tflite", first["int8_bytes"], first["int8_top1"]),
        ("as .sqz", first["archive_bytes"], first["int8_top1"]),
    ]
    steps += [
        (f"{row['stage']}, as .sqz", row["archive_bytes"], row["int8_top1"]) for row in stages[1:]
    ]
    return steps


def histograms(layers: Mapping[str, Row]) -> str:
    """Draw each layer's non-zero weights, with its shared values as ticks below."""
    columns = min(HISTOGRAM_COLUMNS, len(layers))
    rows = -(-len(layers) // columns)
    drawing, first = figures.figure(2.2 * columns, 1.5 * rows)
    first.remove()
    for index, (name, layer) in enumerate(layers.items()):
        axes = drawing.add_subplot(rows, columns, index + 1)
        axes.set_title(figures.plain(name), fontsize=8, color=figures.GREY)
        axes.set_yticks([])
        axes.tick_params(labelsize=6, colors=figures.GREY)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(figures.GREY)
        if layer["counts"]:
            axes.stairs(layer["counts"], layer["edges"], fill=True, color=figures.BLUE, alpha=0.6)
            floor = np.full(len(layer["centroids"]), -0.06 * max(layer["counts"]))
            axes.plot(layer["centroids"], floor, "|", color=figures.ORANGE, markersize=6)
    return figures.to_svg(drawing)
