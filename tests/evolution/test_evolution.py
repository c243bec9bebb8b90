import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.base.files import sha256
from sqzkit.data.source import DataSource
from sqzkit.evolution import evolution
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.evolution import evolve
from sqzkit.models import registry
from sqzkit.models import spec as specs
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import load_run
from sqzkit.runs.weights import save_weights
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two classes of bright and dark noise."""
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for label, level in (("bright", 180), ("dark", 60)):
        (folder / label).mkdir()
        for number in range(24):
            pixels = generator.integers(level - 50, level + 50, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def ancestor(photographs, tmp_path_factory):
    """A network of two Fire modules trained for one epoch: every layer costs seconds of tracing."""
    folder = tmp_path_factory.mktemp("runs") / "ancestor"
    small = {"model": "tiny", "fire_modules": 2, "pool_after": ("conv1",), "image_size": 32}
    data = DataSource(data_dir=str(photographs))
    loop.train(TrainingConfig(str(folder), data=data, train_epochs=1, train_batch_size=8, **small))
    return folder


def config_for(ancestor, output, **changes):
    fields = {"generations": 2, "population": 2, "environment": 0.7}
    fields |= {"train_epochs": 1, "final_epochs": 1, **changes}
    return EvolveConfig(str(ancestor), str(output), **fields)


@pytest.mark.slow
def test_an_evolution_goes_on_where_it_was(ancestor, tmp_path):
    output = tmp_path / "evolution"
    first = evolve(config_for(ancestor, output, generations=1)).generations
    assert [entry.name for entry in first] == ["ancestor", "generation_01", "final"]
    (trained_on,) = RunFolder(output / "final").finished_stages()
    assert first[2].top1 == trained_on["metrics"]["top1"]
    born = sha256(output / "generation_01" / "train.weights.h5")
    # As if killed after the fittest was named and before the lineage knew of it.
    record = json.loads((output / "lineage.json").read_text())
    record["generations"] = record["generations"][:1]
    (output / "lineage.json").write_text(json.dumps(record))

    again = evolve(config_for(ancestor, output, generations=2, final_epochs=0)).generations
    assert [entry.name for entry in again] == ["ancestor", "generation_01", "generation_02"]
    assert again[:2] == first[:2]
    assert sha256(output / "generation_01" / "train.weights.h5") == born
    sizes = [entry.parameters for entry in again]
    assert sizes[0] > sizes[1] > sizes[2]
    assert first[2].parameters == sizes[1]
    assert again[0].tflite_bytes > again[2].tflite_bytes > 0 < again[2].latency_ms
    check_generation(output, again[1])


def check_generation(folder, generation):
    """The fittest lives in a run folder that loads; the others are gone."""
    assert {path.name for path in folder.iterdir()} == {
        *("lineage.json", "lineage.png", "generation_01", "generation_02")
    }
    assert len(generation.offspring) == 2
    best = max(child["validation_top1"] for child in generation.offspring)
    assert generation.validation_top1 == best
    run = load_run(folder / generation.folder)
    assert SqueezeNetSpec.from_json(run.spec).overrides
    assert run.labels == ("bright", "dark")
    assert run.source is not None


def test_an_ancestor_of_another_architecture_is_refused(ancestor, tmp_path):
    other = tmp_path / "alexnet"
    other.mkdir()
    for path in ancestor.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    folder = RunFolder(other)
    spec = AlexNetSpec(2, fc_units=4)
    folder.write_spec(spec.to_json())
    save_weights(registry.build(spec, 64), folder.weights_path("train"))
    folder.finish_stage("train", {"top1": 1.0}, {})
    folder.write_record(
        "preprocessing", {**folder.preprocessing.to_json(), "image_size": 64, "resize_size": 64}
    )
    with pytest.raises(UsageError, match="is a run of 'alexnet', and only a SqueezeNet can evolve"):
        evolve(config_for(other, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not a run folder"):
        evolve(config_for(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def make_run(path, validation=0.5):
    """Make a run folder of a network whose training is over."""
    folder = RunFolder(path)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.weights_path("train").write_text("weights")
    metrics = {"validation_top1": validation, "top1": validation - 0.1}
    folder.finish_stage("train", metrics, {})
    folder.write_spec(specs.tiny(2).to_json())
    return folder


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Let an evolution train and measure nothing; return what it was asked for."""
    asked = []
    scores = {(1, 0): (0.8, 0.3), (1, 1): (0.8, 0.2), (2, 0): (0.9, 0.9), (2, 1): (0.7, 0.1)}

    def raise_offspring(family, parent, number, index):
        asked.append((parent.name, number, index))
        top1, loss = scores.get((number, index), (0.5, 0.5))
        folder = make_run(family.folder(f"generation_{number:02d}.{index}").path, top1)
        return {
            "folder": folder.path.name,
            "parameters": 100 - 10 * number - index,
            "validation_top1": top1,
            "validation_loss": loss,
        }

    def load_run(path, stage=None):
        folder = RunFolder(Path(path))
        preprocessing = SimpleNamespace(image_size=32)
        return SimpleNamespace(
            name=folder.path.name, folder=folder, spec=folder.read_spec(), labels=("a", "b"),
            model=folder.path.name, preprocessing=preprocessing, open_data=lambda: "data",
        )  # fmt: skip

    def train(family, folder, model, epochs, number):
        asked.append((f"final of {model}", epochs, number))
        return {"validation_top1": 0.95, "top1": 0.94}

    monkeypatch.setattr(evolution.offspring, "raise_offspring", raise_offspring)
    monkeypatch.setattr(evolution.offspring, "train", train)
    monkeypatch.setattr(
        evolution.offspring, "prepare", lambda _, folder, *rest: make_run(folder.path)
    )
    monkeypatch.setattr(evolution, "load_run", load_run)

    def convert_model(name, preprocessing, labels, options):
        assert options.quantization == "none"
        return b"x" * sum(name.encode())  # which of the offspring it was still shows

    def measure(content, threads, runs, warmup):
        assert threads == 1 and runs > warmup > 0
        return SimpleNamespace(minimum_ms=1.5, median_ms=9.0)

    monkeypatch.setattr(evolution, "convert_model", convert_model)
    monkeypatch.setattr(evolution, "measure", measure)
    network = SimpleNamespace(count_params=lambda: 77)
    monkeypatch.setattr(evolution, "to_inference", lambda model: network)
    monkeypatch.setattr(evolution, "share_processors", lambda image_size: None)
    preprocessing.default(32).save(make_run(tmp_path / "ancestor").path / "preprocessing.json")
    return asked


def names(lineage):
    return [entry.name for entry in lineage.generations]


def test_each_generation_descends_from_the_fittest_of_the_one_before(toy, tmp_path, capsys):
    output = tmp_path / "evolution"
    lineage = evolve(config_for(tmp_path / "ancestor", output, final_epochs=4))
    assert toy == [
        *(("ancestor", 1, 0), ("ancestor", 1, 1)),
        *(("generation_01", 2, 0), ("generation_01", 2, 1)),
        ("final of generation_02", 4, 3),
    ]
    assert names(lineage) == ["ancestor", "generation_01", "generation_02", "final"]
    # Of two as accurate offspring, the one with the lower loss.
    _, first, second, final = lineage.generations
    assert [child["folder"] for child in first.offspring] == [
        *("generation_01.0", "generation_01.1")
    ]
    stored = RunFolder(output / "generation_01").finished_stages()[0]["metrics"]
    assert first.validation_top1 == stored["validation_top1"] == 0.8
    assert first.top1 == pytest.approx(0.7)
    assert second.validation_top1 == 0.9  # accuracy decides before loss
    assert final == dataclasses.replace(
        second, name="final", folder="final", validation_top1=0.95, top1=0.94, offspring=()
    )
    assert first.tflite_bytes == sum(b"generation_01.1")
    assert second.tflite_bytes == sum(b"generation_02.0")
    assert first.parameters == 77 and first.latency_ms == 1.5 and first.folder == "generation_01"
    assert lineage.generations[0].folder == str(tmp_path / "ancestor")
    assert {path.name for path in output.iterdir()} == {
        *("lineage.json", "lineage.png", "generation_01", "generation_02", "final")
    }
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("final ")


def test_further_generations_follow_the_last_bred_one(toy, tmp_path):
    output = tmp_path / "evolution"
    evolve(config_for(tmp_path / "ancestor", output, final_epochs=4, generations=1))
    assert toy[-1] == ("final of generation_01", 4, 2)
    (output / "generation_01.1").mkdir()  # as if killed before it was removed
    toy.clear()
    lineage = evolve(config_for(tmp_path / "ancestor", output, final_epochs=0, generations=3))
    assert toy == [
        *(("generation_01", 2, 0), ("generation_01", 2, 1)),
        *(("generation_02", 3, 0), ("generation_02", 3, 1)),
    ]
    bred = ["generation_01", "generation_02", "generation_03"]
    assert names(lineage) == ["ancestor", *bred]
    assert {path.name for path in output.iterdir()} == {"lineage.json", "lineage.png", *bred}
    toy.clear()
    lineage = evolve(config_for(tmp_path / "ancestor", output, final_epochs=5, generations=3))
    assert toy == [("final of generation_03", 5, 4)]
    assert names(lineage)[-1] == "final"
    toy.clear()
    assert evolve(config_for(tmp_path / "ancestor", output, final_epochs=5)).bred == 3
    assert toy == []


def test_a_generation_that_was_named_is_not_bred_again(toy, tmp_path):
    output = tmp_path / "evolution"
    first = evolve(config_for(tmp_path / "ancestor", output, final_epochs=0, generations=1))
    record = json.loads((output / "lineage.json").read_text())
    del record["generations"][1]
    (output / "lineage.json").write_text(json.dumps(record))
    toy.clear()
    again = evolve(config_for(tmp_path / "ancestor", output, final_epochs=0, generations=1))
    assert toy == [] and again.generations == first.generations
