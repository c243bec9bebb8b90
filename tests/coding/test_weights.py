import tracemalloc

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import weights
from sqzkit.coding.kernels import binary, tables

SHAPES = [(1, 1, 1, 1), (5, 1, 1, 7), (16, 3, 3, 8), (3, 7, 7, 3), (1, 3, 3, 20), (2, 1, 5, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_tensors_of_every_shape_come_back(kernel, shape):
    values = kernel(shape, seed=sum(shape))
    back = weights.decode(weights.encode([values]), [shape])
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, values.reshape(-1))


def test_all_256_values_come_back():
    values = np.tile(np.arange(-128, 128).astype(np.int8), 3).reshape(12, 1, 1, 64)
    back = weights.decode(weights.encode([values]), [values.shape])
    np.testing.assert_array_equal(back, values.reshape(-1))


@pytest.mark.parametrize("value", [0, 1, -1, 127, -128])
def test_constant_tensors_take_next_to_nothing(value):
    values = np.full((20, 3, 3, 20), value, np.int8)
    coded = weights.encode([values])
    assert len(coded) < 40
    np.testing.assert_array_equal(weights.decode(coded, [values.shape]), values.reshape(-1))


def test_tensors_share_one_stream_and_what_was_learnt(kernel):
    tensors = [kernel((32, 3, 3, 16), seed) for seed in range(4)]
    together = weights.encode(tensors)
    alone = [len(weights.encode([tensor])) for tensor in tensors]
    assert len(together) < sum(alone)
    back = weights.decode(together, [tensor.shape for tensor in tensors])
    np.testing.assert_array_equal(back, np.concatenate(tensors).reshape(-1))


def test_the_size_is_near_or_below_the_order_0_entropy(kernel):
    values = kernel((128, 1, 1, 128), density=0.3)
    counts = np.unique(values, return_counts=True)[1]
    entropy = -(counts * np.log2(counts / values.size)).sum() / 8
    assert len(weights.encode([values])) < 1.02 * entropy


def test_structure_is_found(kernel):
    row = kernel((1, 1, 1, 200), density=1.0)
    noise = np.random.default_rng(1).integers(-2, 3, (100, 1, 1, 200))
    similar = np.clip(row.astype(int) + noise, -127, 127).astype(np.int8)
    shuffled = np.random.default_rng(2).permuted(similar, axis=3)
    assert len(weights.encode([similar])) < 0.75 * len(weights.encode([shuffled]))


def test_other_types_and_empty_shapes_are_refused(kernel):
    with pytest.raises(UsageError, match="float32"):
        weights.encode([np.zeros(4, np.float32)])
    with pytest.raises(FormatError, match="positive"):
        weights.decode(b"abc", [(1, 0, 1, 1)])


def test_a_stream_of_ones_uses_no_value():
    # A code of zero decodes each flag "does this value occur" as the likelier or first one;
    # the largest code decodes all as "no", which no encoder writes.
    with pytest.raises(FormatError, match="no value at all"):
        weights.decode(b"\xff\xff\xff\xfe" + b"\xff" * 60, [(2, 1, 1, 2)])


@pytest.mark.parametrize("length", [4, 64])
def test_a_code_beyond_the_range_is_refused(length):
    with pytest.raises(FormatError, match="FF FF FF FF"):
        weights.decode(b"\xff" * length, [(2, 1, 1, 2)])


def test_bytes_that_no_weight_needs_are_refused(kernel):
    values = kernel((4, 1, 1, 40))
    coded = weights.encode([values])
    for spare in range(1, 5):  # the decoder looks at most four bytes ahead
        try:
            back = weights.decode(coded + bytes(spare), [values.shape])
            np.testing.assert_array_equal(back, values.reshape(-1))
        except FormatError as error:
            assert "more than it needs" in str(error)
    with pytest.raises(FormatError, match="more than it needs"):
        weights.decode(coded + bytes(5), [values.shape])


FLAT = [(1, 1, 1, 1 << 20), (2, 1, 1, 1 << 19), (1, 1, 2, 1 << 19), (1, 1 << 20, 1, 1)]
FLAT += [(3, 1, 1, 350_000), (2, 1 << 19, 1, 1), (1 << 20, 1, 1, 1)]


@pytest.mark.parametrize("shape", FLAT)
def test_memory_does_not_depend_on_the_shape(shape):
    coded = weights.encode([np.zeros((1, 1, 1, 64), np.int8)])  # compiles
    weights.decode(coded, [(1, 1, 1, 64)])
    size = int(np.prod(shape))
    values = (np.arange(size) % 1999 < 2).astype(np.int8).reshape(shape)
    coded = weights.encode([values])
    tracemalloc.start()
    try:
        back = weights.decode(coded, [shape])
        highest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(back, values.reshape(-1))
    assert highest < 4 * size + (1 << 20)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1, 1, 1, 1)),
        ((7,), (1, 1, 1, 7)),
        ((3, 7), (3, 1, 1, 7)),
        ((3, 5, 7), (3, 1, 5, 7)),
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, 3, 4, 5, 6), (6, 4, 5, 6)),
    ],
)
def test_shapes_become_four_dimensional(shape, expected):
    assert weights.four_dimensions(shape) == expected


def test_the_range_coder_carries_and_ends_short():
    bits = np.random.default_rng(3).random(4000) < 0.98
    buffer = np.zeros(4000, np.uint8)
    registers = binary.encoder_state()
    for bit in bits:
        binary.code_bit(registers, buffer, int(bit), 65500)
    coded = binary.finish(registers, buffer)
    coder = binary.decoder(coded)
    back = [binary.code_bit(*coder, 0, 65500) for _ in bits]
    assert back == bits.astype(int).tolist()
    binary.check_end(coder)
    assert coded[-1:] != b"\0"


def test_tables_are_what_the_specification_says():
    squash, stretch = tables.squash_table(), tables.stretch_table()
    assert squash[tables.STRETCH_LIMIT] == 32768
    assert squash[0] == 65536 - squash[-1] == 23
    exact = 65536 / (1 + np.exp(-np.arange(-2047, 2048) / 256))
    assert np.abs(squash - exact).max() < 1.5
    assert (np.diff(stretch) >= 0).all()
    assert (stretch[0], stretch[2048], stretch[4095]) == (-2047, 1, 2047)
    assert tables.rate_table()[:3].tolist() == [40960, 25206, 18204]
    assert tables.logarithm_table(1)[[0, 1, 2, 3, 4, 6, 8]].tolist() == [0, 1, 3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="read-only"):
        squash[0] = 1
