"""How TensorFlow shares few processors out between the operations of a step."""

import os

import tensorflow as tf

SMALL = 64  # pixels: measured up to here it gains, from 96 on it loses (docs/training.md)
ENVIRONMENT = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def share_processors(image_size: int) -> None:
    """Run two operations at once, each on one processor, where that is faster than each on both.

    It is for small images on two processors: an operation is over sooner than its halves have
    been handed out, and the gradients of a layer's kernel and of its input do not wait for each
    other. Everywhere else TensorFlow's own choice stays, as it does where the environment names
    one, where a GPU does the work, or where TensorFlow has run something already.

    Args:
      image_size: side of the network's input, pixels.
    """
    if image_size > SMALL or processors() != 2 or any(name in os.environ for name in ENVIRONMENT):
        return
    if tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)
    except RuntimeError:  # the process computes already: faster is all that this would be
        return


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
