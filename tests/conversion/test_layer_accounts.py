import csv
import io

import numpy as np
import pytest

from sqzkit.coding import deep_compression
from sqzkit.conversion import stage_summary


@pytest.fixture
def clustered():
    generator = np.random.default_rng(0)
    kernel = generator.choice([-0.5, 0.25, 0.75], (3, 3, 16, 32)).astype(np.float32)
    kernel[..., ::2] = 0  # whole filters, so that the order of the axes shows
    return kernel * (generator.random(kernel.shape) < 0.2)


def test_a_clustered_layer_is_measured_as_it_is(clustered):
    row = stage_summary.measure("fire2/expand3x3", clustered, np.zeros_like(clustered, np.int8))
    assert row.weights == 4608
    assert row.nonzero == np.count_nonzero(clustered)
    assert row.distinct == 3
    assert row.code_bits == 2
    assert row.code_bytes == -(-row.entries * 2 // 8)
    assert row.index_bytes == -(-row.entries * row.index_bits // 8)
    fixed = row.code_bytes + row.index_bytes + row.codebook_bytes
    assert row.entropy_bytes < row.huffman_bytes < fixed < 4 * row.weights
    # The bytes counted are the bytes written.
    written = deep_compression.encode_layer(np.moveaxis(clustered, -1, 0), row.index_bits)
    assert 0 < len(written) - row.huffman_bytes < 32


def test_a_layer_that_was_not_clustered_is_measured_by_its_integers():
    kernel = np.random.default_rng(1).normal(size=(1, 1, 32, 64)).astype(np.float32)
    integers = np.round(kernel * 10).astype(np.int8)
    row = stage_summary.measure("conv10", kernel, integers)
    assert row.distinct == np.unique(integers[integers != 0]).size
    assert row.nonzero == np.count_nonzero(integers)


@pytest.mark.parametrize(("density", "bits"), [(0.01, 8), (0.3, 4)])
def test_indices_are_wider_where_zeros_are_many(density, bits):
    random = np.random.default_rng(2).random((1, 1, 256, 256))
    kernel = (random < density).astype(np.float32)
    assert stage_summary.measure("conv10", kernel, kernel.astype(np.int8)).index_bits == bits


def test_the_last_row_sums_up(clustered):
    integers = np.zeros_like(clustered, np.int8)
    one = stage_summary.measure("a", clustered, integers)
    two = stage_summary.measure("b", np.ones((1, 1, 4, 4), np.float32), integers)
    last = stage_summary.total([one, two])
    assert last.name == "total"
    assert last.weights == 4608 + 16
    assert last.coder_bytes == one.coder_bytes + two.coder_bytes
    assert last.huffman_bytes == one.huffman_bytes + two.huffman_bytes
    assert last.density == (one.nonzero + 16) / 4624
    assert last.distinct == 3
    assert two.code_bits < last.code_bits < one.code_bits


def test_csv_and_markdown_hold_the_same_figures(clustered):
    rows = [stage_summary.measure("fire2/expand3x3", clustered, np.zeros_like(clustered, np.int8))]
    rows.append(stage_summary.total(rows))
    parsed = list(csv.DictReader(io.StringIO(stage_summary.to_csv(rows))))
    assert [row["name"] for row in parsed] == ["fire2/expand3x3", "total"]
    assert int(parsed[0]["huffman_bytes"]) == rows[0].huffman_bytes
    assert float(parsed[0]["density"]) == rows[0].density
    lines = stage_summary.to_markdown(rows).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(stage_summary.TITLES) + 1}
    assert f"| {rows[0].huffman_bytes:,} |" in lines[2]
    assert f"{100 * rows[0].density:.1f} %" in lines[2]
