"""Photographs that are there more than once: one is used, and the others are named."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from sqzkit.base.errors import RunError
from sqzkit.data.dataset import SPLITS, Example, ImageDataset, Split
from sqzkit.data.layout import Classes, paths_of
from sqzkit.data.tree import Place, Reason
from sqzkit.preprocessing import decoding

# Copies are left out of the splits that come later here.
_PREFERRED = ("test", "validation", "train")
# Files of one name are compared at this many pixels a side. There, low qualities of lossy
# formats change hands of 100 pixels by 19 of 255; two photographs of hands differ by 77 or more.
_SIDE = 16
_ALIKE = 32
_ASPECT = 0.02
# More files of one name are numbers that every class begins anew.
_MAX_OF_ONE_NAME = 20
# One shot saved again, under any name, at another quality or size: its small version differs by at
# most this share of its own contrast, and by this much. Hands of 100 pixels saved at quality 10
# differ by 0.14 and 5; two photographs of hands by 0.32 and 11 or more, of ants and bees by 0.65
# and 18. JPEG changes color more than brightness, so color counts half.
_SAVED_AGAIN = 0.22
_SAVED_AGAIN_MAX = 9.0
_BRIGHTNESS_AND_COLOR = np.array(
    [[0.299, 0.587, 0.114], [-0.084, -0.166, 0.25], [0.25, -0.209, -0.041]], np.float32
)
MAX_COMPARED = 20_000  # photographs; all pairs of more would take minutes
_BLOCK = 512
_LOOK_PIXELS = 1 << 16
_Look = tuple[float, np.ndarray]  # aspect ratio, and a small version


def shots(digests: Mapping[Path, str]) -> dict[Path, str]:
    """Return, by path, a text that all files of one shot share, from their pictures' digests.

    These are files with the same picture, and files that look alike and have one name in
    different formats or folders: phones and their programs keep IMG_1.HEIC beside IMG_1.JPG. Only
    names that are there in two formats are looked at, since that takes decoding.
    """
    named: dict[str, list[Path]] = {}
    for path in digests:
        named.setdefault(path.stem.lower(), []).append(path)
    groups = [group for paths in named.values() for group in _groups(paths)]
    found = dict(digests)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for group in groups:
            seen: list[tuple[Path, _Look]] = []
            for path, look in zip(group, pool.map(_look, group), strict=True):
                same = next((other for other, known in seen if _alike(look, known)), None)
                if same is not None:
                    found[path] = found[same]
                elif look is not None:
                    seen.append((path, look))
    return found


def _groups(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield the files of one name that are compared with each other."""
    by_place: dict[str, list[Path]] = {}
    for path in paths:
        place = path.parent.name if len(paths) > _MAX_OF_ONE_NAME else ""
        by_place.setdefault(place, []).append(path)
    for group in by_place.values():
        if len({path.suffix.lower() for path in group}) > 1:
            yield group


def _look(path: Path) -> _Look | None:
    """Return how a photograph looks; None if it is damaged."""
    try:
        image = decoding.decode(path, _LOOK_PIXELS)
    except RunError:
        return None  # it is named when the images are prepared
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return image.width / image.height, np.asarray(small).astype(np.int16)


def _alike(one: _Look | None, other: _Look) -> bool:
    if one is None or abs(one[0] / other[0] - 1) > _ASPECT:
        return False
    return bool(np.abs(one[1] - other[1]).max() <= _ALIKE)


def alike(paths: Sequence[Path]) -> dict[Path, Path]:
    """Return, for each photograph that looks like an earlier one, the first such one.

    Nothing above `MAX_COMPARED` photographs.
    """
    if len(paths) > MAX_COMPARED:
        return {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = zip(paths, pool.map(_look, paths), strict=True)
        known = [(path, look[1]) for path, look in looks if look is not None]
    small = np.array([look for _, look in known], np.float32).reshape(-1, _SIDE**2, 3)
    parts = small @ _BRIGHTNESS_AND_COLOR.T
    limits = np.minimum(_SAVED_AGAIN * parts[..., 0].std(axis=1), _SAVED_AGAIN_MAX) ** 2
    pixels = parts.reshape(-1, _SIDE**2 * 3)
    squares = np.square(pixels).sum(axis=1) / _SIDE**2
    found = {}
    for start in range(0, len(known), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(known)))
        products = pixels[rows] @ pixels[: rows[-1]].T / _SIDE**2
        close = squares[rows, None] + squares[: rows[-1]] - 2 * products
        close = close < np.minimum(limits[rows, None], limits[: rows[-1]])
        close &= np.arange(rows[-1]) < rows[:, None]
        for row in np.flatnonzero(close.any(axis=1)):
            found[known[start + row][0]] = known[int(close[row].argmax())][0]
    return found


def cut_together(
    examples: Mapping[str, Sequence[Example]],
    cut: Callable[[Mapping[str, Sequence[Example]]], dict[str, Split]],
    dataset: ImageDataset,
) -> dict[str, Split]:
    """Cut splits off "train", with photographs that look alike in one; name all of these.

    Only the first of them is given to `cut`, unless a class would become too small for it. Splits
    that the folder itself has stay as they are.
    """
    # Those of "train" first, so that none of them follows one of another split.
    everything = [
        *examples["train"],
        *(e for n, part in examples.items() if n != "train" for e in part),
    ]
    by_path = {e.image: e for e in everything if isinstance(e.image, Path)}
    first = alike(list(by_path))
    for path, other in first.items():
        first[path] = first.get(other, other)
    pool = [e for e in examples["train"] if e.image not in first]
    counts = Counter(e.label for e in pool)
    if min(counts[label] for label in range(dataset.num_classes)) < len(SPLITS):
        pool = list(examples["train"])
    splits = cut({**examples, "train": pool})
    where = {e.image: name for name, split in splits.items() for e in split.examples}
    for path, other in first.items():
        where.setdefault(path, where[other])
    for path, other in first.items():
        place: Place = "kept in one split" if where[path] == where[other] else "in two splits"
        place = place if by_path[path].label == by_path[other].label else "in two classes"
        names = f"{dataset.shown_path(path)} ~ {dataset.shown_path(other)}"
        dataset.account.alike.setdefault(place, []).append(names)
    together: dict[str, list[Example]] = {name: [] for name in splits}
    for example in everything:
        together[where[example.image]].append(example)
    return {name: Split(tuple(part)) for name, part in together.items()}


def leave_out_copied_splits(
    found: dict[str, Classes], shots: Mapping[Path, str], dataset: ImageDataset
) -> None:
    """Remove, from `found`, a split that holds nothing but copies; it is cut off train then."""
    for split in ("validation", "test"):
        mine = paths_of(found.get(split, {}))
        others = [p for name, classes in found.items() if name != split for p in paths_of(classes)]
        contents = {shots[path] for path in others if path in shots}
        if mine and all(shots.get(path) in contents for path in mine):
            del found[split]
            for path in mine:
                dataset.account.leave_out("in two splits", dataset.shown_path(path))


def leave_out_copies(
    found: dict[str, Classes], shots: Mapping[Path, str], dataset: ImageDataset
) -> None:
    """Keep, in `found`, one readable photograph of each content; note the others."""
    places: dict[str, list[tuple[str, str, Path]]] = {}
    for split in sorted(found, key=_PREFERRED.index):
        for label, paths in found[split].items():
            paths[:] = [path for path in paths if path in shots]
            for path in paths:
                places.setdefault(shots[path], []).append((split, label, path))
    dropped: set[Path] = set()
    for (first_split, first_label, first), *others in places.values():
        torn = any(label != first_label for _, label, _ in others)
        if torn:
            dropped.add(first)
            dataset.account.leave_out("in two classes", dataset.shown_path(first))
        for split, _, path in others:
            reason: Reason = "copy" if split == first_split else "in two splits"
            dropped.add(path)
            dataset.account.leave_out(
                "in two classes" if torn else reason,
                f"{dataset.shown_path(path)} = {dataset.shown_path(first)}",
            )
    for by_class in found.values():
        for paths in by_class.values():
            paths[:] = [path for path in paths if path not in dropped]
