"""The files of a row: written, read back, measured.

Three forms: `.tflite` in float32; `.sqz`, the archive of an int8 `.tflite`,
which is what a phone gets; and `.layers` (`coding.layer_file`), in which
pruning and Deep Compression of AlexNet are weighed as their authors weigh them.
"""

import dataclasses
import time
from typing import Any

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.coding import layer_file, sqz
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.data import pipeline
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.source import DataSource
from sqzkit.paper import sized
from sqzkit.paper.config import CompareConfig
from sqzkit.paper.folder import Artefact, Comparison, Row
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.loading import LoadedRun
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.latency import measure
from sqzkit.training.evaluate import Metrics, score

FLOAT, SQZ = ".tflite", ".sqz"
LATENCY_RUNS, LATENCY_WARMUP = 20, 3
CALIBRATION_IMAGES = 100
EVALUATION_BATCH = 32
AS_DENSE = "runs as the dense network: zeros and shared values save bytes, no time"


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all rows share.

    Attributes:
      config: the comparison.
      folder: where it goes.
      dataset: what is learned. source: where it is from.
    """

    config: CompareConfig
    folder: Comparison
    dataset: ImageDataset
    source: DataSource


@dataclasses.dataclass(frozen=True)
class Form:
    """How a row's network is stored.

    Attributes:
      suffix: `FLOAT`, `SQZ` or `layer_file.SUFFIX`.
      coding: of a `.layers`: one of `layer_file.CODINGS`.
    """

    suffix: str
    coding: str = ""


def finish_row(
    bench: Bench, name: str, run: LoadedRun, form: Form, started: float, notes: tuple[str, ...] = ()
) -> Row:
    """Write both files of a row, measure them, and store the row.

    Args:
      bench: what all rows share.
      name: of the row.
      run: its network.
      form: of its files.
      started: `time.monotonic()` at the row's start.
      notes: for the reader.
    """
    print(f"{name}: writing and measuring its files", flush=True)
    model = sized.folded(run.model, run.spec)[1]
    record = run.preprocessing
    content, runs = _encode(bench, form, model, record, run.labels)
    metrics = _accuracy(bench, runs, record)
    figures = {**_figures(record, run.labels), "latency_ms": _latency(runs)}
    origin = {**_origin(bench, run), "coding": form.coding}
    accuracy = {"top1": metrics.top1, "top5": metrics.top5, "examples": metrics.examples}
    sidecar = {**figures, **origin, **accuracy}
    yours = bench.folder.write(f"{name}.yours{form.suffix}", content, sidecar)
    paper = _write_paper_size(bench, name, run, form, origin)
    row = Row(
        name=name,
        run=origin["run"],
        stage=run.stage,
        top1=metrics.top1,
        top5=metrics.top5,
        examples=metrics.examples,
        yours=yours,
        paper=paper,
        notes=(*notes, AS_DENSE) if form.suffix == layer_file.SUFFIX else notes,
        seconds=round(time.monotonic() - started, 1),
    )
    bench.folder.add(row)
    return row


def _write_paper_size(
    bench: Bench, name: str, run: LoadedRun, form: Form, origin: dict[str, Any]
) -> Artefact:
    """Write the network with the paper's classes and pixels; a `.layers` is not timed."""
    spec, model = sized.folded(run.model, run.spec)
    size = bench.config.paper
    larger = sized.at_paper_size(model, spec, size, bench.config.seed)
    side = size.image_size
    record = dataclasses.replace(run.preprocessing, image_size=side, resize_size=side)
    labels = tuple(f"class {number}" for number in range(size.classes))
    figures = {**_figures(record, labels), **origin, "head": "drawn anew, not trained"}
    file = f"{name}.paper{form.suffix}"
    if form.suffix == layer_file.SUFFIX:
        layers = sized.layers_of(larger)
        content = layer_file.write(layers, form.coding)
        _check_same(layers, layer_file.read(content))
        counted = sum(int(np.count_nonzero(kernel)) for kernel, _ in layers.values())
        return bench.folder.write(file, content, {**figures, "nonzero_weights": counted})
    content, runs = _encode(bench, form, larger, record, labels)
    return bench.folder.write(file, content, {**figures, "latency_ms": _latency(runs)})


def _encode(
    bench: Bench, form: Form, model: keras.Model, record: Preprocessing, labels: tuple[str, ...]
) -> tuple[bytes, bytes]:
    """Return the file of a network, and the `.tflite` that it gives back."""
    floats = ConversionOptions("none")
    if form.suffix == layer_file.SUFFIX:
        content = layer_file.write(sized.layers_of(model), form.coding)
        sized.load_layers(model, layer_file.read(content))
        return content, convert_model(model, record, labels, floats)
    if form.suffix == FLOAT:
        content = convert_model(model, record, labels, floats)
        return content, content
    images, _ = pipeline.raw_images(
        bench.dataset, "train", record, CALIBRATION_IMAGES, bench.config.seed
    )
    options = ConversionOptions(granularity="per_tensor")
    content = convert_model(model, record, labels, options, images)
    checks.check_compression(model, record, content)
    archive = sqz.pack(content)
    return archive, sqz.unpack(archive)


def _accuracy(bench: Bench, content: bytes, record: Preprocessing) -> Metrics:
    """Return the metrics of a `.tflite` on the test split; its loss is not one of logits."""
    limit = bench.config.effort.test_examples or None
    seed = bench.config.seed if limit else None
    pixels, labels = pipeline.raw_images(bench.dataset, "test", record, limit, seed)
    return score(Classifier(content, num_threads=1).predict(pixels), labels)


def _latency(content: bytes) -> float:
    found = measure(content, threads=1, runs=LATENCY_RUNS, warmup=LATENCY_WARMUP)
    return round(found.minimum_ms, 3)


def _check_same(written: layer_file.Layers, read: layer_file.Layers) -> None:
    for name, (kernel, bias) in written.items():
        if not (np.array_equal(kernel, read[name][0]) and np.array_equal(bias, read[name][1])):
            raise InvariantError(name, "the file of layers gives other weights back")


def _figures(record: Preprocessing, labels: tuple[str, ...]) -> dict[str, Any]:
    return {"image_size": record.image_size, "classes": len(labels)}


def _origin(bench: Bench, run: LoadedRun) -> dict[str, Any]:
    """Return where a file's network came from, for its sidecar."""
    path = run.folder.path
    inside = path.is_relative_to(bench.folder.path)
    weights = {e["stage"]: e["weights_sha256"] for e in run.folder.finished_stages()}
    return {
        "run": str(path.relative_to(bench.folder.path) if inside else path.resolve()),
        "stage": run.stage,
        "weights_sha256": weights[run.stage],
        "spec": run.spec,
    }
