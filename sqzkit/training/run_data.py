"""The data of a run: the same as when it began, put in words, measured on, compressed with."""

import dataclasses
from pathlib import Path

from sqzkit.base.errors import UsageError
from sqzkit.data import copies, identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.data.tree import some
from sqzkit.models import download, published
from sqzkit.runs import settings
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun, check_labels, keep_place, read_data
from sqzkit.training.config import TrainingConfig
from sqzkit.training.lessons import for_compression


def refuse_other(folder: RunFolder, dataset: ImageDataset, source: DataSource) -> None:
    """Raise `UsageError` if the folder holds a run on other data, or something else."""
    if folder.is_foreign():
        raise UsageError(f"--model_dir {folder.path}: exists and is not a run folder; name another")
    if not folder.spec_path.exists():
        return
    check_labels(folder, dataset)
    recorded, contents = read_data(folder)
    if recorded is None:
        return
    if contents.get("photographs"):  # compared instead of the folder, which may have been moved
        recorded = dataclasses.replace(recorded, data_dir=source.data_dir)
    settings.refuse_other(folder.path / "data.json", recorded.to_json(), source.to_json())
    identity.resume(dataset, contents, "run", "--model_dir")


def in_words(dataset: ImageDataset) -> str:
    """Return what was found, and what is left out, as the programs print it."""
    sizes = ", ".join(f"{split.num_examples:,} {name}" for name, split in dataset.splits.items())
    account = (dataset.account.sentence(), dataset.account.alike_sentence())
    found = f"data: {dataset.name}, {len(dataset.labels)} classes, {sizes}"
    return "\n".join([found, *filter(None, account)])


def hint(folder: RunFolder, dataset: ImageDataset, config: TrainingConfig) -> str:
    """Say once what published weights that lie on this machine would bring to photographs."""
    if config.weights or dataset.root is None or folder.spec_path.exists():
        return ""
    # The fastest on phones first.
    names = sorted(published.PUBLISHED, key=lambda name: not name.startswith("v1_1"))
    for name in names:
        remote = published.PUBLISHED[name].file
        if isinstance(remote, download.RemoteFile) and download.is_at_hand(
            remote, config.weights_dir
        ):
            return (
                f"hint: ImageNet weights are on this machine; with --weights={name} few "
                "photographs of everyday things are enough (docs/training.md)"
            )
    return ""


def to_measure(run: LoadedRun, config: TrainingConfig, split: str) -> ImageDataset:
    """Return the run's data, or the data that the flags name, without what was trained on."""
    if not (config.data.data_dir or config.data.tfds_name):
        return run.open_data(config.cache_dir)
    dataset = open_dataset(config.data, config.cache_dir)
    check_labels(run.folder, dataset)
    if identity.is_same_data(dataset, run.contents):
        changes = identity.restore(dataset, run.contents)
        note = changes.sentence()
        if config.data.data_dir and not changes.lost:
            keep_place(run.folder, config.data.data_dir)
    else:
        seen: list[str] = []
        for contents in (run.contents, run.folder.read_record("unlabelled") or {}):
            if split != "train":
                seen += identity.exclude_trained(dataset, contents, split)
        note = "other data than the run's" if run.contents.get("photographs") else ""
        if seen:
            note += f"; left out {len(seen):,} photographs that it was trained on ({some(seen)})"
        if split != "train" and (alike := _leave_out_alike(run, dataset, split)):
            note += f"; left out {len(alike):,} that look like one of these ({some(alike)})"
    if note:
        print(f"{dataset.name}: {note}", flush=True)
    return dataset


def _leave_out_alike(run: LoadedRun, dataset: ImageDataset, split: str) -> list[str]:
    """Drop what is a photograph that the run was trained on, saved again; return the names.

    Nothing where the run's photographs are not at hand any more.
    """
    place = run.source and run.source.data_dir
    if not place or dataset.root is None or not Path(place).is_dir():
        return []
    try:
        own = run.open_data()
    except UsageError:
        return []
    parts = (own.split(name).examples for name in ("train", "validation"))
    trained = [e.image for part in parts for e in part if isinstance(e.image, Path)]
    examples = dataset.split(split).examples
    found = copies.alike([*trained, *(e.image for e in examples if isinstance(e.image, Path))])
    known = set(trained)
    again = {path for path, first in found.items() if first in known and path not in known}
    why = f"every photograph of split {split} looks like one that the run was trained on; give"
    seen = [example for example in examples if example.image in again]
    return identity.leave_out(dataset, split, seen, f"{why} photographs that it has not seen")


def to_compress(folder: RunFolder, dataset: ImageDataset) -> ImageDataset:
    """Return what the stages after "train" are trained on: unlabelled photographs too.

    Raises:
      UsageError: these are not the ones with which the run was begun.
    """
    flags = (folder.read_record("flags") or {}).get("train") or {}
    unlabelled_dir = (flags.get("teacher") or {}).get("unlabelled_dir")
    if not unlabelled_dir:
        return dataset
    return for_compression(dataset, folder, unlabelled_dir)
