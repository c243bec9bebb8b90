"""A folder of photographs, one subfolder a class.

Three layouts are read:

    DATA_DIR/{train,val,test}/CLASS/*.jpg    three splits as they are
    DATA_DIR/{train,test}/CLASS/*.jpg        validation is cut off train (so too
                                             with val alone: it becomes test)
    DATA_DIR/CLASS/*.jpg                     validation and test are cut off

Split folders may have any usual name (`SPLIT_NAMES`) in any case. Folders that hold nothing but
one other folder are looked through. Labels are the sorted names of the class folders.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import splitting
from sqzkit.data.dataset import Example, ImageDataset, Split, check_broken
from sqzkit.data.source import DataSource
from sqzkit.data.tree import Account, Folder, Reason, shown, survey
from sqzkit.preprocessing import decoding
from sqzkit.preprocessing.decoding import suffixes

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
DIGEST_LETTERS = 32  # hexadecimal digits
_TAIL = 64
# Control characters, line and paragraph separators, and bytes that are not UTF-8.
_UNSTORABLE = ("Cc", "Zl", "Zp", "Cs")
# Copies are left out of the splits that come later here.
_PREFERRED = ("test", "validation", "train")
_ADVICE = (
    "split folders may be called train, training; val, valid, validation, dev; test, testing, "
    "eval, evaluation. If they are classes, put the class folders into one folder named train"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SPLIT_WORD = re.compile(
    rf"(?:{'|'.join(SPLIT_NAMES)}|trainval|holdout)(?:set|data|images|imgs)?", re.IGNORECASE
)
_Classes = dict[str, list[Path]]


def open_folder(source: DataSource) -> ImageDataset:
    """Open the folder `source.data_dir`.

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
    found = _find_splits(tree)
    labels = _common_labels(top, found)
    everything = [path for by_class in found.values() for path in _paths(by_class)]
    inside = set(everything)
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
    for path in tree.everything():
        if path not in inside:
            account.leave_out("outside the class folders", _name(top, path))
    digests = _read(everything, dataset)
    _leave_out_copied_splits(found, digests, dataset)
    _leave_out_copies(found, digests, dataset)
    _refuse_empty(top, found, account)
    examples = {
        split: [
            Example(path, labels.index(label), digests[path])
            for label, paths in by_class.items()
            for path in paths
        ]
        for split, by_class in found.items()
    }
    dataset.splits = splitting.three_splits(examples, source, labels)
    return dataset


def existing_folder(path: Path | str, flag: str = "--data_dir") -> Path:
    """Return `path`; raise `UsageError` unless it is a folder."""
    top = Path(path).expanduser()
    if not top.exists():
        raise UsageError(f"{flag} {path}: no such folder")
    if not top.is_dir():
        raise UsageError(f"{flag} {path}: a file, where a folder of photographs is needed")
    return top


def photographs_in(folder: Path) -> Iterator[Path]:
    """Yield the photographs of a folder in name order, subfolders included."""
    return survey(folder)[0].everything()


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
        raise UsageError(f"{flag} {folder}: no photographs ({', '.join(suffixes())}) in it")
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
    first: dict[str, Example] = {}
    for name, part in examples.items():
        kept = []
        for example in part:
            digest = digests.get(example.image) if isinstance(example.image, Path) else None
            if digest and first.setdefault(digest, example) is not example:
                same = dataset.name_of(first[digest])
                dataset.account.leave_out("copy", f"{dataset.name_of(example)} = {same}")
            elif digest:
                kept.append(example)
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


def _read(paths: Sequence[Path], dataset: ImageDataset) -> dict[Path, str]:
    """Return the digests of all readable files; note the others as broken.

    Decoding every large photograph twice would double the preparation, so only a file without
    the beginning or the end of its format is decoded here. Damage inside a file that has both
    is found when the images are prepared.

    Raises:
      RunError: too many are broken.
    """
    digests = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, outcome in zip(paths, pool.map(_digest, paths), strict=True):
            if isinstance(outcome, RunError):
                dataset.broken.append(str(outcome))
                dataset.account.leave_out("unreadable", _name(dataset.root, path))
            else:
                digests[path] = outcome
    check_broken(dataset.broken, dataset.found, dataset.max_broken_share)
    return digests


def _digest(path: Path) -> str | RunError:
    try:
        content = decoding.read(path)
        if not looks_whole(content):
            decoding.decode(path)
    except RunError as error:
        return error
    return hashlib.sha256(content).hexdigest()[:DIGEST_LETTERS]


def _leave_out_copied_splits(
    found: dict[str, _Classes], digests: Mapping[Path, str], dataset: ImageDataset
) -> None:
    """Remove, from `found`, a split that holds nothing but copies; it is cut off train then."""
    for split in ("validation", "test"):
        mine = _paths(found.get(split, {}))
        others = [p for name, classes in found.items() if name != split for p in _paths(classes)]
        contents = {digests[path] for path in others if path in digests}
        if mine and all(digests.get(path) in contents for path in mine):
            del found[split]
            for path in mine:
                dataset.account.leave_out("in two splits", _name(dataset.root, path))


def _leave_out_copies(
    found: dict[str, _Classes], digests: Mapping[Path, str], dataset: ImageDataset
) -> None:
    """Keep, in `found`, one readable photograph of each content; note the others."""
    places: dict[str, list[tuple[str, str, Path]]] = {}
    for split in sorted(found, key=_PREFERRED.index):
        for label, paths in found[split].items():
            paths[:] = [path for path in paths if path in digests]
            for path in paths:
                places.setdefault(digests[path], []).append((split, label, path))
    dropped: set[Path] = set()
    for (first_split, first_label, first), *others in places.values():
        torn = any(label != first_label for _, label, _ in others)
        if torn:
            dropped.add(first)
            dataset.account.leave_out("in two classes", _name(dataset.root, first))
        for split, _, path in others:
            reason: Reason = "copy" if split == first_split else "in two splits"
            dropped.add(path)
            dataset.account.leave_out(
                "in two classes" if torn else reason,
                f"{_name(dataset.root, path)} = {_name(dataset.root, first)}",
            )
    for by_class in found.values():
        for paths in by_class.values():
            paths[:] = [path for path in paths if path not in dropped]


def _find_splits(tree: Folder) -> dict[str, _Classes]:
    tree = _unwrapped(tree, below_split=False)
    splits: dict[str, Folder] = {}
    others = []
    for name, folder in tree.folders.items():
        split = SPLIT_NAMES.get(name.lower())
        if split is None:
            if not folder.is_empty:
                others.append(name)
        elif split in splits:
            raise UsageError(
                f"{tree.path}: {splits[split].path.name} and {name} are the same split; keep one"
            )
        else:
            splits[split] = folder
    if not splits:
        _refuse_unclear(tree)
        return {"train": _by_class(tree)}
    if "train" not in splits:
        raise UsageError(f"{tree.path}: {_quoted(f.path.name for f in splits.values())} but no "
                         f"folder named train; {_ADVICE}")  # fmt: skip
    if others:
        raise UsageError(
            f"{tree.path}: {others[0]!r} stands beside {splits['train'].path.name!r}; keep only "
            f"train, val and test folders there, or only class folders; {_ADVICE}"
        )
    return {
        split: _by_class(_unwrapped(folder, below_split=True)) for split, folder in splits.items()
    }


def _unwrapped(folder: Folder, below_split: bool) -> Folder:
    """Return the folder below those that hold nothing but one folder of folders."""
    while True:
        filled = [child for child in folder.folders.values() if not child.is_empty]
        if len(filled) != 1 or all(child.is_empty for child in filled[0].folders.values()):
            return folder
        if not below_split and filled[0].path.name.lower() in SPLIT_NAMES:
            return folder
        folder = filled[0]


def _refuse_unclear(tree: Folder) -> None:
    """Raise `UsageError` for class folders that look like splits, or hold splits."""
    alike = [folder for name, folder in tree.folders.items() if _words_of_splits(name)]
    nested = [folder for folder in alike if folder.folders and not folder.photographs]
    if len(alike) > 1 or nested:
        raise UsageError(
            f"{tree.path}: {_quoted(folder.path.name for folder in alike)} look like splits, "
            f"but are not named train, val or test; {_ADVICE}"
        )
    for folder in tree.folders.values():
        inner = {SPLIT_NAMES[n.lower()] for n in folder.folders if n.lower() in SPLIT_NAMES}
        if len(inner) > 1:
            raise UsageError(
                f"{folder.path}: holds splits inside a class; make folders train, val and test "
                "with the class folders in each"
            )


def _words_of_splits(name: str) -> bool:
    return any(_SPLIT_WORD.fullmatch(word) for word in _WORD.findall(name))


def _quoted(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in names)


def _by_class(folder: Folder) -> _Classes:
    return {name: list(child.everything()) for name, child in sorted(folder.folders.items())}


def _paths(by_class: _Classes) -> list[Path]:
    return [path for paths in by_class.values() for path in paths]


def _name(top: Path | None, path: Path) -> str:
    return shown(path.relative_to(top or "").as_posix())


def _common_labels(top: Path, found: Mapping[str, _Classes]) -> tuple[str, ...]:
    if not any(_paths(by_class) for by_class in found.values()):
        raise UsageError(
            f"--data_dir {top}: no photographs ({', '.join(suffixes())}) in class folders "
            "(DATA_DIR/CLASS/photo.jpg or DATA_DIR/train/CLASS/photo.jpg)"
        )
    labels = tuple(found["train"])
    for split, by_class in found.items():
        different = set(labels) ^ set(by_class)
        if different:
            raise UsageError(
                f"{top}: class {min(different)!r} is not in both train and {split}; "
                "every split needs the same class folders"
            )
    if len(labels) < 2:
        raise UsageError(
            f"--data_dir {top}: only one class ({labels[0]!r}); two or more are needed"
        )
    _check_names(top, labels)
    return labels


def _check_names(top: Path, labels: Sequence[str]) -> None:
    """Raise `UsageError` for a class name that labels.txt cannot hold, or two that look alike."""
    looks: dict[str, str] = {}
    for label in labels:
        if any(unicodedata.category(letter) in _UNSTORABLE for letter in label):
            raise UsageError(
                f"{top}: class folder '{shown(label)}': its name holds a line break, a control "
                "character or bytes that are not UTF-8; rename the folder"
            )
        other = looks.setdefault(unicodedata.normalize("NFKC", label).strip(), label)
        if other != label:
            raise UsageError(f"{top}: class folders {other!a} and {label!a} look alike; rename one")


def _refuse_empty(top: Path, found: Mapping[str, _Classes], account: Account) -> None:
    for split, by_class in found.items():
        for label, paths in by_class.items():
            if not paths:
                why = f" ({account.sentence()})" if account.left_out else ""
                raise UsageError(f"{top}: no photographs of class {label!r} in split {split}{why}")
