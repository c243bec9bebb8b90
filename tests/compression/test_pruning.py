import numpy as np
import pytest

from sqzkit.compression import kernels, pruning, tfmot
from tests.compression import small_chain


@pytest.mark.parametrize("steps", [2, 3, 10, 100, 101, 1234])
@pytest.mark.parametrize("target", [0.3, 0.9])
def test_the_ramp_reaches_its_target_at_a_step_that_looks_at_the_mask(steps, target):
    ramp = pruning.schedule(target, steps)
    looks = [step for step in range(1, steps + 1) if bool(ramp(np.int64(step))[0])]
    assert looks, "the mask would never be set"
    assert looks[-1] == ramp.end_step <= max(1, 0.6 * steps)
    assert float(ramp(np.int64(looks[-1]))[1]) == pytest.approx(target)
    assert len(looks) <= 2 * pruning.MASK_UPDATES


def test_pruned_layers_have_exactly_the_zeros_that_were_due(small_model):
    targets = {"conv1": 0.25, "fire2/expand3x3": 0.9, "conv10": 0.0}
    before = kernels.read_kernels(small_model)
    wrapped = pruning.wrap(small_model, targets, steps=6)
    small_chain.train_steps(wrapped, 6)
    weights = pruning.strip(wrapped, targets)
    for name, kernel in before.items():
        zeros = np.count_nonzero(weights[name][0] == 0)
        assert zeros == kernels.zeros_due(kernel.size, targets.get(name, 0) or 1e-9), name
        assert not np.array_equal(weights[name][0], kernel), f"{name} was not trained"
    assert kernels.zeros_due(before["fire2/expand3x3"].size, 0.9) == 259


def test_of_equally_large_weights_as_many_as_due_become_zero(small_model):
    """TF-MOT keeps all that are as large as the threshold, of dead float16 weights for example."""
    layer = small_model.get_layer("fire2/expand3x3")
    kernel, *rest = layer.get_weights()
    order = np.argsort(np.abs(kernel), axis=None)
    due = kernels.zeros_due(kernel.size, 0.9)
    tied = kernel.ravel()
    tied[order[due - 2 : due + 1]] = np.abs(tied[order[due]])  # two of these three must go
    layer.set_weights([tied.reshape(kernel.shape), *rest])
    targets = {"fire2/expand3x3": 0.9}
    wrapped = pruning.wrap(small_model, targets, steps=6)
    for pruned in tfmot.collect_prunable_layers(wrapped):
        pruned.pruning_step.assign(pruning.schedule(0.9, 6).end_step)
        pruned.pruning_obj.conditional_mask_update()
    kept = np.count_nonzero(tfmot.strip_pruning(wrapped).get_layer("fire2/expand3x3").kernel)
    assert kept > kernel.size - kernels.zeros_due(kernel.size, 0.9)
    weights = pruning.strip(wrapped, targets)
    kernels.check_sparsity({name: arrays[0] for name, arrays in weights.items()}, targets)
    zeros = np.count_nonzero(weights["fire2/expand3x3"][0] == 0)
    assert zeros == kernels.zeros_due(kernel.size, 0.9)


def test_the_ramp_goes_on_where_a_killed_run_was(small_model):
    """Users of TF-MOT lose the step on resume (tensorflow/model-optimization#603)."""
    wrapped = pruning.wrap(small_model, {"conv1": 0.5}, steps=10)
    small_chain.train_steps(wrapped, 4)
    stored = [variable.numpy() for variable in wrapped.variables]
    step = next(v for v in wrapped.variables if "pruning_step" in v.name)
    assert step.numpy() == 4
    again = pruning.wrap(small_model, {"conv1": 0.5}, steps=10)
    for variable, value in zip(again.variables, stored, strict=True):
        variable.assign(value)
    small_chain.train_steps(again, 1)
    assert next(v for v in again.variables if "pruning_step" in v.name).numpy() == 5


def test_a_kernel_is_never_emptied():
    assert kernels.zeros_due(10, 0.999) == 9
    assert kernels.zeros_due(1000, 0.6) == 600
