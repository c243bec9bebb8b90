"""Contender: training by the `tf.function` that TensorFlow's guides show, nothing around it."""

import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import contender, graph
from benchmarks.networks import training_network
from sqzkit.base.keras import keras

RATE, DECAY = 1e-3, 0.01


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Build the network and take one epoch to warm up.

    Args:
      settings: "graph" and "data" (paths), "batch", "threads", "xla" (bool).
    """
    tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
    if "inter" in settings:
        tf.config.threading.set_inter_op_parallelism_threads(settings["inter"])
    with np.load(settings["data"]) as stored:
        images, labels = tf.constant(stored["normalized"]), tf.constant(stored["labels"])
    model = training_network(graph.load(settings["graph"]))
    batch, count = settings["batch"], len(labels)
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    answer = {"loss": float(criterion(labels[:batch], model(images[:batch], training=False)))}
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, jit_compile=settings["xla"])

    @tf.function(jit_compile=settings["xla"])
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = criterion(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    clock = contender.clock(settings["threads"])

    def measure() -> contender.Answer:
        started = clock()
        order = np.random.default_rng(1).permutation(count)
        total = 0.0
        for first in range(0, count, batch):
            chosen = order[first : first + batch]
            total += float(step(tf.gather(images, chosen), tf.gather(labels, chosen)))
        seconds = clock() - started
        return {"images_per_second": count / seconds, "loss": total * batch / count}

    started = time.monotonic()
    measure()
    return {**answer, "first_epoch_s": time.monotonic() - started}, measure


if __name__ == "__main__":
    contender.serve(prepare)
