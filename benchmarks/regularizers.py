"""Compare what keeps fine-tuning from forgetting, on small sets of photographs.

    python -m benchmarks.regularizers --work_dir=DIR --data_dir=PHOTOGRAPHS --weights=v1_1_onnx \
        --per_class=20 --image_size=96

For each draw of photographs, fits a head to frozen features, fine-tunes from it with each recipe,
goes back towards the start as far as the validation split says, and measures on the test split.
A recipe changes one thing about the default of `sqzkit train --weights`. An interrupted
measurement is resumed by the same command: results.jsonl in --work_dir has a line for each.
"""

import argparse
import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.few_photographs import draw
from benchmarks.small_sets import Results, add_data_flags, open_data
from sqzkit.base.keras import keras
from sqzkit.data import augmentation
from sqzkit.data.augmentation import Augmentation
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.pipeline import training_batches
from sqzkit.models import published, squeezenet, transfer
from sqzkit.preprocessing import Preprocessing
from sqzkit.training import features, fine_tuning, head, optimization, steps
from sqzkit.training.config import MAX_EPOCHS, TrainingConfig
from sqzkit.training.duration import steps_per_epoch
from sqzkit.training.evaluate import EVALUATION_BATCH, Evaluator
from sqzkit.training.loop import prepare
from sqzkit.training.options import FitOptions

VALIDATION = 0.1  # share of the photographs drawn
STANDARD = augmentation.preset("standard")
MORE_AUGMENTATION = (
    Augmentation("crops", smallest_area=STANDARD.smallest_area, aspect=STANDARD.aspect, flip=True),
    Augmentation("colours", brightness=0.125, contrast=0.25, saturation=0.25, flip=True),
    dataclasses.replace(STANDARD, name="smaller_crops", smallest_area=0.25),
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is changed about the default.

    Attributes:
      augmentation: name of a preset, or of one of `MORE_AUGMENTATION`.
      mix: "mixup" (Zhang et al., 2018) or "cutmix" (Yun et al., 2019), on half of the batches.
      erasing: whether half of the images lose a rectangle (Zhong et al., 2020).
      towards_start: factor of half the squared distance of the kernels from the start (L2-SP,
        Li et al., 2018), in the loss.
      average: decay, a step, of the averaged weights; None: as `sqzkit train` does.
      label_smoothing, weight_decay, class_weights: as of `sqzkit train`.
    """

    augmentation: str = "standard"
    mix: str = ""
    erasing: bool = False
    towards_start: float = 0.0
    average: float | None = None
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    class_weights: str | None = None


RECIPES = {
    "default": Recipe(),
    "no augmentation": Recipe("none"),
    "light": Recipe("light"),
    "crops alone": Recipe("crops"),
    "colours alone": Recipe("colours"),
    "crops down to a quarter": Recipe("smaller_crops"),
    "erasing": Recipe(erasing=True),
    "mixup": Recipe(mix="mixup"),
    "cutmix": Recipe(mix="cutmix"),
    "label smoothing 0.1": Recipe(label_smoothing=0.1),
    "weight decay 0.05": Recipe(weight_decay=0.05),
    "L2-SP 0.01": Recipe(towards_start=0.01),
    "L2-SP 0.1": Recipe(towards_start=0.1),
    "average of 100 steps": Recipe(average=0.99),
    "no averaging": Recipe(average=0.0),
}


def part(dataset: ImageDataset, per_class: int, number: int) -> ImageDataset:
    """Return a draw of the photographs, a tenth of each class for validation."""
    chosen = draw(dataset, per_class, number)
    cut = max(1, round(VALIDATION * per_class))
    held = [index % per_class < cut for index in range(len(chosen))]
    train = tuple(e for e, out in zip(chosen, held, strict=True) if not out)
    validation = tuple(e for e, out in zip(chosen, held, strict=True) if out)
    splits = {"train": Split(train), "validation": Split(validation), "test": dataset.split("test")}
    return dataclasses.replace(dataset, splits=splits, stores={})


def mixed(images: tf.Tensor, labels: tf.Tensor, kind: str, generator: np.random.Generator) -> Any:
    """Return a batch whose images are mixed with the next ones, and the labels of both.

    Returns:
      (images, (labels, labels of the others, share of the own label, float32 [B])).
    """
    share = float(generator.beta(0.2, 0.2) if kind == "mixup" else generator.random())
    others = tf.roll(images, 1, axis=0)
    if generator.random() < 0.5:
        share = 1.0
    elif kind == "mixup":
        images = share * images + (1 - share) * others
    else:
        side = images.shape[1]
        length = round(side * math.sqrt(1 - share))
        mask = rectangles(1, side, length, length, generator)
        images, share = tf.where(mask, others, images), 1 - (length / side) ** 2
    shares = tf.fill(tf.shape(labels), tf.constant(share, tf.float32))
    return images, (labels, tf.roll(labels, 1, axis=0), shares)


def rectangles(
    count: int, side: int, height: int, width: int, generator: np.random.Generator
) -> np.ndarray:
    """Return masks of rectangles at random places, bool [count, side, side, 1]."""
    tops = generator.integers(0, side - height + 1, (count, 1, 1, 1))
    lefts = generator.integers(0, side - width + 1, (count, 1, 1, 1))
    rows, columns = np.arange(side).reshape(1, -1, 1, 1), np.arange(side).reshape(1, 1, -1, 1)
    return np.asarray(
        (rows >= tops) & (rows < tops + height) & (columns >= lefts) & (columns < lefts + width)
    )


def erased(images: tf.Tensor, generator: np.random.Generator) -> tf.Tensor:
    """Return a batch in which half of the images lose up to a fifth of their area."""
    count, side = images.shape[:2]
    area, aspect = generator.uniform(0.02, 0.2), math.exp(generator.uniform(-1, 1) / 2)
    height, width = (round(side * math.sqrt(area * ratio)) for ratio in (aspect, 1 / aspect))
    mask = rectangles(count, side, height, width, generator)
    mask &= generator.random((count, 1, 1, 1)) < 0.5
    return tf.where(mask, 0.0, images)  # the mean colour, after normalization


def loss_of(recipe: Recipe, model: keras.Model, dataset: ImageDataset) -> steps.Loss:
    """Return the loss of a recipe, whose labels are as `mixed` gives them, or plain."""
    plain = steps.smoothed_cross_entropy(dataset.num_classes, recipe.label_smoothing)
    kernels = [v for v in model.trainable_variables if optimization.is_kernel(v)]
    start = [tf.constant(kernel.numpy()) for kernel in kernels]

    def loss(images: tf.Tensor, labels: Any, logits: tf.Tensor) -> tf.Tensor:
        if isinstance(labels, tuple):
            own, others, share = labels
            value = share * plain(images, own, logits) + (1 - share) * plain(images, others, logits)
        else:
            value = plain(images, labels, logits)
        if recipe.towards_start:
            moved = [now - before for now, before in zip(kernels, start, strict=True)]
            value += recipe.towards_start * tf.add_n([tf.nn.l2_loss(part) for part in moved])
        return value

    return steps.class_weighted(loss, dataset.class_counts()) if recipe.class_weights else loss


def batches(
    dataset: ImageDataset, record: Preprocessing, options: FitOptions, recipe: Recipe, epoch: int
) -> Iterator[tuple[tf.Tensor, Any]]:
    """Yield the full batches of an epoch."""
    count = dataset.split("train").num_examples // options.batch_size
    chosen = recipe.augmentation, options.seed, epoch
    generator = np.random.Generator(np.random.PCG64([options.seed, epoch]))
    whole = training_batches(dataset, record, options.batch_size, *chosen).take(count)
    for plain, labels in whole:
        images = tf.ensure_shape(plain, [options.batch_size, *plain.shape[1:]])
        kept = erased(images, generator) if recipe.erasing else images
        yield mixed(kept, labels, recipe.mix, generator) if recipe.mix else (kept, labels)


def fine_tune(
    model: keras.Model, dataset: ImageDataset, record: Preprocessing, recipe: Recipe, seed: int
) -> None:
    """Train all layers as `sqzkit train --weights` does, changed by the recipe."""
    config = TrainingConfig.from_settings(
        {"model_dir": "unused", "weights": "v1_1_onnx", "seed": seed}
    )
    options = dataclasses.replace(
        config.fit_options(MAX_EPOCHS),
        weight_decay=recipe.weight_decay,
        label_smoothing=recipe.label_smoothing,
    )
    variables = model.trainable_variables
    count = steps_per_epoch(dataset, options)
    usual = fine_tuning.average_decay(count * options.epochs)
    average = usual if recipe.average is None else recipe.average
    optimizer = optimization.build_optimizer(options, variables, average)
    loss = loss_of(recipe, model, dataset)
    stepper = steps.Stepper(model, optimizer, options, loss, tf.distribute.get_strategy())
    dropouts = steps.seed_dropout(model, seed)
    for epoch in range(options.epochs):
        steps.reset_dropout(dropouts, seed, epoch)
        for step, batch in enumerate(batches(dataset, record, options, recipe, epoch)):
            rate = optimization.learning_rate(options, epoch * count + step, count)
            optimizer.learning_rate = rate
            stepper.train(*batch)
    if average:
        optimization.write_averages(optimizer, variables)


def measure(
    dataset: ImageDataset, recipe: Recipe, seed: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return accuracy and loss on both splits at each share of the way from the head."""
    keras.backend.clear_session()
    prepare(seed, True)
    weights = published.find(options.weights, None, {})
    record = weights.preprocessing_at(options.image_size)
    model = squeezenet.build(transfer.transfer_spec(weights, dataset.labels), options.image_size)
    transfer.load_pretrained(model, weights, None, dataset.labels)
    frozen = features.of_split(model, dataset, "train", record)
    head.fit(frozen, dataset.num_classes, seed, recipe.class_weights).write(model)
    start = [variable.numpy() for variable in model.trainable_variables]
    fine_tune(model, dataset, record, recipe, seed)
    tuned = [variable.numpy() for variable in model.trainable_variables]
    evaluator, found = Evaluator(model), []
    for share in fine_tuning.SHARES:
        fine_tuning.interpolate(model, start, tuned, share)
        validation, test = (
            evaluator(dataset, split, record, EVALUATION_BATCH) for split in ("validation", "test")
        )
        truth = validation.probabilities[np.arange(validation.examples), validation.labels]
        found.append(
            {
                "share": share,
                "validation": [validation.top1, validation.loss],
                "validation_losses": [round(float(-math.log(max(p, 1e-9))), 4) for p in truth],
                "test": [test.top1, test.loss],
            }
        )
    return found


def settled(shares: Sequence[dict[str, Any]]) -> list[float]:
    """Return accuracy and loss on the test split at the share that the validation split chose."""
    chosen = max(shares, key=lambda s: (s["validation"][0], -s["validation"][1]))
    return list(chosen["test"])


def summary(results: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table: means over the draws, and differences from the default."""
    lines = [
        "| recipe | draws | top-1, settled | difference | loss | top-1, all the way | loss |",
        "|---" * 7 + "|",
    ]
    default = {r["draw"]: settled(r["shares"])[0] for r in results if r["recipe"] == "default"}
    for name in dict.fromkeys(result["recipe"] for result in results):
        rows = [r for r in results if r["recipe"] == name and r["draw"] in default]
        kept = [settled(row["shares"]) for row in rows]
        ends = [row["shares"][-1]["test"] for row in rows]
        gains = [100 * (k[0] - default[r["draw"]]) for k, r in zip(kept, rows, strict=True)]
        spread = statistics.stdev(gains) if len(gains) > 1 else 0.0
        top1, loss, end, end_loss = (
            statistics.mean(pair[column] for pair in pairs) if pairs else math.nan
            for pairs, column in ((kept, 0), (kept, 1), (ends, 0), (ends, 1))
        )
        gain = statistics.mean(gains) if gains else math.nan
        lines.append(
            f"| {name} | {len(rows)} | {top1:.2%} | {gain:+.2f} ± {spread:.2f} | {loss:.3f} "
            f"| {end:.2%} | {end_loss:.3f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print the table."""
    options = _options(argv)
    augmentation.PRESETS.update({preset.name: preset for preset in MORE_AUGMENTATION})
    results = Results(options.work_dir)
    done = {(result["recipe"], result["draw"]) for result in results}
    dataset = open_data(options)
    for number in range(options.draws):
        drawn = part(dataset, options.per_class, number)
        for name in options.recipe:
            if (name, number) not in done:
                shares = measure(drawn, RECIPES[name], number + 1, options)
                results.keep({"recipe": name, "draw": number, "shares": shares})
    print(summary(results))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--work_dir", type=Path, required=True, help="folder for results.jsonl")
    add_data_flags(add)
    add("--per_class", type=int, default=20, help="photographs a class, with validation")
    add("--draws", type=int, default=3, help="random draws")
    add("--test_images", type=int, default=1_000, help="use at most this many to test on")
    add("--image_size", type=int, default=96)
    add("--recipe", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
