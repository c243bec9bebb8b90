"""The table of the Deep Compression paper for any run, from bytes that were really written.

Han, Mao and Dally 2016, tables 4 and 5: by layer the weights, the share that
is not zero, the bits of a code and of an index, and the size before and after
Huffman coding; beside them our coder and what no order-0 coder can beat.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from sqzkit.base import tables
from sqzkit.coding import deep_compression
from sqzkit.coding.deep_compression import LayerAccount

MOST_VALUES = 255
INDEX_WIDTHS = (4, 8)
TITLES = {
    "name": "layer",
    "weights": "weights",
    "density": "density",
    "distinct": "values",
    "code_bits": "bits of a code",
    "index_bits": "bits of an index",
    "code_bytes": "codes",
    "index_bytes": "indices",
    "codebook_bytes": "codebook",
    "huffman_bytes": "after Huffman",
    "coder_bytes": "our coder",
    "entropy_bytes": "order-0 entropy",
}
_AVERAGED = ("code_bits", "index_bits")


def measure(name: str, kernel: np.ndarray, integers: np.ndarray) -> LayerAccount:
    """Encode one layer in every way and count the bytes.

    Of 4- and 8-bit indices the smaller is taken, as in the paper.
    Args:
      name: of the layer.
      kernel: float32 [h, w, in, out] or [in, out].
      integers: the same kernel as the int8 file holds it; encoded instead
        where `kernel` has more values than a codebook.
    """
    few = np.unique(kernel[kernel != 0]).size <= MOST_VALUES
    outputs_first = np.moveaxis(kernel if few else integers, -1, 0)
    values = np.ascontiguousarray(outputs_first)
    accounts = [deep_compression.account(name, values, width) for width in INDEX_WIDTHS]
    return min(accounts, key=lambda account: account.huffman_bytes)


def total(rows: Sequence[LayerAccount]) -> LayerAccount:
    """Return the last row: sums, and bits as the average over the entries."""
    entries = max(1, sum(row.entries for row in rows))
    sums = {
        field.name: sum(getattr(row, field.name) for row in rows)
        for field in dataclasses.fields(LayerAccount)
        if field.name != "name"
    }
    for field in _AVERAGED:
        sums[field] = sum(getattr(row, field) * row.entries for row in rows) / entries
    sums["density"] = sums["nonzero"] / max(1, sums["weights"])
    sums["distinct"] = max(row.distinct for row in rows)
    return LayerAccount(name="total", **sums)


def to_json(row: LayerAccount) -> dict[str, Any]:
    """Return the columns of a row as JSON-ready values; sizes in bytes, density 0..1."""
    return {column: getattr(row, column) for column in TITLES}


def to_csv(rows: Sequence[LayerAccount]) -> str:
    """Return the table as CSV, with field names as titles; sizes in bytes, density 0..1."""
    return tables.to_csv([to_json(row) for row in rows])


def to_markdown(rows: Sequence[LayerAccount]) -> str:
    """Return the table as Markdown; sizes in bytes."""
    return tables.to_markdown(
        [{TITLES[name]: _cell(name, value) for name, value in to_json(row).items()} for row in rows]
    )


def _cell(name: str, value: Any) -> str:
    if name == "density":
        return f"{100 * value:.1f} %"
    if name in _AVERAGED:
        return f"{value:.1f}"
    return value if isinstance(value, str) else f"{value:,.0f}"
