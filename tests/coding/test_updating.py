"""What the encoder of updates finds, and what it costs."""

import hashlib
import itertools

import numpy as np
import pytest

from sqzkit.coding import container, sqz
from sqzkit.coding.archive import COPY
from tests.coding.conftest import build_tflite, sparse_kernel
from tests.coding.crafted_updates import moved

HEADER = 52 + 32
LABELS = b"".join(b"n%08d class number %d\n" % (7 * n, n) for n in range(1000))
KERNELS = [sparse_kernel((16, 3, 3, 32), 60, 0.9), sparse_kernel((10, 1, 1, 256), 61, 0.9)]


def model(kernels=KERNELS, labels=LABELS, biases=None):
    biases = np.arange(-500, 500, 4).astype(np.int32) if biases is None else biases
    return build_tflite([*kernels, biases], tail=labels)


def update(new, old):
    """Return the archive of an update, decoded once, and its parts."""
    archive = sqz.pack(new, old)
    assert sqz.unpack(archive, base=old) == new
    return archive, container.read(archive)


def test_a_file_that_is_its_base_is_one_copy():
    archive, parts = update(model(), model())
    assert [(piece.stream, piece.length) for piece in parts.pieces] == [(COPY, len(model()))]
    assert len(archive) < HEADER + 30


@pytest.mark.parametrize(
    "name", [b"n00000700 Class number 100", b"n00000700 a class of another length"]
)
def test_another_label_costs_some_bytes(name):
    labels = LABELS.replace(b"n00000700 class number 100", name)
    archive, _ = update(model(labels=labels), model())
    assert len(archive) < HEADER + 80


def entropy(share):
    """Return the bits that say whether, and which way, a weight moved by one."""
    return -share * np.log2(share / 2) - (1 - share) * np.log2(1 - share)


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_weights_that_moved_by_one_cost_little_more_than_their_entropy(share):
    kernel = sparse_kernel((64, 3, 3, 64), 62, 0.9)
    new = build_tflite([moved(kernel, share, 63)])
    archive, parts = update(new, build_tflite([kernel]))
    assert [tensor.reference is not None for tensor in parts.tensors] == [True]
    assert len(archive) < HEADER + 130 + 1.1 * kernel.size * entropy(share) / 8


def test_weights_that_stayed_zero_make_the_others_cheaper():
    kernel = sparse_kernel((64, 3, 3, 64), 62, 0.3)
    steps = moved(kernel, 0.1, 64) * (kernel != 0)
    archive, _ = update(build_tflite([steps.astype(np.int8)]), build_tflite([kernel]))
    assert len(archive) < HEADER + 130 + 1.15 * np.count_nonzero(kernel) * entropy(0.1) / 8


def test_a_class_more_costs_its_own_weights():
    more = np.concatenate([KERNELS[1][:4], sparse_kernel((1, 1, 1, 256), 65), KERNELS[1][4:]])
    archive, _ = update(model([KERNELS[0], more]), model())
    assert len(archive) < HEADER + 350


def test_classes_that_moved_and_changed_keep_their_references():
    order = [7, 8, 9, 0, 1, 2, 4]
    fewer = moved(KERNELS[1][order], 0.05, 66)
    archive, parts = update(model([KERNELS[0], fewer]), model())
    starts = [tensor.reference.offset for tensor in parts.tensors]
    outputs = [tensor.shape[0] for tensor in parts.tensors]
    assert outputs == [3, 3, 1]
    assert np.diff(starts).tolist() == [-7 * 256, 4 * 256]
    assert len(archive) < HEADER + 350


def test_inputs_that_went_are_left_out_of_the_reference():
    kept = [*range(5), *range(9, 20), *range(21, 32)]
    fewer = moved(KERNELS[0][..., kept], 0.05, 67)
    _, parts = update(model([fewer, KERNELS[1]]), model())
    assert parts.tensors[0].reference.runs == ((0, 5), (9, 11), (21, 11))


def test_new_outputs_and_inputs_have_no_reference():
    wider = np.concatenate([KERNELS[0], sparse_kernel((16, 3, 3, 8), 68)], -1)
    _, parts = update(model([moved(wider, 0.02, 69), KERNELS[1]]), model())
    assert parts.tensors[0].reference.runs == ((0, 32), (32, 8))
    assert parts.tensors[0].reference.inputs == 32


def test_clustered_floats_are_compared_by_rank():
    book = np.linspace(-1, 1, 33).astype(np.float32)
    ranks = np.random.default_rng(70).integers(0, 33, (32, 128))
    old, changed = book[ranks], ranks.copy()
    changed[::7, ::5] = 0
    new = (book * np.float32(1.01))[changed]
    archive, parts = update(build_tflite([new]), build_tflite([old]))
    assert parts.tensors[0].reference is not None
    assert len(archive) < len(sqz.pack(build_tflite([new]))) / 2


def test_numbers_that_moved_are_sums():
    biases = np.random.default_rng(71).integers(-20_000, 20_000, 900).astype(np.int32)
    steps = np.random.default_rng(72).integers(-9, 10, 900).astype(np.int32)
    archive, parts = update(model(biases=biases + steps), model(biases=biases))
    assert [piece.width for piece in parts.pieces if piece.width] == [4]
    assert len(archive) < HEADER + 600


def test_offsets_that_all_moved_are_a_sum():
    words = np.random.default_rng(73).integers(0, 4000, 300).astype("<i4")
    old = b"".join(b"table %06d " % n + word.tobytes() for n, word in enumerate(words))
    new = b"".join(b"table %06d " % n + (word + 64).tobytes() for n, word in enumerate(words))
    archive, parts = update(new, old)
    assert any(piece.width for piece in parts.pieces)
    assert len(archive) < HEADER + 120


@pytest.mark.parametrize("old", [b"", b"x", bytes(5000), np.random.default_rng(74).bytes(9000)])
def test_a_base_that_is_of_no_use_costs_a_few_bytes(old):
    for new in (model(), b"", b"y", LABELS):
        archive, _ = update(new, old)
        assert len(archive) <= len(sqz.pack(new)) + 41


def test_a_base_of_another_network_costs_a_few_bytes():
    old = model([sparse_kernel((24, 3, 3, 20), 75), sparse_kernel((12, 1, 1, 99), 76)])
    archive, _ = update(model(), old)
    assert len(archive) <= len(sqz.pack(model())) + 41


def test_updates_chain():
    versions = [model()]
    for number in range(10):
        kernels = [moved(kernel, 0.02, 80 + number) for kernel in KERNELS]
        versions.append(model(kernels, LABELS + b"version %d" % number))
    held = sqz.pack(versions[0])
    for old, new in itertools.pairwise(versions):
        held = sqz.pack(sqz.unpack(sqz.pack(new, old), base=sqz.unpack(held)))
    assert sqz.unpack(held) == versions[-1]


def test_any_bytes_are_updated():
    random = np.random.default_rng(77)
    for _ in range(60):
        old = random.bytes(int(random.integers(0, 300))) + LABELS[: int(random.integers(0, 900))]
        new = bytearray(old)
        for _edit in range(int(random.integers(0, 6))):
            at, length = (int(number) for number in random.integers(0, len(new) + 1, 2))
            new[at : at + length // 8] = random.bytes(int(random.integers(0, 12)))
        update(bytes(new) + old[: int(random.integers(0, 200))], old)


def test_the_same_files_give_the_same_update():
    kernels = [moved(kernel, 0.05, 78) for kernel in KERNELS]
    digests = {hashlib.sha256(sqz.pack(model(kernels), model())).digest() for _ in range(3)}
    assert len(digests) == 1


def test_another_base_is_refused_and_named():
    new, old = model(labels=LABELS + b"more"), model()
    archive = sqz.pack(new, old)
    needed = hashlib.sha256(old).hexdigest()
    for given, told in (
        (None, "sqz unpack UPDATE --base="),
        (old[:-1], hashlib.sha256(old[:-1]).hexdigest()),
        (sqz.pack(b"other"), hashlib.sha256(b"other").hexdigest()),
        (new, "the file that the update gives"),
    ):
        with pytest.raises(container.FormatError, match=needed) as refused:
            sqz.unpack(archive, base=given)
        assert told in str(refused.value)


def test_an_added_output_of_many_zeros_does_not_cost_the_others_again():
    dense = np.random.default_rng(3).integers(-127, 128, (9, 1, 1, 512)).astype(np.int8)
    added = np.zeros((1, 1, 1, 512), np.int8)
    added[..., ::50] = 90
    new, old = build_tflite([np.concatenate([dense, added])]), build_tflite([dense])
    assert len(update(new, old)) < 500  # deflate, which uses no base, would need 4,600
