"""A comparison: make the rows that are missing, keep the finished ones, write the table."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from sqzkit.base import files, progress
from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.data import identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.paper import alexnet, squeezenet
from sqzkit.paper import page as compare_page
from sqzkit.paper.config import TITLES, CompareConfig, Effort
from sqzkit.paper.files import Experiment, Made, finish_row
from sqzkit.paper.folder import Comparison, Row
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels, load_run

MAKERS: Mapping[str, Callable[[Experiment], Made]] = {
    "alexnet": alexnet.alexnet,
    "svd": alexnet.cut_by_svd,
    "pruned": alexnet.pruned,
    "alexnet_dc": alexnet.deep_compression,
    "squeezenet": squeezenet.squeezenet,
    "squeezenet_dc8": lambda experiment: squeezenet.compressed(experiment, 8),
    "squeezenet_dc6": lambda experiment: squeezenet.compressed(experiment, 6),
    "evolved": squeezenet.evolved,
    "evolved_dc": squeezenet.evolved_compressed,
}


def compare(config: CompareConfig) -> list[Row]:
    """Make the table, or resume an interrupted comparison; return the rows in the table's order.

    Raises:
      UsageError: the output folder holds something else or a comparison with other
        flags, or a given folder is not a run, or its labels are not the data's.
      RunError: a training failed, or a file cannot be written.
    """
    folder = Comparison(Path(config.output_dir).resolve(), config.identity())
    dataset, source = _open(config)
    folder.begin()
    if config.model_dir is None:  # a run's own data are held to its record
        if known := identity.read(folder.path):
            identity.resume(dataset, known, "comparison", "--output_dir")
        else:
            files.write_json(folder.path / identity.FILE, identity.record(dataset))
    experiment = Experiment(config, folder, dataset, source)
    names = config.rows_to_make()
    rows = [_make(experiment, name, names) for name in names]
    page = compare_page.write_table(rows, config, folder, dataset)
    print(f"page: {page}", flush=True)
    return rows


def _open(config: CompareConfig) -> tuple[ImageDataset, DataSource]:
    """Return the data, and where they are from."""
    if config.model_dir is None:
        dataset, source = open_dataset(config.data), config.data
    else:
        run = load_run(RunFolder.existing(config.model_dir).path, "train")
        if run.spec.get("architecture") != "squeezenet":
            raise UsageError(f"--model_dir {config.model_dir}: is not a run of a SqueezeNet")
        dataset = run.open_data()
        assert run.source is not None
        source = run.source
    if config.evolved_dir is not None:
        check_labels(RunFolder.existing(config.evolved_dir, "--evolved_dir"), dataset)
    return dataset, source


def _make(experiment: Experiment, name: str, names: list[str]) -> Row:
    """Make a row, or read it if it is finished."""
    row = experiment.folder.row(name)
    if row is None:
        done = [found for other in names if (found := experiment.folder.row(other))]
        print(
            f"row {names.index(name) + 1} of {len(names)}, {TITLES[name]}"
            f"{time_left(done, names, experiment.config.effort)}",
            flush=True,
        )
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(experiment.config.seed)
        tf.config.experimental.enable_op_determinism()
        started = time.monotonic()
        row = finish_row(experiment, name, MAKERS[name](experiment), started)
    print(
        f"{TITLES[name]}: {row.yours.bytes:,} bytes, top-1 {row.top1:.2%}; "
        f"{row.paper.bytes:,} bytes at the paper's size",
        flush=True,
    )
    return row


def work(name: str, effort: Effort) -> float:
    """Return the work of a row in epochs of AlexNet: roughly, for the forecast only."""
    # Measured: an epoch of SqueezeNet at its small input, and one with a teacher or a mask,
    # beside one of AlexNet at 227 pixels; and the time to write and measure a row's files.
    plain, taught, written = 0.1, 0.15, 0.5
    chain = (effort.prune_epochs + effort.cluster_epochs + effort.quantize_epochs) * taught
    bred = effort.generations * effort.population * effort.offspring_epochs + effort.final_epochs
    training = {
        "alexnet": effort.alexnet_epochs,
        "svd": effort.svd_epochs + 0.5,
        "pruned": effort.pruned_epochs,
        "alexnet_dc": 2 * effort.shared_epochs,
        "squeezenet": effort.train_epochs * plain,
        "squeezenet_dc8": chain,
        "squeezenet_dc6": chain - effort.prune_epochs * taught,
        "evolved": bred * taught,
        "evolved_dc": chain,
    }
    return training[name] + written


def time_left(done: Sequence[Row], names: Sequence[str], effort: Effort) -> str:
    """Return ", about h:mm:ss left", or nothing before a row is finished.

    `done` are finished rows, `names` all of them.
    """
    finished = sum(work(row.name, effort) for row in done)
    if not finished:
        return ""
    missing = sum(work(name, effort) for name in names) - finished
    seconds = sum(row.seconds for row in done)
    return f", about {progress.time_left(seconds, finished, missing)} left"
