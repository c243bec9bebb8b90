"""Which network each row trains, from what, how, and what it passes on; nothing is trained."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.source import DataSource
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import alexnet, loop, printed, squeezenet
from sqzkit.paper.config import CompareConfig, Effort, PaperSize
from sqzkit.paper.files import Experiment
from sqzkit.paper.folder import Artefact, Comparison, Row
from sqzkit.runs.folder import RunFolder
from sqzkit.training.options import FitOptions

EFFORT = Effort(
    alexnet_epochs=11, svd_epochs=12, pruned_epochs=13, shared_epochs=14, train_epochs=15,
    prune_epochs=16, cluster_epochs=17, quantize_epochs=18, generations=3, population=4,
    environment=0.7, offspring_epochs=5, final_epochs=6,
)  # fmt: skip
LAYERS = ("conv1/a", "fc6", "fire9/expand3x3", "conv10")
RECORDED = FitOptions(epochs=15, batch_size=7)


@pytest.fixture
def experiment(tmp_path):
    paper = PaperSize(classes=9, image_size=67, fc_units=24)
    config = CompareConfig("out", effort=EFFORT, paper=paper, model="tiny", seed=8)
    dataset = ImageDataset("toy", ("a", "b"), {})
    source = DataSource(data_dir="photographs")
    return Experiment(config, Comparison(tmp_path, {"seed": 8}), dataset, source)


@pytest.fixture
def calls(monkeypatch):
    """Let rows train and measure nothing; return what they asked for, by function."""
    asked = {}

    def record(name, answer=None):
        def call(*given):
            asked.setdefault(name, []).append(given)
            return answer

        return call

    def load_run(path, stage=None):
        spec = AlexNetSpec(2, "batch", fc_units=24).to_json()
        return SimpleNamespace(path=path, stage=stage, spec=spec, model="model")

    def copy_run(source, target, stages):
        asked.setdefault("copy", []).append((source.path.name, target.path.name, stages))
        return target

    for module in (alexnet, squeezenet):
        monkeypatch.setattr(module, "load_run", load_run)
        monkeypatch.setattr(module, "copy_run", copy_run)
        monkeypatch.setattr(module.chain, "run_stages", record("stages"))
        monkeypatch.setattr(module.reading, "layer_names", lambda model: LAYERS)
        monkeypatch.setattr(module, "recorded_options", lambda *given: RECORDED)
    monkeypatch.setattr(squeezenet.loop, "train", record("train"))
    monkeypatch.setattr(squeezenet, "evolve", record("evolve"))
    monkeypatch.setattr(alexnet, "fit_stage", record("fit"))
    return asked


def told(made):
    """Return folder, stage, kind and notes of a row that was made."""
    return made.run.path.name, made.run.stage, made.kind, *made.notes


def test_squeezenet_is_trained_on_the_comparisons_data(experiment, calls):
    made = squeezenet.squeezenet(experiment)
    ((config,),) = calls["train"]
    assert config.model_dir == str(experiment.folder.run("squeezenet").path)
    assert (config.data, config.model) == (DataSource(data_dir="photographs"), "tiny")
    assert (config.train_epochs, config.seed) == (15, 8)
    assert told(made) == ("squeezenet", "train", "float32")


def test_a_given_run_is_not_trained_again(experiment, calls, tmp_path):
    given = tmp_path / "mine"
    experiment = dataclasses.replace(experiment, config=CompareConfig("out", model_dir=str(given)))
    assert told(squeezenet.squeezenet(experiment)) == ("mine", "train", "float32")
    assert "train" not in calls


@pytest.mark.parametrize(("bits", "values"), [(8, "255"), (6, "64")])
def test_squeezenet_is_pruned_once_for_both_numbers_of_bits(experiment, calls, bits, values):
    made = squeezenet.compressed(experiment, bits)
    name = f"squeezenet_dc{bits}"
    assert calls["copy"] == [
        ("squeezenet", "squeezenet_pruned", ("train",)),
        ("squeezenet_pruned", name, ("train", "prune")),
    ]
    (shared, first, options, dataset), (own, second, *_) = calls["stages"]
    assert (shared.path.name, first.stages) == ("squeezenet_pruned", ("train", "prune"))
    assert (own.path.name, second.stages) == (name, ("train", "prune", "cluster", "quantize"))
    assert options is RECORDED and dataset is experiment.dataset
    assert second.number_of_clusters == values and second.codebook == "lloyd"
    assert second.target_sparsity == "0,fire9/expand3x3=0.7,conv10=0.8"
    assert [second.asked_epochs(stage) for stage in second.stages[1:]] == [16, 17, 18]
    assert told(made) == (name, None, "sqz")


def test_evolution_starts_from_squeezenet(experiment, calls):
    made = squeezenet.evolved(experiment)
    ((config,),) = calls["evolve"]
    assert config.model_dir == str(experiment.folder.run("squeezenet").path)
    assert config.output_dir == str(experiment.folder.evolution_path)
    assert (config.generations, config.population, config.environment) == (3, 4, 0.7)
    assert (config.train_epochs, config.final_epochs, config.seed) == (5, 6, 8)
    assert told(made) == ("final", "train", "float32")


def test_the_descendant_is_the_last_network_or_the_given_one(experiment, tmp_path):
    assert squeezenet.descendant(experiment).path == experiment.folder.evolution_path / "final"
    short = CompareConfig("out", effort=Effort(generations=3, final_epochs=0))
    experiment = dataclasses.replace(experiment, config=short)
    assert squeezenet.descendant(experiment).path.name == "generation_03"
    given = RunFolder(tmp_path / "given")
    given.write_labels(("a", "c"))
    given.write_spec({})
    experiment = dataclasses.replace(
        experiment, config=CompareConfig("out", evolved_dir=str(given.path))
    )
    with pytest.raises(UsageError, match="was trained on 2 classes"):
        squeezenet.descendant(experiment)
    given.write_labels(("a", "b"))
    assert squeezenet.descendant(experiment).path == given.path


def test_deep_compression_follows_evolution(experiment, calls):
    made = squeezenet.evolved_compressed(experiment)
    assert calls["copy"] == [("final", "evolved_dc", ("train",))]
    ((folder, config, *_),) = calls["stages"]
    assert (folder.path.name, config.number_of_clusters) == ("evolved_dc", "64")
    assert told(made) == ("evolved_dc", None, "sqz")


def fitted(calls):
    ((_, stage),) = calls["fit"]
    return stage


def test_alexnet_is_trained_at_the_papers_size(experiment, calls):
    made = alexnet.alexnet(experiment)
    stage = fitted(calls)
    assert stage.options == FitOptions(
        epochs=11, batch_size=32, base_learning_rate=5e-4, warmup_epochs=1.0,
        weight_decay=0.01, augmentation="light", seed=8, keep="last",
    )  # fmt: skip
    assert stage.dataset is experiment.dataset and stage.stage == "train"
    folder = RunFolder.existing(experiment.folder.run("alexnet").path)
    spec = AlexNetSpec.from_json(folder.read_spec())
    assert (spec.classes, spec.normalization, spec.fc_units) == (2, "batch", 24)
    assert folder.preprocessing.image_size == 67 and folder.labels == ("a", "b")
    assert folder.read_record("data")["data_dir"].endswith("photographs")
    assert folder.read_record("flags") == {"compare": {"seed": 8, "note": ""}}
    assert told(made) == ("alexnet", None, "float32")


def parts(rows, columns):
    """Return decompositions of fc6 and fc7 whose energy falls by rank."""
    generator = np.random.default_rng(0)
    return {
        name: alexnet.svd.decompose(generator.normal(size=(rows, columns)))
        for name in alexnet.svd.LAYERS
    }


def test_svd_makes_the_file_as_much_smaller_as_it_is_told(experiment, calls, monkeypatch):
    file = Artefact("files/a", 4 * 1000, "", 67, 9)
    whole = Row("alexnet", "runs/alexnet", "train", 0.5, 1.0, 9, file, file)
    monkeypatch.setattr(experiment.folder, "row", {"alexnet": whole}.get)
    monkeypatch.setattr(alexnet.svd, "decompose_dense", lambda model: parts(20, 16))
    asked = []

    def cut(model, spec, given, ranks):
        asked.append(ranks)
        return AlexNetSpec(2, "batch", fc_units=24, fc6_rank=2, fc7_rank=2), None

    monkeypatch.setattr(alexnet.svd, "cut", cut)
    monkeypatch.setattr(alexnet, "begin_run", lambda folder, *rest: folder.path.mkdir(parents=True))
    monkeypatch.setattr(RunFolder, "read_record", lambda self, name: {"compare": {"note": "n"}})
    monkeypatch.setattr(RunFolder, "add_command", lambda self, argv: None)
    monkeypatch.setattr(RunFolder, "finished_stages", lambda self: [])
    experiment = dataclasses.replace(
        experiment, config=CompareConfig("out", svd_ratio=1.5, effort=EFFORT)
    )
    made = alexnet.cut_by_svd(experiment)
    (ranks,) = asked
    # 640 of 1,000 numbers are factored; for two thirds in all, 306 may be left: 8 ranks of 36.
    assert alexnet.numbers_left(4000, 640, 1.5) == 306
    assert sum(ranks.values()) * 36 <= 306 < (sum(ranks.values()) + 2) * 36
    assert fitted(calls).options.epochs == 12
    assert fitted(calls).options.base_learning_rate == 2e-4
    assert fitted(calls).options.warmup_epochs == 0
    assert told(made) == ("svd", None, "float32", "n")
    experiment = dataclasses.replace(experiment, config=CompareConfig("out", svd_energy=1.0))
    alexnet._cut(experiment)
    assert asked[-1] == {"fc6": 16, "fc7": 16}


@pytest.mark.parametrize(
    ("make", "stages", "kind"),
    [
        (alexnet.pruned, ("train", "prune"), ("prune", "sparse_floats")),
        (
            alexnet.deep_compression,
            ("train", "prune", "cluster"),
            ("cluster", "deep_compression"),
        ),
    ],
)
def test_alexnet_is_pruned_and_shared_as_printed(experiment, calls, make, stages, kind):
    made = make(experiment)
    assert calls["copy"] == [("alexnet", "alexnet_compressed", ("train",))]
    ((folder, config, options, dataset),) = calls["stages"]
    assert folder.path.name == "alexnet_compressed" and config.stages == stages
    assert config.target_sparsity == printed.sparsity_table(printed.ALEXNET_DENSITY, LAYERS)
    assert config.number_of_clusters == "0,conv1/a=255,conv10=255,fc6=32"
    assert (config.codebook, config.prune_schedule) == ("lloyd", "once")
    assert (config.asked_epochs("prune"), config.asked_epochs("cluster")) == (13, 14)
    assert (config.learning_rate("prune"), config.learning_rate("cluster")) == (2e-4, 5e-5)
    assert config.distillation == 0.0
    assert options is RECORDED and dataset is experiment.dataset
    assert told(made) == ("alexnet_compressed", *kind)


def test_rows_are_made_in_order_and_finished_ones_are_read(experiment, monkeypatch, capsys):
    file = Artefact("files/a", 4321, "", 67, 9)
    made = {}

    def finish(given, name, network, started):
        assert (given, network) == (experiment, f"network of {name}") and started > 0
        made[name] = Row(name, "runs/x", "train", 0.5, 1.0, 9, file, file, seconds=60.0)
        return made[name]

    makers = {name: lambda _, name=name: f"network of {name}" for name in loop.MAKERS}
    monkeypatch.setattr(loop, "MAKERS", makers)
    monkeypatch.setattr(loop, "finish_row", finish)
    monkeypatch.setattr(experiment.folder, "row", made.get)
    names = ["alexnet", "svd"]
    for name in names:
        assert loop._make(experiment, name, names).name == name
    assert loop._make(experiment, "svd", names) is made["svd"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "row 1 of 2, AlexNet"
    assert lines[1] == "AlexNet: 4,321 bytes, top-1 50.00%; 4,321 bytes at the paper's size"
    assert lines[2].startswith("row 2 of 2, AlexNet, SVD of its dense layers, about 0:01:0")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("row", "module", "function", "rest"),
    [
        ("alexnet", alexnet, "alexnet", ()),
        ("svd", alexnet, "cut_by_svd", ()),
        ("pruned", alexnet, "pruned", ()),
        ("alexnet_dc", alexnet, "deep_compression", ()),
        ("squeezenet", squeezenet, "squeezenet", ()),
        ("evolved", squeezenet, "evolved", ()),
        ("evolved_dc", squeezenet, "evolved_compressed", ()),
        ("squeezenet_dc8", squeezenet, "compressed", (8,)),
        ("squeezenet_dc6", squeezenet, "compressed", (6,)),
    ],
)
def test_every_row_has_its_maker(row, module, function, rest, monkeypatch):
    asked = []
    monkeypatch.setattr(module, function, lambda *given: asked.append(given))
    if rest:
        loop.MAKERS[row]("experiment")
        assert asked == [("experiment", *rest)]
    else:
        assert loop.MAKERS[row].__name__ == function
