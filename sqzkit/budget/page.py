"""The page of a fit: the choice and why, the front of everything tried, half and double."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import files, records
from sqzkit.budget import making
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import NO_TIME, Fit, Made
from sqzkit.budget.predict import Prediction
from sqzkit.data.dataset import ImageDataset
from sqzkit.reporting import figures, templates
from sqzkit.tflite.latency import machine

TEMPLATE = Path(__file__).with_name("page.html")
RECIPES = {
    "chain": "chain",
    "rounded": "rounding",
    "chain_rounded": "chain, rounding",
    "per_channel": "int8 by channel",
    "per_tensor": "int8 by kernel",
}


def write(config: FitConfig, fit: Fit, dataset: ImageDataset) -> Path:
    """Write OUTPUT_DIR/fit.html on a finished fit; return its path."""
    made = {
        name: records.build(Made, record, "a file of a fit")
        for name, record in fit.read("files").items()
        if "failed" not in record
    }
    chosen = making.choose(list(made.values()), config)
    assert chosen is not None
    on_front = front(list(made.values()))
    predicted = {row["name"]: row["prediction"] for row in fit.read("looked")}
    page = templates.render(
        TEMPLATE,
        data=dataset.name,
        budget=_budget(config),
        tiles=_tiles(chosen, config, fit.read("test")),
        reasons=[
            *reasons(chosen, list(made.values()), config, fit.read("looked")),
            *filter(None, [late(fit.read("trials")), fit.read("finals")["warning"]]),
        ],
        plot=_plot(list(made.values()), on_front, chosen, config),
        others=[_other(name, made, chosen, config) for name in ("half", "double")],
        rows=[
            _row(item, chosen, on_front, config, predicted[item.network])
            for item in sorted(made.values(), key=making.rank)
        ],
        failed={n: r["failed"] for n, r in fit.read("files").items() if "failed" in r},
        networks=_networks(fit),
        machine=machine() if config.max_latency_ms else "",
        archive=shlex.quote(str(fit.path / "best.sqz")),
        command=config.command(),
    )
    path = fit.path / "fit.html"
    files.write_text(path, page)
    return path


def file_in_words(record: Mapping[str, Any]) -> str:
    """Return the record of a file, or of why there is none, as one line for people."""
    if "failed" in record:
        return f"not made: {record['failed']}"
    predicted = record["predicted_bytes"]
    error = f" ({predicted:,} predicted)" if predicted else ""
    time_ = f", {record['latency_ms']:.3g} ms" if record["latency_ms"] else ""
    return (
        f"{record['archive_bytes']:,} bytes{error}, memory {record['ram_bytes']:,} bytes{time_}, "
        f"validation accuracy {100 * record['top1']:.2f} %"
    )


def front(made: Sequence[Made]) -> set[str]:
    """Return the names of the files that no other is both smaller than and as accurate as."""
    found, best = set(), -1.0
    for item in sorted(made, key=lambda item: (item.archive_bytes, -item.top1)):
        if item.top1 > best:
            found.add(item.name)
            best = item.top1
    return found


def reasons(
    chosen: Made, made: Sequence[Made], config: FitConfig, looked: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return why a file was chosen among all that were made, as sentences."""
    fitting = [item for item in made if not making.exceeded(item, config)]
    count = f"{len(fitting)} of {len(made)} files" if len(made) > 1 else "The only file"
    keep = "keep" if len(fitting) > 1 else "keeps"
    found = [f"{count} made of the finalists {keep} to the budget."]
    equal = [item for item in fitting if item.top1 == chosen.top1]
    if len(equal) > 1:
        found.append(f"{len(equal)} are equally accurate on the validation split; it is smallest.")
    elif len(fitting) > 1:
        second = max(item.top1 for item in fitting if item is not chosen)
        found.append(
            f"It is the most accurate on the validation split: {100 * chosen.top1:.2f} %, the next "
            f"{100 * second:.2f} %."
        )
    plain = next(row for row in looked if row["name"] == chosen.network)["prediction"]
    if plain["tflite_bytes"] <= config.max_archive_bytes:
        found.append(
            f"The budget is above the plain .tflite ({plain['tflite_bytes']:,} bytes): nothing has "
            "to be pruned."
        )
    return found


def late(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return how many networks there was no time for, as a sentence; "" if there are none."""
    count = sum(row.get("failed") == NO_TIME for row in trials)
    networks = "1 network that" if count == 1 else f"{count} networks that"
    return f"There was no time for {networks} may be better: give more --hours." if count else ""


def _budget(config: FitConfig) -> str:
    limits = [f"{config.max_archive_bytes:,} archive bytes"]
    if config.max_latency_ms:
        limits.append(f"{config.max_latency_ms:g} ms")
    if config.max_ram_bytes:
        limits.append(f"{config.max_ram_bytes:,} bytes of memory")
    return ", ".join(limits)


def _tiles(chosen: Made, config: FitConfig, test: Mapping[str, Any]) -> dict[str, str]:
    tiles = {
        f"bytes of best.sqz, of {config.max_archive_bytes:,}": f"{chosen.archive_bytes:,}",
        "validation accuracy, by which it was chosen": f"{100 * chosen.top1:.2f} %",
        f"test accuracy, {test['examples']:,} images": f"{100 * test['converted_top1']:.2f} %",
        "test accuracy of the float model": f"{100 * test['float_top1']:.2f} %",
        "bytes of memory for an inference": f"{chosen.ram_bytes:,}",
    }
    if chosen.latency_ms:
        tiles["fastest inference on one thread"] = f"{chosen.latency_ms:.3g} ms"
    return tiles


def _plot(made: Sequence[Made], on_front: set[str], chosen: Made, config: FitConfig) -> str:
    drawing, axes = figures.figure(6.4, 4.0)
    off = [(item.archive_bytes, 100 * item.top1) for item in made if item.name not in on_front]
    on = sorted((item.archive_bytes, 100 * item.top1) for item in made if item.name in on_front)
    if off:
        axes.scatter(*zip(*off, strict=True), s=24, color=figures.GREY, label="larger or worse")
    axes.plot(*zip(*on, strict=True), "o-", color=figures.BLUE, label="front")
    axes.plot(
        chosen.archive_bytes, 100 * chosen.top1, "o", color=figures.ORANGE, ms=9, label="chosen"
    )
    axes.axvline(config.max_archive_bytes, color=figures.GREY, linewidth=1, linestyle=":")
    axes.set(xlabel=".sqz, bytes", ylabel="validation accuracy, %", xscale="log")
    figures.plain_numbers(axes.xaxis)
    axes.legend(frameon=False, labelcolor=figures.GREY)
    return figures.to_svg(drawing)


def _other(name: str, made: Mapping[str, Made], chosen: Made, config: FitConfig) -> dict[str, str]:
    """Return what another budget would give at least: the chosen network rounded to it."""
    factor = {"half": 0.5, "double": 2.0}[name]
    limit = round(config.max_archive_bytes * factor)
    known = [item for item in made.values() if item.archive_bytes <= limit]
    best = min(known, key=making.rank, default=None)
    if best is None:
        answer = "no file: it needs a run of its own"
    else:
        change = 100 * (best.top1 - chosen.top1)
        answer = (
            f"{100 * best.top1:.2f} % or more ({change:+.2f} points), {best.archive_bytes:,} bytes"
        )
    return {"name": name, "limit": f"{limit:,}", "answer": answer}


def _row(
    made: Made,
    chosen: Made,
    on_front: set[str],
    config: FitConfig,
    predicted: Mapping[str, Any],
) -> dict[str, str]:
    over = making.exceeded(made, config)
    notes = ["chosen"] if made is chosen else []
    notes += ["front"] if made.name in on_front else []
    notes += [f"over {', '.join(over)}"] if over else []
    row = {
        "network": made.network,
        "by": RECIPES[made.recipe],
        "bytes": _with_error(made.archive_bytes, made.predicted_bytes),
        "validation %": f"{100 * made.top1:.2f}",
        "float %": f"{100 * made.float_top1:.2f}",
        "same answer %": f"{100 * made.agreement:.1f}",
        "memory": _with_error(made.ram_bytes, predicted["ram_bytes"]),
    }
    if made.latency_ms:
        row["ms"] = _with_error(made.latency_ms, predicted["latency_ms"])
    return {**row, "note": "; ".join(notes)}


def _with_error(measured: float, predicted: float | None) -> str:
    """Return a figure and by how much its prediction was off."""
    text = f"{measured:,}" if isinstance(measured, int) else f"{measured:.3g}"
    if predicted is None:
        return text
    return f"{text} ({100 * making.error_share(predicted, measured):+.1f} %)"


def _networks(fit: Fit) -> list[dict[str, str]]:
    """Return the table of networks: predictions before any training, and what the trials gave."""
    trials = {row["name"]: row for row in fit.read("trials")}
    measured = {
        record["network"]: record
        for record in fit.read("files").values()
        if record.get("predicted_bytes")
    }
    rows = []
    for looked in fit.read("looked"):
        row = {"network": looked["name"], "weights": f"{looked['parameters']:,}"}
        found = looked["prediction"] and records.build(Prediction, looked["prediction"], "a")
        trial = trials.get(looked["name"], {})
        sparsity = trial.get("sparsity")
        made = measured.get(looked["name"])
        row["zeros %"] = f"{100 * sparsity:.1f}" if sparsity is not None else ""
        untrained = found.archive_bytes(sparsity) if found and sparsity is not None else None
        row["bytes, untrained"] = f"{untrained:,}" if untrained else ""
        row["bytes, made"] = f"{made['archive_bytes']:,}" if made else ""
        row["memory"] = f"{found.ram_bytes:,}" if found else ""
        if found and found.latency_ms:
            row["ms"] = f"{found.latency_ms:.3g}"
        row["trial, validation %"] = f"{100 * trial['top1']:.2f}" if "top1" in trial else ""
        row["note"] = looked["refused"] or trial.get("failed", "")
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    columns["note"] = columns.pop("note")
    return [{name: row.get(name, "") for name in columns} for row in rows]
