"""Any image-classification data set of TensorFlow Datasets, by name.

Images are taken as they are stored (encoded), so that they are decoded by the
same rule as photographs are. Nothing is fetched unless the user allows it.
"""

import difflib
import logging
import typing
from collections.abc import Iterator
from pathlib import Path

from sqzkit.data import splitting
from sqzkit.data.dataset import MEBIBYTE, SPLITS, Example, ImageDataset
from sqzkit.data.progress import Progress
from sqzkit.data.source import DataSource
from sqzkit.data.spill import Spill
from sqzkit.errors import RunError, UsageError

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds

MEMORY_BUDGET = 2048 * MEBIBYTE
# Their mirror images are other signs, or none.
_NOT_MIRRORED = (
    "mnist",
    "emnist",
    "kmnist",
    "svhn",
    "omniglot",
    "binary_alpha",
    "cmaterdb",
    "kuzushiji",
)
_BATCH = 256


def open_tfds(source: DataSource, cache_dir: Path | None = None) -> ImageDataset:
    """Open the data set `source.tfds_name`.

    A "test" split whose labels are withheld is not used. Without a test split
    "validation" becomes the test split; what is missing then is cut off
    "train" by the seeded, stratified rule.
    Args:
      source: which data set, and where it lies.
      cache_dir: folder for the encoded images of a data set larger than
        `MEMORY_BUDGET`.

    Raises:
      UsageError: unknown name, not there and not to be fetched, or no
        image-classification data set.
      RunError: it cannot be fetched or read.
    """
    name = source.tfds_name or ""
    builder = _builder(source)
    _prepare(builder, source)
    image_key, label_key = _keys(builder)
    spill = _spill(builder, cache_dir)
    found = {
        split: list(_read(builder, split, image_key, label_key, spill))
        for split in _useful_splits(builder)
    }
    labels = tuple(builder.info.features[label_key].names)
    labelled = {split: examples for split, examples in found.items() if _labelled(examples)}
    if "train" not in labelled:
        raise UsageError(f"--tfds_name {name}: has no labelled split 'train' ({', '.join(found)})")
    return ImageDataset(
        name=name.replace("/", "_"),
        labels=labels,
        splits=splitting.three_splits(labelled, source, labels),
        flip=source.flips(by_default=not name.startswith(_NOT_MIRRORED)),
        max_broken_share=source.max_broken_share,
    )


def _builder(source: DataSource) -> "tfds.core.DatasetBuilder":
    import tensorflow_datasets as tfds

    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        return tfds.builder(source.tfds_name, data_dir=source.tfds_data_dir)
    except tfds.core.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        close = difflib.get_close_matches(source.tfds_name or "", known, n=3)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(
            f"--tfds_name {source.tfds_name!r}: TFDS knows no such data set{meant} "
            "(see tensorflow.org/datasets/catalog)"
        ) from None
    except (ValueError, AssertionError, OSError, ImportError) as error:
        raise UsageError(f"--tfds_name {source.tfds_name!r}: {_first_line(error)}") from error


def _prepare(builder: "tfds.core.DatasetBuilder", source: DataSource) -> None:
    if builder.is_prepared():
        return
    if not source.tfds_download:
        raise UsageError(
            f"--tfds_name {source.tfds_name}: not in {builder.data_path.parent.parent}; give the "
            "folder that has it as --tfds_data_dir, or --tfds_download to fetch it"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:
        # Networks, mirrors, checksums and full disks each raise their own.
        raise RunError(
            f"{source.tfds_name} cannot be fetched: {_first_line(error)}; "
            "run the command again, or fetch it elsewhere and give --tfds_data_dir"
        ) from error


def _keys(builder: "tfds.core.DatasetBuilder") -> tuple[str, str]:
    """Return the names of the image and label features; prefer the supervised keys."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    supervised = builder.info.supervised_keys or ()
    chosen = []
    for kind in (tfds.features.Image, tfds.features.ClassLabel):
        names = [key for key, feature in features.items() if isinstance(feature, kind)]
        preferred = [key for key in names if key in supervised] or names
        if len(preferred) != 1:
            listed = ", ".join(f"{key} ({type(f).__name__})" for key, f in features.items())
            raise UsageError(
                f"--tfds_name {builder.name}: needs one {kind.__name__} feature to classify by, "
                f"found {len(preferred)} among: {listed}"
            )
        chosen.append(preferred[0])
    if builder.info.features[chosen[1]].num_classes < 2:
        raise UsageError(f"--tfds_name {builder.name}: has only one class; two or more are needed")
    return chosen[0], chosen[1]


def _useful_splits(builder: "tfds.core.DatasetBuilder") -> list[str]:
    return [split for split in SPLITS if split in builder.info.splits]


def _spill(builder: "tfds.core.DatasetBuilder", cache_dir: Path | None) -> Spill | None:
    size = sum(builder.info.splits[split].num_bytes or 0 for split in _useful_splits(builder))
    if size <= MEMORY_BUDGET:
        return None
    if cache_dir is None:
        raise UsageError(
            f"{builder.name} has {size / 2**30:.1f} GiB of images: give --cache_dir a folder with "
            "that much free space, in which they can be kept for random access"
        )
    return Spill(cache_dir / f"{builder.name}-{builder.version}.images")


def _read(
    builder: "tfds.core.DatasetBuilder",
    split: str,
    image_key: str,
    label_key: str,
    spill: Spill | None,
) -> Iterator[Example]:
    import tensorflow_datasets as tfds

    progress = Progress(f"reading {builder.name}/{split}", builder.info.splits[split].num_examples)
    try:
        dataset = builder.as_dataset(
            split=split,
            decoders=tfds.decode.PartialDecoding(
                {image_key: True, label_key: True}, decoders={image_key: tfds.decode.SkipDecoding()}
            ),
            shuffle_files=False,
        )
        done = 0
        for batch in dataset.batch(_BATCH).as_numpy_iterator():
            for content, label in zip(batch[image_key], batch[label_key], strict=True):
                yield Example(spill.add(content) if spill else content, int(label))
            done += len(batch[label_key])
            progress.show(done)
    except (ValueError, OSError) as error:
        raise RunError(f"{builder.name}/{split}: cannot be read: {_first_line(error)}") from error


def _labelled(examples: list[Example]) -> bool:
    return bool(examples) and all(example.label >= 0 for example in examples)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
