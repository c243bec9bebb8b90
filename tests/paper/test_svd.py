import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models import alexnet
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import svd


def low_rank(rows, columns, rank, noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.normal(size=(rows, rank)) @ random.normal(size=(rank, columns))
    return (kernel + noise * random.normal(size=kernel.shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(40, 17), (17, 40), (8, 8)])
def test_it_is_the_decomposition_of_lapack(shape):
    kernel = low_rank(*shape, 8, noise=0.3)
    part = svd.decompose(kernel)
    singular = np.linalg.svd(kernel.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(part.singular, singular, rtol=1e-6)
    left, right = part.factors(len(singular))
    np.testing.assert_allclose(left @ right, kernel, atol=1e-4)
    for rank in (1, 3):
        left, right = part.factors(rank)
        assert left.shape == (shape[0], rank) and right.shape == (rank, shape[1])
        error = np.square(left @ right - kernel).sum()
        # Eckart and Young: no matrix of that rank is nearer.
        np.testing.assert_allclose(error, np.square(singular[rank:]).sum(), rtol=1e-3)


def test_a_kernel_of_few_ranks_and_one_of_zeros_are_borne():
    part = svd.decompose(low_rank(30, 20, 3))
    assert part.rank(0.999999) == 3
    left, right = part.factors(3)
    np.testing.assert_allclose(left @ right, low_rank(30, 20, 3), atol=1e-4)
    nothing = svd.decompose(np.zeros((5, 4), np.float32))
    left, right = nothing.factors(nothing.rank(0.9))
    assert not (left @ right).any()


def test_the_rank_is_the_least_that_keeps_the_energy():
    part = svd.decompose(np.diag([4.0, 2.0, 2.0, 1.0]))  # energies 16, 4, 4, 1 of 25
    energies = {0.01: 1, 0.64: 1, 0.65: 2, 0.80: 2, 0.81: 3, 0.97: 4, 1.0: 4}
    assert {energy: part.rank(energy) for energy in energies} == energies


def test_the_budget_is_used_up_at_one_share_for_all_layers():
    parts = {
        "fc6": svd.decompose(low_rank(60, 30, 5, noise=0.2)),
        "fc7": svd.decompose(low_rank(30, 30, 20, noise=0.2, seed=1)),
    }
    for most in (4000, 200, 900):
        energy = svd.energy_for_numbers(parts, most)
        ranks = svd.ranks_for_energy(parts, energy)
        used = sum(ranks[name] * parts[name].numbers_per_rank for name in parts)
        assert most - 91 < used <= most  # one rank more would not fit
    assert ranks["fc6"] < ranks["fc7"]  # the more even spectrum needs more
    with pytest.raises(UsageError, match="100 numbers are too few"):
        svd.energy_for_numbers(parts, 100)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_a_network_cut_at_full_rank_answers_as_before(normalization):
    keras.utils.set_random_seed(0)
    spec = AlexNetSpec(3, normalization, fc_units=24)
    model = alexnet.build(spec, 67)
    for layer in model.layers:
        if layer.weights:
            noise = np.random.default_rng(1)
            layer.set_weights([w + 0.1 * noise.random(w.shape) for w in layer.get_weights()])
    images = np.random.default_rng(0).normal(size=(4, 67, 67, 3)).astype(np.float32)
    parts = svd.decompose_dense(model)
    full = {name: len(part.singular) for name, part in parts.items()}
    new_spec, whole = svd.cut(model, spec, parts, full)
    assert (new_spec.fc6_rank, new_spec.fc7_rank) == (24, 24)
    scale = np.abs(model(images)).max()
    np.testing.assert_allclose(whole(images) / scale, model(images) / scale, atol=1e-4)
    _, small = svd.cut(model, spec, parts, {"fc6": 2, "fc7": 1})
    assert small.get_layer("fc6/factor").kernel.shape == (256, 2)
    assert small.count_params() < model.count_params()
    assert not np.allclose(small(images), model(images))
