"""A whole training run: data, network, stages, evaluation, records."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data import augmentation
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.data.store import naming_failures
from sqzkit.models import registry, squeezenet, transfer
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import (
    begin_run,
    data_record,
    load_run,
    write_account,
)
from sqzkit.runs.settings import plain, recorded_options, refuse_other
from sqzkit.training import (
    choice,
    cross_tuning,
    distribution,
    duration,
    fine_tuning,
    from_base,
    head,
    lessons,
    run_data,
    scratch,
)
from sqzkit.training.config import (
    PHOTOGRAPH_SIZE,
    WEIGHTLESS_FIELDS,
    TrainingConfig,
)
from sqzkit.training.distillation import soft_target_loss
from sqzkit.training.duration import Duration
from sqzkit.training.evaluate import (
    Evaluator,
    better_than_chance,
    in_words,
    record_evaluation,
)
from sqzkit.training.fit import StageFit, StageResult, fit_stage
from sqzkit.training.lessons import Lessons
from sqzkit.training.options import FitOptions

NOT_SHOWN = (
    "the test split does not show that anything was learnt: always giving its most frequent class "
    "would be about as accurate; check that the photographs lie in the folders of their classes"
)


@dataclasses.dataclass(frozen=True)
class Run:
    """An opened run: what its stages need.

    Attributes:
      folder: the run folder.
      dataset: what it learns.
      spec: the network, as in spec.json.
      preprocessing: from photographs to its input.
      options: of the stage "train".
      strategy: where it runs.
      lessons: what it is trained on: the data set, and what a teacher adds.
      only_head: whether only the last layer is fitted, since there is no time or are too few images
        to train more, or since nothing else of an older run may move.
      folds: in which a fine-tuning is judged; 0: by the validation split.
      base: the older run to start from.
    """

    folder: RunFolder
    dataset: ImageDataset
    spec: dict[str, Any]
    preprocessing: Preprocessing
    options: FitOptions
    strategy: tf.distribute.Strategy
    lessons: Lessons
    only_head: bool = False
    folds: int = 0
    base: from_base.Base | None = None


def train(config: TrainingConfig) -> Run:
    """Train as configured, or resume an interrupted run.

    Returns:
      The opened run, its stage "train" finished.

    Raises:
      UsageError: the flags do not fit each other, the data, or the folder.
      RunError: the training failed; the folder can be resumed.
    """
    started = time.monotonic()
    run = open_run(config)
    # A worker that looks later must not find a folder that the chief has not finished yet.
    distribution.barrier(run.strategy)
    with precision(config.mixed_precision_dtype):
        with run.strategy.scope():
            model = registry.build_from_json(run.spec, run.preprocessing.image_size)
        run, expected = _within_time(run, config, started)
        print(_resolved(run, config, model.count_params()), flush=True)
        if hint := run_data.hint(run.folder, run.dataset, config):
            print(hint, flush=True)
        if expected:
            print(f"time: {expected}", flush=True)
        if distribution.is_chief():
            # The flags that began the run stay.
            flags = {"train": config.to_json(), **(run.folder.read_record("flags") or {})}
            data = data_record(config.data, run.dataset)
            contents = {"data": data, "flags": flags, **run.lessons.records}
            if expected and config.train_minutes:
                contents["duration"] = dataclasses.asdict(expected)
            begin_run(
                *(run.folder, run.spec, model, run.preprocessing, run.dataset.labels), contents
            )
        result = _train_stages(run, config, model)
    if distribution.is_chief():
        write_account(run.folder, run.dataset)
    metrics = result.metrics
    done = "trained the last layer alone"
    if metrics["epochs"]:
        seconds, kept = metrics["train_seconds"], metrics["best_epoch"]
        done = f"trained {metrics['epochs']} epochs in {seconds:,.0f} s, kept epoch {kept}"
    print(f"{done}: {in_words(metrics)} on the test split", flush=True)
    labels = run.dataset.split("test").labels
    if not better_than_chance(metrics["top1"], labels, metrics.get("balanced_accuracy", 0.0)):
        print(NOT_SHOWN, flush=True)
    return run


def open_run(config: TrainingConfig) -> Run:
    """Open the data and decide the network, without writing anything.

    Raises:
      UsageError: the flags do not fit each other, the data, or the folder.
    """
    pretrained = config.pretrained()
    strategy = prepare(
        *(config.seed, config.deterministic, config.distribution_strategy),
        config.image_size or (choice.SIZES[-1] if config.weights else PHOTOGRAPH_SIZE),
    )
    folder = RunFolder(Path(config.model_dir))
    dataset = open_dataset(config.data, config.cache_dir, alike=not folder.spec_path.exists())
    base = from_base.open_base(config.base, dataset)
    run_data.refuse_other(folder, dataset, config.data)
    print(run_data.in_words(dataset), flush=True)
    taught = lessons.prepare(config.teacher, dataset, folder, config.augmentation)
    # Counted before unreadable photographs are dropped: a resumed run drops them at other times.
    folds = cross_tuning.folds_for(config, taught.dataset)
    epochs = duration.planned_epochs(config, taught.dataset, folds)
    if pretrained:
        changes = config.network_changes(WEIGHTLESS_FIELDS)
        spec = transfer.transfer_spec(pretrained, dataset.labels, changes)
        preprocessing = choice.transfer_preprocessing(
            folder, taught.dataset, spec, config, pretrained, epochs
        )
    elif base:
        spec, preprocessing = from_base.new_spec(base, dataset.labels), base.preprocessing
    else:
        spec, preprocessing = scratch.network(folder, dataset, config)
    squeezenet.feature_map_sizes(spec, preprocessing.image_size)
    distribution.replica_batch(strategy, config.train_batch_size)
    augmentation.preset(config.augmentation)
    record = plain(spec.to_json())
    options = config.fit_options(epochs)
    what = (folder, dataset, record, preprocessing, options, strategy, taught)
    run = Run(*what, folds=folds, base=base)
    if folder.spec_path.exists():
        refuse_other(folder.spec_path, folder.read_spec(), run.spec)
        refuse_other(folder.path, folder.preprocessing.to_json(), run.preprocessing.to_json())
    return run


def reopen(config: TrainingConfig) -> Run:
    """Open a run whose stage "train" is finished, as its folder records it.

    Raises:
      UsageError: it is not a run folder, or its stage "train" is not finished.
    """
    side = RunFolder.existing(config.model_dir).preprocessing.image_size
    strategy = prepare(config.seed, config.deterministic, config.distribution_strategy, side)
    loaded = load_run(config.model_dir, "train")
    options = recorded_options(loaded.folder, "train", FitOptions)
    dataset = loaded.open_data(config.cache_dir, config.data.data_dir)
    what = loaded.spec, loaded.preprocessing, options, strategy
    return Run(loaded.folder, dataset, *what, Lessons(dataset))


def evaluate(config: TrainingConfig, split: str = "test") -> None:
    """Measure the last finished stage on `split`, print and store the evaluation.

    Raises:
      UsageError: `config.model_dir` is not a run folder, or its data have other labels.
    """
    run = load_run(config.model_dir)
    dataset = run_data.to_measure(run, config, split)
    metrics = Evaluator(run.model)(dataset, split, run.preprocessing)
    record_evaluation(run.folder, dataset, split, metrics)
    print(
        f"{run.stage} on {metrics.examples:,} {split} images: {in_words(metrics.to_json())}, "
        f"top-5 {metrics.top5:.2%}, loss {metrics.loss:.4f}",
        flush=True,
    )


def prepare(
    seed: int, deterministic: bool, strategy: str = "off", max_image_size: int | None = None
) -> tf.distribute.Strategy:
    """Seed everything, choose where to run, and return that strategy.

    Args:
      seed: of Python, NumPy and TensorFlow.
      deterministic: whether TensorFlow may use only operations that give the same bits again.
      strategy: of `--distribution_strategy`.
      max_image_size: of the images to train on, pixels; None leaves TensorFlow's threads alone.
    """
    # Processes that wait for each other need all threads they have.
    if max_image_size and strategy in ("off", "one_device"):
        distribution.share_processors(max_image_size)
    made = distribution.make_strategy(strategy)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return made


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Let layers that are made inside compute in `dtype`; their variables stay float32."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(dtype if dtype == "float32" else f"mixed_{dtype}")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _within_time(run: Run, config: TrainingConfig, started: float) -> tuple[Run, Duration | None]:
    """Return the run with as many epochs as `--train_minutes` allows, and what is expected."""
    alone = run.base and from_base.fits_head_alone(run.base, config.base)
    if alone or fine_tuning.cannot_be_judged(config, run.dataset, run.folds):
        return dataclasses.replace(run, only_head=True), None
    one_device = config.distribution_strategy in ("off", "one_device")
    count = run.options.epochs * duration.steps_per_epoch(run.lessons.dataset, run.options)
    with naming_failures(run.lessons.dataset):
        expected = duration.decide(
            *(run.folder, config.train_minutes, started),
            measure=lambda: duration.expect(
                lambda: registry.build_from_json(run.spec, run.preprocessing.image_size),
                *(run.lessons.dataset, run.preprocessing, run.options, run.folds),
            ),
            timed=one_device and (bool(config.weights) or count >= duration.WORTH_TIMING),
        )
    if expected:
        epochs = max(1, expected.epochs)
        warmup = min(run.options.warmup_epochs, epochs)
        options = dataclasses.replace(run.options, epochs=epochs, warmup_epochs=warmup)
        run = dataclasses.replace(run, options=options, only_head=not expected.epochs)
    return run, expected


def _train_stages(run: Run, config: TrainingConfig, model: keras.Model) -> StageResult:
    """Run the stages "head", in which only a new head learns, and "train"."""
    logs = run.folder.path / "tensorboard" if config.tensorboard else None
    with run.strategy.scope():
        pretrained = config.pretrained()
        taught = run.lessons.settings
        if run.base:
            stage = _stage(run, "train", run.options, logs, taught)
            return from_base.train_from(model, run.base, stage, config.base)
        if pretrained is None:
            return fit_stage(model, _stage(run, "train", run.options, logs, taught))
        transfer.load_pretrained(model, pretrained, config.weights_dir, run.dataset.labels)
        record = {"weights": pretrained.identity, **taught}
        stage = _stage(run, "train", run.options, logs, record)
        if transfer.keeps_head(pretrained, run.dataset.labels):
            return fit_stage(model, stage)
        if config.head_epochs:
            with transfer.only_head(model):
                fit_stage(model, _stage(run, "head", config.head_options(), logs, record))
        else:
            head.fit_stage_head(model, dataclasses.replace(stage, stage="head"))
        if run.only_head:
            return fine_tuning.finish_with_head(model, stage)
        if run.folds:
            return cross_tuning.cross_tune(model, stage, config)
        return fine_tuning.fine_tune(model, stage, config)


def _stage(
    run: Run,
    stage: str,
    options: FitOptions,
    logs: Path | None,
    record: dict[str, Any],
) -> StageFit:
    """Return what `fit_stage` is to do in one of the run's stages."""
    callbacks = []
    if logs and distribution.is_chief():
        callbacks.append(keras.callbacks.TensorBoard(logs / stage, write_graph=False))
    data, loss = run.lessons.dataset, None
    if data.soft_targets:
        temperature = record["teacher_temperature"]
        loss = soft_target_loss(data.num_classes, temperature, options.label_smoothing)
    return StageFit(
        run.folder,
        stage,
        data,
        run.preprocessing,
        options,
        callbacks=callbacks,
        loss=loss,
        config=record,
    )


def _resolved(run: Run, config: TrainingConfig, parameters: int) -> str:
    options, side = run.options, run.preprocessing.image_size
    network = (
        config.weights or config.base.file or config.model or scratch.default_model(run.folder)
    )
    recipe = (
        f"{options.epochs} epochs, batches of {options.batch_size}, {options.optimizer}, "
        f"learning rate {options.base_learning_rate:g} ({options.lr_schedule}), "
        f"augmentation {options.augmentation}"
    )
    return (
        f"network: {network}, {parameters:,} parameters, {side}x{side} pixels\n"
        f"training: {'the last layer alone' if run.only_head else recipe}, seed {options.seed}, "
        f"{config.mixed_precision_dtype}, preset {config.preset}"
    )
