import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from sqzkit.base.keras import keras
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.evolution import offspring
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.offspring import Family, inherit, raise_offspring, renormalize
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun
from sqzkit.training.options import FitOptions


def batches(count):
    generator = np.random.default_rng(0)
    return [generator.normal(2, 3, (8, 32, 32, 3)).astype(np.float32) for _ in range(count)]


def test_statistics_become_the_mean_over_all_batches():
    model = squeezenet.build(specs.tiny(3), 32)
    images = batches(3)
    renormalize(model, images)
    features = [model.get_layer("conv1")(batch).numpy() for batch in images]
    means = np.mean([feature.mean((0, 1, 2)) for feature in features], axis=0)
    variances = np.mean([feature.var((0, 1, 2)) for feature in features], axis=0)
    _, _, mean, variance = model.get_layer("conv1/bn").get_weights()
    np.testing.assert_allclose(mean, means, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(variance, variances, rtol=1e-2)


def momenta_of(model):
    kind = keras.layers.BatchNormalization
    return [layer.momentum for layer in model.layers if isinstance(layer, kind)]


def test_nothing_else_changes():
    model = squeezenet.build(specs.tiny(3), 32)
    before = {variable.name: variable.numpy() for variable in model.trainable_variables}
    momenta = momenta_of(model)
    renormalize(model, batches(2))
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(variable.numpy(), before[variable.name])
    assert momenta_of(model) == momenta


def test_a_network_without_normalization_is_left_alone():
    model = squeezenet.build(specs.tiny(3, normalization="none"), 32)
    before = model.get_weights()
    renormalize(model, batches(1))
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A run of an untrained network, whose record says how it was trained."""
    keras.utils.set_random_seed(5)
    spec = specs.tiny(2, dropout=0.5)
    model = squeezenet.build(spec, 32)
    folder = RunFolder(tmp_path_factory.mktemp("parent"))
    folder.write_record("data", {"data_dir": "photographs"})
    folder.weights_path("train").write_text("weights")
    recorded = FitOptions(
        epochs=7, batch_size=4, base_learning_rate=0.5, label_smoothing=0.25, seed=99,
        augmentation="light", early_stopping_patience=3, warmup_epochs=2.0, weight_decay=0.125,
    )  # fmt: skip
    folder.finish_stage("train", {"top1": 0.5}, {**recorded.to_json(), "of_later_versions": 1})
    return LoadedRun(folder, spec.to_json(), "train", model, default(32), ("a", "b"), None, {})


def filters_of(model, layer):
    """Return the filters of a convolution that reads the image, as a set of bytes."""
    kernel = model.get_layer(layer).kernel.numpy()
    return {kernel[..., index].tobytes() for index in range(kernel.shape[-1])}


def test_an_offspring_inherits_filters_of_its_parent(parent):
    spec, child = inherit(parent, 0.6, (1, 1, 0), batches(1))
    inherited = filters_of(child, "conv1")
    assert inherited < filters_of(parent.model, "conv1")
    assert child.count_params() < 0.7 * parent.model.count_params()
    assert spec.conv1_filters == len(inherited)
    # All weights that are trained come from the parent; only the statistics are new.
    known = np.concatenate([weight.ravel() for weight in parent.model.get_weights()])
    for variable in child.trainable_variables:
        assert np.isin(variable.numpy(), known).all(), variable.name
    assert spec.dropout == pytest.approx(0.3)


def test_all_channels_survive_in_an_environment_of_one(parent):
    spec, child = inherit(parent, 1.0, (1, 1, 0), [])
    assert child.count_params() == parent.model.count_params()
    for mine, theirs in zip(child.get_weights(), parent.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert spec.dropout == 0.5


def test_the_statistics_are_measured_for_the_offspring(parent):
    _, child = inherit(parent, 0.6, (1, 1, 0), batches(2))
    _, same = inherit(parent, 0.6, (1, 1, 0), [])
    measured = child.get_layer("fire2/squeeze1x1/bn").moving_mean.numpy()
    inherited = same.get_layer("fire2/squeeze1x1/bn").moving_mean.numpy()
    assert not np.allclose(measured, inherited)


@pytest.fixture
def family(parent, tmp_path):
    generator = np.random.default_rng(0)

    def split(count):
        return Split(
            tuple(
                Example(generator.integers(0, 255, (32, 32, 3), np.uint8), index % 2)
                for index in range(count)
            )
        )

    dataset = ImageDataset("toy", ("a", "b"), {"train": split(8), "validation": split(4)})
    config = EvolveConfig(
        str(parent.folder.path), str(tmp_path / "evolution"), environment=0.6, train_epochs=3,
        base_learning_rate=0.01, distillation=0.25, seed=10,
    )  # fmt: skip
    return Family(config, parent, dataset)


@pytest.fixture
def trained(monkeypatch):
    """Train nothing; return what would have been trained: (weights before, stage)."""
    calls = []

    def fit_stage(model, stage):
        calls.append((model.get_weights(), stage))
        return SimpleNamespace(metrics={"validation_top1": 0.75, "validation_loss": 0.5})

    monkeypatch.setattr(offspring, "fit_stage", fit_stage)
    return calls


def test_what_is_trained_is_what_was_inherited(family, parent, trained):
    record = raise_offspring(family, parent, 4, 1)
    ((weights, stage),) = trained
    normalization = offspring._normalization_batches(family)
    _, expected = inherit(parent, 0.6, (10, 4, 1), normalization)
    for mine, theirs in zip(weights, expected.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert record == {
        "folder": "generation_04.1",
        "parameters": expected.count_params(),
        "validation_top1": 0.75,
        "validation_loss": 0.5,
    }
    assert stage.folder.path == family.folder("generation_04.1").path
    assert stage.config == {"distillation": 0.25}
    assert stage.dataset is family.dataset and stage.stage == "train"


def test_an_offspring_lies_in_a_run_folder(family, parent, trained):
    raise_offspring(family, parent, 1, 0)
    folder = RunFolder.existing(family.folder("generation_01.0").path)
    assert folder.labels == ("a", "b") and folder.preprocessing == default(32)
    assert folder.read_record("data") == {"data_dir": "photographs"}
    assert folder.read_record("flags")["evolve"]["seed"] == 10
    left = SqueezeNetSpec.from_json(folder.read_spec())
    assert 0 < left.conv1_filters < SqueezeNetSpec.from_json(parent.spec).conv1_filters
    assert folder.read_record("layers")[0]["output_shape"][-1] == left.conv1_filters


def test_the_filters_of_an_offspring_are_multiples(family, parent, trained):
    config = dataclasses.replace(family.config, channel_multiple=4)
    raise_offspring(dataclasses.replace(family, config=config), parent, 2, 0)
    left = SqueezeNetSpec.from_json(
        RunFolder.existing(family.folder("generation_02.0").path).read_spec()
    )
    # 0.6 to the power of 2 of the ancestor's 8, 4 and 8 filters: to the nearest 4, and not 0.
    assert left.conv1_filters == 4
    sizes = {(m.squeeze1x1, m.expand1x1, m.expand3x3) for m in left.modules()}
    assert sizes == {(4, 4, 4)}


def test_it_is_trained_like_its_ancestor_for_as_long_as_the_evolution_says(family):
    assert offspring.options(family, 3, 4) == FitOptions(
        epochs=3, batch_size=4, base_learning_rate=0.01, label_smoothing=0.25, seed=14,
        augmentation="light", warmup_epochs=0.0, weight_decay=0.125, lr_schedule="cosine",
        early_stopping_patience=0, best_from_epoch=0, watchdog_epochs=0,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_ancestor_teaches_if_it_is_asked_to(family, parent, trained, monkeypatch, share):
    asked = []
    monkeypatch.setattr(
        offspring, "distillation_loss", lambda *given: asked.append(given) or "loss"
    )
    config = dataclasses.replace(family.config, distillation=share)
    raise_offspring(dataclasses.replace(family, config=config), parent, 1, 0)
    assert asked == ([(parent.model, 0.25, 0.25)] if share else [])
    assert trained[0][1].loss == ("loss" if share else None)


def test_batches_for_the_statistics_are_not_augmented(family, monkeypatch):
    asked = []

    def training_batches(*given):
        asked.append(given)
        return SimpleNamespace(take=lambda count: [(SimpleNamespace(numpy=lambda: count), None)])

    monkeypatch.setattr(offspring, "training_batches", training_batches)
    assert list(offspring._normalization_batches(family)) == [offspring.NORMALIZATION_BATCHES]
    assert asked == [(family.dataset, default(32), 4, "none", 10, 0)]
