"""How good a head is: accuracy, mistakes, and how well it knows what it was not taught."""

import numpy as np

from sqzkit.teaching import fitting
from sqzkit.teaching.fitting import Answers, Choice, Discriminant
from sqzkit.teaching.sums import Sums

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
DRAWS = 3
MAX_LEFT_OUT_CLASSES = 12  # in `unknown_class`


def fit(features: np.ndarray, labels: np.ndarray, classes: int) -> tuple[Discriminant, Choice]:
    """Return the classifier of photographs, and what was chosen for it."""
    sums = Sums.over(features, labels, classes)
    choice = fitting.choose(sums, features, labels)
    return fitting.discriminant(sums, fitting.STRENGTHS[choice.strength]), choice


def answers(found: Discriminant, features: np.ndarray, labels: np.ndarray) -> Answers:
    """Return what a classifier says of photographs, int16 [N, d]."""
    scores = found.scores(features)
    return Answers(scores, labels, fitting.evidence(scores, found.distances(features)))


def curve(
    taught: tuple[np.ndarray, np.ndarray],
    measured: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
) -> list[dict[str, float]]:
    """Return the accuracy by number of photographs a class, mean and spread over `DRAWS` draws.

    Args:
      taught: features and labels to draw from.
      measured: those to measure on; None: the photographs that were not drawn.
      seed: of the draws.
    """
    features, labels = taught
    counts = np.bincount(labels)
    most = counts.min() - (measured is None)
    random, rows = np.random.default_rng(seed), []
    for size in (size for size in SIZES if size <= most):
        found = []
        for _ in range(DRAWS):
            mixed = random.permutation(len(labels))
            drawn = np.concatenate([mixed[labels[mixed] == c][:size] for c in range(len(counts))])
            rest = np.setdiff1d(mixed, drawn)
            discriminant, _ = fit(features[drawn], labels[drawn], len(counts))
            on = measured or (features[rest], labels[rest])
            found.append(answers(discriminant, *on).top1)
        rows.append({"photographs": size, "top1": float(np.mean(found)),
                     "spread": float(np.std(found, ddof=1))})  # fmt: skip
    return rows


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return the chance that an unknown photograph has more evidence than a known one."""
    ordered = np.sort(known)
    below = np.searchsorted(ordered, unknown, "left") + np.searchsorted(ordered, unknown, "right")
    return float(below.mean() / (2 * len(known)))


def unknown_class(
    taught: tuple[np.ndarray, np.ndarray], measured: tuple[np.ndarray, np.ndarray]
) -> float | None:
    """Return the AUROC of "none of these" for a class that is not taught, mean over the classes.

    None if there are fewer than three classes.
    """
    (features, labels), (others, truth) = taught, measured
    classes = int(labels.max()) + 1
    if classes < 3:
        return None
    found = []
    for absent in range(min(classes, MAX_LEFT_OUT_CLASSES)):
        kept, inside = labels != absent, truth != absent
        if inside.all() or not inside.any():
            continue
        moved = labels[kept] - (labels[kept] > absent)
        discriminant, _ = fit(features[kept], moved, classes - 1)
        evidence = answers(discriminant, others, truth).evidence
        found.append(auroc(evidence[inside], evidence[~inside]))
    return float(np.mean(found)) if found else None
