"""Fine-tuning from few photographs, judged by folds."""

import dataclasses
import shutil

import numpy as np
import pytest

from sqzkit.data.dataset import Split
from sqzkit.runs.weights import read_weights
from sqzkit.training import cross_tuning, head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.evaluate import score
from sqzkit.training.features import compute
from sqzkit.training.fit import StageFit
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
    ],
)
def test_the_lowest_loss_counts_of_what_is_as_accurate_as_the_head(stage, capsys, shares, kept):
    share, recorded = cross_tuning.choose([answers(*one) for one in shares], stage)
    assert share == recorded["share"] == kept
    written = stage.folder.read_record("fine_tuning")
    assert (written["kept"], written["examples"], written["folds"]) == (kept, 20, 3)
    assert [entry["accuracy"] for entry in written["shares"]] == [one[0] / 20 for one in shares]
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
        """Kill before or after a stage; keep this share, whatever the folds say; None: kill."""
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
            if share is None:
                raise KeyboardInterrupt
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


@pytest.mark.slow
def test_each_image_judges_a_network_that_has_not_seen_it(tuned, stage, colours):
    with pytest.raises(KeyboardInterrupt):
        tuned(share=None)
    both = colours.split("train").examples + colours.split("validation").examples
    judges = []
    for dataset in tuned.entered.values():
        seen, held_out = (dataset.split(name).examples for name in ("train", "validation"))
        assert not {id(e) for e in seen} & {id(e) for e in held_out}
        assert len(seen) + len(held_out) == len(both) == 112
        judges += held_out
    assert list(tuned.entered) == ["fold_1", "fold_2"]
    assert {id(example) for example in judges} == {id(example) for example in both}
    lines = [(line["stage"], line["epoch"]) for line in stage.folder.metrics()]
    assert lines == [("fold_1", 1), ("fold_1", 2), ("fold_2", 1), ("fold_2", 2)]
    folds = stage.folder.path / "folds"
    ends = [read_weights(folds / f"fold_{number}.weights.h5") for number in (1, 2)]
    data = dataclasses.replace(colours, splits={"train": Split(both)}, stores={})
    shutil.copytree(stage.folder.path, stage.folder.path.with_name("copy"))
    result = tuned(share=0.5)
    # Half of the way from the published network to the mean of the folds' networks.
    kernel, published = (
        network["fire2/squeeze1x1"]["kernel"] for network in (tuned.weights(), tuned.published)
    )
    mean = np.mean([end["fire2/squeeze1x1"]["kernel"] for end in ends], axis=0)
    np.testing.assert_allclose(kernel, published + (mean - published) / 2, atol=1e-6)
    assert (result.metrics["epochs"], result.metrics["share"]) == (2, 0.5)
    shutil.rmtree(stage.folder.path)
    stage.folder.path.with_name("copy").rename(stage.folder.path)
    result = tuned(share=0.0)
    assert (result.metrics["epochs"], result.metrics["share"]) == (0, 0.0)
    features = compute(tuned.network, data, RECORD, stage.folder, "v1_1")
    wanted = head.fit(features, 4, seed=1).kernel
    np.testing.assert_allclose(tuned.weights()["conv10"]["kernel"][0, 0], wanted, atol=1e-4)
    assert not folds.exists()


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_weights(tuned, stage, colours, tmp_path):
    result = tuned()
    assert list(tuned.entered) == ["fold_1", "fold_2", "train"]
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
