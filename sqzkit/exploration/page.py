"""The page of an exploration: a Pareto plot and a table, in one HTML file."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from sqzkit.base import files
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES, Objective
from sqzkit.exploration.space import Candidate
from sqzkit.models import registry
from sqzkit.reporting import figures, templates

TEMPLATE = Path(__file__).with_name("page.html")
IMAGENET_CLASSES = 1000
BYTES_PER_MB = 1 << 20


class PaperFigure(NamedTuple):
    """What the paper prints for a network, or None: ImageNet accuracies, %, and float32 MB."""

    top1: float | None = None
    top5: float | None = None
    megabytes: float | None = None


# Iandola et al., 2016, by preset and value of the swept dimension: section 5.2 (SR), section
# 5.3 (pct3x3) and table 3 (bypass). Values that are only points of a drawing are left out.
PAPER: Mapping[str, Mapping[Any, PaperFigure]] = {
    "squeeze_ratio": {
        0.125: PaperFigure(top5=80.3, megabytes=4.8),
        0.75: PaperFigure(top5=86.0, megabytes=19.0),
        1.0: PaperFigure(top5=86.0),
    },
    "pct3x3": {0.5: PaperFigure(top5=85.6)},
    "bypass": {
        "none": PaperFigure(57.5, 80.3, 4.8),
        "simple": PaperFigure(60.4, 82.5, 4.8),
        "complex": PaperFigure(58.8, 82.0, 7.7),
    },
}


def write_page(
    trials: Sequence[FrozenTrial],
    front: Sequence[FrozenTrial],
    winner: FrozenTrial | None,
    config: ExploreConfig,
    data: str,
) -> Path:
    """Write STUDY_DIR/explore.html on the finished trials and their front; return its path."""
    numbers = {trial.number for trial in front}
    rows = [
        {"trial": str(trial.number), "note": _note(trial, numbers, winner)}
        | _cells(trial.user_attrs, config)
        for trial in sorted(trials, key=_rank)
    ]
    page = templates.render(
        TEMPLATE,
        data=data,
        config=config,
        objectives=[OBJECTIVES[name] for name in config.objectives],
        plots=plots(trials, numbers, config.objectives),
        rows=rows,
        complete=sum(trial.state == TrialState.COMPLETE for trial in trials),
        stopped=sum(trial.state == TrialState.PRUNED for trial in trials),
        front=len(front),
        winner=winner and _winner(winner, config),
        folder=shlex.quote(str(Path(config.study_dir) / "winner")),
    )
    path = Path(config.study_dir) / "explore.html"
    files.write_text(path, page)
    return path


def plots(trials: Sequence[FrozenTrial], front: set[int], names: Sequence[str]) -> list[str]:
    """Return a plot of the first objective over each other one, with the front marked.

    A single objective is drawn over the number of parameters.
    """
    measured = [OBJECTIVES[name] for name in names]
    across = measured[1:] or [OBJECTIVES["parameters"]]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    # The points of a front of three objectives are not on one line.
    style = "o-" if len(names) < 3 else "o"
    return [_plot(complete, front, measured[0], over, style) for over in across if complete]


def paper_figure(preset: str, values: Mapping[str, object]) -> PaperFigure:
    """Return what the paper prints for a network of a preset sweep, whose values are given."""
    return PAPER.get(preset, {}).get(values.get(preset), PaperFigure())


def _plot(
    trials: Sequence[FrozenTrial], front: set[int], up: Objective, over: Objective, style: str
) -> str:
    drawing, axes = figures.figure(6.4, 4.0)
    on = sorted((_value(t, over), _value(t, up)) for t in trials if t.number in front)
    off = [(_value(t, over), _value(t, up)) for t in trials if t.number not in front]
    if off:
        axes.scatter(*zip(*off, strict=True), s=24, color=figures.GREY, label="dominated")
    axes.plot(*zip(*on, strict=True), style, color=figures.BLUE, label="Pareto front")
    axes.set_xlabel(over.title)
    axes.set_ylabel(up.title)
    if not over.maximize and over.name != "latency":
        axes.set_xscale("log")
        figures.plain_numbers(axes.xaxis)
    axes.legend(frameon=False, labelcolor=figures.GREY)
    return figures.to_svg(drawing)


def _value(trial: FrozenTrial, objective: Objective) -> float:
    value = float(trial.user_attrs[objective.name])
    return 100 * value if objective.name == "accuracy" else value


def _winner(trial: FrozenTrial, config: ExploreConfig) -> dict[str, Any]:
    """Return the network's values in words, and its results by title."""
    results = trial.user_attrs
    cells = _cells(results, config)
    tiles = {
        "validation accuracy": f"{cells['validation %']} %",
        "test accuracy": f"{cells['test %']} %",
        "parameters": cells["parameters"],
    } | {item.title: cells[item.title] for item in _converted(config)}
    words = ", ".join(f"{name} {cells[name]}" for name in config.space.choices)
    return {"number": trial.number, "network": words, "figures": tiles}


def _cells(results: Mapping[str, Any], config: ExploreConfig) -> dict[str, str]:
    """Return a trial's row of the table by column."""
    values = json.loads(results["key"])
    cells = {name: str(values[name]) for name in config.space.choices}
    cells["parameters"] = f"{results.get('parameters', 0):,}"
    cells["validation %"] = _percent(results.get("accuracy"))
    cells["test %"] = _percent(results.get("test_top1"))
    cells |= {item.title: _figure(results.get(item.name)) for item in _converted(config)}
    if config.preset != "default":
        printed = paper_figure(config.preset, values)
        cells["MB at 1,000 classes"] = f"{_imagenet_megabytes(values):.1f}"
        cells["paper's MB"] = _figure(printed.megabytes)
        cells["paper's top-1 %"] = _figure(printed.top1)
        cells["paper's top-5 %"] = _figure(printed.top5)
    return cells


def _converted(config: ExploreConfig) -> list[Objective]:
    """Return the objectives that are measured on the converted file."""
    return [OBJECTIVES[name] for name in config.objectives if OBJECTIVES[name].converted]


def _imagenet_megabytes(values: Mapping[str, Any]) -> float:
    """Return the float32 size with ImageNet's classes, as published: no batch normalization."""
    spec = Candidate(tuple(values.items())).spec(IMAGENET_CLASSES).to_json()
    model = registry.build_from_json({**spec, "normalization": "none"}, 227)
    return float(4 * model.count_params() / BYTES_PER_MB)


def _note(trial: FrozenTrial, front: set[int], winner: FrozenTrial | None) -> str:
    notes = {
        "winner": winner is not None and trial.number == winner.number,
        "front": trial.number in front,
        "stopped early": trial.state == TrialState.PRUNED,
    }
    return ", ".join(name for name, true in notes.items() if true)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _rank(trial: FrozenTrial) -> tuple[bool, float]:
    return trial.state != TrialState.COMPLETE, -trial.user_attrs.get("accuracy", 0.0)
