"""Plots as inline SVG that is legible on a light and on a dark page. The door to Matplotlib."""

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#3b82f6", "#f59e0b", "#10b981"
GREY = "#8a93a0"  # legible on light and dark; style.css gives texts the page's own grey
_BLUE_RGB = (0.14, 0.39, 0.92)
_MAX_NAME = 24  # letters: longer names would leave no room for the plot
_STYLE: Any = {  # a literal type of 300 keys says less
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "sqzkit",
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def figure(width: float = 6.0, height: float = 3.2, rows: int = 1) -> tuple["Figure", Any]:
    """Return a Matplotlib figure in the report's style, in inches, and its axes.

    No global state of Matplotlib is changed: neither pyplot nor rcParams. Of several `rows`, which
    share the x axis, an array of axes is returned.
    """
    # Matplotlib reports the caches that it makes, or cannot make in a home that is read-only.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        drawing = Figure(figsize=(width, height))
        return drawing, drawing.subplots(rows, sharex=True)


def plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis (`axes.xaxis` or `axes.yaxis`) with 1, 2, 5, 10, ..., 1,000."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:,.0f}")
    axis.set_minor_formatter(NullFormatter())


def to_svg(drawing: "Figure") -> str:
    """Return `drawing` as an `<svg>` element that scales with the page."""
    from matplotlib import rc_context

    with rc_context(_STYLE), io.StringIO() as stream, warnings.catch_warnings():
        # The browser draws the letters: that Matplotlib's own font lacks some is of no concern.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        drawing.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        text = stream.getvalue()
    return text[text.index("<svg") :]


def plain(text: object) -> str:
    """Return `text` as Matplotlib draws it letter by letter: two dollars would be a formula."""
    return str(text).replace("$", r"\$")


def curve(lines: Sequence[Mapping[str, Any]], name: str) -> str:
    """Draw a metric ("loss" or "accuracy") by epoch, training and validation, stage after stage.

    Of each of the run's metrics, whatever is there of `NAME`, `validation_NAME` and `stage` is
    drawn.
    """
    drawing, axes = figure(4.8, 3.0)
    from matplotlib.ticker import MaxNLocator

    epochs = np.arange(1, len(lines) + 1)
    for key, label, colour in (
        (name, "training", BLUE),
        (f"validation_{name}", "validation", ORANGE),
    ):
        values = np.array([line.get(key, np.nan) for line in lines], float)
        if not np.all(np.isnan(values)):
            axes.plot(epochs, values, label=label, color=colour, marker=".", markersize=4)
    axes.set(title=name.capitalize(), xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True, alpha=0.25)
    _mark_stages(axes, lines, 1 if name == "loss" else 0)
    if axes.lines:
        axes.legend(frameon=False, labelcolor=GREY)
    return to_svg(drawing)


def confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str], max_labels: int = 30) -> str:
    """Draw the confusion matrix; with more than `max_labels` classes, without names and counts.

    `matrix[i][j]` counts images of class i that were answered as class j.
    """
    counts = np.asarray(matrix, float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(9.0, 2.2 + 0.38 * len(labels))
    drawing, axes = figure(side + 0.6, side)
    axes.imshow(np.full((*share.shape, 3), _BLUE_RGB), alpha=share**0.5)
    axes.set(xlabel="answer", ylabel="true class")
    if len(labels) <= max_labels:
        ticks = range(len(labels))
        labels = [
            plain(label if len(label) <= _MAX_NAME else f"{label[:_MAX_NAME]}...")
            for label in labels
        ]
        axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > 2 else 0)
        axes.set_yticks(ticks, labels)
        for row, column in np.argwhere(counts > 0):
            colour = "white" if share[row, column] > 0.2 else GREY
            axes.text(
                column, row, f"{counts[row, column]:.0f}", ha="center", va="center",
                fontsize=8, color=colour,
            )  # fmt: skip
    return to_svg(drawing)


def sizes(rows: Sequence[tuple[str, int]]) -> str:
    """Draw bytes by file as horizontal bars; `rows` are (name, bytes)."""
    drawing, axes = figure(5.2, 0.7 + 0.3 * len(rows))
    values = [count / 1000 for _, count in rows]
    bars = axes.barh([plain(name) for name, _ in rows], values, color=BLUE, height=0.6)
    axes.bar_label(bars, [f"{value:,.1f} KB" for value in values], padding=4, color=GREY)
    axes.invert_yaxis()
    axes.set(xlabel="kilobytes (1,000 bytes)")
    axes.margins(x=0.15)
    return to_svg(drawing)


def _mark_stages(axes: Any, lines: Sequence[Mapping[str, Any]], height: int) -> None:
    """Write where each stage begins, at the top (1) or the bottom (0), away from the curves."""
    for index in range(1, len(lines)):
        stage = lines[index].get("stage")
        if stage != lines[index - 1].get("stage"):
            axes.axvline(index + 0.5, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(  # upright: the names of short stages would overlap
                f" {plain(stage)} ", (index + 0.5, height), xycoords=("data", "axes fraction"),
                va="top" if height else "bottom", fontsize=8, color=GREY, rotation=90,
            )  # fmt: skip
