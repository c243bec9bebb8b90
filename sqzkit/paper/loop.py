"""One comparison: rows that are missing are made, finished ones are kept; then the table."""

import gc
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.paper import alexnet, progress, squeezenet
from sqzkit.paper import page as compare_page
from sqzkit.paper.config import TITLES, CompareConfig
from sqzkit.paper.files import Bench
from sqzkit.paper.folder import Comparison, Row
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels, load_run

MAKERS: Mapping[str, Callable[[Bench], Row]] = {
    "alexnet": alexnet.alexnet,
    "svd": alexnet.cut_by_svd,
    "pruned": alexnet.pruned,
    "alexnet_dc": alexnet.deep_compression,
    "squeezenet": squeezenet.squeezenet,
    "squeezenet_dc8": lambda bench: squeezenet.compressed(bench, 8),
    "squeezenet_dc6": lambda bench: squeezenet.compressed(bench, 6),
    "evolved": squeezenet.evolved,
    "evolved_dc": squeezenet.evolved_compressed,
}


def compare(config: CompareConfig) -> list[Row]:
    """Make the table, or go on where an interrupted comparison was.

    Returns:
      The rows, in the table's order.

    Raises:
      UsageError: the output folder holds something else or a comparison of
        other flags, a run given is none, or its labels are not the data's.
      RunError: a training failed, or a file cannot be written.
    """
    folder = Comparison(Path(config.output_dir).resolve(), config.identity())
    dataset, source = _open(config)
    folder.begin()
    bench = Bench(config, folder, dataset, source)
    names = config.rows_to_make()
    rows = [_make(bench, name, names) for name in names]
    page = compare_page.write_table(rows, config, folder, dataset, sys.argv)
    print(f"page: {page}", flush=True)
    return rows


def _open(config: CompareConfig) -> tuple[ImageDataset, DataSource]:
    """Return the data, and where they are from."""
    if config.model_dir is None:
        dataset, source = open_dataset(config.data), config.data
    else:
        run = load_run(RunFolder.existing(config.model_dir).path, "train")
        if run.spec.get("architecture") != "squeezenet":
            raise UsageError(f"--model_dir {config.model_dir}: is no run of a SqueezeNet")
        dataset = run.open_data()
        assert run.source is not None
        source = run.source
    if config.evolved_dir is not None:
        check_labels(RunFolder.existing(config.evolved_dir, "--evolved_dir"), dataset)
    return dataset, source


def _make(bench: Bench, name: str, names: list[str]) -> Row:
    """Return a row; a finished one is only read."""
    row = bench.folder.row(name)
    if row is None:
        done = [found for other in names if (found := bench.folder.row(other))]
        print(
            f"row {names.index(name) + 1} of {len(names)}, {TITLES[name]}"
            f"{progress.time_left(done, names, bench.config.effort)}",
            flush=True,
        )
        keras.backend.clear_session()
        gc.collect()
        keras.utils.set_random_seed(bench.config.seed)
        tf.config.experimental.enable_op_determinism()
        row = MAKERS[name](bench)
    print(
        f"{TITLES[name]}: {row.yours.bytes:,} bytes, top-1 {row.top1:.2%}; "
        f"{row.paper.bytes:,} bytes at the paper's size",
        flush=True,
    )
    return row
