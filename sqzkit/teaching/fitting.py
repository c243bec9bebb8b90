"""From sums to a classifier: a linear discriminant with ridge regularization, in closed form.

Classes share one covariance and count equally, however many photographs each has. Compared with
ridge regression on class indicators, of which it is the optimal scoring (Hastie, Buja and
Tibshirani, 1995, Penalized Discriminant Analysis), it needs the same sums and one solve too,
and docs/teaching.md measures both.
"""

import dataclasses

import numpy as np

from sqzkit.teaching import linear
from sqzkit.teaching.sums import Sums
from sqzkit.tflite.classifier import softmax

STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
DEFAULT_STRENGTH = 4  # its number, where no photograph can be left out
TEMPERATURES = tuple(2.0 ** (step / 4) for step in range(-8, 41))
# How wide the distribution of "none of these" is taken to be: its share of the classes' precision.
BACKGROUND = 0.9
FALSE_ALARMS = 0.05
_EQUAL = 1e-9  # losses that differ by less are equal: rounding must not decide
# Of the features' mean size: added to each one's, so that features that were 0 get a ridge too.
_FLOOR = 0.1


@dataclasses.dataclass(frozen=True)
class Choice:
    """What left-out photographs decide.

    Attributes:
      strength: number of the ridge strength in `STRENGTHS`.
      temperature: divides the scores, so that probabilities are calibrated.
      threshold: evidence above it means "none of these"; infinite: never.
    """

    strength: int = DEFAULT_STRENGTH
    temperature: float = 1.0
    threshold: float = float("inf")


@dataclasses.dataclass(frozen=True)
class Discriminant:
    """A linear classifier of features.

    Attributes:
      coefficients: float64 [classes, d], for features as they are (int16).
      biases: float64 [classes].
      mean: float64 [d], the mean of the classes' means.
      factor: float64 [d, d], lower triangular: L of the regularized covariance L L^T.
    """

    coefficients: np.ndarray
    biases: np.ndarray
    mean: np.ndarray
    factor: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Return float64 [N, classes] for features [N, d]: the logarithm of the likelihood."""
        return np.asarray(features @ self.coefficients.T + self.biases)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Return the squared Mahalanobis distance to `mean`, float64 [N]."""
        white = np.linalg.solve(np.tril(self.factor), (features - self.mean).T)
        return np.asarray((white**2).sum(0))


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a head says of photographs.

    Attributes:
      scores: float64 [N, classes].
      labels: int [N], the true classes.
      evidence: float64 [N], for "none of these".
    """

    scores: np.ndarray
    labels: np.ndarray
    evidence: np.ndarray

    @property
    def top1(self) -> float:
        """Share of right first answers."""
        return float((self.scores.argmax(1) == self.labels).mean())

    def confusion(self) -> np.ndarray:
        """Return how many photographs of each class (row) got each answer (column)."""
        size = self.scores.shape[1]
        pairs = self.labels * size + self.scores.argmax(1)
        return np.bincount(pairs, minlength=size * size).reshape(size, size)

    def calibration(self) -> tuple[float, float]:
        """Return the least cross-entropy at a temperature, summed over the classes, and that one.

        A class's cross-entropy is the mean over its photographs.
        """
        weights = 1 / np.bincount(self.labels)[self.labels]
        rows = np.arange(len(self.labels))
        below = self.scores - self.scores.max(1, keepdims=True)

        def loss(temperature: float) -> float:
            scaled = below / temperature
            logs = scaled[rows, self.labels] - np.log(np.exp(scaled).sum(1))
            return -float((weights * logs).sum())

        return min((loss(temperature), temperature) for temperature in TEMPERATURES)


def discriminant(sums: Sums, strength: float) -> Discriminant:
    """Return the classifier of sums, the same bits on every machine.

    Args:
      sums: of one class or more, none of them empty.
      strength: share of the ridge in the covariance, above 0 and at most 1.

    Raises:
      FormatError: the sums are of no photographs.
    """
    means, mean, covariance = _moments(sums, strength)
    factor = linear.cholesky(covariance)
    centred = means - mean
    coefficients = linear.backward(factor, linear.forward(factor, centred.T)).T
    biases = -0.5 * linear.total(centred * coefficients) - linear.total(coefficients * mean)
    return Discriminant(coefficients, biases, mean, factor)


def evidence(scores: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return how much speaks for "none of these", float64 [N]: a log likelihood ratio.

    The best class is compared with a wider Gaussian about the mean of all classes.
    """
    return np.asarray((1 - BACKGROUND) * distances - 2 * scores.max(-1))


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return float64 [N, classes], which sum to 1."""
    return softmax(scores / temperature)


def choose(sums: Sums, features: np.ndarray, labels: np.ndarray) -> Choice:
    """Return strength, temperature and threshold from the photographs left out in turn.

    Args:
      sums: over all photographs.
      features: int16 [N, d], the photographs to leave out; `sums` may have more.
      labels: int [N].
    """
    best, least = Choice(), float("inf")
    for number in reversed(range(len(STRENGTHS))):  # of equals, the stronger one
        left = leave_one_out(sums, features, labels, STRENGTHS[number])
        if not len(left.labels):
            return Choice()
        loss, temperature = left.calibration()
        if loss < least - _EQUAL:
            best, least = Choice(number, temperature, _threshold(left)), loss
    return best


def leave_one_out(sums: Sums, features: np.ndarray, labels: np.ndarray, strength: float) -> Answers:
    """Return what a head taught without each photograph says of it, without teaching it again.

    A photograph changes the covariance by a matrix of rank one (Sherman and Morrison). The
    ridge and the number of photographs are held. Those alone in their class are left out of it.
    """
    means, mean, covariance = _moments(sums, strength)
    classes, rest = len(means), max(int(sums.counts.sum()) - len(means), 1)
    counts = sums.counts[labels].astype(np.float64)
    several = counts > 1
    labels, counts = labels[several], counts[several]
    centred = features[several] - mean
    offset = centred - (means - mean)[labels]  # u: from the class's mean
    both = np.linalg.solve(covariance, np.concatenate([offset, means - mean]).T).T
    solved, solved_means = both[: len(offset)], both[len(offset) :]
    own = (offset * solved).sum(1)
    ratio = counts / (counts - 1)
    weight = (1 - strength) / rest * ratio
    gain = weight / np.maximum(1 - weight * own, 1e-12)
    towards = (centred * solved).sum(1)
    norms = ((means - mean) * solved_means).sum(1)
    plain = (centred * (solved + solved_means[labels])).sum(1)
    to_class = plain[:, None] - 2 * centred @ solved_means.T + norms
    to_class += gain[:, None] * (towards[:, None] - solved @ (means - mean).T) ** 2
    to_class[np.arange(len(labels)), labels] = ratio**2 * (own + gain * own**2)
    step = 1 / ((counts - 1) * classes)  # how far the mean of the means moves, in offsets
    to_mean = plain + 2 * step * towards + step**2 * own
    to_mean += gain * (towards + step * own) ** 2
    scores = (to_mean[:, None] - to_class) / 2
    return Answers(scores, labels, evidence(scores, to_mean))


def scatter(sums: Sums) -> np.ndarray:
    """Return the sum over all photographs of offset times offset from the class's mean."""
    within = sums.gram.astype(np.float64)
    for count, vector in zip(sums.counts, sums.sums.astype(np.float64), strict=True):
        within -= vector[:, None] * vector / float(count)
    return within


def _moments(sums: Sums, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the classes' means, their mean and the regularized covariance."""
    counts = sums.counts.astype(np.float64)
    totals = sums.sums.astype(np.float64)
    means = totals / counts[:, None]
    mean = linear.total(means.T) / len(means)
    within = scatter(sums)
    size, rest = len(within), max(int(sums.counts.sum()) - len(means), 1)
    covariance = within * ((1 - strength) / rest)
    covariance[np.diag_indices(size)] += strength * _ridge(np.diagonal(within), means, mean, rest)
    return means, mean, covariance


def _ridge(variances: np.ndarray, means: np.ndarray, mean: np.ndarray, rest: int) -> np.ndarray:
    """Return what is added to each feature's variance, float64 [d], at a strength of 1.

    It grows with the root of the feature's mean size, as the spread of features of a ReLU does.
    The variances are `rest` (degrees of freedom) times too large.
    """
    sizes = np.abs(mean)
    roots = np.sqrt(sizes + _FLOOR * (linear.total(sizes) / len(sizes)))
    if roots[0] > 0:
        share = float(linear.total(variances / roots)) / (len(mean) * rest)
        if share > 0:
            return np.asarray(roots * share)
    # One photograph of each class, or copies: how far the classes are apart.
    apart = float(linear.total(linear.total((means - mean) ** 2))) / means.size
    return np.full(len(mean), apart if apart > 0 else 1.0)


def alarm_rate(count: int) -> float:
    """Return the share of new photographs that the threshold takes for "none of these".

    It is `FALSE_ALARMS` or a little less, but 1 in `count` + 1 where even that is more; 0 of
    none. The threshold was chosen by `count` left-out photographs.
    """
    return _beyond(count) / (count + 1) if count else 0.0


def _beyond(count: int) -> int:
    """Return the rank of the threshold among left-out photographs, 1 for the largest evidence."""
    return max(1, int(FALSE_ALARMS * (count + 1)))


def _threshold(left: Answers) -> float:
    """Return the evidence that the share `alarm_rate` of new photographs exceeds.

    A new photograph is as likely to rank anywhere among the left-out ones, so it counts as one more
    (split conformal prediction).
    """
    ordered = np.sort(left.evidence)
    return float(ordered[-_beyond(len(ordered))])
