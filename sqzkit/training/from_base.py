"""Train from an older run so that most weights stay exactly as they are.

An update holds only what differs between two versions of a file (docs/updates.md). So the new
version begins with the old weights, only some of them may move, and an L1 pull, applied after each
step as a proximal operator, brings back those whose gradient does not keep pointing one way.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.data import identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.models import inference, registry
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.models.transfer import HEAD
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import load_run
from sqzkit.training import distribution, steps, sticky_head
from sqzkit.training.evaluate import Evaluator, split_metrics
from sqzkit.training.fine_tuning import finish_untrained, trainable_values
from sqzkit.training.fit import StageFit, StageResult, fit_stage
from sqzkit.training.optimization import is_kernel
from sqzkit.training.options import BaseOptions

MAX_CODEBOOK = 255  # distinct values of a kernel that shares them
_BEYOND_HEAD = ("biases", "share", "all")
NEVER = -1e9  # bias of a class that the older network does not know


@dataclasses.dataclass(frozen=True)
class Base:
    """An older run, to start from.

    Attributes:
      spec: its network, without normalization: that is folded into the convolutions, as it is
        converted.
      labels: class names, as they are called now.
      weights: by layer name. identity: SHA-256 of the file that has them.
      contents: which photographs it was made from (`identity.record`).
    """

    path: Path
    spec: SqueezeNetSpec
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    weights: Mapping[str, list[np.ndarray]]
    identity: str
    contents: Mapping[str, Any]

    def places(self, labels: Sequence[str]) -> list[int]:
        """Return each label's class here, -1 where it is new."""
        known = {label: number for number, label in enumerate(self.labels)}
        return [known.get(label, -1) for label in labels]


def open_base(options: BaseOptions, dataset: ImageDataset) -> Base | None:
    """Return the older run, None without one; give `dataset` the splits that it had there.

    Raises:
      UsageError: it is not a run folder, not a SqueezeNet, or shares no class with the data.
      RunError: its files are missing or damaged.
    """
    if options.file is None:
        return None
    if Path(options.file).is_file():
        raise UsageError(
            f"--base {options.file}: is a file; training starts from the float weights, which "
            "only a run folder has: give the one that this file was converted from"
        )
    folder = RunFolder.existing(options.file, "--base")
    run = load_run(folder.path)
    network, model = registry.spec_from_json(run.spec), run.model
    if not isinstance(network, SqueezeNetSpec):
        raise UsageError(f"--base {options.file}: is not a SqueezeNet; train without --base")
    spec = network
    if spec.normalization == "batch":
        spec, model = inference.fold_batch_normalization(model, spec)
    names = {old: new for new, old in identity.renamed(dataset, run.contents).items()}
    labels = tuple(names.get(label, label) for label in run.labels)
    if not set(labels) & set(dataset.labels):
        raise UsageError(
            f"--base {options.file}: tells {', '.join(run.labels[:4])} apart, and the data "
            f"({dataset.name}) have none of its classes; give photographs of these as --data_dir, "
            "name their folders alike, or train without --base"
        )
    identity.follow(dataset, run.contents)
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    sha256 = folder.finished_stage(run.stage)["weights_sha256"]
    return Base(folder.path, spec, run.preprocessing, labels, weights, sha256, run.contents)


def fits_head_alone(base: Base, options: BaseOptions) -> bool:
    """Return whether only the last layer moves, and is fitted at once: there are no epochs."""
    return options.moves == "head" and _head_is_linear(base.spec)


def _head_is_linear(spec: SqueezeNetSpec) -> bool:
    return not (spec.conv10_relu or spec.conv10_padding)


def new_spec(base: Base, labels: Sequence[str]) -> SqueezeNetSpec:
    """Return the older run's network for other classes."""
    return dataclasses.replace(base.spec, classes=len(labels))


def train_from(
    model: keras.Model, base: Base, stage: StageFit, options: BaseOptions
) -> StageResult:
    """Train a network of `new_spec` from the older run's weights, or resume that.

    Raises: as `fit_stage`.
    """
    settings = {name: value for name, value in options.to_json().items() if name != "file"}
    record = {**stage.config, "base": {"weights_sha256": base.identity, **settings}}
    stage = dataclasses.replace(stage, config=record)
    new = np.array(base.places(stage.dataset.labels)) < 0
    carry(model, base, stage.dataset.labels)
    _measure_old(model, base, stage)
    old = trainable_values(model)
    finish = functools.partial(_finish, old=old)
    if _head_is_linear(base.spec):
        sticky_head.fit_to_stage(model, stage, new)
    if fits_head_alone(base, options):
        print("base: only the last layer moves, and it is fitted at once: no epochs", flush=True)
        return finish_untrained(model, stage, finish)
    movable = _movable(model, stage, options, old, new)
    pull = Pull(model, old, movable, options.pull, new)
    callbacks = [*stage.callbacks, pull]
    stage = dataclasses.replace(stage, callbacks=callbacks, finish=finish, keep_start=True)
    return fit_stage(model, stage)


def carry(model: keras.Model, base: Base, labels: Sequence[str]) -> None:
    """Give a network of `new_spec` the old weights; a new class is never the answer yet."""
    places = np.array(base.places(labels))
    for layer in model.layers:
        if layer.weights and layer.name != HEAD:
            layer.set_weights(base.weights[layer.name])
    kernel, bias = base.weights[HEAD]
    known = places >= 0
    layer = model.get_layer(HEAD)
    layer.set_weights(
        [np.where(known, kernel[..., places], 0), np.where(known, bias[places], NEVER)]
    )


def _measure_old(model: keras.Model, base: Base, stage: StageFit) -> None:
    """Record how the older run does on the new data, once; start new classes at zero."""
    folder, labels = stage.folder, stage.dataset.labels
    if folder.read_record("base") is None:
        measured = split_metrics(Evaluator(model), stage.dataset, stage.preprocessing)
        record = {
            "run": base.path.resolve().name,
            "weights_sha256": base.identity,
            "added": [label for label in labels if label not in base.labels],
            "dropped": [label for label in base.labels if label not in labels],
            **measured,
        }
        print(f"base: top-1 {measured['top1']:.2%} on the test split", flush=True)
        if distribution.is_chief():
            folder.write_record("base", record)
    layer = model.get_layer(HEAD)
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, np.where(bias == np.float32(NEVER), 0, bias)])


def _movable(
    model: keras.Model,
    stage: StageFit,
    options: BaseOptions,
    old: Sequence[np.ndarray],
    new: np.ndarray,
) -> list[np.ndarray]:
    """Return which elements of each trainable variable may move: those pruned away never do."""
    variables = model.trainable_variables
    masks = []
    for variable, before in zip(variables, old, strict=True):
        is_head, is_weight = variable.name.startswith(f"{HEAD}/"), is_kernel(variable)
        free = is_head or options.moves in (("share", "all") if is_weight else _BEYOND_HEAD)
        pruned = (before == 0) if is_weight else np.zeros(before.shape, bool)
        if is_head:
            pruned = pruned & ~new
        masks.append(free & ~pruned)
    if options.moves != "share":
        return masks
    scores = _squared_gradients(model, stage)
    kernels = [i for i, v in enumerate(variables) if is_kernel(v) and not v.name.startswith(HEAD)]
    every = np.concatenate([scores[i][masks[i]] for i in kernels])
    count = max(1, round(options.share * every.size))
    least = np.partition(every, -count)[-count]
    for i in kernels:
        masks[i] = masks[i] & (scores[i] >= least) & (scores[i] > 0)
    return masks


def _squared_gradients(model: keras.Model, stage: StageFit) -> list[np.ndarray]:
    """Return the mean square of each batch's gradient, by trainable variable.

    The weights in which it is largest are those that new data say most about (Sung, Nair and
    Raffel, "Training Neural Networks with Fixed Sparse Masks", 2021).
    """
    options = dataclasses.replace(stage.options, augmentation="none")
    variables = model.trainable_variables
    loss = steps.smoothed_cross_entropy(len(stage.dataset.labels), 0.0)

    @tf.function(reduce_retracing=True)
    def squares(images: tf.Tensor, lessons: Any) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = model(images, training=False)
            value = tf.reduce_mean(loss(images, steps.true_labels(lessons), logits))
        return [gradient**2 for gradient in tape.gradient(value, variables)]

    strategy = tf.distribute.get_strategy()
    _, batches = steps.epoch_batches(stage.dataset, stage.preprocessing, options, strategy, 0)
    totals = [np.zeros(variable.shape) for variable in variables]
    for images, lessons in batches:
        found = squares(images, lessons)
        totals = [total + new.numpy() for total, new in zip(totals, found, strict=True)]
    return totals


class Pull(keras.callbacks.Callback):  # type: ignore[misc]
    """Draws weights towards their old values after each step.

    Args:
      model: that is trained.
      old: its trainable variables in the older run.
      movable: which elements may move, bool, in the same shapes.
      strength: of the pull, in learning rates.
      new: which classes the older run did not have, bool [classes]: nothing pulls them.
    """

    def __init__(
        self,
        model: keras.Model,
        old: Sequence[np.ndarray],
        movable: Sequence[np.ndarray],
        strength: float,
        new: np.ndarray,
    ) -> None:
        super().__init__()
        self._variables = model.trainable_variables
        self._old = [tf.constant(before) for before in old]
        self._movable = [tf.constant(mask, tf.float32) for mask in movable]
        heads = [variable.name.startswith(f"{HEAD}/") for variable in self._variables]
        self._strengths = [
            tf.constant(np.where(new & head, 0, strength) if head else strength, tf.float32)
            for head in heads
        ]
        self._apply = tf.function(self._shrink)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shrink each difference from the old weights, to zero if it is small."""
        del batch, logs
        optimizer = self.model.optimizer
        self._apply(tf.convert_to_tensor(optimizer.learning_rate, tf.float32))

    def _shrink(self, rate: tf.Tensor) -> None:
        parts = zip(self._variables, self._old, self._movable, self._strengths, strict=True)
        for variable, old, movable, strength in parts:
            moved = variable - old
            left = tf.sign(moved) * tf.maximum(tf.abs(moved) - rate * strength, 0)
            variable.assign(old + movable * left)


def _finish(model: keras.Model, old: Sequence[np.ndarray]) -> dict[str, int]:
    """Give kernels with shared values only these; return how many weights moved."""
    moved = 0
    for variable, before in zip(model.trainable_variables, old, strict=True):
        values = np.unique(before)
        if is_kernel(variable) and values.size <= min(MAX_CODEBOOK, before.size // 4):
            middles = (values[1:] + values[:-1]) / 2
            variable.assign(values[np.searchsorted(middles, variable.numpy())])
        moved += int(np.count_nonzero(variable.numpy() != before))
    print(f"base: {moved:,} weights moved", flush=True)
    return {"moved_weights": moved}
