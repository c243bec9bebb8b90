"""Bytes and accuracy of a run after every stage of compression, and a table by layer.

Written into the run folder as `compression.json`, `compression.csv` and
`compression.md`; the report page draws it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base import files, tables
from sqzkit.base.keras import keras
from sqzkit.coding import deep_compression, sqz
from sqzkit.coding.deep_compression import LayerAccount
from sqzkit.compression import chain
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_calibrated, convert_model
from sqzkit.conversion.options import CALIBRATION_STEPS, ConversionOptions
from sqzkit.data import pipeline
from sqzkit.data.dataset import ImageDataset
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import load_run
from sqzkit.tflite.classifier import Classifier
from sqzkit.training import distribution
from sqzkit.training.options import FitOptions

RECORD = "compression"
HISTOGRAM_BINS = 64
MAX_DRAWN_CENTROIDS = 255
MAX_VALUES = 255
INDEX_WIDTHS = (4, 8)
TITLES = {
    "name": "layer",
    "weights": "weights",
    "density": "density",
    "distinct": "values",
    "code_bits": "bits of a code",
    "index_bits": "bits of an index",
    "code_bytes": "codes",
    "index_bytes": "indices",
    "codebook_bytes": "codebook",
    "huffman_bytes": "after Huffman",
    "coder_bytes": "our coder",
    "entropy_bytes": "order-0 entropy",
}
_AVERAGED = ("code_bits", "index_bits")


@dataclasses.dataclass(frozen=True)
class StageRow:
    """One stage in figures.

    Attributes:
      sparsity: share of zeros in all kernels together, 0..1.
      distinct: the most distinct values a kernel has.
      float_top1, int8_top1: accuracy on the test split, 0..1.
      float32_bytes, int8_bytes, archive_bytes: the `.tflite` in float32, in
        int8 per tensor, and the latter as `.sqz`.
    """

    stage: str
    sparsity: float
    distinct: int
    float_top1: float
    int8_top1: float
    float32_bytes: int
    int8_bytes: int
    archive_bytes: int


def compress(
    folder: RunFolder,
    config: CompressionConfig,
    fit: FitOptions,
    dataset: ImageDataset,
    strategy: tf.distribute.Strategy | None = None,
) -> list[str]:
    """Run the stages after "train" that are not finished yet, and measure each as int8.

    Arguments, result and errors are those of `chain.run_stages`.
    """
    todo = chain.run_stages(folder, config, fit, dataset, strategy)
    # Outside the scope: the chief alone does this, where other processes may have ended.
    # Even of finished stages: a kill may have come before.
    if set(config.stages) - {"train"} and distribution.is_chief():
        for row in summarize(folder, dataset):
            print(in_words(row), flush=True)
    return todo


def summarize(folder: RunFolder, dataset: ImageDataset) -> list[StageRow]:
    """Convert and measure every finished stage, check the int8 files, and write the records.

    Stages measured before (by the weights' SHA-256) are not measured again. Raises
    `InvariantError` if an int8 file lost zeros or shared values of its stage.
    """
    record = folder.read_record(RECORD) or {"layers": [], "histograms": {}}
    known = {row.get("weights_sha256"): row for row in _measured(record)}
    rows: list[dict[str, Any]] = []
    for entry in folder.finished_stages():
        if not folder.weights_path(entry["stage"]).exists() or entry["stage"] == "head":
            continue
        row = known.get(entry["weights_sha256"])
        if row is None or row["stage"] != entry["stage"]:
            measured = _measure(folder, dataset, entry)
            row = {**dataclasses.asdict(measured), "weights_sha256": entry["weights_sha256"]}
            # What is measured is kept, should the rest be killed.
            folder.write_record(RECORD, {**record, "stages": [*rows, row]})
        rows.append(row)
    fields = [field.name for field in dataclasses.fields(StageRow)]
    stages = [StageRow(**{name: row[name] for name in fields}) for row in rows]
    last = {"stages": rows, "layers_of": rows[-1]["weights_sha256"]}
    if record == {**record, **last}:
        return stages
    layers, histograms = _layers(folder, dataset, rows[-1]["stage"])
    files.write_text(folder.path / f"{RECORD}.csv", to_csv(layers))
    text = f"{stages_to_markdown(stages)}\n{to_markdown(layers)}"
    files.write_text(folder.path / f"{RECORD}.md", text)
    # Last: it says that the tables of these weights are written.
    drawn = {"layers": [to_json(row) for row in layers], "histograms": histograms}
    folder.write_record(RECORD, {**last, **drawn})
    return stages


def _measured(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the complete rows of a record; the others are measured again."""
    names = {field.name for field in dataclasses.fields(StageRow)}
    rows = record.get("stages")
    listed = rows if isinstance(rows, list) else []
    return [row for row in listed if isinstance(row, dict) and names <= set(row)]


def in_words(row: StageRow) -> str:
    """Return a stage as one line for people."""
    return (
        f"{row.stage}: {100 * row.sparsity:.1f} % zeros, int8 top-1 {100 * row.int8_top1:.2f} %, "
        f".tflite float32 {row.float32_bytes:,} bytes, int8 {row.int8_bytes:,}, "
        f".sqz {row.archive_bytes:,}"
    )


def stages_to_markdown(rows: list[StageRow]) -> str:
    """Return the stages as a Markdown table; sizes in bytes."""
    lines = [
        {
            "stage": row.stage,
            "zeros": f"{100 * row.sparsity:.1f} %",
            "values": f"{row.distinct:,}",
            "top-1 float": f"{100 * row.float_top1:.2f} %",
            "top-1 int8": f"{100 * row.int8_top1:.2f} %",
            "float32 .tflite": f"{row.float32_bytes:,}",
            "int8 .tflite": f"{row.int8_bytes:,}",
            ".sqz": f"{row.archive_bytes:,}",
            "times smaller": f"{rows[0].float32_bytes / row.archive_bytes:.1f}",
        }
        for row in rows
    ]
    return tables.to_markdown(lines)


def _measure(folder: RunFolder, dataset: ImageDataset, entry: dict[str, Any]) -> StageRow:
    stage, record = entry["stage"], folder.preprocessing
    print(f"measuring {stage} as int8 and as .sqz", flush=True)
    model = load_run(folder.path, stage).model
    content = convert(folder, dataset, model)
    checks.check_compression(model, record, content)
    pixels, labels = pipeline.raw_images(dataset, "test", record)
    answers = Classifier(content).predict(pixels).argmax(axis=1)
    kernels = reading.read_kernels(model)
    float32 = convert_model(model, record, folder.labels, ConversionOptions("none"))
    return StageRow(
        stage=stage,
        sparsity=reading.overall_sparsity(kernels),
        distinct=max(np.unique(kernel).size for kernel in kernels.values()),
        float_top1=entry["metrics"]["top1"],
        int8_top1=float(np.mean(answers == labels)),
        float32_bytes=len(float32),
        int8_bytes=len(content),
        archive_bytes=len(sqz.pack(content)),
    )


def convert(folder: RunFolder, dataset: ImageDataset, model: keras.Model) -> bytes:
    """Return the int8 file of `model`, calibrated on the run's training split."""
    what = (model, folder.preprocessing, folder.labels, dataset)
    return convert_calibrated(*what, CALIBRATION_STEPS, seed=0)


def _layers(
    folder: RunFolder, dataset: ImageDataset, stage: str
) -> tuple[list[LayerAccount], dict[str, Any]]:
    """Return the table and the histograms of the last stage."""
    model = load_run(folder.path, stage).model
    kernels = reading.read_kernels(model)
    stored = checks.int8_kernels(convert(folder, dataset, model), list(kernels))
    rows = [measure(name, kernel, stored[name][0]) for name, kernel in kernels.items()]
    histograms = {name: histogram(kernel) for name, kernel in kernels.items()}
    return [*rows, total(rows)], histograms


def histogram(kernel: np.ndarray) -> dict[str, Any]:
    """Return how the non-zero weights are spread, and the shared values, JSON-ready."""
    weights = kernel[kernel != 0]
    if not weights.size:
        return {"edges": [], "counts": [], "centroids": []}
    counts, edges = np.histogram(weights, HISTOGRAM_BINS)
    centroids = np.unique(kernel)
    drawn = centroids if centroids.size <= MAX_DRAWN_CENTROIDS else centroids[:0]
    return {"edges": edges.tolist(), "counts": counts.tolist(), "centroids": drawn.tolist()}


def measure(name: str, kernel: np.ndarray, integers: np.ndarray) -> LayerAccount:
    """Encode one layer in every way and count the bytes; of 4- and 8-bit indices take the smaller.

    Args:
      name: of the layer.
      kernel: float32 [h, w, in, out] or [in, out].
      integers: the same kernel as the int8 file holds it; encoded instead
        where `kernel` has more values than a codebook.
    """
    few = np.unique(kernel[kernel != 0]).size <= MAX_VALUES
    outputs_first = np.moveaxis(kernel if few else integers, -1, 0)
    values = np.ascontiguousarray(outputs_first)
    accounts = [deep_compression.account(name, values, width) for width in INDEX_WIDTHS]
    return min(accounts, key=lambda account: account.huffman_bytes)


def total(rows: Sequence[LayerAccount]) -> LayerAccount:
    """Return the last row: sums, and bits as the average over the entries."""
    entries = max(1, sum(row.entries for row in rows))
    sums = {
        field.name: sum(getattr(row, field.name) for row in rows)
        for field in dataclasses.fields(LayerAccount)
        if field.name != "name"
    }
    for field in _AVERAGED:
        sums[field] = sum(getattr(row, field) * row.entries for row in rows) / entries
    sums["density"] = sums["nonzero"] / max(1, sums["weights"])
    sums["distinct"] = max(row.distinct for row in rows)
    return LayerAccount(name="total", **sums)


def to_json(row: LayerAccount) -> dict[str, Any]:
    """Return the columns of a row as JSON-ready values; sizes in bytes, density 0..1."""
    return {column: getattr(row, column) for column in TITLES}


def to_csv(rows: Sequence[LayerAccount]) -> str:
    """Return the table as CSV, with field names as titles; sizes in bytes, density 0..1."""
    return tables.to_csv([to_json(row) for row in rows])


def to_markdown(rows: Sequence[LayerAccount]) -> str:
    """Return the table as Markdown; sizes in bytes."""
    return tables.to_markdown(
        [{TITLES[name]: _cell(name, value) for name, value in to_json(row).items()} for row in rows]
    )


def _cell(name: str, value: Any) -> str:
    if name == "density":
        return f"{100 * value:.1f} %"
    if name in _AVERAGED:
        return f"{value:.1f}"
    return value if isinstance(value, str) else f"{value:,.0f}"
