"""Round a kernel to int8 where it changes the output least for the bits it costs.

Rounding each weight to the nearest step minimizes the error of the weights,
not of the output. With H the mean of x x^T over the layer's inputs x, the
output of one filter changes by e^T H e for weight errors e; `round_filters`
minimizes, filter by filter,

    gain / 2 * e^T H e + price * bits(q),    e = w - step * q.

It decides the weights one after the other, each error compensated by those
still undecided (Frantar et al., "GPTQ", 2022, in the equivalent form of
Babai's nearest plane), then improves single decisions until none pays. Weights
that are zero stay zero.
"""

import numba
import numpy as np

from sqzkit.base import jit

Array = np.ndarray
MAX_LEVEL = 127  # int8 kernels are symmetric: -127..127
MAX_MOVE = 255  # of a level from an older one, which may be -128 in another maker's file
SWEEPS = 4
_FAR = 2.0  # steps from the older level beyond which a weight starts at its own nearest one
_SAMPLE = 8  # filters, to estimate a layer by
_TRUST = 0.9  # weight of the counted values against the smooth law


def round_filters(
    filters: Array,
    step: float,
    moments: Array,
    gains: Array,
    price: float,
    bits: Array,
) -> Array:
    """Return int8 multiples [O, D] of `step` for the filters of one layer; zero wherever those are.

    Args:
      filters: float32 [O, D], one filter per row.
      step: the size of one int8 step, positive.
      moments: float64 [D, D], E[x x^T], positive definite.
      gains: float64 [O], what one unit of squared output error costs.
      price: what one bit costs, in the same unit; 0 for the least error.
      bits: float64 [255], bits to store -127..127.
    """
    scaled = np.ascontiguousarray(filters, np.float64) / step
    costs = np.asarray(gains, np.float64) * step * step
    return _round_all(scaled, np.ascontiguousarray(moments), costs, float(price), bits)


def settle_filters(
    filters: Array,
    step: float,
    moments: Array,
    gains: Array,
    price: float,
    bits: Array,
    older: Array,
) -> Array:
    """Return int8 multiples [O, D] of `step` that cost little given the older ones.

    Each filter starts from `older`, int8 [O, D], and single weights are changed while that lowers
    the cost. `bits`, float64 [511], are those of a difference of -255..255 from the older level.
    The rest is as for `round_filters`.
    """
    scaled = np.ascontiguousarray(filters, np.float64) / step
    costs = np.asarray(gains, np.float64) * step * step
    start = np.ascontiguousarray(older, np.int64)
    return _settle_all(scaled, np.ascontiguousarray(moments), costs, float(price), bits, start)


def retarget(filters: Array, moments: Array, crossed: Array) -> Array:
    """Return the filters that, reading disturbed inputs, best give the undisturbed outputs.

    The least-squares solution for each filter over its own nonzero weights: float64 [O, D].

    Args:
      filters: float [O, D].
      moments: float64 [D, D], E[y y^T] of the disturbed inputs y, positive definite.
      crossed: float64 [D, D], E[y x^T] with the undisturbed inputs x.
    """
    rows = np.ascontiguousarray(filters, np.float64)
    return _retarget_all(rows, np.ascontiguousarray(moments), rows @ crossed.T)


def conditional_log_variance(filters: Array, moments: Array) -> float:
    """Return the mean log of what a weight's error still costs once the others adapt.

    The squared Cholesky diagonal of `moments` over a filter's nonzero weights,
    of `_SAMPLE` filters spread over the layer.
    """
    chosen = filters[np.linspace(0, len(filters) - 1, min(_SAMPLE, len(filters))).astype(int)]
    logs = []
    whole = _shared_factor(chosen, moments)
    for row in chosen:
        kept = np.nonzero(row)[0]
        if kept.size:
            logs.append(2 * np.log(np.diag(_factor(moments, kept, whole))))
    return float(np.concatenate(logs).mean()) if logs else 0.0


@jit.compiled(parallel=True)
def _retarget_all(filters: Array, moments: Array, targets: Array) -> Array:
    result = np.zeros(filters.shape)
    whole = _shared_factor(filters, moments)
    for row in numba.prange(filters.shape[0]):
        kept = np.nonzero(filters[row])[0]
        if kept.size:
            solution = _solve(_factor(moments, kept, whole), targets[row][kept])
            for i in range(kept.size):
                result[row, kept[i]] = solution[i]
    return result


@jit.compiled(parallel=True)
def _round_all(filters: Array, moments: Array, gains: Array, price: float, bits: Array) -> Array:
    rounded = np.zeros(filters.shape, np.int8)
    whole = _shared_factor(filters, moments)
    for row in numba.prange(filters.shape[0]):
        kept = np.nonzero(filters[row])[0]
        if kept.size:
            local = _submatrix(moments, kept)
            weights = filters[row][kept]
            price_here = price / max(gains[row], 1e-300)
            levels = _nearest_plane(weights, _factor(moments, kept, whole), price_here, bits)
            _improve(weights, levels, local, price_here, bits, np.zeros(kept.size, np.int64))
            for i in range(kept.size):
                rounded[row, kept[i]] = levels[i]
    return rounded


@jit.compiled(parallel=True)
def _settle_all(
    filters: Array, moments: Array, gains: Array, price: float, bits: Array, older: Array
) -> Array:
    rounded = np.zeros(filters.shape, np.int8)
    for row in numba.prange(filters.shape[0]):
        kept = np.nonzero(filters[row])[0]
        if kept.size:
            local = _submatrix(moments, kept)
            weights, before = filters[row][kept], older[row][kept]
            levels = before.copy()
            for i in range(kept.size):
                if abs(weights[i] - before[i]) > _FAR:
                    levels[i] = min(max(int(np.rint(weights[i])), -MAX_LEVEL), MAX_LEVEL)
            price_here = price / max(gains[row], 1e-300)
            _improve(weights, levels, local, price_here, bits, before)
            for i in range(kept.size):
                rounded[row, kept[i]] = levels[i]
    return rounded


@jit.compiled()
def _submatrix(matrix: Array, kept: Array) -> Array:
    local = np.empty((kept.size, kept.size))
    for i in range(kept.size):
        for j in range(kept.size):
            local[i, j] = matrix[kept[i], kept[j]]
    return local


@jit.compiled()
def _shared_factor(filters: Array, moments: Array) -> Array:
    """Return L with L L^T = `moments` if a filter has no zeros, else an empty matrix.

    In a network that was never pruned all filters share it.
    """
    for row in range(filters.shape[0]):
        if np.count_nonzero(filters[row]) == filters.shape[1]:
            return _cholesky(moments)
    return np.zeros((0, 0))


@jit.compiled()
def _factor(moments: Array, kept: Array, whole: Array) -> Array:
    """Return L with L L^T = `moments` of the kept weights; `whole` is that of all."""
    return whole if kept.size == whole.shape[0] else _cholesky(_submatrix(moments, kept))


@jit.compiled()
def _nearest_plane(weights: Array, lower: Array, price: float, bits: Array) -> Array:
    """Decide from the last weight to the first; each knows the errors already made.

    `lower` is L with L L^T = the moments.
    """
    pending = np.zeros(weights.size)  # lower^T errors, of the errors made so far
    levels = np.zeros(weights.size, np.int64)
    for i in range(weights.size - 1, -1, -1):
        target = weights[i] + pending[i] / lower[i, i]
        levels[i] = _cheapest(target, 0.5 * lower[i, i] ** 2, price, bits)
        pending[:i] += lower[i, :i] * (weights[i] - levels[i])
    return levels


@jit.compiled()
def _cholesky(matrix: Array) -> Array:
    """Return L with L L^T = `matrix`; our own, because LAPACK's threads fight prange's."""
    lower = np.zeros(matrix.shape)
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(max(total, 1e-30)) if i == j else total / lower[j, j]
    return lower


@jit.compiled()
def _cheapest(target: float, gain: float, price: float, bits: Array) -> int:
    """Return the level with the least distortion plus rate: floor, ceiling, one nearer 0, or 0."""
    low = int(np.floor(target))
    best, best_cost = 0, gain * target * target + price * bits[MAX_LEVEL]
    for near in (low - 1, low, low + 1, low + 2):
        level = min(max(near, -MAX_LEVEL), MAX_LEVEL)
        cost = gain * (target - level) ** 2 + price * bits[level + MAX_LEVEL]
        if cost < best_cost:
            best, best_cost = level, cost
    return best


@jit.compiled()
def _improve(
    weights: Array, levels: Array, moments: Array, price: float, bits: Array, cheap: Array
) -> None:
    """Change single levels by one, to the best, or to `cheap`, while that lowers the cost.

    `bits` are those of a level less `cheap`; the middle one is of no difference.
    """
    slopes = moments @ (weights - levels)
    middle = bits.size // 2
    for _ in range(SWEEPS):
        changes = 0
        for i in range(weights.size):
            old = levels[i]
            best, best_cost = old, -1e-12
            for level in (old - 1, old + 1, cheap[i]):
                if level == old or abs(level) > MAX_LEVEL:
                    continue
                move = level - old
                cost = 0.5 * move * move * moments[i, i] - move * slopes[i]
                change = bits[level - cheap[i] + middle] - bits[old - cheap[i] + middle]
                cost += price * change
                if cost < best_cost:
                    best, best_cost = level, cost
            if best != old:
                slopes -= (best - old) * moments[i]  # symmetric
                levels[i] = best
                changes += 1
        if not changes:
            break


@jit.compiled()
def _solve(lower: Array, target: Array) -> Array:
    """Return x with L L^T x = `target`."""
    solution = target.copy()
    for i in range(solution.size):
        for k in range(i):
            solution[i] -= lower[i, k] * solution[k]
        solution[i] /= lower[i, i]
    for i in range(solution.size - 1, -1, -1):
        for k in range(i + 1, solution.size):
            solution[i] -= lower[k, i] * solution[k]
        solution[i] /= lower[i, i]
    return solution


def bits_by_level(levels: Array, largest: int = MAX_LEVEL) -> Array:
    """Return float64: bits to store -largest..largest in a layer like `levels`, of any shape.

    The archive's coder adapts to each layer, so a value costs about its information
    in that layer: -log2 of how often it occurs. Single values are smoothed by a
    geometric law, because a value that occurs twice in a small layer says little.
    """
    sizes = np.abs(np.asarray(levels, np.int64)).ravel()
    counts = np.bincount(sizes, minlength=largest + 1).astype(np.float64)
    nonzero = counts[1:].sum()
    mean = max((counts[1:] * np.arange(1, largest + 1)).sum() / max(nonzero, 1.0), 1.02)
    law = (1 - 1 / mean) ** np.arange(largest)
    smooth = law / law.sum() * nonzero
    counts = np.concatenate([[counts[0] + 1], _TRUST * counts[1:] + (1 - _TRUST) * smooth + 1e-3])
    bits = -np.log2(counts / counts.sum())
    bits[1:] += 1  # the sign
    return np.concatenate([bits[:0:-1], bits])
