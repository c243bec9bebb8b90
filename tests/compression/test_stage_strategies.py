"""Every stage's step is one that XLA compiles, as a TPU needs it."""

import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.compression import kernels, stages
from sqzkit.models import registry
from sqzkit.training import optimization, steps
from sqzkit.training.options import FitOptions
from tests import thorough
from tests.compression import small_chain

FIT = FitOptions(epochs=2, batch_size=16)


def start(pruned, **changes):
    network = small_chain.small_spec(normalization="none", dropout=0.0)
    keras.utils.set_random_seed(0)
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    for layer in kernels.weighted_layers(model) if pruned else ():
        kernel = layer.kernel.numpy()
        kernel[np.abs(kernel) < np.median(np.abs(kernel))] = 0
        layer.kernel.assign(kernel)
    config = small_chain.quick_config(**changes)
    return stages.Start(model, network.to_json(), FIT, steps_per_epoch=6, config=config)


def prune():
    begun = start(pruned=False)
    return stages.prune(begun, dict.fromkeys(kernels.layer_names(begun.model), 0.5))


def cluster(codebook):
    return stages.cluster(start(pruned=True, codebook=codebook))


STAGES = {
    "prune": prune,
    "cluster": lambda: cluster("linear"),
    "cluster on a grid": lambda: cluster("uniform"),
    "quantize": lambda: stages.quantize(start(pruned=True), {}, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", thorough.pick(["cluster on a grid", "quantize"], STAGES))
def test_xla_compiles_the_step_of_a_stage(name, any_kernel):
    pixels, labels = small_chain.images(16, 0)
    images, labels = tf.constant(pixels / 255.0, tf.float32), tf.constant(labels, tf.int32)
    losses = []
    for compiled in (False, True):
        stage = STAGES[name]()
        optimizer = optimization.build_optimizer(stage.options, stage.model.trainable_variables)
        loss = steps.smoothed_cross_entropy(small_chain.CLASSES, 0.0)
        strategy = tf.distribute.get_strategy()
        stepper = steps.Stepper(stage.model, optimizer, stage.options, loss, strategy)
        step = tf.function(stepper._replica_step, jit_compile=compiled)
        losses.append([step(images, labels).numpy()[0] for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
