"""A whole training run: data, network, stages, evaluation, records."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.data import augmentation
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.models import registry, squeezenet, summary
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.preprocessing import Preprocessing, default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels
from sqzkit.runs.weights import load_weights
from sqzkit.training import cluster, strategies, threads, transfer
from sqzkit.training.config import DEFAULT_MODEL, DIGITS_SIZE, PHOTOGRAPH_SIZE, TrainingConfig
from sqzkit.training.fit import StageFit, StageResult, fit_stage
from sqzkit.training.options import FitOptions
from sqzkit.training.state import refuse_other
from sqzkit.training.tensorboard import EpochScalars

MINIMUM_MAP = 3  # pixels
MINIMUM_POOLS = 2


@dataclasses.dataclass(frozen=True)
class Run:
    """An opened run: what its stages need.

    Attributes:
      folder: where it goes.
      dataset: what it learns.
      spec: the network, as in spec.json.
      preprocessing: from photographs to its input.
      options: of the stage "train".
      strategy: where it runs.
    """

    folder: RunFolder
    dataset: ImageDataset
    spec: dict[str, Any]
    preprocessing: Preprocessing
    options: FitOptions
    strategy: tf.distribute.Strategy


def train(config: TrainingConfig) -> Run:
    """Train as configured, or go on where an interrupted run was.

    Returns:
      The opened run, its stage "train" finished.

    Raises:
      UsageError: the flags do not fit each other, the data, or the folder.
      RunError: the training failed; the folder can be resumed.
    """
    run = open_run(config)
    # A worker that looks later must not find a folder half made by the chief.
    strategies.barrier(run.strategy)
    _write_records(run, config)
    with precision(config.mixed_precision_dtype):
        result = _train_stages(run, config)
    print(_summary(result), flush=True)
    return run


def open_run(config: TrainingConfig) -> Run:
    """Open the data and decide the network, without writing anything.

    Raises:
      UsageError: the flags do not fit each other, the data, or the folder.
    """
    strategy = prepare(config, config.image_size or PHOTOGRAPH_SIZE)
    dataset = open_dataset(config.data, config.cache_dir)
    classes = len(dataset.labels)
    size = config.image_size or image_size(dataset)
    if config.weights:
        spec, preprocessing = transfer.network(config.weights, dataset.labels, size, config.dropout)
    else:
        spec, preprocessing = fitting_spec(config, classes, size), default(size)
    squeezenet.feature_map_sizes(spec, size)
    strategies.input_shards(strategy, config.train_batch_size)
    augmentation.preset(config.augmentation)
    folder, record = RunFolder(Path(config.model_dir)), plain(spec.to_json())
    _refuse_other_run(folder, record, preprocessing, dataset, config)
    options = config.fit_options(_epochs(config, dataset))
    return Run(folder, dataset, record, preprocessing, options, strategy)


def fitting_spec(config: TrainingConfig, classes: int, size: int) -> SqueezeNetSpec:
    """Return the network to train from scratch at `size` pixels.

    Unless `--pool_after` says otherwise, the second pooling is left out while
    fewer than 3x3 pixels would be left at the end: 3x3 kernels on one pixel
    are wasted.
    """
    spec = config.spec(classes)
    while config.pool_after is None and len(spec.pool_after) > MINIMUM_POOLS:
        sizes = squeezenet.feature_map_sizes(spec, size)
        if list(sizes.values())[-1] >= MINIMUM_MAP:
            break
        spec = dataclasses.replace(spec, pool_after=(spec.pool_after[0], *spec.pool_after[2:]))
    return spec


def prepare(config: TrainingConfig, image_size: int | None = None) -> tf.distribute.Strategy:
    """Seed everything, choose where to run, and return that strategy.

    Args:
      config: what was asked for.
      image_size: at most so many pixels will be trained on; None leaves TensorFlow's threads alone.
    """
    # Processes that wait for one another need all threads they have.
    if image_size and config.distribution_strategy in ("off", "one_device"):
        threads.share_processors(image_size)
    strategy = strategies.make_strategy(config.distribution_strategy)
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    return strategy


def image_size(dataset: ImageDataset) -> int:
    """Return the default input size: 32 where the images are no larger, else 64 pixels."""
    image = dataset.split("train").examples[0].image
    small = hasattr(image, "shape") and max(image.shape[:2]) <= DIGITS_SIZE
    return DIGITS_SIZE if small else PHOTOGRAPH_SIZE


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let layers made inside compute in `dtype`; their variables stay float32."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(dtype if dtype == "float32" else f"mixed_{dtype}")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _epochs(config: TrainingConfig, dataset: ImageDataset) -> int:
    if config.train_steps is None:
        return config.train_epochs
    steps = max(1, dataset.split("train").num_examples // config.train_batch_size)
    return math.ceil(config.train_steps / steps)


def _refuse_other_run(
    folder: RunFolder,
    spec: dict[str, Any],
    preprocessing: Preprocessing,
    dataset: ImageDataset,
    config: TrainingConfig,
) -> None:
    """Raise `UsageError` if the folder holds another run."""
    if folder.is_foreign():
        raise UsageError(f"--model_dir {folder.path}: exists and is not a run folder; name another")
    if not folder.spec_path.exists():
        return
    refuse_other(folder.spec_path, folder.read_spec(), spec)
    refuse_other(folder.path, folder.preprocessing.to_json(), preprocessing.to_json())
    recorded = folder.read_record("data")
    if recorded is not None:
        refuse_other(folder.path / "data.json", recorded, plain(config.data.to_json()))
    check_labels(folder, dataset)


def _write_records(run: Run, config: TrainingConfig) -> None:
    print(_resolved(run, config), flush=True)
    if not cluster.is_chief():
        return
    folder = run.folder
    folder.write_preprocessing(run.preprocessing)
    folder.write_labels(tuple(run.dataset.labels))
    folder.write_record("data", config.data.to_json())
    flags = folder.read_record("flags") or {}
    # A run that goes on was begun with these; others are refused later on.
    folder.write_record("flags", {"train": config.to_json(), **flags})
    # Last, because it makes the folder a run folder.
    folder.write_spec(run.spec)


def _train_stages(run: Run, config: TrainingConfig) -> StageResult:
    side = run.preprocessing.image_size
    with run.strategy.scope():
        model = registry.build_from_json(run.spec, side)
        if cluster.is_chief():
            rows = summary.layer_table(model)
            run.folder.write_record("layers", [dataclasses.asdict(row) for row in rows])
        frozen: dict[str, str] = {}
        if config.weights:
            transfer.start(model, config.weights, config.weights_dir, run.dataset.labels)
            frozen = {"weights": config.weights}
            if config.head_epochs and not transfer.keeps_head(run.dataset.labels):
                _train_head(run, config, model, frozen)
                load_weights(model, run.folder.weights_path("head"))
    return fit_stage(model, _stage(run, config, "train", run.options, frozen))


def _train_head(
    run: Run, config: TrainingConfig, model: keras.Model, record: dict[str, str]
) -> None:
    """Run the stage "head", in which only the new head learns."""
    with transfer.only_head(model):
        fit_stage(model, _stage(run, config, "head", config.head_options(), record))


def _stage(
    run: Run, config: TrainingConfig, stage: str, options: FitOptions, record: dict[str, str]
) -> StageFit:
    """Return what `fit_stage` is to do in one of the run's stages."""
    scalars = EpochScalars(run.folder.path / "tensorboard" / stage)
    return StageFit(
        run.folder,
        stage,
        run.dataset,
        run.preprocessing,
        options,
        callbacks=(scalars,) if config.tensorboard and cluster.is_chief() else (),
        config=record,
        strategy=run.strategy,
    )


def _resolved(run: Run, config: TrainingConfig) -> str:
    sizes = ", ".join(
        f"{split.num_examples:,} {name}" for name, split in run.dataset.splits.items()
    )
    lines = [
        f"data: {run.dataset.name}, {len(run.dataset.labels)} classes, {sizes}",
        f"network: {config.weights or config.model or DEFAULT_MODEL}, {_fields(run.spec)}",
        f"input: {_fields(run.preprocessing.to_json())}",
        f"training: {_fields(run.options.to_json())} {config.mixed_precision_dtype}, "
        f"{config.distribution_strategy}, preset {config.preset}",
    ]
    return "\n".join(lines)


def _fields(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _summary(result: StageResult) -> str:
    metrics = result.metrics
    return (
        f"trained {metrics['epochs']} epochs in {metrics['train_seconds']:,.0f} s, kept epoch "
        f"{metrics['best_epoch']}: top-1 {metrics['top1']:.2%} on the test split"
    )


def plain(value: Any) -> Any:
    """Return what reading `value` back from JSON gives: tuples become lists."""
    return json.loads(json.dumps(value))
