"""A folder of photographs, one subfolder a class.

Three layouts are understood:

    DATA_DIR/{train,val,test}/CLASS/*.jpg    three splits as they are
    DATA_DIR/{train,test}/CLASS/*.jpg        validation is cut off train (so too
                                             with val alone: it becomes test)
    DATA_DIR/CLASS/*.jpg                     validation and test are cut off

"val" may be called "validation" or "valid". Labels are the sorted names of
the class folders. Hidden files and files that do not end as a photograph
does are left out.
"""

from collections.abc import Iterator
from pathlib import Path

from sqzkit.base.errors import UsageError
from sqzkit.data import splitting, truncation
from sqzkit.data.dataset import Example, ImageDataset, check_broken
from sqzkit.data.source import DataSource
from sqzkit.preprocessing.photograph import SUFFIXES

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def open_folder(source: DataSource) -> ImageDataset:
    """Open the folder `source.data_dir`.

    Raises:
      UsageError: no such folder; no photographs; one class only; classes that
        differ between splits; a class with too few photographs to split.
      RunError: more than `source.max_broken_share` of them are unreadable.
    """
    top = existing_folder(source.data_dir or "")
    found = _find_splits(top)
    labels = _common_labels(top, found)
    everything = [path for by_class in found.values() for path in _paths(by_class)]
    broken = truncation.find_broken(everything)
    check_broken(list(broken.values()), len(everything), source.max_broken_share)
    examples = {
        split: [
            Example(path, labels.index(label))
            for label, paths in by_class.items()
            for path in paths
            if path not in broken
        ]
        for split, by_class in found.items()
    }
    return ImageDataset(
        name=top.resolve().name,
        labels=labels,
        splits=splitting.three_splits(examples, source, labels),
        flip=source.flips(by_default=True),
        max_broken_share=source.max_broken_share,
        broken=list(broken.values()),
    )


def existing_folder(path: Path | str) -> Path:
    """Return `path`; raise `UsageError` unless it is a folder."""
    top = Path(path).expanduser()
    if not top.exists():
        raise UsageError(f"--data_dir {path}: no such folder")
    if not top.is_dir():
        raise UsageError(f"--data_dir {path}: a file, where a folder of photographs is needed")
    return top


def photographs_in(folder: Path) -> Iterator[Path]:
    """Yield the photographs of a folder in name order, subfolders included."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from photographs_in(path)
        elif path.suffix.lower() in SUFFIXES:
            yield path


def _find_splits(top: Path) -> dict[str, dict[str, list[Path]]]:
    folders = {path.name: path for path in _subfolders(top)}
    splits: dict[str, Path] = {}
    for name, path in folders.items():
        split = _SPLIT_NAMES.get(name.lower())
        if split in splits:
            raise UsageError(f"{top}: {splits[split].name} and {name} are the same split; keep one")
        if split:
            splits[split] = path
    if not splits or "train" not in splits:
        return {"train": _by_class(top)}
    others = sorted(name for name in folders if name.lower() not in _SPLIT_NAMES)
    if others:
        raise UsageError(
            f"{top}: {others[0]!r} stands beside {splits['train'].name!r}; "
            "keep only train, val and test folders there, or only class folders"
        )
    return {split: _by_class(path) for split, path in splits.items()}


def _by_class(folder: Path) -> dict[str, list[Path]]:
    return {path.name: list(photographs_in(path)) for path in _subfolders(folder)}


def _subfolders(folder: Path) -> list[Path]:
    paths = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in paths if path.is_dir())


def _paths(by_class: dict[str, list[Path]]) -> list[Path]:
    return [path for paths in by_class.values() for path in paths]


def _common_labels(top: Path, found: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    if not any(_paths(by_class) for by_class in found.values()):
        raise UsageError(
            f"--data_dir {top}: no photographs ({', '.join(SUFFIXES)}) in class folders "
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
    for split, by_class in found.items():
        for label, paths in by_class.items():
            if not paths:
                raise UsageError(f"{top}: no photographs of class {label!r} in split {split}")
    return labels
