"""A folder of photographs, one subfolder a class.

Three layouts are read:

    DATA_DIR/{train,val,test}/CLASS/*.jpg    three splits as they are
    DATA_DIR/{train,test}/CLASS/*.jpg        validation is cut off train (so too
                                             with val alone: it becomes test)
    DATA_DIR/CLASS/*.jpg                     validation and test are cut off

Split folders may have any usual name (`layout.SPLIT_NAMES`) in any case. Folders that hold
nothing but one other folder are looked through. Labels are the sorted names of class folders.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import copies, picture, splitting
from sqzkit.data.dataset import Example, ImageDataset, Split, check_broken
from sqzkit.data.layout import Classes, common_labels, find_splits, paths_of
from sqzkit.data.source import DataSource
from sqzkit.data.tree import Account, shown, survey
from sqzkit.preprocessing import decoding
from sqzkit.preprocessing.decoding import suffixes

_TAIL = 64


def open_folder(source: DataSource, cut: bool = True, alike: bool = True) -> ImageDataset:
    """Open the folder `source.data_dir`.

    Without `cut` there are only the splits that the folder itself has. With `alike`, one shot
    that was saved twice is kept in one split (`copies.cut_together`).

    Of photographs with the same content one is used; none if they lie in different classes. A
    copy in a split to measure on is preferred to one in train.

    Raises:
      UsageError: no such folder; no photographs; one class only; classes that differ between
        splits; folders that look like splits but cannot be read as such; a class name that
        cannot be stored; a class with too few photographs to split.
      RunError: more than `source.max_broken_share` of them are unreadable.
    """
    top = existing_folder(source.data_dir or "")
    tree, account = survey(top)
    found = find_splits(tree)
    everything = [path for by_class in found.values() for path in paths_of(by_class)]
    inside = set(everything)
    for path in tree.everything():
        if path not in inside:
            name = shown(path.relative_to(top).as_posix())
            account.leave_out("outside the class folders", name)
    labels = common_labels(top, found, account)
    dataset = ImageDataset(
        name=shown(top.resolve().name),
        labels=labels,
        splits={},
        flip=source.flips(by_default=True),
        max_broken_share=source.max_broken_share,
        root=top,
        account=account,
        found=len(everything),
    )
    digests = _read(everything, dataset)
    shots = copies.shots({path: picture for path, (picture, _) in digests.items()})
    copies.leave_out_copied_splits(found, shots, dataset)
    copies.leave_out_copies(found, shots, dataset)
    _refuse_empty(top, found, account)
    index = {label: number for number, label in enumerate(labels)}
    examples = {
        split: [
            Example(path, index[label], *digests[path])
            for label, paths in by_class.items()
            for path in paths
        ]
        for split, by_class in found.items()
    }
    if cut:
        dataset.splits = _cut(examples, source, dataset, alike)
    else:
        dataset.splits = {name: Split(tuple(part)) for name, part in examples.items()}
    return dataset


def _cut(
    examples: Mapping[str, Sequence[Example]],
    source: DataSource,
    dataset: ImageDataset,
    alike: bool,
) -> dict[str, Split]:
    def cut(given: Mapping[str, Sequence[Example]]) -> dict[str, Split]:
        return splitting.three_splits(given, source, dataset.labels)

    try:
        return copies.cut_together(examples, cut, dataset) if alike else cut(examples)
    except UsageError as error:  # the class may have had enough before copies were left out
        why = f"; {dataset.account.sentence()}" if dataset.account.left_out else ""
        raise UsageError(f"{error}{why}") from None


def existing_folder(path: Path | str, flag: str = "--data_dir") -> Path:
    """Return `path`; raise `UsageError` unless it is a folder."""
    top = Path(path).expanduser()
    if not top.exists():
        raise UsageError(f"{flag} {path}: no such folder; name an existing one")
    if not top.is_dir():
        raise UsageError(f"{flag} {path}: a file, where a folder of photographs is needed")
    return top


def open_unlabeled(folder: Path | str, flag: str) -> ImageDataset:
    """Return the photographs of a folder, at any depth, as the one split "all", not yet read.

    Args:
      folder: where they lie.
      flag: the flag that names it.

    Raises:
      UsageError: no such folder, or no photographs in it.
    """
    top = existing_folder(folder, flag)
    tree, account = survey(top)
    examples = tuple(Example(path, 0) for path in tree.everything())
    if not examples:
        why = f"; {account.sentence()}" if account.left_out else ""
        raise UsageError(f"{flag} {folder}: no photographs ({', '.join(suffixes())}) in it{why}")
    name = shown(top.resolve().name)
    return ImageDataset(name, ("",), {"all": Split(examples)}, root=top, account=account)


def drop_unusable(dataset: ImageDataset) -> None:
    """Drop unreadable photographs and further copies of the same content from all splits.

    Raises:
      RunError: more than `dataset.max_broken_share` are unreadable.
    """
    examples = {name: split.examples for name, split in dataset.splits.items()}
    paths = [e.image for part in examples.values() for e in part if isinstance(e.image, Path)]
    dataset.found = len(paths)
    digests = _read(paths, dataset)
    shots = copies.shots({path: picture for path, (picture, _) in digests.items()})
    first: dict[str, Example] = {}
    for name, part in examples.items():
        kept = []
        for example in part:
            if not isinstance(example.image, Path) or example.image not in digests:
                continue
            same = first.setdefault(shots[example.image], example)
            if same is example:
                digest, metadata = digests[example.image]
                kept.append(dataclasses.replace(example, digest=digest, metadata=metadata))
            else:
                names = f"{dataset.name_of(example)} = {dataset.name_of(same)}"
                dataset.account.leave_out("copy", names)
        dataset.splits[name] = Split(tuple(kept))


def looks_whole(content: bytes) -> bool:
    """Return whether the bytes have the beginning and the end of their format."""
    tail = content[-_TAIL:]
    if content[:2] == b"\xff\xd8":
        return b"\xff\xd9" in tail
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" in tail
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return tail.rstrip(b"\0")[-1:] == b";"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    return False


def _read(paths: Sequence[Path], dataset: ImageDataset) -> dict[Path, tuple[str, str]]:
    """Return `picture.digests` of all readable files; note the others as broken.

    Decoding every large photograph twice would double the preparation, so only a file without
    the beginning or the end of its format is decoded here. Damage inside a file that has both
    is found when the images are prepared.

    Raises:
      RunError: too many are broken.
    """
    digests = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, outcome in zip(paths, pool.map(_digests, paths), strict=True):
            if isinstance(outcome, RunError):
                dataset.broken.append(str(outcome))
                dataset.account.leave_out("unreadable", dataset.shown_path(path))
            else:
                digests[path] = outcome
    check_broken(dataset.broken, dataset.found, dataset.max_broken_share)
    return digests


def _digests(path: Path) -> tuple[str, str] | RunError:
    try:
        content = files.read_bytes(path, decoding.MAX_BYTES)
        if not looks_whole(content):
            decoding.decode(path)
    except RunError as error:
        return error
    return picture.digests(content)


def _refuse_empty(top: Path, found: Mapping[str, Classes], account: Account) -> None:
    for split, by_class in found.items():
        for label, paths in by_class.items():
            if not paths:
                why = f" ({account.sentence()})" if account.left_out else ""
                raise UsageError(
                    f"{top}: no photographs of class {label!r} in split {split}{why}; add some or "
                    "remove the folder"
                )
