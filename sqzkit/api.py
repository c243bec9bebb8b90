"""The public functions of sqzkit: what its programs do, as calls with typed results.

Keyword arguments are the settings' fields, which are the programs' flags: `sqzkit train --help`
lists those of `train`. All errors are `sqzkit.SqzkitError`. Progress is printed. Libraries
such as TensorFlow are loaded when a function needs them.
"""

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqzkit.base import assembly, extras, quiet
from sqzkit.runs import lock

if TYPE_CHECKING:
    from sqzkit.compression.plan import CompressionConfig, StageName
    from sqzkit.data.source import DataSource
    from sqzkit.evolution.lineage import Generation
    from sqzkit.paper.folder import Row
    from sqzkit.runs.loading import LoadedRun
    from sqzkit.training.config import TrainingConfig

PathLike = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, as `train` and `compress` leave it. Usable as a path.

    Attributes:
      path: of the folder.
      labels: class names in class order.
      top1: accuracy on the test split after each finished stage, 0..1, in their order.
      report: the report page, or None if this process does not write it.
    """

    path: Path
    labels: tuple[str, ...]
    top1: Mapping[str, float]
    report: Path | None = None

    def __fspath__(self) -> str:
        return str(self.path)


@dataclasses.dataclass(frozen=True)
class ConvertedModel:
    """What `convert` wrote. Usable as a path: that of the `.tflite` file.

    Attributes:
      path: of the `.tflite` file.
      archive: of the `.sqz` file, or None.
      sizes: bytes by form, such as "tflite", "gzip", "sqz".
      float_top1, converted_top1: accuracies on the test split, 0..1; None if not measured.
      agreement: share of photographs with the float model's first answer, 0..1, or None.
      record: all of it, as in `PATH.json`.
      update: of the archive that holds what differs from `base`, or None.
    """

    path: Path
    archive: Path | None
    sizes: Mapping[str, int]
    float_top1: float | None
    converted_top1: float | None
    agreement: float | None
    record: Mapping[str, Any]
    update: Path | None = None

    def __fspath__(self) -> str:
        return str(self.path)


def train(
    data: "PathLike | DataSource | None" = None,
    *,
    model_dir: PathLike,
    stages: "Sequence[StageName]" = ("train",),
    **changes: Any,
) -> Run:
    """Train an image classifier, and compress it if `stages` says so.

    A run that was interrupted is resumed by the same call.

    Args:
      data: folder of photographs with a folder for each class; or a `DataSource`;
        None: the embedded digits, or the data set that `changes` name.
      model_dir: the run folder to make, or to resume.
      stages: any of "train", "prune", "dense", "cluster", "quantize", in this order.
      **changes: other settings: `sqzkit train --help`.

    Raises:
      SqzkitError: a setting is wrong (`UsageError`), or the work failed (`RunError`).

    Example:
      >>> run = sqzkit.train(model_dir="digits", model="tiny", train_epochs=1)
      >>> sorted(run.top1)
      ['train']
    """
    from sqzkit.compression import plan
    from sqzkit.compression.plan import CompressionConfig
    from sqzkit.training.config import TrainingConfig

    values = {**_data(data), "model_dir": model_dir, "stages": tuple(stages), **changes}
    of_stages = assembly.flat(CompressionConfig)
    known = {**assembly.flat(TrainingConfig), **of_stages}
    assembly.refuse_unknown(values, known)
    mine = {name: values.pop(name) for name in [*values] if name in of_stages}
    training = assembly.build(TrainingConfig, values)
    compression = assembly.build(CompressionConfig, mine)
    plan.refuse_strategy(compression.stages, training.distribution_strategy)
    plan.refuse_half_precision(compression.stages, training.mixed_precision_dtype)
    with extras.explained():
        quiet.load_tensorflow()
        return _train(training, compression, assembly.command("train", known, {**values, **mine}))


def _train(training: "TrainingConfig", compression: "CompressionConfig", command: str) -> Run:
    from sqzkit.runs.folder import RunFolder
    from sqzkit.training import distribution

    report, folder = None, RunFolder(Path(training.model_dir))
    if training.mode != "eval" and distribution.serves(training.distribution_strategy):
        distribution.serve()
    elif distribution.is_chief():
        if training.mode == "eval" or "train" not in compression.stages:
            RunFolder.existing(training.model_dir)
        with lock.hold(training.model_dir):
            report = _work(training, compression, command)
    elif training.mode != "eval":  # one process is enough to evaluate
        report = _work(training, compression, command)
    top1 = {entry["stage"]: entry["metrics"]["top1"] for entry in folder.finished_stages()}
    return Run(folder.path, folder.labels, top1, report)


def _work(
    training: "TrainingConfig", compression: "CompressionConfig", command: str
) -> Path | None:
    """Train, compress and evaluate as far as asked; return the report's path, if it is written."""
    from sqzkit.reporting import page
    from sqzkit.training import distribution, loop, run_data

    if training.mode == "eval":
        loop.evaluate(training)
        return None
    run = loop.train(training) if "train" in compression.stages else loop.reopen(training)
    if distribution.is_chief():
        run.folder.add_command(command)
    if set(compression.stages) - {"train"}:
        from sqzkit.conversion.stage_summary import compress as run_stages

        with loop.precision(training.mixed_precision_dtype):
            data = run_data.to_compress(run.folder, run.dataset)
            run_stages(run.folder, compression, run.options, data, run.strategy)
    if not distribution.is_chief():
        return None
    if training.mode == "train_and_eval":
        loop.evaluate(training)
    return page.write_report(run.folder)


def compress(
    run: PathLike, stages: "Sequence[StageName]" = ("prune", "cluster", "quantize"), **changes: Any
) -> Run:
    """Run the stages of Deep Compression on a trained run: `train` without the training.

    Args:
      run: the run folder.
      stages: any of "prune", "dense", "cluster", "quantize", in this order.
      **changes: other settings: `sqzkit train --help`, "Compression".

    Returns, raises: as `train`.

    Example:
      >>> run = sqzkit.compress(run, stages=("prune",), prune_epochs=1)
      >>> list(run.top1)
      ['train', 'prune']
    """
    return train(model_dir=run, stages=stages, **changes)


def evaluate(run: PathLike, **changes: Any) -> Run:
    """Measure a run's last finished stage on its test split, or that of other data.

    `changes` are settings of the data, such as `data_dir`. `evaluation.json` in the run
    folder gets the result. Returns, raises: as `train`.
    """
    return train(model_dir=run, mode="eval", **changes)


def convert(run: PathLike | None = None, **changes: Any) -> ConvertedModel:
    """Convert a classifier to TensorFlow Lite, verified, with metadata.

    Args:
      run: a run folder; None: `changes` has `weights` or `keras_model_file`.
      **changes: other settings, such as `archive`, `quantization`, `optimize_for`:
        `sqzkit convert --help`.

    Raises:
      SqzkitError: a setting is wrong (`UsageError`), the file loses too much accuracy
        or cannot be written (`RunError`).

    Example:
      >>> model = sqzkit.convert(run, archive=True, max_accuracy_drop=100)
      >>> model.archive.name
      'int8_per_channel.sqz'
    """
    from sqzkit.conversion import outputs
    from sqzkit.conversion.config import ConversionConfig
    from sqzkit.runs.folder import RunFolder

    values = {"model_dir": run, **changes}
    config = assembly.build(ConversionConfig, values)
    outputs.refuse_early(config)
    with extras.explained():
        quiet.load_tensorflow()
        from sqzkit.reporting import page

        with quiet.quiet():
            from sqzkit.conversion import convert as conversion
        folder = RunFolder.existing(config.model_dir) if config.model_dir else None
        with lock.hold(folder.path) if folder else contextlib.nullcontext():
            result = conversion.convert(config)
            print(conversion.report(result))
            if folder:
                command = assembly.command("convert", assembly.flat(ConversionConfig), values)
                folder.add_command(command)
                print(f"report: {page.write_report(folder)}")
    checked = result.record["verification"] or {}
    top1 = checked.get("float_top1"), checked.get("converted_top1")
    sizes, agreement = result.record["sizes"], checked.get("agreement")
    files = result.path, result.archive, sizes
    return ConvertedModel(*files, *top1, agreement, result.record, result.update)


def evolve(run: PathLike, output_dir: PathLike, **changes: Any) -> "tuple[Generation, ...]":
    """Breed smaller networks from a trained run (SquishedNets).

    Args:
      run: run folder of the ancestor.
      output_dir: folder of the evolution; an unfinished one in it is resumed.
      **changes: other settings: `sqzkit evolve --help`.

    Returns:
      The generations, from the ancestor on, with sizes and accuracies.

    Raises: as `train`.
    """
    from sqzkit.evolution.config import EvolveConfig

    config = assembly.build(EvolveConfig, {"model_dir": run, "output_dir": output_dir, **changes})
    with extras.explained(), lock.hold(config.output_dir, "--output_dir"):
        quiet.load_tensorflow()
        from sqzkit.evolution.evolution import evolve as work

        return tuple(work(config).generations)


def explore(
    data: "PathLike | DataSource | None" = None, *, study_dir: PathLike, **changes: Any
) -> Path | None:
    """Search the design space for the best SqueezeNet for some photographs.

    Args:
      data: as in `train`.
      study_dir: folder of the study; a study in it is continued.
      **changes: other settings: `sqzkit explore --help`.

    Returns:
      Run folder of the winner, or None if no trial was complete.

    Raises: as `train`.
    """
    from sqzkit.exploration.config import ExploreConfig

    config = assembly.build(ExploreConfig, {**_data(data), "study_dir": study_dir, **changes})
    with extras.explained():
        quiet.load_tensorflow()
        from sqzkit.exploration.loop import explore as work

        winner = work(config)
    return None if winner is None else Path(config.study_dir) / "winner"


def compare(
    data: "PathLike | DataSource | None" = None, *, output_dir: PathLike, **changes: Any
) -> "tuple[Row, ...]":
    """Make the SqueezeNet paper's table 2 on some photographs.

    Args:
      data: as in `train`.
      output_dir: folder of the comparison; an unfinished one in it is resumed.
      **changes: other settings: `sqzkit compare --help`.

    Returns:
      The rows of the table.

    Raises: as `train`.
    """
    from sqzkit.paper.config import CompareConfig

    config = assembly.build(CompareConfig, {**_data(data), "output_dir": output_dir, **changes})
    with extras.explained(), lock.hold(config.output_dir, "--output_dir"):
        quiet.load_tensorflow()
        from sqzkit.paper.loop import compare as work

        return tuple(work(config))


def load_run(run: PathLike, stage: str | None = None) -> "LoadedRun":
    """Open a run folder: the Keras model with its weights, preprocessing, labels, data.

    Args:
      run: the run folder.
      stage: finished stage whose weights to take; None: the last.

    Raises:
      SqzkitError: not a run folder (`UsageError`), or it is damaged (`RunError`).

    Example:
      >>> sqzkit.load_run(run).model.count_params() > 0
      True
    """
    with extras.explained():
        quiet.load_tensorflow()
        from sqzkit.runs.loading import load_run as load

        return load(os.path.expanduser(run), stage)


def write_report(run: PathLike, retrained: PathLike | None = None) -> Path:
    """Write the page of a run, beside one `retrained`; return its path. Raises: as `load_run`."""
    from sqzkit.runs.folder import RunFolder

    folder = RunFolder.existing(os.path.expanduser(run))
    other = retrained and RunFolder.existing(os.path.expanduser(retrained), "--retrained")
    with extras.explained(), lock.hold(folder.path):
        from sqzkit.reporting import page

        return page.write_report(folder, other or None)


def _data(data: "PathLike | DataSource | None") -> dict[str, Any]:
    """Return data as flat settings."""
    if data is None:
        return {}
    return {"data_dir": data} if isinstance(data, str | os.PathLike) else assembly.given(data)
