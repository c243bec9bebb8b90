"""The plots of RESULTS.md, as SVG text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.interleave import Spread, spreads
from benchmarks.tables import FORMS, OURS, Tasks, growth_medians
from sqzkit.reporting.figures import BLUE, GREY, figure, to_svg

_BAR = 0.28  # inches a bar takes


def draw_all(tasks: Tasks) -> dict[str, str]:
    """Return one SVG for each section that has figures, by its name."""
    drawn = {}
    for section, draw in _DRAWERS.items():
        some = {name: found for name, found in tasks.items() if name.split("/")[0] == section}
        if some:
            drawn[section] = draw(some)
    return drawn


def _bars(groups: Mapping[str, Mapping[str, Spread]], label: str) -> str:
    """Return horizontal bars with whiskers, one group above the other; ours are blue."""
    count = sum(len(cells) + 1 for cells in groups.values())
    drawing, axes = figure(7.5, _BAR * count + 0.6)
    names: list[str] = []
    place = 0.0
    places: list[float] = []
    for group, cells in groups.items():
        axes.text(0, place, group, va="center", fontweight="bold")
        for name, cell in cells.items():
            place += 1
            colour = BLUE if name.startswith(OURS) else GREY
            whiskers = [[cell.median - cell.minimum], [cell.maximum - cell.median]]
            axes.barh(place, cell.median, 0.7, color=colour, xerr=whiskers, ecolor="#00000060")
            names.append(name)
            places.append(place)
        place += 1
    axes.set_yticks(places, names)
    axes.set_ylim(place, -1)
    axes.set_xlabel(label)
    return to_svg(drawing)


def _training(tasks: Tasks) -> str:
    groups = {
        f"{found['threads']} thread{'s' * (found['threads'] > 1)}": spreads(
            found["answers"], "images_per_second"
        )
        for found in tasks.values()
    }
    return _bars(groups, "images a second")


def _inference(tasks: Tasks) -> str:
    groups = {
        f"{found['precision']}, {found['side']} px": spreads(found["answers"], "ms")
        for found in tasks.values()
        if found["threads"] == 1
    }
    return _bars(groups, "milliseconds, 1 thread")


def _sizes(tasks: Tasks) -> str:
    (found,) = tasks.values()
    groups = {
        name: {
            (OURS + "'s .sqz" if form == "sqz" else FORMS[form]): Spread(size, size, size, 1)
            for form, size in sorted(row["bytes"].items(), key=lambda pair: -pair[1])
            if form not in ("tflite", "gzip")
        }
        for name, row in found["files"].items()
        if name != "float32"
    }
    return _bars(groups, "bytes")


def _growth(tasks: Tasks) -> str:
    drawing, axes = figure(7.5, 3.4)
    names: Sequence[str] = ()
    width = 0.8 / len(tasks)
    for index, found in enumerate(tasks.values()):
        base, grown = (growth_medians(found["answers"][which]) for which in ("base", "grown"))
        names = list(base)
        ratios = [grown[step][0] / base[step][0] for step in names]
        places = [place + index * width for place in range(len(names))]
        axes.bar(places, ratios, width, label=f"10x {found['grown']}")
    axes.axhline(10, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_xticks([place + 0.3 for place in range(len(names))], names)
    axes.set_ylabel("times as long")
    axes.legend(frameon=False)
    return to_svg(drawing)


_DRAWERS: Mapping[str, Callable[[Tasks], Any]] = {
    "training": _training,
    "inference": _inference,
    "sizes": _sizes,
    "growth": _growth,
}
