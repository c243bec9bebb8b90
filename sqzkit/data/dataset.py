"""A labeled data set in three splits, not yet decoded."""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.tree import Account, shown
from sqzkit.preprocessing import Preprocessing, photograph
from sqzkit.preprocessing.decoding import decode

SPLITS = ("train", "validation", "test")
MEBIBYTE = 1 << 20


def default_memory_budget() -> int:
    """Return a quarter of this machine's memory, at most 4 GiB, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(4096 * MEBIBYTE, physical // 4)


@dataclasses.dataclass(frozen=True, slots=True)
class FileSlice:
    """An encoded image inside a larger file: `length` bytes of `path` from `offset`."""

    path: Path
    offset: int
    length: int

    def read(self) -> bytes:
        """Return the bytes; raise `RunError` if the file no longer has them."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                content = stream.read(self.length)
        except OSError as error:
            raise RunError(f"{self.path}: {error.strerror or error}") from error
        if len(content) != self.length:
            raise RunError(f"{self.path}: shorter than when the run began; restore it, run again")
        return content


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """One labeled image.

    Attributes:
      image: path of a photograph, its bytes, where its bytes lie, or pixels
        uint8 [H, W, 3], RGB.
      label: class index, 0 to number of classes - 1.
      digest: of a photograph's picture, hexadecimal (`sqzkit.data.picture`); else empty.
      metadata: of the other bytes of its file.
    """

    image: Path | bytes | FileSlice | np.ndarray
    label: int
    digest: str = ""
    metadata: str = ""

    def decode(self) -> Image.Image:
        """Return the upright image; raise `RunError` if it cannot be decoded."""
        if isinstance(self.image, np.ndarray):
            return Image.fromarray(self.image)
        return decode(self.image.read() if isinstance(self.image, FileSlice) else self.image)

    def load(self, preprocessing: Preprocessing) -> np.ndarray:
        """Return uint8 [S, S, 3], RGB; raise `RunError` if it cannot be decoded."""
        return photograph.prepare(self.decode(), preprocessing)


@dataclasses.dataclass
class Split:
    """The examples of one split; those found broken while decoding are dropped."""

    examples: tuple[Example, ...]

    @property
    def num_examples(self) -> int:
        """How many readable examples there are."""
        return len(self.examples)

    @property
    def labels(self) -> np.ndarray:
        """The class indices, int32 [num_examples]."""
        return np.array([example.label for example in self.examples], np.int32)


class ImageStore(Protocol):
    """The images of a split under one record, with `labels` int32 [N]: `sqzkit.data.store`."""

    labels: np.ndarray

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at `indices`, uint8 [len(indices), T, T, 3], RGB."""


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """What a teacher answers to the images of the training split, in its order.

    Attributes:
      probabilities: float32 [N, 2, classes]: of each image, and of its mirror image.
      labelled: how many images have a label of their own; they come first. The label of the
        others is the teacher's answer.
      weight: how much the answers count for these, 0..1; the labels count for the rest.
    """

    probabilities: np.ndarray
    labelled: int
    weight: float

    @property
    def weights(self) -> np.ndarray:
        """How much the answer to each image counts, float32 [N]; 1 without a label."""
        unlabelled = np.arange(len(self.probabilities)) >= self.labelled
        return np.where(unlabelled, 1.0, self.weight).astype(np.float32)


@dataclasses.dataclass
class ImageDataset:
    """What every source becomes.

    Attributes:
      name: what to call it in reports, such as "digits".
      labels: class names in class order.
      splits: by name: "train", "validation" and "test".
      flip: whether a mirrored image keeps its meaning.
      max_broken_share: share of photographs that may be unreadable, 0..1.
      root: the folder of photographs, or None.
      account: which files of that folder are left out, and why.
      version: tells apart states of a data set that is not a folder.
      broken: one message for each unreadable photograph, naming it.
      found: how many photographs there were, unreadable ones included.
      memory_budget: bytes that decoded images may take in memory; beyond it they
        are kept in `cache_dir`, or decoded again every epoch if that is None.
      cache_dir: folder for decoded images, or None.
      stores: the decoded images of each split and size, by `sqzkit.data.store`.
      soft_targets: of the training split; or None: its labels alone are learnt.
    """

    name: str
    labels: tuple[str, ...]
    splits: dict[str, Split]
    flip: bool = True
    max_broken_share: float = 0.05
    root: Path | None = None
    account: Account = dataclasses.field(default_factory=Account)
    version: str = ""
    broken: list[str] = dataclasses.field(default_factory=list)
    found: int = 0
    memory_budget: int = dataclasses.field(default_factory=default_memory_budget)
    cache_dir: Path | None = None
    stores: dict[tuple[str, str], ImageStore] = dataclasses.field(default_factory=dict, repr=False)
    soft_targets: SoftTargets | None = None

    def __post_init__(self) -> None:
        self.found = self.found or self.num_examples + len(self.broken)

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.labels)

    @property
    def num_examples(self) -> int:
        """How many readable examples all splits hold."""
        return sum(split.num_examples for split in self.splits.values())

    def split(self, name: str) -> Split:
        """Return the split called `name`; raise `UsageError` if there is none."""
        if name not in self.splits:
            raise UsageError(
                f"split {name!r}: {self.name} has only {', '.join(self.splits) or 'none'}"
            )
        return self.splits[name]

    def class_counts(self, split: str = "train") -> np.ndarray:
        """Return how many examples of each class a split holds, int64 [num_classes]."""
        return np.bincount(self.split(split).labels, minlength=self.num_classes)

    def name_of(self, example: Example) -> str:
        """Return a photograph's path below `root`, escaped; empty where it is not one of these."""
        path = example.image
        if self.root is None or not isinstance(path, Path) or not path.is_relative_to(self.root):
            return ""
        return self.shown_path(path)

    def shown_path(self, path: Path) -> str:
        """Return a path below `root`, escaped."""
        return shown(path.relative_to(self.root or "").as_posix())

    def drop_broken(self, split: str, messages: dict[int, str]) -> None:
        """Remove examples found broken, by their index in the split.

        Raises:
          RunError: more than `max_broken_share` of all photographs are broken.
        """
        kept = []
        for index, example in enumerate(self.splits[split].examples):
            if index not in messages:
                kept.append(example)
            elif name := self.name_of(example):
                self.account.leave_out("unreadable", name)
        self.splits[split].examples = tuple(kept)
        self.broken.extend(messages.values())
        named = "; ".join(list(messages.values())[:3])
        print(f"left out {len(messages):,} broken in split {split}: {named}", file=sys.stderr)
        check_broken(self.broken, self.found, self.max_broken_share)


def check_broken(broken: Sequence[str], found: int, max_broken_share: float) -> None:
    """Raise `RunError` naming the photographs if too many are broken."""
    if len(broken) <= max_broken_share * found:
        return
    named = "".join(f"\n  {message}" for message in broken[:10])
    more = f"\n  ... and {len(broken) - 10} more" if len(broken) > 10 else ""
    raise RunError(
        f"{len(broken)} of {found} photographs cannot be read, more than "
        f"--max_broken_share={max_broken_share:g} allows; repair or remove them:{named}{more}"
    )
