import json

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import UsageError
from sqzkit.base.files import sha256
from sqzkit.data.source import DataSource
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.evolution import evolve
from sqzkit.models import registry
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
