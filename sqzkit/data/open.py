"""One door to every source of images."""

from pathlib import Path

from sqzkit.data.dataset import ImageDataset
from sqzkit.data.source import DataSource


def open_dataset(
    source: DataSource, cache_dir: Path | str | None = None, alike: bool = True
) -> ImageDataset:
    """Open a data source as one record of splits and label names.

    Args:
      source: which images.
      cache_dir: folder in which decoded images may be kept between runs when
        they do not fit in memory; None decodes them again every epoch then.
      alike: whether photographs that look alike are searched for, in a folder: a run has kept
        their splits.

    Raises:
      UsageError: the source does not exist or cannot be used.
      RunError: too many photographs are unreadable.
    """
    # Imported here, since each needs a library that the others do not.
    if source.data_dir is not None:
        from sqzkit.data.folder import open_folder

        dataset = open_folder(source, alike=alike)
    elif source.tfds_name is not None:
        from sqzkit.data.tfds import open_tfds

        dataset = open_tfds(source)
    else:
        from sqzkit.data.digits import open_digits

        dataset = open_digits(flip=source.flips(by_default=False))
    dataset.cache_dir = None if cache_dir is None else Path(cache_dir)
    return dataset
