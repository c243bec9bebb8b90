import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import bits, codebook, deep_compression, huffman, relative_index, symbols


@pytest.mark.parametrize("width", [1, 3, 4, 8, 16])
def test_fields_of_any_width_come_back(width):
    values = np.random.default_rng(width).integers(0, 1 << width, 101)
    packed = bits.pack(values, width)
    assert len(packed) == bits.packed_size(101, width)
    np.testing.assert_array_equal(bits.unpack(packed, 101, width), values)


def test_fields_are_checked():
    with pytest.raises(ValueError, match="16 does not fit"):
        bits.pack(np.array([16]), 4)
    with pytest.raises(FormatError, match="do not hold"):
        bits.unpack(b"ab", 5, 4)
    with pytest.raises(FormatError, match="not zero"):
        bits.unpack(b"\xf1", 1, 4)


def test_relative_indices_as_in_the_papers_figure():
    # Figure 2: entries 1, 4 and 15 with 3 bits; the gap of 10 zeros needs a filler.
    dense = np.zeros(16, np.uint8)
    dense[[1, 4, 15]] = 34, 9, 17
    gaps, values = relative_index.encode(dense, 3)
    assert gaps.tolist() == [1, 2, 7, 2]
    assert values.tolist() == [34, 9, 0, 17]
    np.testing.assert_array_equal(relative_index.decode(gaps, values, 16, 3), dense)


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("density", [0.0, 0.01, 0.2, 1.0])
def test_relative_indices_come_back(width, density):
    random = np.random.default_rng(0)
    dense = (random.integers(1, 256, 5000) * (random.random(5000) < density)).astype(np.uint8)
    gaps, values = relative_index.encode(dense, width)
    np.testing.assert_array_equal(relative_index.decode(gaps, values, 5000, width), dense)


@pytest.mark.parametrize(
    ("gaps", "values", "message"),
    [([3], [1, 2], "1 gaps"), ([15], [4], "an entry at 15"), ([3, 1], [0, 5], "no filler"),
     ([15], [0], "an entry"), ([7, 2], [5, 0], "no filler")],
)  # fmt: skip
def test_impossible_indices_are_refused(gaps, values, message):
    with pytest.raises(FormatError, match=message):
        relative_index.decode(np.array(gaps, np.uint8), np.array(values, np.uint8), 15, 4)


@given(st.lists(st.integers(0, 40), max_size=300))
@settings(max_examples=60, deadline=None)
def test_huffman_codes_come_back(drawn):
    drawn = np.array(drawn, np.int64)
    coded = huffman.encode(drawn, 41)
    np.testing.assert_array_equal(huffman.decode(coded, 300), drawn)


def test_huffman_is_within_a_bit_of_the_entropy_and_never_longer_than_16():
    drawn = np.random.default_rng(0).geometric(0.3, 20_000).clip(1, 60)
    used = len(huffman.encode(drawn, 61)) - 61 * 5 // 8
    entropy = symbols.entropy_bytes(drawn)
    assert entropy <= used < entropy * 1.03 + 8
    fibonacci = np.array([1, 1, *[0] * 38])
    for n in range(2, 40):
        fibonacci[n] = fibonacci[n - 1] + fibonacci[n - 2]
    lengths = huffman.code_lengths(fibonacci)
    assert lengths.max() <= huffman.LONGEST
    assert sum(2.0 ** -lengths.astype(float)) <= 1


def test_damaged_huffman_codes_are_refused():
    coded = huffman.encode(np.arange(50) % 7, 7)
    for content in (b"", coded[:-1], coded + b"\0", coded[:3] + b"\xff\xff" + coded[5:]):
        with pytest.raises(FormatError):
            huffman.decode(content, 100)
    with pytest.raises(FormatError, match="at most 49"):
        huffman.decode(coded, 49)


def test_codebooks_have_zero_first():
    values = np.array([[0.5, 0.0, -0.0], [-2.0, 0.5, 3.0]], np.float32)
    codes, book = codebook.encode(values)
    assert book.tolist() == [0.0, -2.0, 0.5, 3.0]
    np.testing.assert_array_equal(codebook.decode(codes, book), values)
    with pytest.raises(UsageError, match="conv1 has 299 distinct"):
        codebook.encode(np.arange(300.0), "conv1")
    with pytest.raises(FormatError, match="code 3"):
        codebook.decode(np.array([3]), book[:2])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
@pytest.mark.parametrize("width", [4, 8])
def test_layers_come_back_from_their_bytes(kernel, dtype, width):
    values = kernel((16, 3, 3, 8), density=0.2).astype(dtype)
    content = deep_compression.encode_layer(values, width)
    back = deep_compression.decode_layer(content)
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)


def test_empty_layers_come_back():
    values = np.zeros((4, 1, 1, 4), np.float32)
    content = deep_compression.encode_layer(values)
    np.testing.assert_array_equal(deep_compression.decode_layer(content), values)


def test_damaged_layers_are_refused_or_stay_legal(kernel):
    content = deep_compression.encode_layer(kernel((8, 3, 3, 4), density=0.3))
    random = np.random.default_rng(0)
    for _ in range(600):
        damaged = bytearray(content)
        damaged[random.integers(0, len(content))] = random.integers(0, 256)
        cut = bytes(damaged[: random.integers(0, len(content))])
        for tried in (bytes(damaged), cut):
            try:
                back = deep_compression.decode_layer(tried, most=1 << 16)
                assert back.size <= 1 << 16
            except FormatError:
                pass


def test_the_account_counts_real_bytes(kernel):
    values = kernel((64, 3, 3, 16), density=0.3)
    found = deep_compression.account("conv", values)
    assert found.weights == values.size
    assert found.nonzero == int((values != 0).sum())
    zeros = np.diff(np.flatnonzero(values), prepend=-1) - 1
    assert found.entries == found.nonzero + (zeros // 16).sum()  # fillers
    assert found.distinct == len(np.unique(values)) - 1
    assert found.code_bytes == -(-found.entries * found.code_bits // 8)
    assert found.index_bytes == -(-found.entries * 4 // 8)
    assert found.codebook_bytes == found.distinct + 1
    fixed = found.code_bytes + found.index_bytes + found.codebook_bytes
    assert found.entropy_bytes < found.huffman_bytes < fixed < 4 * values.size
    assert found.coder_bytes < found.huffman_code_bytes + found.huffman_index_bytes
    layer = deep_compression.encode_layer(values)
    assert 0 < len(layer) - found.huffman_bytes < 24
