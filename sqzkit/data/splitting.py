"""A seeded, stratified rule for cutting validation and test parts off."""

from collections.abc import Mapping, Sequence

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import SPLITS, Example, Split
from sqzkit.data.source import DataSource

# Examples cut off "train" for one split; the standard error of an accuracy on this many is half a
# point at most, and each further one is lost to training.
MAX_CUT = 10_000


def three_splits(
    given: Mapping[str, Sequence[Example]], source: DataSource, labels: Sequence[str]
) -> dict[str, Split]:
    """Return train, validation and test, cutting what is missing off "train".

    Where "validation" is given but "test" is not, it becomes the test split:
    that is what results are published on, and it then takes no part in
    choosing the best epoch.
    Args:
      given: examples by split name; "train" is among them.
      source: its seed and shares decide the cut, of about `MAX_CUT` examples at most.
      labels: class names.

    Raises:
      UsageError: a class of "train" has too few examples to cut.
    """
    given = dict(given)
    if "validation" in given and "test" not in given:
        given["test"] = given.pop("validation")
    shares = {"validation": source.validation_share, "test": source.test_share}
    pool = given["train"]
    largest = MAX_CUT / max(1, len(pool))
    missing = {name: min(share, largest) for name, share in shares.items() if name not in given}
    rest, *parts = stratified(
        [example.label for example in pool], tuple(missing.values()), source.seed, labels
    )
    cut = {name: [pool[i] for i in part] for name, part in zip(missing, parts, strict=True)}
    together = {**given, "train": [pool[i] for i in rest], **cut}
    return {name: Split(tuple(together[name])) for name in SPLITS}


def stratified(
    labels: Sequence[int] | np.ndarray, shares: Sequence[float], seed: int, names: Sequence[str]
) -> list[np.ndarray]:
    """Cut parts off a labelled sequence, each with its share of every class.

    Every part, the rest included, gets at least one example of every class.
    The outcome depends on `labels`, `shares` and `seed` alone.
    Args:
      labels: class indices [N].
      shares: share of each part to cut off, in turn.
      seed: 0 or more.
      names: class names, for the message.

    Returns:
      The rest first, then one entry a share: sorted int64 indices into `labels`.

    Raises:
      UsageError: a class has fewer examples than there are parts, or only one.
    """
    labels = np.asarray(labels)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(shares) + 1)]
    minimum = max(2, len(parts))
    for label in range(len(names)):
        members = np.flatnonzero(labels == label)
        if len(members) < minimum:
            raise UsageError(
                f"class {names[label]!r} has {len(members)} image(s) where at least {minimum} are "
                "needed, one for each split to be cut from them; add some or remove the class"
            )
        # One generator a class: adding a class leaves the others' cut alone.
        shuffled = np.random.Generator(np.random.PCG64([seed, label])).permutation(members)
        counts = _counts(len(members), shares)
        *pieces, rest = np.split(shuffled, np.cumsum(counts))
        for part, piece in zip(parts, (rest, *pieces), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def _counts(members: int, shares: Sequence[float]) -> list[int]:
    counts = [max(1, int(members * share + 0.5)) for share in shares]
    while sum(counts) >= members:
        counts[int(np.argmax(counts))] -= 1
    return counts
