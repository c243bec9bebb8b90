"""Fine-tuning from few photographs, judged by folds."""

import dataclasses

import numpy as np
import pytest

from sqzkit.data.dataset import Split
from sqzkit.runs.weights import read_weights, save_weights
from sqzkit.training import cross_tuning, head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.evaluate import score
from sqzkit.training.features import compute
from sqzkit.training.fine_tuning import SHARES
from sqzkit.training.fit import StageFit, StageResult
from sqzkit.training.options import FitOptions, TeacherOptions
from tests.training.test_head import RECORD

CONFIG = TrainingConfig("run", weights="v1_1", min_train_steps=90)


@pytest.mark.parametrize(
    ("validation", "train", "changes", "folds"),
    [
        (16, 96, {}, 3),
        (99, 1_901, {}, 3),
        (100, 96, {}, 0),
        (99, 1_902, {}, 0),
        (16, 96, {"weights": None}, 0),
        (16, 96, {"head_epochs": 1}, 0),
        (16, 96, {"teacher": TeacherOptions("teacher.tflite")}, 0),
        (16, 96, {"distribution_strategy": "mirrored"}, 0),
    ],
)
def test_folds_judge_where_few_images_could(colours, validation, train, changes, folds):
    (example,) = colours.split("train").examples[:1]
    splits = {"train": Split((example,) * train), "validation": Split((example,) * validation)}
    dataset = dataclasses.replace(colours, splits=splits)
    assert cross_tuning.folds_for(dataclasses.replace(CONFIG, **changes), dataset) == folds


@pytest.fixture
def stage(folder, colours):
    options = FitOptions(epochs=2, batch_size=16, base_learning_rate=3e-3)
    return StageFit(folder, "train", colours, RECORD, options, config={"weights": "v1_1"})


def answers(right, confidence):
    """Return metrics of 20 answers of which some are right."""
    labels = np.zeros(20, int)
    logits = np.zeros((20, 2))
    logits[np.arange(20), np.where(np.arange(20) < right, 0, 1)] = confidence
    return score(logits, labels)


@pytest.mark.parametrize(
    ("shares", "kept"),
    [
        ([(15, 1), (16, 1), (18, 1), (17, 1), (17, 1)], 0.5),
        ([(17, 0.5), (18, 0.5), (17, 1.7), (18, 0.6), (16, 1.4)], 0.5),
        ([(18, 0.5), (18, 0.5), (17, 2), (17, 2), (17, 2)], 0.0),
        ([(17, 1), (17, 1), (17, 1), (19, 1), (17, 1)], 0.75),
        # A loss that is lower by 0.012, with a standard error of 0.027: luck, perhaps.
        ([(16, 1), (16, 1.3), (16, 1), (16, 1), (16, 1)], 0.0),
        # One that is lower by 0.027 with an error of 0.025, and one by 0.041 with 0.057.
        ([(17, 1), (17, 1.3), (17, 1.7), (17, 1), (17, 1)], 0.25),
    ],
)
def test_the_lowest_loss_counts_of_what_is_as_accurate_and_surely_better(
    stage, capsys, shares, kept
):
    share, recorded = cross_tuning.choose([answers(*one) for one in shares], stage)
    assert share == recorded["share"] == kept
    written = stage.folder.read_record("fine_tuning")
    assert (written["kept"], written["examples"], written["folds"]) == (kept, 20, 3)
    assert written["mean"] is (kept in (0.25, 0.5))
    assert [entry["accuracy"] for entry in written["shares"]] == [one[0] / 20 for one in shares]
    assert written["shares"][0]["gain"] == 0
    best = written["shares"][SHARES.index(kept)]
    assert best["gain"] > best["error"] or not kept
    lower = written["shares"][0]["loss"] - best["loss"]
    assert best["gain"] == pytest.approx(lower, abs=1e-6)  # probabilities are float32
    right = shares[0][0] / 20
    assert f"{right:.1%} are right with the head alone" in capsys.readouterr().out


class Tuned:
    """Calls `cross_tune` on a network whose head is fitted to the training split."""

    def __init__(self, stage, network, monkeypatch):
        self.stage, self.network, self.monkeypatch = stage, network, monkeypatch
        self.fit_stage, self.choose = cross_tuning.fit_stage, cross_tuning.choose
        self.before, self.published = network.get_weights(), self.weights()

    def weights(self):
        names = ("kernel", "bias")
        layers = [layer for layer in self.network.layers if layer.weights]
        return {layer.name: dict(zip(names, layer.get_weights(), strict=True)) for layer in layers}

    def __call__(self, kill=None, share=-1.0):
        """Kill before or after a stage; keep this share, whatever the folds say."""
        self.network.set_weights(self.before)
        stage, self.entered = self.stage, {}
        train = compute(self.network, stage.dataset, RECORD, stage.folder, "v1_1")
        head.fit(train, 4, seed=1).write(self.network)

        def fit(model, part):
            self.entered[part.stage] = part.dataset
            if kill == (part.stage, "before"):
                raise KeyboardInterrupt
            result = self.fit_stage(model, part)
            if kill == (part.stage, "after"):
                raise KeyboardInterrupt
            return result

        def choose(*arguments):
            self.measured = arguments[0]
            return self.choose(*arguments) if share < 0 else (share, {"share": share})

        self.monkeypatch.setattr(cross_tuning, "fit_stage", fit)
        self.monkeypatch.setattr(cross_tuning, "choose", choose)
        return cross_tuning.cross_tune(self.network, stage, CONFIG)


@pytest.fixture
def tuned(stage, network, monkeypatch):
    """`cross_tune`, in two folds."""
    monkeypatch.setattr(cross_tuning, "FOLDS", 2)
    made = Tuned(stage, network, monkeypatch)
    yield made
    network.set_weights(made.before)


MOVED = "fire2/squeeze1x1"


@pytest.fixture
def moving(tuned, monkeypatch):
    """Replace the trainings: each moves one kernel, by its number; return what they start from."""
    monkeypatch.setattr(head, "STRENGTHS", (0.1,))  # to choose one takes seconds
    starts = []

    def train(model, part):
        starts.append({layer.name: layer.get_weights() for layer in model.layers if layer.weights})
        kernel, bias = starts[-1][MOVED]
        model.get_layer(MOVED).set_weights([kernel + 0.1 * len(starts), bias])
        metrics = {"epochs": 2, "train_seconds": 1.04, "images_per_second": 10.25 * len(starts)}
        metrics |= part.finish(model)
        save_weights(model, part.folder.weights_path(part.stage))
        part.folder.finish_stage(part.stage, metrics, part.record)
        return StageResult(model, metrics)

    tuned.fit_stage = train
    return starts


@pytest.fixture
def everything(tuned, stage, colours):
    """The images for training and validation, and the published network's features of them."""
    both = colours.split("train").examples + colours.split("validation").examples
    data = dataclasses.replace(colours, splits={"train": Split(both)}, stores={})
    return both, lambda: compute(tuned.network, data, RECORD, stage.folder, "v1_1")


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_each_image_judges_a_network_that_has_not_seen_it(tuned, moving, everything, stage, share):
    both, features_of = everything
    result = tuned(share=share)
    assert list(tuned.entered) == ["fold_1", "fold_2"]
    after = tuned.weights()
    tuned.network.set_weights(tuned.before)
    features = features_of()
    judges = []
    for dataset, start in zip(tuned.entered.values(), moving, strict=True):
        seen, held_out = (dataset.split(name).examples for name in ("train", "validation"))
        assert not {id(e) for e in seen} & {id(e) for e in held_out}
        assert len(seen) + len(held_out) == len(both) == 112
        judges += held_out
        # Every fold starts from the published network, and from a head that has not seen it.
        for name, values in tuned.published.items():
            if name != "conv10":
                np.testing.assert_array_equal(start[name][0], values["kernel"])
        of_seen = np.isin([id(example) for example in both], [id(example) for example in seen])
        wanted = head.fit(features.at(of_seen), 4, seed=1).kernel
        np.testing.assert_allclose(start["conv10"][0][0, 0], wanted, atol=1e-4)
    assert {id(example) for example in judges} == {id(example) for example in both}
    assert [found.examples for found in tuned.measured] == [112] * len(cross_tuning.SHARES)
    # The published network, and a share of the folds' mean change.
    wanted = tuned.published[MOVED]["kernel"] + share * 0.15
    np.testing.assert_allclose(after[MOVED]["kernel"], wanted, atol=1e-6)
    recorded = ("share", "epochs", "train_seconds", "images_per_second")
    found = {name: result.metrics[name] for name in recorded}
    if share:
        assert found == dict(zip(recorded, (share, 2, 2.1, 15.4), strict=True))
    else:
        assert found == dict(zip(recorded, (0.0, 0, 0.0, 0.0), strict=True))
    # The head, which the trainings do not change here, is fitted to all images.
    wanted = head.fit(features, 4, seed=1).kernel
    np.testing.assert_allclose(after["conv10"]["kernel"][0, 0], wanted, atol=1e-4)
    assert not (stage.folder.path / "folds").exists()


def test_where_much_is_kept_all_images_are_trained_on_once_more(tuned, moving, everything):
    """From the published network and a head that knows all images, as far as the folds say."""
    both, features_of = everything
    share = cross_tuning.MUCH
    assert tuned(share=share).metrics["share"] == share
    assert list(tuned.entered) == ["fold_1", "fold_2", "train"]
    assert tuned.entered["train"].split("train").examples == both
    after = tuned.weights()
    np.testing.assert_array_equal(moving[2][MOVED][0], tuned.published[MOVED]["kernel"])
    wanted = tuned.published[MOVED]["kernel"] + share * 0.3
    np.testing.assert_allclose(after[MOVED]["kernel"], wanted, atol=1e-6)
    tuned.network.set_weights(tuned.before)
    wanted = head.fit(features_of(), 4, seed=1).kernel
    np.testing.assert_allclose(after["conv10"]["kernel"][0, 0], wanted, atol=1e-4)


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_weights(tuned, stage, colours, tmp_path):
    result = tuned()
    assert list(tuned.entered) == ["fold_1", "fold_2", "train"]
    lines = [(line["stage"], line["epoch"]) for line in stage.folder.metrics()]
    assert lines == [(name, epoch) for name in tuned.entered for epoch in (1, 2)]
    both = colours.split("train").examples + colours.split("validation").examples
    assert tuned.entered["train"].split("train").examples == both
    record = stage.folder.read_record("fine_tuning")
    chosen = next(entry for entry in record["shares"] if entry["share"] == record["kept"])
    assert (
        record["kept"] >= cross_tuning.MUCH and chosen["accuracy"] > record["shares"][0]["accuracy"]
    )
    assert result.metrics["share"] == record["kept"]
    assert result.metrics["held_out_examples"] == 112
    assert result.metrics["validation_top1"] == chosen["accuracy"]
    assert result.metrics["validation_loss"] == pytest.approx(chosen["loss"])
    stage.folder.path.rename(tmp_path / "whole")
    moments = [("fold_1", "after"), ("fold_2", "before"), ("train", "before"), ("train", "after")]
    for moment in moments:
        with pytest.raises(KeyboardInterrupt):
            tuned(moment)
        assert (stage.folder.path / "folds").exists()
    again = tuned()
    assert list(tuned.entered) == ["train"]
    assert [entry["stage"] for entry in stage.folder.finished_stages()] == ["train"]
    assert again.metrics["share"] == result.metrics["share"]
    assert stage.folder.read_record("fine_tuning") == record
    assert not (stage.folder.path / "folds").exists()
    weights = read_weights(stage.folder.weights_path("train"))
    for layer, variables in read_weights(tmp_path / "whole" / "train.weights.h5").items():
        for name, values in variables.items():
            np.testing.assert_array_equal(weights[layer][name], values)
