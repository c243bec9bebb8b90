"""Decoded images, made once and kept: in memory, in a file, or not at all.

Decoding and resizing a photograph costs far more than a training step's share
of one, so it is done once, by all cores, into uint8 squares. What does not fit
in the memory budget goes to a file in the cache folder; without such a folder
each epoch decodes again.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import tensorflow as tf

from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.base.progress import Progress
from sqzkit.data.dataset import Example, FileSlice, ImageDataset, ImageStore
from sqzkit.preprocessing import Preprocessing, decoding

_WINDOW = 256


class ArrayStore:
    """All images of a split as one array.

    Attributes:
      images: uint8 [N, T, T, 3], RGB; in memory, or mapped from a file.
      labels: int32 [M]; example i is in row `rows[i]` (row i, in memory).
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
        self.images = images
        self.labels = labels
        self._rows = rows
        self._tensor: tf.Tensor | None = None

    @property
    def tensor(self) -> tf.Tensor:
        """The images as one tensor on the CPU, made once; for images in memory."""
        if self._tensor is None:
            with tf.device("CPU"):
                self._tensor = tf.constant(self.images)
            # A view of the tensor's own memory, so that the images are kept once: `numpy()` copies.
            self.images = np.asarray(memoryview(self._tensor))
        return self._tensor

    @property
    def in_memory(self) -> bool:
        """Whether the images are in memory, not mapped from a file."""
        return not isinstance(self.images, np.memmap)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at `indices`, uint8 [len(indices), T, T, 3], RGB."""
        return np.asarray(self.images[self._rows[indices]])


class DecodingStore:
    """Images that are decoded whenever they are asked for."""

    in_memory = False

    def __init__(self, examples: Sequence[Example], preprocessing: Preprocessing) -> None:
        self._examples = examples
        self._preprocessing = preprocessing
        self.failure: RunError | None = None
        self.labels = np.array([example.label for example in examples], np.int32)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at `indices`, uint8 [len(indices), T, T, 3], RGB.

        Raises:
          RunError: a photograph is damaged inside; the message names it.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self._load, indices)))

    def _load(self, index: int) -> np.ndarray:
        try:
            return self._examples[index].load(self._preprocessing)
        except RunError as error:
            self.failure = error
            raise


@contextlib.contextmanager
def naming_failures(dataset: ImageDataset) -> Iterator[None]:
    """Raise what a photograph said, not what tf.data makes of it, if one fails inside."""
    try:
        yield
    except Exception:
        for store in dataset.stores.values():
            if isinstance(store, DecodingStore) and store.failure is not None:
                raise store.failure from None
        raise


def open_store(dataset: ImageDataset, split: str, preprocessing: Preprocessing) -> ImageStore:
    """Return the images of a split under a record, decoding them at most once.

    Photographs that cannot be decoded are dropped from the data set here.
    Raises:
      RunError: too many photographs cannot be decoded, or no split has images left.
    """
    key = (split, json.dumps(preprocessing_geometry(preprocessing)))
    if key not in dataset.stores:
        dataset.stores[key] = _make_store(dataset, split, preprocessing)
    return dataset.stores[key]


def preprocessing_geometry(preprocessing: Preprocessing) -> list[object]:
    """Return what of a record decides the pixels before normalization."""
    return [preprocessing.image_size, preprocessing.resize_size, preprocessing.resize]


def decode_all(
    examples: Sequence[Example],
    preprocessing: Preprocessing,
    images: np.ndarray | None,
    title: str,
) -> dict[int, str]:
    """Decode examples into `images` by all cores.

    Args:
      examples: N examples.
      preprocessing: the record to follow.
      images: uint8 [N, S, S, 3]; row i is filled with example i. None checks only
        which examples can be decoded.
      title: what to call the work when it takes long enough to be shown.

    Returns:
      A message for each example that cannot be decoded, by its index.
    """
    broken = {}
    progress = Progress(title, len(examples))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(examples), _WINDOW):
            window = islice(examples, start, start + _WINDOW)
            for index, outcome in enumerate(pool.map(_attempt, window, repeat(preprocessing))):
                if isinstance(outcome, RunError):
                    broken[start + index] = str(outcome)
                elif images is not None:
                    images[start + index] = outcome
            progress.show(min(start + _WINDOW, len(examples)))
    return broken


def _make_store(dataset: ImageDataset, split: str, preprocessing: Preprocessing) -> ImageStore:
    examples = dataset.split(split).examples
    side = preprocessing.image_size
    shape = (len(examples), side, side, 3)
    used = sum(s.images.nbytes for s in dataset.stores.values() if isinstance(s, ArrayStore))
    title = f"preparing {dataset.name}/{split}"
    images: np.ndarray | None = None
    if used + int(np.prod(shape)) <= dataset.memory_budget:
        images = np.empty(shape, np.uint8)
        broken = decode_all(examples, preprocessing, images, title)
    elif dataset.cache_dir is not None:
        path = dataset.cache_dir / f"{fingerprint(examples, preprocessing)}.npy"
        images, broken = _file_cache(path, examples, preprocessing, shape, title)
    elif any(isinstance(example.image, FileSlice) for example in examples):
        # To look at each of a million images would take hours; a damaged one is named when met.
        broken = {}
    else:
        broken = decode_all(examples, preprocessing, None, f"checking {dataset.name}/{split}")
    if broken:
        dataset.drop_broken(split, broken)
        if not dataset.split(split).num_examples:
            raise RunError(f"{dataset.name}: no readable photograph is left in split {split}")
    if images is None:
        return DecodingStore(dataset.split(split).examples, preprocessing)
    rows = np.array([i for i in range(len(examples)) if i not in broken], np.int64)
    if broken and not isinstance(images, np.memmap):
        images, rows = images[rows], np.arange(len(rows))
    return ArrayStore(images, dataset.split(split).labels, rows)


def _file_cache(
    path: Path,
    examples: Sequence[Example],
    preprocessing: Preprocessing,
    shape: tuple[int, ...],
    title: str,
) -> tuple[np.ndarray, dict[int, str]]:
    sidecar = path.with_suffix(".json")
    if not (path.exists() and sidecar.exists()):
        with files.atomic_path(path) as temporary:
            images = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
            broken = decode_all(examples, preprocessing, images, title)
            images.flush()
            del images
        files.write_json(sidecar, {"broken": broken})
    try:
        broken = {int(index): text for index, text in files.read_json(sidecar)["broken"].items()}
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        if images.shape != shape or images.dtype != np.uint8:
            raise ValueError(f"{images.dtype} {images.shape} instead of uint8 {shape}")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: damaged cache ({error}); remove it, run again") from error
    return images, broken


def fingerprint(examples: Sequence[Example], preprocessing: Preprocessing) -> str:
    """Return a name that changes with the images' content and order, the record and the rule."""
    rule = [decoding.RULE, *preprocessing_geometry(preprocessing)]
    digest = hashlib.sha256(json.dumps(rule).encode())
    for example in examples:
        if example.digest:
            digest.update(f"{example.digest}|{example.metadata}|".encode())
        elif isinstance(example.image, FileSlice):
            # The folder of a TFDS data set has its name and version.
            digest.update(repr(example.image).encode())
        elif isinstance(example.image, Path):
            digest.update(hashlib.sha256(example.image.read_bytes()).digest())
        elif isinstance(example.image, np.ndarray):
            digest.update(example.image.tobytes())
        else:
            digest.update(example.image)
    return digest.hexdigest()[:32]


def _attempt(example: Example, preprocessing: Preprocessing) -> np.ndarray | RunError:
    try:
        return example.load(preprocessing)
    except RunError as error:
        return error
