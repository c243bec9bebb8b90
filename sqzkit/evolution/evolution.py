"""Evolve a trained SqueezeNet over generations of smaller dense networks."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.evolution import offspring
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.lineage import ANCESTOR, FINAL, Generation, Lineage, format_table, plot
from sqzkit.evolution.offspring import STAGE, Family, offspring_name
from sqzkit.models.inference import to_inference
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun, load_run
from sqzkit.tflite.latency import measure
from sqzkit.training.distribution import share_processors

LATENCY_RUNS = 50
LATENCY_WARMUP = 10


def evolve(config: EvolveConfig) -> Lineage:
    """Breed the generations, or resume an interrupted evolution.

    Raises:
      UsageError: the ancestor is not a trained SqueezeNet, its data are gone, or
        the output folder holds something else.
      RunError: a training failed, or a file cannot be written.
    """
    lineage = Lineage(Path(config.output_dir), config.identity())
    family = _open_family(config)
    if not lineage.generations:
        lineage.add(_measured(ANCESTOR, family.ancestor, ()))
    bred = lineage.bred
    for number in range(1, bred + 1):
        _remove_unfit(family, number)  # the process may have been killed before it did
    if bred < config.generations:
        lineage.drop_final()
        shutil.rmtree(family.folder(FINAL).path, ignore_errors=True)
    for number in range(bred + 1, config.generations + 1):
        lineage.add(_breed(family, number))
        _remove_unfit(family, number)
        _show(lineage)
    if config.final_epochs and lineage.generations[-1].name != FINAL:
        lineage.add(_train_on(family, lineage))
    _show(lineage)
    return lineage


def choose_fittest(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the offspring with the best validation accuracy; of equal ones, the lowest loss."""
    return max(records, key=lambda child: (child["validation_top1"], -child["validation_loss"]))


def _open_family(config: EvolveConfig) -> Family:
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    share_processors(RunFolder.existing(config.model_dir).preprocessing.image_size)
    ancestor = load_run(config.model_dir, STAGE)
    architecture = ancestor.spec.get("architecture")
    if architecture != "squeezenet":
        raise UsageError(
            f"--model_dir {config.model_dir}: is a run of {architecture!r}, and only a SqueezeNet "
            "can evolve; name a run of one"
        )
    return Family(config, ancestor, ancestor.open_data())


def _breed(family: Family, number: int) -> Generation:
    """Breed one generation and return its fittest network, whose folder is renamed last."""
    name = f"generation_{number:02d}"
    home = family.folder(name)
    record = home.read_record("generation")
    if record is not None:  # renamed, but the process was killed before the lineage was stored
        return Generation.from_json(record)
    children = [
        offspring.raise_offspring(family, _run_of(family, number - 1), number, index)
        for index in range(family.config.population)
    ]
    place = family.folder(choose_fittest(children)["folder"])
    generation = _measured(name, load_run(place.path), tuple(children))
    place.write_record("generation", generation.to_json())
    place.path.rename(home.path)
    return generation


def _run_of(family: Family, number: int) -> LoadedRun:
    """Load a generation; 0 is the ancestor."""
    return load_run(family.folder(f"generation_{number:02d}").path) if number else family.ancestor


def _remove_unfit(family: Family, number: int) -> None:
    for index in range(family.config.population):
        shutil.rmtree(family.folder(offspring_name(number, index)).path, ignore_errors=True)


def _train_on(family: Family, lineage: Lineage) -> Generation:
    """Train the last generation on, in a run folder of its own."""
    bred, folder = lineage.bred, family.folder(FINAL)
    adult = _run_of(family, bred)
    offspring.prepare(family, folder, SqueezeNetSpec.from_json(adult.spec), adult.model)
    epochs = family.config.final_epochs
    metrics = offspring.train(family, folder, adult.model, epochs, bred + 1)
    # The network is the same; only its weights change, and so its accuracy.
    return dataclasses.replace(
        lineage.generations[-1],
        name=FINAL,
        folder=FINAL,
        validation_top1=metrics["validation_top1"],
        top1=metrics["top1"],
        offspring=(),
    )


def _measured(name: str, run: LoadedRun, children: tuple[dict[str, Any], ...]) -> Generation:
    """Return the record of a generation's network, with the size and latency of its file."""
    metrics = run.folder.finished_stage(STAGE)["metrics"]
    options = ConversionOptions(quantization="none")
    content = convert_model(run.model, run.preprocessing, run.labels, options)
    latency = measure(content, threads=1, runs=LATENCY_RUNS, warmup=LATENCY_WARMUP)
    return Generation(
        name=name,
        folder=str(run.folder.path) if name == ANCESTOR else name,
        parameters=to_inference(run.model).count_params(),
        tflite_bytes=len(content),
        latency_ms=latency.minimum_ms,
        validation_top1=metrics["validation_top1"],
        top1=metrics["top1"],
        offspring=children,
    )


def _show(lineage: Lineage) -> None:
    plot(lineage.generations, lineage.folder / "lineage.png")
    print(format_table(lineage.generations), flush=True)
