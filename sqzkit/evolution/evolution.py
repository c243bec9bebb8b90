"""Evolve a trained SqueezeNet over generations of smaller dense networks."""

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.compression.distillation import distillation_loss
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import training_batches
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.lineage import ANCESTOR, FINAL, Generation, Lineage, format_table, plot
from sqzkit.evolution.renormalization import renormalize
from sqzkit.evolution.surgery import cut
from sqzkit.evolution.synthesis import draw, synaptic_strengths
from sqzkit.models import summary
from sqzkit.models.inference import to_inference
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun, load_run
from sqzkit.tflite.latency import measure
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions
from sqzkit.training.threads import share_processors

STAGE = "train"
LATENCY_RUNS = 50
LATENCY_WARMUP = 10
NORMALIZATION_BATCHES = 16


def evolve(config: EvolveConfig) -> Lineage:
    """Breed the generations, or go on where an interrupted evolution was.

    Raises:
      UsageError: the ancestor is no trained SqueezeNet, its data are gone, or
        the output folder holds something else.
      RunError: a training failed, or a file cannot be written.
    """
    return _Evolution(config).run()


class _Evolution:
    """One evolution with its ancestor and data opened."""

    def __init__(self, config: EvolveConfig) -> None:
        self.config = config
        self.output = Path(config.output_dir)
        self.lineage = Lineage(self.output, config.identity())
        keras.utils.set_random_seed(config.seed)
        tf.config.experimental.enable_op_determinism()
        share_processors(RunFolder.existing(config.model_dir).preprocessing.image_size)
        self.ancestor = load_run(config.model_dir, STAGE)
        _require_squeezenet(self.ancestor)
        self.dataset: ImageDataset = self.ancestor.open_data()

    def run(self) -> Lineage:
        """Breed all generations, train the last one on, and draw the lineage."""
        lineage, config = self.lineage, self.config
        if not lineage.generations:
            lineage.add(self._generation(ANCESTOR, self.ancestor, ()))
        bred = lineage.bred
        for number in range(1, bred + 1):
            self._remove_unfit(number)  # a kill may have come before
        if bred < config.generations:
            lineage.drop_final()
            shutil.rmtree(self.output / FINAL, ignore_errors=True)
        for number in range(bred + 1, config.generations + 1):
            lineage.add(self._breed(number))
            self._remove_unfit(number)
            self._show()
        if config.final_epochs and lineage.generations[-1].name != FINAL:
            lineage.add(self._final())
        self._show()
        return lineage

    def _show(self) -> None:
        plot(self.lineage.generations, self.output / "lineage.png")
        print(format_table(self.lineage.generations), flush=True)

    def _breed(self, number: int) -> Generation:
        """Breed one generation and return its fittest, whose folder is renamed last."""
        name = f"generation_{number:02d}"
        home = RunFolder(self.output / name)
        record = home.read_record("generation")
        if record is not None:  # renamed, but not yet in the lineage
            return Generation.from_json(record)
        offspring = [self._raise_offspring(number, i) for i in range(self.config.population)]
        fittest = max(
            offspring, key=lambda child: (child["validation_top1"], -child["validation_loss"])
        )
        place = RunFolder(self.output / fittest["folder"])
        generation = self._generation(name, load_run(place.path), tuple(offspring))
        place.write_record("generation", generation.to_json())
        place.path.rename(home.path)
        return generation

    def _remove_unfit(self, number: int) -> None:
        for index in range(self.config.population):
            shutil.rmtree(self.output / _nursery(number, index), ignore_errors=True)

    def _raise_offspring(self, number: int, index: int) -> dict[str, Any]:
        """Draw, train and judge one offspring; a finished one is only judged."""
        parent = self._run_of(number - 1)
        spec = SqueezeNetSpec.from_json(parent.spec)
        strengths = synaptic_strengths(parent.model, spec)
        kept = draw(strengths, self.config.environment, (self.config.seed, number, index))
        # A smaller network fits less and needs less to hold it back (Han et al. 2015, equation
        # 2): dropout falls with the root of the parameters, and these fall with R squared.
        calmed = dataclasses.replace(spec, dropout=spec.dropout * self.config.environment)
        child_spec, child = cut(parent.model, calmed, kept)
        renormalize(child, self._some_batches())
        folder = self._prepare(_nursery(number, index), child_spec, child)
        metrics = self._train(child, folder, self.config.train_epochs, number)
        parameters = child.count_params()
        keras.backend.clear_session()
        return {
            "folder": folder.path.name,
            "parameters": parameters,
            "validation_top1": metrics["validation_top1"],
            "validation_loss": metrics["validation_loss"],
        }

    def _some_batches(self) -> Iterator[np.ndarray]:
        options = self._options(1, 0)
        batches = training_batches(
            self.dataset, self.ancestor.preprocessing, options.batch_size, "none", options.seed, 0
        )
        for images, _ in batches.take(NORMALIZATION_BATCHES):
            yield images.numpy()

    def _run_of(self, number: int) -> LoadedRun:
        return load_run(self.output / f"generation_{number:02d}") if number else self.ancestor

    def _final(self) -> Generation:
        """Train the last generation on, in a run folder of its own."""
        adult = self._run_of(self.lineage.bred)
        spec = SqueezeNetSpec.from_json(adult.spec)
        folder = self._prepare(FINAL, spec, adult.model)
        bred = self.lineage.bred
        metrics = self._train(adult.model, folder, self.config.final_epochs, bred + 1)
        # The network is the same: only its weights, and so its accuracy, are others.
        return dataclasses.replace(
            self.lineage.generations[-1],
            name=FINAL,
            folder=FINAL,
            validation_top1=metrics["validation_top1"],
            top1=metrics["top1"],
            offspring=(),
        )

    def _prepare(self, name: str, spec: SqueezeNetSpec, model: keras.Model) -> RunFolder:
        folder = RunFolder(self.output / name)
        folder.write_preprocessing(self.ancestor.preprocessing)
        folder.write_labels(self.ancestor.labels)
        folder.write_record("data", self.ancestor.folder.read_record("data"))
        folder.write_record("flags", {"evolve": self.config.to_json()})
        rows = [dataclasses.asdict(row) for row in summary.layer_table(model)]
        folder.write_record("layers", rows)
        folder.add_command(sys.argv)
        folder.write_spec(spec.to_json())  # last, because it makes the folder a run folder
        return folder

    def _train(
        self, model: keras.Model, folder: RunFolder, epochs: int, number: int
    ) -> dict[str, Any]:
        options, share = self._options(epochs, number), self.config.distillation
        loss = None
        if share:
            loss = distillation_loss(self.ancestor.model, share, options.label_smoothing)
        stage = StageFit(
            folder,
            STAGE,
            self.dataset,
            self.ancestor.preprocessing,
            options,
            loss=loss,
            config={"distillation": self.config.distillation},
        )
        return fit_stage(model, stage).metrics

    def _options(self, epochs: int, number: int) -> FitOptions:
        """Return the ancestor's own options, for so many epochs at this evolution's rate.

        Each generation sees the photographs in another order and otherwise augmented; its
        offspring see the same.
        """
        stages = {entry["stage"]: entry for entry in self.ancestor.folder.finished_stages()}
        recorded = stages[STAGE]["config"]
        names = {field.name for field in dataclasses.fields(FitOptions)} & recorded.keys()
        options = FitOptions(**{name: recorded[name] for name in names})
        return dataclasses.replace(
            options,
            epochs=epochs,
            base_learning_rate=self.config.base_learning_rate,
            lr_schedule="cosine",
            warmup_epochs=0.0,
            seed=self.config.seed + number,
            early_stopping_patience=0,
            best_from_epoch=0,
            watchdog_epochs=0,
        )

    def _generation(
        self, name: str, run: LoadedRun, offspring: tuple[dict[str, Any], ...]
    ) -> Generation:
        metrics = next(e["metrics"] for e in run.folder.finished_stages() if e["stage"] == STAGE)
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
            offspring=offspring,
        )


def _nursery(number: int, index: int) -> str:
    return f"generation_{number:02d}.{index}"


def _require_squeezenet(run: LoadedRun) -> None:
    architecture = run.spec.get("architecture")
    if architecture != "squeezenet":
        raise UsageError(
            f"--model_dir {run.folder.path}: is a run of {architecture!r}; only SqueezeNet evolves"
        )
