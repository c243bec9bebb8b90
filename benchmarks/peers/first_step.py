"""How long until the first training step is done: of train.py, or of TensorFlow alone.

    python -m benchmarks.peers.first_step sqzkit --model_dir=DIR [train.py's flags]
    python -m benchmarks.peers.first_step bare

Ends the process as soon as the step's loss is known.
"""

import os
import sys


def sqzkit_step() -> None:
    """Run train.py until its first step."""
    from sqzkit.programs import cli, train
    from sqzkit.training import steps

    def first(sums: steps.EpochSums, step: object) -> None:
        print(float(step.numpy()[0]), flush=True)  # type: ignore[attr-defined]
        os._exit(0)

    steps.EpochSums.add = first  # type: ignore[method-assign,assignment]
    sys.argv = ["train.py", *sys.argv[2:]]
    cli.run(train.PROGRAM)


def bare_step() -> None:
    """Build the same network and take one step in a `tf.function` on made-up pictures."""
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from benchmarks.networks import DIGITS_SIDE, digits_network

    model = digits_network()
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(1e-3, jit_compile=False)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = criterion(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    images = np.zeros((32, DIGITS_SIDE, DIGITS_SIDE, 3), np.float32)
    print(float(step(images, np.zeros(32, np.int32))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "sqzkit":
        sqzkit_step()
    else:
        bare_step()
