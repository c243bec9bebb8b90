"""Measure what heads reach: `python -m benchmarks.teaching --model=v1_1.sqz --data_dir=DIR`.

Every table of docs/teaching.md comes from here. Features are computed once; then photographs are
drawn ten times, with seeds 0 to 9.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from sqzkit.data.dataset import ImageDataset
from sqzkit.data.folder import open_folder
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.data.tree import survey
from sqzkit.teaching import fitting, measure
from sqzkit.teaching.features import FeatureReader

DRAWS = 10
Data = tuple[np.ndarray, np.ndarray]


def opened(data: str, tfds_data_dir: str | None) -> ImageDataset:
    """Return a folder's photographs as they are, or a TFDS data set."""
    if tfds_data_dir is None:
        return open_folder(DataSource(data_dir=data), cut=False)
    return open_dataset(DataSource(tfds_name=data, tfds_data_dir=tfds_data_dir))


def split(reader: FeatureReader, dataset: ImageDataset, name: str, first: int | None) -> Data:
    """Return features and labels of one split, or of its first photographs."""
    part = dataset.split(name)
    record = reader.classifier.preprocessing
    images = (example.load(record) for example in part.examples[:first])
    features = [reader.average(reader.map(image)) for image in images]
    return np.stack(features), part.labels[:first].astype(np.int64)


def others(reader: FeatureReader, folders: list[str]) -> np.ndarray:
    """Return features of photographs of other subjects, and of noise and flat images."""
    side, random = reader.classifier.preprocessing.image_size, np.random.default_rng(0)
    images = [random.integers(0, 256, (side, side, 3)).astype(np.uint8) for _ in range(10)]
    images += [np.full((side, side, 3), value, np.uint8) for value in range(0, 256, 51)]
    paths = [path for folder in folders for path in survey(Path(folder))[0].everything()]
    images += [reader.classifier.prepare(path) for path in paths]
    return np.stack([reader.average(reader.map(image)) for image in images])


def draw(labels: np.ndarray, sizes: dict[int, int], seed: int) -> np.ndarray:
    """Return the numbers of drawn photographs: `sizes` of each class."""
    mixed = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([mixed[labels[mixed] == c][:size] for c, size in sizes.items()])


def spread(values: list[float]) -> str:
    """Return mean and standard deviation in percent."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"


def nearest_mean(features: np.ndarray, labels: np.ndarray, test: Data) -> float:
    """Return the accuracy of the nearest class mean."""
    x = features.astype(np.float64)
    means = np.stack([x[labels == c].mean(0) for c in range(labels.max() + 1)])
    distances = ((test[0][:, None].astype(np.float64) - means) ** 2).sum(2)
    return float((distances.argmin(1) == test[1]).mean())


def ridge(features: np.ndarray, labels: np.ndarray, test: Data) -> float:
    """Return the accuracy of ridge regression on class indicators, at its best strength."""
    x, classes = features.astype(np.float64), int(labels.max()) + 1
    weights = 1 / np.bincount(labels)[labels] / classes
    centred = x - weights @ x
    gram = (centred * weights[:, None]).T @ centred
    cross = (centred * weights[:, None]).T @ (np.eye(classes)[labels] - 1 / classes)
    scale, found = np.trace(gram) / len(gram), []
    for strength in fitting.STRENGTHS:
        solved = np.linalg.solve(gram + strength * scale * np.eye(len(gram)), cross)
        found.append(float((((test[0] - weights @ x) @ solved).argmax(1) == test[1]).mean()))
    return max(found)


def split_anew(train: Data, test: Data, seed: int) -> tuple[Data, Data]:
    """Return the photographs of both splits dealt out by chance, as many to each as it had."""
    x, y = (np.concatenate(pair) for pair in zip(train, test, strict=True))
    mixed = np.random.default_rng(seed).permutation(len(y))
    first, rest = mixed[: len(train[1])], mixed[len(train[1]) :]
    return (x[first], y[first]), (x[rest], y[rest])


def accuracy(given: tuple[Data, Data], sizes: list[int], anew: bool) -> None:
    """Print the accuracy by number of photographs a class, beside simpler classifiers.

    Args:
      given: photographs to draw from, and to measure on.
      sizes: photographs a class to draw.
      anew: whether each draw splits them anew.
    """
    classes = int(given[0][1].max()) + 1
    for size in sizes:
        rows: dict[str, list[float]] = {"head": [], "ridge": [], "mean": [], "alarms": []}
        for seed in range(DRAWS):
            train, test = split_anew(*given, seed) if anew else given
            drawn = draw(train[1], dict.fromkeys(range(classes), size), seed)
            features, labels = train[0][drawn], train[1][drawn]
            found, choice = measure.fit(features, labels, classes)
            answers = measure.answers(found, *test)
            rows["head"].append(answers.top1)
            rows["alarms"].append(float((answers.evidence > choice.threshold).mean()))
            rows["ridge"].append(ridge(features, labels, test))
            rows["mean"].append(nearest_mean(features, labels, test))
            if size >= np.bincount(train[1]).max() and not anew:  # every draw is the same
                rows = {name: values * 2 for name, values in rows.items()}
                break
        told = " | ".join(f"{name} {spread(values)}" for name, values in rows.items())
        print(f"{size} a class: {told}", flush=True)


def added_class(train: Data, test: Data) -> None:
    """Print what adding a class by 10 photographs to nine of 100 each costs and finds."""
    classes, lost, found = int(train[1].max()) + 1, [], []
    for new in range(classes):
        order = [c for c in range(classes) if c != new] + [new]
        rank = np.argsort(order)
        sizes = dict.fromkeys(order[:-1], 100) | {new: 10}
        drawn = draw(train[1], sizes, new)
        features, labels = train[0][drawn], rank[train[1][drawn]]
        nine, truth = labels < classes - 1, rank[test[1]]
        before, _ = measure.fit(features[nine], labels[nine], classes - 1)
        after, _ = measure.fit(features, labels, classes)
        old = truth < classes - 1
        right = [
            float((each.scores(test[0][old]).argmax(1) == truth[old]).mean())
            for each in (before, after)
        ]
        lost.append(right[0] - right[1])
        found.append(float((after.scores(test[0][~old]).argmax(1) == classes - 1).mean()))
    print(f"added class: the others lose {spread(lost)}, found {spread(found)}", flush=True)


def unknown(train: Data, test: Data, strangers: dict[str, np.ndarray]) -> None:
    """Print the AUROC of "none of these", and the false alarms at the threshold."""
    classes = int(train[1].max()) + 1
    found, choice = measure.fit(*train, classes)
    known = measure.answers(found, *test).evidence
    print(f"false alarms {100 * float((known > choice.threshold).mean()):.1f} %")
    for name, features in strangers.items():
        labels = np.zeros(len(features), np.int64)
        evidence = measure.answers(found, features, labels).evidence
        caught = float((evidence > choice.threshold).mean())
        print(f"{name}: AUROC {measure.auroc(known, evidence):.3f}, caught {100 * caught:.1f} %")
    print(f"class left out: AUROC {measure.unknown_class(train, test)}", flush=True)


def main() -> None:
    """Measure one folder of photographs with `train` and `test` or `val` in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data_dir", required=True, help="or with --tfds_data_dir its name")
    parser.add_argument("--tfds_data_dir", help="folder of TFDS, to measure one of its data sets")
    parser.add_argument("--first", type=int, help="photographs of each split to use")
    parser.add_argument("--test", default="test", choices=("test", "validation"))
    parser.add_argument("--mixed", action="store_true", help="split anew for each draw")
    parser.add_argument("--sizes", default="5,20,100")
    parser.add_argument("--other", action="append", default=[], help="folder of other subjects")
    asked = parser.parse_args()
    reader = FeatureReader(asked.model, num_threads=1)
    dataset = opened(asked.data_dir, asked.tfds_data_dir)
    train, test = (split(reader, dataset, name, asked.first) for name in ("train", asked.test))
    print(json.dumps({"train": len(train[1]), "test": len(test[1]), "size": reader.size}))
    accuracy((train, test), [int(size) for size in asked.sizes.split(",")], asked.mixed)
    strangers = {Path(folder).name: others(reader, [folder]) for folder in asked.other}
    unknown(train, test, strangers | {"noise and flat images": others(reader, [])})
    if np.bincount(train[1]).min() >= 100 and train[1].max() > 2:
        added_class(train, test)


if __name__ == "__main__":
    main()
