import dataclasses
import types

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import FormatError, InvariantError
from sqzkit.budget import making, training
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Made
from sqzkit.budget.predict import CLUSTERS, Prediction
from sqzkit.compression import chain
from sqzkit.conversion.convert import Result
from sqzkit.exploration import trial
from sqzkit.exploration.space import Candidate
from sqzkit.runs.folder import RunFolder
from sqzkit.training import loop
from sqzkit.training.options import FitOptions

CONFIG = assembly.build(
    FitConfig, {"max_archive_bytes": 1000, "max_latency_ms": 2, "max_ram_bytes": 500}
)
GOOD = Made(
    *("a", "net", "chain", "finals/trials/x", "quantize", 1000, 990, 5000, 500, 2.0),
    *(0.9, 0.8, 0.95, "00", 1000),
)

LEAST = Prediction(100, ((0.0, 900), (0.3, 500), (0.96, 100)), 1, 1, None)


def test_the_most_accurate_file_within_the_budget_is_chosen():
    better = dataclasses.replace(GOOD, name="b", top1=0.9)
    over = dataclasses.replace(GOOD, name="c", top1=1.0, archive_bytes=1001)
    assert making.choose([GOOD, better, over], CONFIG) is better
    assert making.choose([over], CONFIG) is None


def test_of_equally_accurate_files_the_smallest_is_chosen():
    smaller = dataclasses.replace(GOOD, name="b", archive_bytes=800)
    assert making.choose([GOOD, smaller], CONFIG) is smaller


@pytest.mark.parametrize(
    ("field", "value", "flag"),
    [
        ("archive_bytes", 1001, "--max_archive_bytes"),
        ("latency_ms", 2.1, "--max_latency_ms"),
        ("ram_bytes", 501, "--max_ram_bytes"),
    ],
)
def test_every_limit_counts(field, value, flag):
    assert making.exceeded(GOOD, CONFIG) == []
    assert making.exceeded(dataclasses.replace(GOOD, **{field: value}), CONFIG) == [flag]


def test_limits_that_are_not_set_do_not_count():
    free = assembly.build(FitConfig, {"max_archive_bytes": 1000})
    assert making.exceeded(dataclasses.replace(GOOD, ram_bytes=10**9, latency_ms=None), free) == []


def test_a_pruned_finalist_is_rounded_and_taken_through_the_chain():
    pruned = making.Finalist(None, None, 0.3, LEAST)
    assert {recipe: pruned.stage(recipe) for recipe in pruned.recipes} == {
        "chain": "quantize",
        "rounded": "prune",
    }
    assert (pruned.predicted("chain"), pruned.predicted("rounded")) == (600, None)
    dense = dataclasses.replace(pruned, sparsity=0.0)
    assert {dense.stage(recipe) for recipe in dense.recipes} == {"train"}
    assert (dense.predicted("per_tensor"), dense.predicted("per_channel")) == (1000, None)


@pytest.mark.parametrize("step", ["_convert", "load_run"])
def test_a_file_that_cannot_be_made_or_run_is_told_and_not_an_end(monkeypatch, tmp_path, step):
    """Of half and double the budget there may be none; the fit has its choice."""

    def fail(*_):
        raise FormatError("LiteRT cannot run it")

    tflite = tmp_path / "x.tflite"
    tflite.write_bytes(b"")
    converted = Result(tflite, None, None, {"sizes": {"sqz": 900}, "sha256": "00"})
    monkeypatch.setattr(making, "_convert", lambda values: converted)
    monkeypatch.setattr(making, step, fail)
    finalist = making.Finalist(
        types.SimpleNamespace(name="net"), RunFolder(tmp_path / "run"), 0.3, LEAST
    )
    maker = making.Maker(dataclasses.replace(CONFIG, output_dir=str(tmp_path)), None)
    assert maker.make(finalist, "rounded", 5000, "net_half") == "LiteRT cannot run it"
    assert "no archive has fewer than" in maker.make(finalist, "rounded", 500, "net_half")


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Convert and measure nothing; return what was asked for, the maker and a finalist."""
    asked = []
    (tmp_path / "best.sqz").write_bytes(bytes(900))
    (tmp_path / "x.tflite").write_bytes(b"file")

    def convert(settings):
        asked.append(settings)
        record = {"sizes": {"sqz": 900}, "sha256": "00", "verification": {"converted_top1": 0.7}}
        return Result(tmp_path / "x.tflite", None, None, record)

    class Reference:
        def __init__(self, model, rule, images, labels, where):
            asked.append((model, images, where))

        def compare(self, content):
            return types.SimpleNamespace(float_top1=0.9, converted_top1=0.8, agreement=0.95)

    def load_run(path, stage):
        return types.SimpleNamespace(model=f"{path.name}'s {stage}", preprocessing=None)

    monkeypatch.setattr(making, "_convert", convert)
    monkeypatch.setattr(making, "Reference", Reference)
    monkeypatch.setattr(making, "load_run", load_run)
    monkeypatch.setattr(
        making, "raw_images", lambda data, split, rule: (f"{data} {split}", "truth")
    )
    monkeypatch.setattr(making, "TFLiteFile", bytes)
    monkeypatch.setattr(making, "arena_bytes", len)
    monkeypatch.setattr(making, "latency", lambda content: 1.5)
    network = types.SimpleNamespace(name="net")
    finalist = making.Finalist(network, RunFolder(tmp_path / "finals" / "run"), 0.3, LEAST)
    return (
        asked,
        making.Maker(dataclasses.replace(CONFIG, output_dir=str(tmp_path)), "data"),
        finalist,
    )


@pytest.mark.parametrize(
    ("recipe", "stage"),
    [("chain", "quantize"), ("rounded", "prune"), ("chain_rounded", "quantize")],
)
def test_files_are_chosen_by_the_validation_split_alone(measured, recipe, stage):
    asked, maker, finalist = measured
    made = maker.make(finalist, recipe, 9500, "net_file")
    settings, found = asked
    assert settings["verify"] is False  # it would look at the test split
    assert (settings["stage"], settings["archive"]) == (stage, True)
    assert settings.get("archive_budget_bytes") == (None if recipe == "chain" else 9500)
    assert found == (f"run's {stage}", "data validation", "the validation split")
    assert (made.float_top1, made.top1, made.agreement) == (0.9, 0.8, 0.95)
    assert (made.archive_bytes, made.tflite_bytes, made.latency_ms) == (900, 4, 1.5)
    assert (made.run, made.stage, made.archive_limit) == ("finals/run", stage, 9500)


def test_what_is_published_is_the_file_that_was_chosen(measured):
    asked, maker, _ = measured
    chosen = dataclasses.replace(GOOD, archive_bytes=900)
    assert maker.publish(chosen) == {"converted_top1": 0.7}
    assert asked[0]["output_file"].endswith("best.tflite") and "verify" not in asked[0]
    assert (asked[0]["stage"], asked[0]["granularity"]) == ("quantize", "per_tensor")
    for other in ({"sha256": "01"}, {"archive_bytes": 901}):
        with pytest.raises(InvariantError, match="that was chosen|901 expected"):
            maker.publish(dataclasses.replace(chosen, **other))


def test_a_network_is_trained_on_the_data_of_the_fit_in_a_folder_of_its_part(monkeypatch, tmp_path):
    values = {"max_archive_bytes": 1000, "data_dir": "photographs", "seed": 7, "weights": "v1_1"}
    config = assembly.build(FitConfig, {**values, "output_dir": str(tmp_path)})
    candidate = Candidate((("model", "v1_2"), ("image_size", 48)))
    network = types.SimpleNamespace(name="net", side=48, candidate=candidate)
    asked = []
    monkeypatch.setattr(trial, "run_trial", lambda *given: asked.append(given))
    place = training.train(config, "data", network, "finals", 5).path
    ((experiment, of_network, never),) = asked
    assert place.is_relative_to(tmp_path / "finals") and place == experiment.folder(candidate).path
    assert (experiment.dataset, experiment.image_size, of_network) == ("data", 48, candidate)
    assert (experiment.config.data.data_dir, experiment.config.training.seed) == ("photographs", 7)
    assert experiment.config.options.epochs == 5 and not never({}, [0.0])
    monkeypatch.setattr(loop, "train", asked.append)
    network = types.SimpleNamespace(name="transfer", side=96, candidate=None)
    place = training.train(config, "data", network, "trials", 3).path
    assert place == tmp_path / "trials" / "trials" / "transfer"
    told = asked[-1]
    assert (told.model_dir, told.weights, told.image_size) == (str(place), "v1_1", 96)
    assert (told.train_epochs, told.seed, told.data.data_dir) == (3, 7, "photographs")


def test_the_chain_prunes_to_the_sparsity_that_was_planned(monkeypatch, tmp_path):
    folder, asked = RunFolder(tmp_path), []
    folder.weights_path("train").write_text("weights")
    metrics = {"top1": 0.5, "validation_top1": 0.75, "validation_loss": 0.25}
    folder.finish_stage("train", metrics, FitOptions(epochs=3, seed=9).to_json())
    monkeypatch.setattr(chain, "run_stages", lambda *given: asked.append(given))
    training.compress(folder, "data", 0.0, {"prune": 2})
    assert asked == []  # a network that fits as it is
    training.compress(folder, "data", 0.45, {"prune": 2, "quantize": 1})
    ((_, config, fit, _),) = asked
    assert config.stages == ("train", "prune", "quantize")
    assert (config.epochs("prune", 1), config.epochs("quantize", 1)) == (2, 1)
    assert (config.sharing, config.sparsity_table().default) == ("lamp", 0.45)
    assert config.cluster_table().default == CLUSTERS
    assert fit.seed == 9
    assert training.validation(folder) == {"top1": 0.75, "loss": 0.25}


def test_an_error_is_a_share_of_what_was_measured():
    assert making.error_share(103, 100) == 0.03
    assert making.error_share(97, 100) == -0.03
