"""A head that stays near an older one: logistic regression with an L1 pull towards its weights.

Each weight costs its distance from the old one, so that most keep their value exactly; the columns
of new classes start at zero. The strength of the pull is the largest one whose loss on the
validation split is not higher than the best by more than a standard error. Solved by FISTA (Beck
and Teboulle, 2009) on features with unit deviation.
"""

import math

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.models.transfer import HEAD
from sqzkit.tflite.classifier import softmax
from sqzkit.training.features import Features, compute, of_split
from sqzkit.training.fit import StageFit

PULLS = tuple(10.0 ** (-power / 2) for power in range(2, 11))  # strongest first
ITERATIONS = 300


def fit_to_stage(model: keras.Model, stage: StageFit, new: np.ndarray) -> None:
    """Fit `conv10`, which has the old weights, to the data of a stage.

    Args:
      model: the network, its head neither padded nor rectified.
      stage: its training split is fitted, and its validation split chooses the pull.
      new: which classes are new, bool [classes].

    Raises:
      RunError: too many photographs cannot be decoded, or the folder cannot be written.
    """
    dataset, record = stage.dataset, stage.preprocessing
    identity = str(stage.config["base"]["weights_sha256"])
    train = compute(model, dataset, record, stage.folder, identity)
    held_out = of_split(model, dataset, "validation", record)
    layer = model.get_layer(HEAD)
    kernel, bias = layer.get_weights()
    found, offset, pull = choose(train, held_out, kernel[0, 0], bias, new)
    moved = int(np.count_nonzero(found[:, ~new] != kernel[0, 0][:, ~new]))
    print(f"head: pull {pull:.1e}, {moved:,} weights of old classes moved", flush=True)
    layer.set_weights([found.reshape(kernel.shape), offset])


def choose(
    train: Features, held_out: Features, kernel: np.ndarray, bias: np.ndarray, new: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return kernel, bias and the pull that they were found with.

    Args:
      train: what to fit.
      held_out: what chooses the pull.
      kernel: float32 [channels, classes], the old one. What is zero of old classes stays so.
      bias: float32 [classes].
      new: which classes are new, bool [classes].
    """
    problem = _Problem(train, kernel, bias, new)
    found, losses = [], []
    for pull in PULLS:
        found.append(problem.solve(pull))
        losses.append(_losses(held_out.values @ found[-1][0] + found[-1][1], held_out.labels))
    means = [loss.mean() for loss in losses]
    best = int(np.argmin(means))
    error = losses[best].std() / math.sqrt(len(losses[best]))
    chosen = next(i for i, mean in enumerate(means) if mean <= means[best] + error)
    return *found[chosen], PULLS[chosen]


class _Problem:
    """The regression for falling pulls, each started from the solution before it."""

    def __init__(
        self, train: Features, kernel: np.ndarray, bias: np.ndarray, new: np.ndarray
    ) -> None:
        values = np.concatenate([train.values, train.mirrored])
        self._mean = values.mean(axis=0)
        deviation = values.std(axis=0)
        self._scale = deviation + max(float(deviation.mean()), 1e-6)
        self._values = (values - self._mean) / self._scale
        self._truth = np.eye(len(bias), dtype=np.float32)[np.resize(train.labels, len(values))]
        self._kernel, self._movable = kernel, (kernel != 0) | new
        self._old = kernel * self._scale[:, None]
        self._now = self._old.copy(), bias + self._mean @ kernel
        spectrum = np.linalg.norm(self._values.T @ self._values / len(values), 2)
        self._step = np.float32(2 / (spectrum + 1))  # 1: the bias's constant input

    def solve(self, pull: float) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel [channels, classes] and bias [classes], float32, for features as given."""
        (kernel, bias), momentum = self._now, 1.0
        ahead = kernel, bias
        for _ in range(ITERATIONS):
            logits = self._values @ ahead[0] + ahead[1]
            error = (softmax(logits) - self._truth) / np.float32(len(logits))
            moved = ahead[0] - self._step * (self._values.T @ error) - self._old
            size = np.maximum(np.abs(moved) - self._step * np.float32(pull), 0)
            shrunk = np.sign(moved) * size * self._movable
            last, momentum_before = (kernel, bias), momentum
            kernel, bias = (
                self._old + shrunk * self._movable,
                ahead[1] - self._step * error.sum(axis=0),
            )
            momentum = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            weight = np.float32((momentum_before - 1) / momentum)
            ahead = kernel + weight * (kernel - last[0]), bias + weight * (bias - last[1])
        self._now = kernel, bias
        # Exactly the old weight where it did not move: scaling there and back would round it.
        unscaled = np.where(kernel == self._old, self._kernel, kernel / self._scale[:, None])
        return unscaled.astype(np.float32), (bias - self._mean @ unscaled).astype(np.float32)


def _losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    truth = softmax(logits.astype(np.float64))[np.arange(len(labels)), labels]
    return -np.log(np.maximum(truth, 1e-12))
