import dataclasses
import math

import numpy as np
import pytest

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.compression import kernels, stages
from sqzkit.models import registry
from sqzkit.training.options import FitOptions
from tests.compression import small_chain

FIT = FitOptions(
    epochs=9, batch_size=16, weight_decay=0.01, optimizer="sgd", augmentation="light", seed=5,
    warmup_epochs=2.0, early_stopping_patience=3, watchdog_epochs=4,
)  # fmt: skip


def start(**changes):
    network = small_chain.small_spec(normalization="none", dropout=0.5)
    keras.utils.set_random_seed(0)
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    config = small_chain.quick_config(**changes)
    return stages.Start(model, network.to_json(), FIT, steps_per_epoch=10, config=config)


def dropout_rate(model):
    (layer,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    return layer.rate


def test_a_stage_has_its_own_rate_and_epochs_and_the_rest_of_training():
    assert start().options("prune") == dataclasses.replace(
        FIT, epochs=2, base_learning_rate=1e-3, lr_schedule="cosine", warmup_epochs=0.0,
        optimizer="adamw", early_stopping_patience=0, watchdog_epochs=0,
    )  # fmt: skip


def test_where_an_epoch_has_few_steps_the_ramp_is_as_long_as_elsewhere():
    begun = start(prune_epochs=None)
    stage = stages.prune(begun, {"conv1": 0.5, "conv10": 0.0})
    assert stage.options.epochs == 152  # of 10 steps
    assert 0.5 < (stage.options.best_from_epoch + 1) / 152 < 0.65


@pytest.mark.parametrize(("epochs", "first"), [(1, 0), (2, 1), (10, 5), (20, 11)])
def test_only_epochs_after_the_ramp_may_be_kept(epochs, first):
    begun = start(prune_epochs=epochs, dense_epochs=1, cluster_epochs=1, quantize_epochs=1)
    stage = stages.prune(begun, {"conv1": 0.5, "conv10": 0.0})
    assert stage.options.best_from_epoch == first
    # By the end of that epoch the ramp is over, and it was not at its beginning.
    assert stage.options.best_from_epoch * 10 < 0.6 * epochs * 10 <= (first + 1) * 10


def halved(signs=False):
    """Return a start of which every other weight is zero, and the rest a sign if `signs`."""
    begun = start()
    for layer in kernels.weighted_layers(begun.model):
        kernel = layer.kernel.numpy()
        kernel.reshape(-1)[::2] = 0
        layer.kernel.assign(np.sign(kernel) if signs else kernel)
    return begun


@pytest.mark.parametrize("name", ["cluster", "quantize"])
def test_a_stage_keeps_zeros_and_shared_values_or_names_the_layer(name):
    begun = halved(signs=name == "quantize")
    many = kernels.read_kernels(begun.model)
    shared = {layer: np.sign(kernel) for layer, kernel in many.items()}
    if name == "cluster":
        stage, split = stages.cluster(begun), many
    else:
        stage = stages.quantize(begun, {"conv10": 3}, {})
        split = {layer: kernel.copy() for layer, kernel in shared.items()}
        split["conv1"].reshape(-1)[1] = 0.5
    stage.check(shared)
    assert stage.options.weight_decay == 0.0  # it would pull on what weights share
    back = {**shared, "conv1": np.where(shared["conv1"] == 0, 1, shared["conv1"])}
    with pytest.raises(InvariantError, match="conv1: .* pruned weights came back"):
        stage.check(back)
    with pytest.raises(InvariantError, match="conv1: (.* distinct values|.* were split into 4)"):
        stage.check(split)
    more = np.arange(shared["conv10"].size).reshape(shared["conv10"].shape) % 9
    with pytest.raises(InvariantError, match="conv10: .* distinct values, at most"):
        stage.check({**shared, "conv10": np.where(shared["conv10"] == 0, 0, more)})


def test_a_sparse_network_drops_less():
    begun = start()
    targets = dict.fromkeys(kernels.layer_names(begun.model), 0.75)
    stage = stages.prune(begun, targets)
    assert dropout_rate(stage.model) == pytest.approx(0.5 * math.sqrt(0.25))
    dense = start()
    assert dropout_rate(stages.dense(dense).model) == 0.5
    half = [halved(), halved()]
    assert dropout_rate(stages.cluster(half[0]).model) == pytest.approx(0.5 * math.sqrt(0.5))
    assert dropout_rate(stages.quantize(half[1], {}, {}).model) == pytest.approx(
        0.5 * math.sqrt(0.5)
    )


def test_export_gives_the_plain_network_or_names_what_failed():
    begun = start()
    before = kernels.read_kernels(begun.model)
    stage = stages.prune(begun, {"conv1": 0.5})
    with pytest.raises(InvariantError, match="conv1: 0 of 216 weights are zero, 108 were"):
        stage.export(stage.model)
    small_chain.train_steps(stage.model, 20)
    plain = stage.export(stage.model)
    assert [layer.name for layer in plain.layers] == [layer.name for layer in begun.model.layers]
    assert kernels.sparsity(kernels.read_kernels(plain)["conv1"]) == 0.5
    assert not np.array_equal(kernels.read_kernels(plain)["conv10"], before["conv10"])
