"""The files of a row, with a tiny network and its real file formats."""

import dataclasses
import json
import types

import numpy as np
import pytest

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.coding import layer_file, sqz
from sqzkit.compression import kernels
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.data.source import DataSource
from sqzkit.models import registry
from sqzkit.models import spec as specs
from sqzkit.paper import files
from sqzkit.paper.config import CompareConfig, Effort, PaperSize
from sqzkit.paper.files import Experiment, Made, finish_row
from sqzkit.paper.folder import Comparison
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun
from sqzkit.tflite.classifier import Classifier


def split(count, seed):
    generator = np.random.default_rng(seed)
    return Split(
        tuple(
            Example(generator.integers(0, 256, (32, 32, 3), np.uint8), index % 3)
            for index in range(count)
        )
    )


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    spec = specs.tiny(3, normalization="none")
    return spec, registry.build(spec, 32)


@pytest.fixture
def run(network, tmp_path):
    spec, model = network
    folder = RunFolder(tmp_path / "out" / "runs" / "tiny")
    folder.path.mkdir(parents=True)
    folder.weights_path("train").write_text("weights")
    folder.finish_stage("train", {"top1": 0.5}, {})
    labels = ("a", "b", "c")
    return LoadedRun(folder, spec.to_json(), "train", model, default(32), labels, None, {})


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    measured = type("Latency", (), {"minimum_ms": 1.23456, "median_ms": 9.0})
    asked = []
    monkeypatch.setattr(files, "measure", lambda *given, **named: asked.append(named) or measured)
    config = CompareConfig(
        "out", effort=Effort(test_examples=0), paper=PaperSize(classes=30, image_size=48), seed=3
    )
    dataset = ImageDataset("toy", ("a", "b", "c"), {"train": split(12, 0), "test": split(9, 1)})
    return Experiment(config, Comparison(tmp_path / "out", {"seed": 3}), dataset, DataSource())


def sidecar(experiment, artefact):
    return json.loads((experiment.folder.path / f"{artefact.file}.json").read_text())


def content(experiment, artefact):
    return (experiment.folder.path / artefact.file).read_bytes()


def answers(tflite, experiment):
    pixels = np.stack([example.image for example in experiment.dataset.split("test").examples])
    return Classifier(tflite).predict(pixels).argmax(axis=1)


def test_a_float_row_is_measured_on_its_own_file(experiment, run, capsys):
    row = finish_row(experiment, "squeezenet", Made(run, "float32", ("a note",)), 0.0)
    assert row.yours.file == "files/squeezenet.yours.tflite"
    assert row.paper.file == "files/squeezenet.paper.tflite"
    labels = np.arange(9) % 3
    right = answers(content(experiment, row.yours), experiment) == labels
    assert row.top1 == pytest.approx(right.mean()) and 0 < row.top1 < 1
    assert row.top5 == 1.0 and row.examples == 9
    assert (row.name, row.run, row.stage) == ("squeezenet", "runs/tiny", "train")
    assert row.notes == ("a note",) and row.seconds > 0
    assert (row.yours.image_size, row.yours.classes, row.yours.latency_ms) == (32, 3, 1.235)
    assert (row.paper.image_size, row.paper.classes, row.paper.latency_ms) == (48, 30, 1.235)
    assert row.paper.bytes > row.yours.bytes
    assert experiment.folder.row("squeezenet") == row
    record = sidecar(experiment, row.yours)
    assert record["weights_sha256"] == run.folder.finished_stages()[0]["weights_sha256"]
    assert record["spec"] == json.loads(json.dumps(run.spec)) and record["coding"] == ""
    assert (record["top1"], record["examples"], record["run"]) == (row.top1, 9, "runs/tiny")
    assert sidecar(experiment, row.paper)["head"] == "drawn anew, not trained"
    assert "top1" not in sidecar(experiment, row.paper)  # its answers mean nothing
    assert capsys.readouterr().out == "squeezenet: writing and measuring its files\n"


def test_a_row_of_layers_is_measured_on_what_is_read_back(experiment, run, network, monkeypatch):
    written = []

    def convert_model(model, record, labels, options):
        written.append(kernels.read_kernels(model))
        return real(model, record, labels, options)

    def doubled(content):
        return {name: (2 * kernel, bias) for name, (kernel, bias) in read(content).items()}

    real, read, compared = files.convert_model, layer_file.read, []
    before = network[1].get_weights()
    monkeypatch.setattr(files.layer_file, "read", doubled)
    monkeypatch.setattr(files, "convert_model", convert_model)
    monkeypatch.setattr(
        files, "_check_same", lambda written, read: compared.append((written, read))
    )
    row = finish_row(experiment, "pruned", Made(run, "sparse_floats"), 0.0)
    assert row.yours.file == "files/pruned.yours.layers"
    assert row.paper.file == "files/pruned.paper.layers"
    network[1].set_weights(before)
    layers = read(content(experiment, row.yours))
    assert len(written) == 1  # at the paper's size there is nothing to run
    for name, kernel in written[0].items():
        np.testing.assert_array_equal(2 * layers[name][0], kernel)
    assert row.yours.latency_ms == 1.235 and row.paper.latency_ms is None
    assert row.notes == (files.AS_DENSE,)
    larger = read(content(experiment, row.paper))
    ((asked, found),) = compared  # what nothing runs is compared with what was written
    for name, (kernel, _) in larger.items():
        np.testing.assert_array_equal(asked[name][0], kernel)
        np.testing.assert_array_equal(found[name][0], 2 * kernel)
    record = sidecar(experiment, row.paper)
    counted = sum(np.count_nonzero(kernel) for kernel, _ in larger.values())
    assert record["nonzero_weights"] == counted > 0
    assert record["coding"] == "sparse_floats"


def test_a_row_of_an_archive_is_measured_on_the_int8_file_in_it(experiment, run):
    row = finish_row(experiment, "squeezenet_dc8", Made(run, "sqz"), 0.0)
    assert row.yours.file == "files/squeezenet_dc8.yours.sqz" and row.notes == ()
    int8 = sqz.unpack(content(experiment, row.yours))
    assert row.yours.bytes < len(int8)
    labels = np.arange(9) % 3
    assert row.top1 == pytest.approx((answers(int8, experiment) == labels).mean())
    assert sqz.unpack(content(experiment, row.paper)) != int8
    assert row.paper.latency_ms == 1.235


def test_a_row_whose_int8_file_lost_something_is_not_written(experiment, run, monkeypatch):
    def refuse(model, record, int8):
        raise InvariantError("conv1", "pruned weights came back")

    monkeypatch.setattr(files.checks, "check_compression", refuse)
    with pytest.raises(InvariantError, match="conv1: pruned weights came back"):
        finish_row(experiment, "squeezenet_dc8", Made(run, "sqz"), 0.0)
    assert not experiment.folder.path.joinpath("files").exists()


def test_a_run_elsewhere_is_named_in_full(experiment, run, tmp_path):
    elsewhere = RunFolder(tmp_path / "elsewhere")
    run.folder.path.rename(elsewhere.path)
    moved = dataclasses.replace(run, folder=elsewhere)
    assert files._origin(experiment, moved)["run"] == str(elsewhere.path.resolve())


def test_the_test_images_are_a_seeded_choice_where_they_are_limited(experiment, monkeypatch):
    asked = []

    def raw_images(*given):
        asked.append(given[1:])
        raise KeyboardInterrupt

    monkeypatch.setattr(files.pipeline, "raw_images", raw_images)
    for limit, expected in ((0, (None, None)), (4, (4, 3))):
        object.__setattr__(experiment.config, "effort", Effort(test_examples=limit))
        with pytest.raises(KeyboardInterrupt):
            files._accuracy(experiment, b"", "record")
        assert asked[-1] == ("test", "record", *expected)


@pytest.mark.parametrize("part", [0, 1])
def test_layers_that_come_back_otherwise_are_refused(part):
    written = {"conv1": (np.ones(3, np.float32), np.ones(2, np.float32))}
    read = {"conv1": tuple(array.copy() for array in written["conv1"])}
    files._check_same(written, read)
    read["conv1"][part][0] = 2
    with pytest.raises(InvariantError, match="conv1: reading its .layers file gives other"):
        files._check_same(written, read)


def test_latency_is_the_fastest_inference_of_one_thread(monkeypatch):
    asked = []

    def measure(tflite, **how):
        asked.append((tflite, how))
        return types.SimpleNamespace(minimum_ms=1.23456)

    monkeypatch.setattr(files, "measure", measure)
    assert files._latency(b"model") == 1.235
    assert asked == [(b"model", {"threads": 1, "runs": 20, "warmup": 3})]
