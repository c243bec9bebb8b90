"""The files of a row: written, read back, measured.

There are three kinds: `.tflite` in float32; `.sqz`, the archive of an int8 `.tflite`,
which is what a phone gets; and `.layers` (`coding.layer_file`), in which the sizes of a
pruned AlexNet and of its Deep Compression are counted as their authors count them.
"""

import dataclasses
import time
from typing import Any, Literal, NamedTuple

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.coding import layer_file, sqz
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_calibrated, convert_model
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

# How a row's network is stored; the last two are codings of a `.layers`.
FileFormat = Literal["float32", "sqz", "sparse_floats", "deep_compression"]
SUFFIXES = {"float32": ".tflite", "sqz": ".sqz"}
LATENCY_RUNS, LATENCY_WARMUP = 20, 3
CALIBRATION_IMAGES = 100
AS_DENSE = "runs as the dense network: zeros and shared values save bytes, no time"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What all rows share: the comparison, its folder, the data and where they are from."""

    config: CompareConfig
    folder: Comparison
    dataset: ImageDataset
    source: DataSource


class Made(NamedTuple):
    """A row's network, how it is stored, and notes for the page."""

    run: LoadedRun
    kind: FileFormat
    notes: tuple[str, ...] = ()


def finish_row(experiment: Experiment, name: str, made: Made, started: float) -> Row:
    """Write both files of a row begun at `started` (monotonic), measure them, and store the row."""
    print(f"{name}: writing and measuring its files", flush=True)
    run, kind, notes = made
    spec, model = sized.folded(run.model, run.spec)
    larger = sized.at_paper_size(model, spec, experiment.config.paper, experiment.config.seed)
    coding = "" if kind in SUFFIXES else kind
    suffix = SUFFIXES.get(kind, layer_file.SUFFIX)
    origin = {**_origin(experiment, run), "coding": coding}
    content, tflite = _encode(experiment, kind, model, run.preprocessing, run.labels)
    metrics = _accuracy(experiment, tflite, run.preprocessing)
    sidecar = {
        "image_size": run.preprocessing.image_size,
        "classes": len(run.labels),
        "latency_ms": _latency(tflite),
        **origin,
        "top1": metrics.top1,
        "top5": metrics.top5,
        "examples": metrics.examples,
    }
    yours = experiment.folder.write(f"{name}.yours{suffix}", content, sidecar)
    row = Row(
        name=name,
        run=origin["run"],
        stage=run.stage,
        top1=metrics.top1,
        top5=metrics.top5,
        examples=metrics.examples,
        yours=yours,
        paper=_write_paper_size(experiment, f"{name}.paper{suffix}", run, kind, larger, origin),
        notes=(*notes, AS_DENSE) if coding else notes,
        seconds=round(time.monotonic() - started, 1),
    )
    experiment.folder.add(row)
    return row


def _write_paper_size(
    experiment: Experiment,
    file: str,
    run: LoadedRun,
    kind: FileFormat,
    larger: keras.Model,
    origin: dict[str, Any],
) -> Artefact:
    """Write the network with the paper's classes and pixels; a `.layers` has no latency."""
    size = experiment.config.paper
    side = size.image_size
    sidecar = {"image_size": side, "classes": size.classes, **origin}
    sidecar["head"] = "drawn anew, not trained"
    if kind not in SUFFIXES:
        layers = sized.layers_of(larger)
        content = layer_file.write(layers, kind)
        _check_same(layers, layer_file.read(content))
        counted = sum(int(np.count_nonzero(kernel)) for kernel, _ in layers.values())
        return experiment.folder.write(file, content, {**sidecar, "nonzero_weights": counted})
    record = dataclasses.replace(run.preprocessing, image_size=side, resize_size=side)
    labels = tuple(f"class {number}" for number in range(size.classes))
    content, tflite = _encode(experiment, kind, larger, record, labels)
    return experiment.folder.write(file, content, {**sidecar, "latency_ms": _latency(tflite)})


def _encode(
    experiment: Experiment,
    kind: FileFormat,
    model: keras.Model,
    record: Preprocessing,
    labels: tuple[str, ...],
) -> tuple[bytes, bytes]:
    """Return the file of a network, and the `.tflite` of what is read back from it."""
    if kind == "sqz":
        what = (model, record, labels, experiment.dataset)
        int8 = convert_calibrated(*what, CALIBRATION_IMAGES, experiment.config.seed)
        checks.check_compression(model, record, int8)
        archive = sqz.pack(int8)
        return archive, sqz.unpack(archive)
    content = b""
    if kind != "float32":
        content = layer_file.write(sized.layers_of(model), kind)
        sized.load_layers(model, layer_file.read(content))
    tflite = convert_model(model, record, labels, ConversionOptions("none"))
    return content or tflite, tflite


def _accuracy(experiment: Experiment, tflite: bytes, record: Preprocessing) -> Metrics:
    """Return the metrics of a `.tflite` on the test split; its loss is not that of logits."""
    limit = experiment.config.effort.test_examples or None
    seed = experiment.config.seed if limit else None
    pixels, labels = pipeline.raw_images(experiment.dataset, "test", record, limit, seed)
    return score(Classifier(tflite, num_threads=1).predict(pixels), labels)


def _latency(tflite: bytes) -> float:
    found = measure(tflite, threads=1, runs=LATENCY_RUNS, warmup=LATENCY_WARMUP)
    return round(found.minimum_ms, 3)


def _check_same(written: layer_file.Layers, read: layer_file.Layers) -> None:
    for name, (kernel, bias) in written.items():
        if not (np.array_equal(kernel, read[name][0]) and np.array_equal(bias, read[name][1])):
            raise InvariantError(name, "reading its .layers file gives other weights")


def _origin(experiment: Experiment, run: LoadedRun) -> dict[str, Any]:
    """Return where a file's network came from, for its sidecar."""
    path, home = run.folder.path, experiment.folder.path
    return {
        "run": str(path.relative_to(home) if path.is_relative_to(home) else path.resolve()),
        "stage": run.stage,
        "weights_sha256": run.folder.finished_stage(run.stage)["weights_sha256"],
        "spec": run.spec,
    }
