"""The page of an exploration: a Pareto plot and a table, in one HTML file."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from sqzkit.base import files
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES, Objective
from sqzkit.exploration.space import Candidate
from sqzkit.exploration.sweeps import BYTES_PER_MB, paper_figure
from sqzkit.exploration.winner import pareto_front
from sqzkit.reporting import figures, templates

TEMPLATE = Path(__file__).with_name("page.html")
IMAGENET_CLASSES = 1000


def write_page(
    trials: Sequence[FrozenTrial], winner: FrozenTrial | None, config: ExploreConfig, data: str
) -> Path:
    """Write STUDY_DIR/explore.html and return its path.

    Args:
      trials: the finished trials.
      winner: the one to take, if any.
      config: the exploration.
      data: name of the data set.
    """
    front = {trial.number for trial in pareto_front(trials, config.objectives)}
    page = templates.render(
        TEMPLATE,
        data=data,
        config=config,
        plots=plots(trials, front, config.objectives),
        columns=_columns(config),
        rows=[_row(trial, front, winner, config) for trial in sorted(trials, key=_rank)],
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
    """Return a plot of the first objective over each other one, the front joined.

    One objective alone is drawn over the number of parameters.
    """
    measured = [OBJECTIVES[name] for name in names]
    across = measured[1:] or [OBJECTIVES["parameters"]]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return [_plot(complete, front, measured[0], other) for other in across] if complete else []


def _plot(trials: Sequence[FrozenTrial], front: set[int], up: Objective, over: Objective) -> str:
    from matplotlib.ticker import LogLocator, NullFormatter

    drawing, axes = figures.figure(6.4, 4.0)
    on = sorted((_value(t, over), _value(t, up)) for t in trials if t.number in front)
    off = [(_value(t, over), _value(t, up)) for t in trials if t.number not in front]
    if off:
        axes.scatter(*zip(*off, strict=True), s=24, color=figures.GREY, label="dominated")
    axes.plot(*zip(*on, strict=True), "o-", color=figures.BLUE, label="Pareto front")
    axes.set_xlabel(over.title)
    axes.set_ylabel(up.title)
    if not over.maximize and over.name != "latency":
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, labelcolor=figures.GREY)
    return figures.to_svg(drawing)


def _value(trial: FrozenTrial, objective: Objective) -> float:
    value = float(trial.user_attrs[objective.name])
    return 100 * value if objective.name == "accuracy" else value


def _winner(trial: FrozenTrial, config: ExploreConfig) -> dict[str, Any]:
    """Return what the tiles show: the network's values in words, and its figures by title."""
    results = trial.user_attrs
    figures_by_title = {
        "validation accuracy": _percent(results.get("accuracy")) + " %",
        "test accuracy": _percent(results.get("test_top1")) + " %",
        "parameters": f"{results['parameters']:,}",
    }
    for name in config.objectives:
        if OBJECTIVES[name].converted:
            figures_by_title[OBJECTIVES[name].title] = _figure(results[name])
    values = json.loads(results["key"])
    words = ", ".join(f"{name} {values[name]}" for name in config.space.choices)
    return {"number": trial.number, "network": words, "figures": figures_by_title}


def _columns(config: ExploreConfig) -> list[str]:
    columns = ["trial", "", *config.space.choices, "parameters", "validation %", "test %"]
    columns += [OBJECTIVES[name].title for name in config.objectives if OBJECTIVES[name].converted]
    if config.preset != "default":
        columns += ["MB at 1,000 classes", "paper's MB", "paper's top-1 %", "paper's top-5 %"]
    return columns


def _row(
    trial: FrozenTrial, front: set[int], winner: FrozenTrial | None, config: ExploreConfig
) -> dict[str, Any]:
    results = trial.user_attrs
    values = json.loads(results["key"])
    cells = [str(trial.number), *(str(values[name]) for name in config.space.choices)]
    cells.append(f"{results.get('parameters', 0):,}")
    cells += [_percent(results.get("accuracy")), _percent(results.get("test_top1"))]
    for name in config.objectives:
        if OBJECTIVES[name].converted:
            cells.append(_figure(results[name]) if name in results else "")
    if config.preset != "default":
        cells += _paper_cells(values, config)
    notes = {
        "winner": winner is not None and trial.number == winner.number,
        "front": trial.number in front,
        "stopped early": trial.state == TrialState.PRUNED,
    }
    return {"cells": cells, "note": ", ".join(name for name, true in notes.items() if true)}


def _paper_cells(values: dict[str, Any], config: ExploreConfig) -> list[str]:
    from sqzkit.models import registry

    candidate = Candidate(tuple(values.items()))
    # Without batch normalization, as published, and at the paper's input size.
    spec = {**candidate.spec(IMAGENET_CLASSES).to_json(), "normalization": "none"}
    weights = 4 * registry.build_from_json(spec, 227).count_params() / BYTES_PER_MB
    figure = paper_figure(config.preset, values)
    stated = (figure.megabytes, figure.top1, figure.top5) if figure else (None,) * 3
    return [f"{weights:.1f}", *("" if value is None else f"{value:g}" for value in stated)]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _rank(trial: FrozenTrial) -> tuple[bool, float]:
    return trial.state != TrialState.COMPLETE, -trial.user_attrs.get("accuracy", 0.0)
