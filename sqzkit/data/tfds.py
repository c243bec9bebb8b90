"""Any image-classification data set of TensorFlow Datasets, by name.

Images are taken as they are stored (encoded), so that they are decoded by the
same rule as photographs are; those of a large data set stay where they lie.
Nothing is fetched unless the user allows it.
"""

import difflib
import logging
import typing
from collections.abc import Iterator
from pathlib import Path

from sqzkit.base import imagenet
from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.progress import Progress
from sqzkit.data import splitting, tfrecord
from sqzkit.data.dataset import MEBIBYTE, SPLITS, Example, ImageDataset
from sqzkit.data.source import DataSource

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds

MEMORY_BUDGET = 2048 * MEBIBYTE
# Their mirror images are other signs, or none.
_NOT_MIRRORED = tuple("mnist emnist kmnist svhn omniglot binary_alpha cmaterdb kuzushiji".split())
_BATCH = 256


def open_tfds(source: DataSource) -> ImageDataset:
    """Open the data set `source.tfds_name`.

    A "test" split whose labels are withheld is not used. Without a test split
    "validation" becomes the test split; what is missing then is cut off
    "train" by the seeded, stratified rule.
    Args:
      source: which data set, and where it lies.

    Raises:
      UsageError: unknown name, not there and not to be fetched, no
        image-classification data set, or larger than `MEMORY_BUDGET` in another
        format than TFRecord.
      RunError: it cannot be fetched or read.
    """
    name = source.tfds_name or ""
    builder = _builder(source)
    _prepare(builder, source)
    image_key, label_key = _keys(builder)
    read = _find if _is_large(builder) else _read
    found = {
        split: list(read(builder, split, image_key, label_key)) for split in _useful_splits(builder)
    }
    labels = _readable(tuple(builder.info.features[label_key].names), builder.name)
    labelled = {
        split: examples
        for split, examples in found.items()
        if examples and all(example.label >= 0 for example in examples)
    }
    if "train" not in labelled:
        raise UsageError(f"--tfds_name {name}: has no labelled split 'train' ({', '.join(found)})")
    return ImageDataset(
        name=name.replace("/", "_"),
        labels=labels,
        splits=splitting.three_splits(labelled, source, labels),
        flip=source.flips(by_default=not name.startswith(_NOT_MIRRORED)),
        max_broken_share=source.max_broken_share,
        version=_version(builder),
    )


def _version(builder: "tfds.core.DatasetBuilder") -> str:
    sizes = (f"{name} {builder.info.splits[name].num_examples}" for name in _useful_splits(builder))
    return f"{builder.info.full_name}: {', '.join(sizes)}"


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
            named = sorted(features.items())  # TFDS restores them in any order
            listed = ", ".join(f"{key} ({type(f).__name__})" for key, f in named)
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


def _is_large(builder: "tfds.core.DatasetBuilder") -> bool:
    """Return whether the images stay in their files."""
    size = sum(builder.info.splits[split].num_bytes or 0 for split in _useful_splits(builder))
    if size <= MEMORY_BUDGET:
        return False
    stored = builder.info.file_format.value
    if stored != "tfrecord":
        raise UsageError(
            f"--tfds_name {builder.name}: {size / 2**30:.1f} GiB stored as {stored}; a data set "
            f"over {MEMORY_BUDGET / 2**30:.0f} GiB is read from TFRecord files only: make them by "
            "`tfds convert_format --out_file_format=tfrecord`"
        )
    return True


def _find(
    builder: "tfds.core.DatasetBuilder", split: str, image_key: str, label_key: str
) -> Iterator[Example]:
    """Yield where the images of a split lie in its files, with their labels."""
    info = builder.info.splits[split]
    progress = Progress(f"finding {builder.name}/{split}", info.num_examples)
    done = 0
    for path in info.filepaths:
        for example in tfrecord.find_examples(Path(path), image_key, label_key):
            yield example
            done += 1
            progress.show(done)


def _read(
    builder: "tfds.core.DatasetBuilder", split: str, image_key: str, label_key: str
) -> Iterator[Example]:
    """Yield the images of a split in memory, with their labels."""
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
                yield Example(content, int(label))
            done += len(batch[label_key])
            progress.show(done)
    except (ValueError, OSError) as error:
        raise RunError(f"{builder.name}/{split}: cannot be read: {_first_line(error)}") from error


def _readable(labels: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the class names; words instead of ImageNet's WordNet numbers."""
    numbered = name.startswith("imagenet") and len(labels) == imagenet.CLASSES
    return imagenet.imagenet_labels() if numbered and labels[0] == "n01440764" else labels


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
