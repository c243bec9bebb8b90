"""Compressed sparse rows, the other storage of Deep Compression (section 2)."""

import dataclasses

import numpy as np

from sqzkit.base.errors import FormatError


@dataclasses.dataclass(frozen=True)
class SparseRows:
    """A sparse matrix.

    Attributes:
      values: [m], the non-zero elements row by row.
      columns: uint32 [m], ascending within each row.
      starts: uint32 [rows + 1], where each row's elements begin.
      width: columns of the matrix.
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    width: int


def encode(matrix: np.ndarray) -> SparseRows:
    """Return `matrix` [rows, columns] without its zeros."""
    rows, columns = np.nonzero(matrix)
    counts = np.bincount(rows, minlength=len(matrix))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    return SparseRows(matrix[rows, columns], columns.astype(np.uint32), starts, matrix.shape[1])


def decode(sparse: SparseRows) -> np.ndarray:
    """Return the matrix; raise `FormatError` if the record contradicts itself."""
    starts = sparse.starts.astype(np.int64)
    total = len(sparse.values)
    whole = len(starts) > 0 and starts[0] == 0 and starts[-1] == total
    if not whole or (np.diff(starts) < 0).any() or len(sparse.columns) != total:
        raise FormatError(f"sparse rows whose starts do not divide {total} elements")
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    columns = sparse.columns.astype(np.int64)
    if total and columns.max() >= sparse.width:
        raise FormatError(f"column {int(columns.max())} in rows of {sparse.width}")
    places = rows * sparse.width + columns
    if (np.diff(places) <= 0).any():
        raise FormatError("sparse rows whose columns do not ascend")
    dense = np.zeros((len(starts) - 1) * sparse.width, sparse.values.dtype)
    dense[places] = sparse.values
    return dense.reshape(len(starts) - 1, sparse.width)


def size_in_bytes(sparse: SparseRows, value_bits: int) -> int:
    """Return what it takes with values of `value_bits` and 2- or 4-byte columns and starts."""
    column = 2 if sparse.width <= 1 << 16 else 4
    start = 2 if len(sparse.values) < 1 << 16 else 4
    values = -(-len(sparse.values) * value_bits // 8)
    return values + column * len(sparse.columns) + start * len(sparse.starts)
