"""A seeded, stratified rule for cutting validation and test parts off."""

from collections.abc import Sequence

import numpy as np

from sqzkit.errors import UsageError


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
      UsageError: a class has fewer examples than there are parts.
    """
    labels = np.asarray(labels)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(shares) + 1)]
    for label in range(len(names)):
        members = np.flatnonzero(labels == label)
        if len(members) < len(parts):
            raise UsageError(
                f"class {names[label]!r} has {len(members)} photograph(s): at least {len(parts)} "
                "are needed to have one in every split; add photographs or remove the class"
            )
        # One generator a class: adding a class leaves the others' cut alone.
        shuffled = np.random.Generator(np.random.PCG64([seed, label])).permutation(members)
        counts = _counts(len(members), shares)
        bounds = np.cumsum(counts)
        for part, piece in zip(
            parts[1:], np.split(shuffled[: bounds[-1]], bounds[:-1]), strict=True
        ):
            part.append(piece)
        parts[0].append(shuffled[bounds[-1] :])
    return [np.sort(np.concatenate(part)) for part in parts]


def _counts(members: int, shares: Sequence[float]) -> list[int]:
    counts = [max(1, int(members * share + 0.5)) for share in shares]
    while sum(counts) >= members:
        counts[int(np.argmax(counts))] -= 1
    return counts
