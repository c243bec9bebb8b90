"""Compare transfer learning with a head on frozen features, from few photographs a class.

    python -m benchmarks.few_photographs --work_dir=DIR --data_dir=PHOTOGRAPHS --weights=v1_1_onnx
    python -m benchmarks.few_photographs --work_dir=DIR --tfds_name=cifar10 --per_class=50 \
        --weights=v1_1_onnx --test_images=2000 --image_size=160

For each number of photographs a class, draws that many at random several times, trains with
default flags, and measures both on the whole test split. The frozen heads get all photographs
that were drawn, at each of a few image sizes, and the size with the best mean on the test split
counts: no user could choose it so well. An interrupted measurement is resumed by the same
command: results.jsonl in --work_dir has a line for each draw.
"""

import argparse
import dataclasses
import itertools
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sqzkit
from benchmarks.small_sets import Results, add_data_flags, open_data
from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import Example, FileSlice, ImageDataset, Split
from sqzkit.preprocessing.record import RESIZE_RULES


def draw(dataset: ImageDataset, per_class: int, number: int) -> list[Example]:
    """Return that many examples of each class from all that are not for the test.

    Raises:
      UsageError: a class has fewer.
    """
    pool = [e for name in ("train", "validation") for e in dataset.split(name).examples]
    pool.sort(key=lambda example: (example.label, example.digest, str(example.image)))
    labels = np.array([example.label for example in pool])
    generator = np.random.Generator(np.random.PCG64([per_class, number]))
    chosen: list[Example] = []
    for label, name in enumerate(dataset.labels):
        members = np.flatnonzero(labels == label)
        if len(members) < per_class:
            raise UsageError(f"--per_class {per_class}: class {name!r} has only {len(members)}")
        chosen += [pool[i] for i in generator.permutation(members)[:per_class]]
    return chosen


def write(examples: Sequence[Example], labels: Sequence[str], folder: Path) -> None:
    """Write photographs as `folder`/LABEL/NUMBER, with the bytes that they had."""
    for number, example in enumerate(examples):
        image = example.image.read() if isinstance(example.image, FileSlice) else example.image
        content, ending = image, ".jpg"
        if isinstance(image, Path):
            content, ending = image.read_bytes(), image.suffix
        path = folder / labels[example.label] / f"{number:06d}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(content))


def frozen_accuracies(
    dataset: ImageDataset, chosen: Sequence[Example], options: argparse.Namespace
) -> Iterator[tuple[str, float]]:
    """Yield (size and rule, accuracy on the test split, 0..1) of heads fitted to `chosen`."""
    from sqzkit.models import published, squeezenet, transfer
    from sqzkit.runs.folder import RunFolder
    from sqzkit.training import features, head

    weights = published.find(options.weights, None, {})
    spec = transfer.transfer_spec(weights, dataset.labels)
    for size, rule in itertools.product(options.frozen_size, options.frozen_resize):
        model = squeezenet.build(spec, size)
        transfer.load_pretrained(model, weights, None, dataset.labels)
        record = dataclasses.replace(weights.preprocessing_at(size), resize=rule)
        train, test = (
            features.compute(
                model,
                dataclasses.replace(dataset, splits={"train": Split(tuple(part))}, stores={}),
                *(record, RunFolder(options.work_dir / "frozen"), weights.identity),
            )
            for part in (chosen, dataset.split("test").examples)
        )
        fitted = head.fit(train, dataset.num_classes, seed=1)
        answers = (test.values @ fitted.kernel + fitted.bias).argmax(axis=1)
        yield f"{size} {rule}", float((answers == test.labels).mean())


def measure(
    dataset: ImageDataset, per_class: int, number: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the accuracies of one draw."""
    from sqzkit.base.keras import keras
    from sqzkit.runs.folder import RunFolder

    keras.backend.clear_session()
    chosen = draw(dataset, per_class, number)
    folder = options.work_dir / f"{per_class}_{number}"
    write(chosen, dataset.labels, folder / "photographs" / "train")
    write(dataset.split("test").examples, dataset.labels, folder / "photographs" / "test")
    size = {"image_size": options.image_size} if options.image_size else {}
    run = sqzkit.train(
        folder / "photographs", model_dir=folder / "run", weights=options.weights, seed=1, **size
    )
    return {
        "per_class": per_class,
        "draw": number,
        "head": run.top1["head"],
        "trained": run.top1["train"],
        "trained_size": RunFolder(run.path).preprocessing.image_size,
        "frozen": dict(frozen_accuracies(dataset, chosen, options)),
    }


def summary(results: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table: means and standard deviations over the draws, in per cent."""
    lines = [
        "| a class | draws | frozen head, best size | default | difference |",
        "|---" * 5 + "|",
    ]
    for per_class in sorted({result["per_class"] for result in results}):
        draws = [result for result in results if result["per_class"] == per_class]
        best = max(
            draws[0]["frozen"], key=lambda name: sum(result["frozen"][name] for result in draws)
        )
        frozen = [100 * result["frozen"][best] for result in draws]
        trained = [100 * result["trained"] for result in draws]
        gain = [after - before for before, after in zip(frozen, trained, strict=True)]
        shown = (f"{statistics.mean(v):.2f} ± {_spread(v):.2f}" for v in (frozen, trained, gain))
        before, after, difference = shown
        lines.append(f"| {per_class} | {len(draws)} | {before} ({best}) | {after} | {difference} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print the table."""
    options = _options(argv)
    results = Results(options.work_dir)
    done = {(result["per_class"], result["draw"]) for result in results}
    dataset = open_data(options)
    for number, per_class in itertools.product(range(options.draws), options.per_class):
        if (per_class, number) not in done:
            results.keep(measure(dataset, per_class, number, options))
    print(summary(results))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--work_dir", type=Path, required=True, help="folder for draws, runs and results.jsonl")
    add_data_flags(add)
    add("--per_class", type=int, nargs="+", default=[5, 10, 20, 50], help="photographs a class")
    add("--draws", type=int, default=5, help="random draws of each number")
    add("--test_images", type=int, default=2_000, help="use at most this many to test on")
    add("--image_size", type=int, help="train at this size; by default as `sqzkit train` chooses")
    add("--frozen_size", type=int, nargs="+", default=[160, 227, 288])
    add("--frozen_resize", nargs="+", default=RESIZE_RULES, choices=RESIZE_RULES)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
