"""Python and Java make the same archive of every file."""

import hashlib
import json
import random
import zlib

import numpy as np
import pytest

from benchmarks import java_decoder
from sqzkit.coding import container, sqz
from sqzkit.teaching import export, head_file
from tests import thorough
from tests.coding import packed_files
from tests.coding.crafted_updates import moved
from tests.teaching import golden

CLASSIC = "ng" not in zlib.ZLIB_RUNTIME_VERSION
pytestmark = pytest.mark.skipif(not CLASSIC, reason="zlib-ng deflates to other bytes")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_the_archives_that_java_is_compared_with_are_those_of_today():
    assert packed_files.packed() == json.loads(packed_files.FILE.read_text())
    stored = {path.name: path.read_bytes() for path in packed_files.UPDATES.iterdir()}
    assert packed_files.updates() == stored


def test_those_updates_have_every_kind_of_part():
    pieces, tensors = [], []
    for name in packed_files.update_pairs():
        parts = container.read((packed_files.UPDATES / f"{name}.sqz").read_bytes())
        pieces += parts.pieces
        tensors += [(name, tensor) for tensor in parts.tensors]
    assert {piece.width for piece in pieces} == {0, 1, 4}
    assert any(not piece.stream for piece in pieces)
    assert {len(tensor.reference.runs) for _, tensor in tensors if tensor.reference} == {1, 2, 3}
    assert {tensor.width for _, tensor in tensors if tensor.reference} == {1, 4}
    assert [name for name, _ in tensors].count("classes_moved") == 3
    assert [tensor.reference for name, tensor in tensors if name == "classes_new"] == [None]


def damaged(content, chance):
    """Return `content` with some bytes changed, or cut off, or with others behind."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 1, 3, 30))):
        changed[chance.randrange(len(changed))] = chance.choice(
            (0, 1, 127, 255, chance.randrange(256))
        )
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed) + chance.randbytes(chance.choice((0, 0, 0, 50)))


def models(tflite, kernel, seed):
    """Return a model with tensors and scales of many kinds."""
    draw = np.random.default_rng(seed)
    outputs, inputs = draw.integers(1, 40, 2)
    scales = (draw.random(outputs) + 0.1).astype(np.float32)
    product = scales * np.float32(draw.choice([0.0, -0.5, 1e-30, 0.0237, 3e38]))
    book = draw.normal(size=draw.choice([2, 30, 256, 300])).astype(np.float32)
    tensors = [
        kernel((outputs, *draw.integers(1, 4, 2), inputs), seed, draw.choice([0.0, 0.3, 1.0])),
        draw.integers(-9999, 9999, outputs).astype(np.int32),
        draw.choice(book, (int(draw.integers(1, 90)), 3, 17)),
        draw.normal(size=int(draw.integers(1, 3000))).astype(np.float16),
        np.sort(draw.integers(0, 200, int(draw.integers(1, 500)))).astype(np.int64),
        draw.integers(0, 3, (7, int(draw.integers(1, 400)))).astype(np.uint8),
    ]
    with np.errstate(all="ignore"):
        product = np.where(np.isfinite(product), product, 1)
    return tflite(
        tensors, [scales.tolist(), product.tolist(), *[None] * 4], outside=draw.choice([None, 8192])
    )


def plain(chance):
    """Return bytes of no kind in particular: noise, text, repetitions with errors, or zeros."""
    size = int(10 ** chance.uniform(0, 5.3))
    few = bytes(
        chance.choices(range(chance.choice((1, 2, 9, 256))), k=chance.randrange(1, size + 1))
    )
    repeated = bytearray((few * (size // len(few) + 1))[:size])
    for _ in range(chance.choice((0, 2, 200))):
        repeated[chance.randrange(size)] = chance.randrange(256)
    return bytes(repeated)


@pytest.mark.slow
@pytest.mark.skipif(not java_decoder.is_available(), reason="needs a JDK")
def test_java_packs_whole_damaged_and_other_files_as_python_does(tflite, kernel):
    chance = random.Random(5)
    files = [*packed_files.contents().values(), bytes(3_000_000)]
    for seed in range(thorough.pick(12, 2000)):
        content = models(tflite, kernel, seed)
        files += [content, damaged(content, chance), plain(chance)]
    answers = java_decoder.pack(files)
    for content, answer in zip(files, answers, strict=True):
        assert answer.sha256 == sha256(sqz.pack(content)), content[:200]


def changed(kernel, weights, draw):
    """Return a kernel with weights, outputs and inputs that moved, went or came."""
    if draw.random() < 0.5:
        weights = moved(weights, draw.choice([0.01, 0.1, 0.5, 0.9]), int(draw.integers(99)))
    if draw.random() < 0.3:
        weights = weights[draw.permutation(len(weights))[: draw.integers(1, len(weights) + 1)]]
    if draw.random() < 0.3:
        kept = draw.permutation(weights.shape[3])[: draw.integers(1, weights.shape[3] + 1)]
        weights = weights[..., np.sort(kept)]
    if draw.random() < 0.3:
        added = kernel((2, *weights.shape[1:]), int(draw.integers(99)))
        weights = np.concatenate([weights[:1], added, weights[1:]])
    if draw.random() < 0.3:
        added = kernel((*weights.shape[:3], 3), int(draw.integers(99)))
        weights = np.concatenate([weights, added], -1)
    return weights


def versions(tflite, kernel, seed):
    """Return a model, and an older version of it."""
    draw = np.random.default_rng(seed)
    shapes = [
        (int(draw.integers(1, 40)), *draw.integers(1, 4, 2), int(draw.integers(1, 60)))
        for _ in range(3)
    ]
    old = [kernel(shape, 7 * seed + n, 0.8) for n, shape in enumerate(shapes)]
    new = [changed(kernel, weights, draw) for weights in old]
    ranks = draw.integers(0, 33, (int(draw.integers(8, 40)), 128))
    biases = draw.integers(-20_000, 20_000, int(draw.integers(1, 300))).astype(np.int32)
    book, steps = np.linspace(-1, 1, 33).astype(np.float32), draw.integers(-9, 10, len(biases))

    def model(kernels, factor, ranks, biases):
        scales = [(draw.random(len(one)) + 0.1).astype(np.float32).tolist() for one in kernels]
        numbers = [biases.astype(np.int32), (book * np.float32(factor))[ranks]]
        return tflite([*kernels, *numbers], [*scales, None, None], tail=b"tail %d" % seed * 50)

    before = model(old, 1, ranks, biases)
    return model(new, draw.choice([1, 1.01]), np.where(ranks % 7, ranks, 0), biases + steps), before


def taught():
    """Return exported models of every kind, and their bases."""
    for name in golden.EXPORTED:
        base = golden.model(name)
        yield export.export(base, head_file.read(golden.FOLDER / f"{name}.head")), base


@pytest.mark.slow
@pytest.mark.skipif(not java_decoder.is_available(), reason="needs a JDK")
def test_java_writes_the_updates_that_python_does(tflite, kernel):
    chance = random.Random(6)
    pairs = [*taught(), *packed_files.update_pairs().values()]
    files = [content for content in packed_files.contents().values() if 0 < len(content) < 50_000]
    pairs += [(content, chance.choice(files)) for content in files]
    for seed in range(thorough.pick(12, 2000)):
        new, old = versions(tflite, kernel, seed)
        pairs += [(new, old), (damaged(new, chance), old), (new, damaged(old, chance))]
        pairs += [(plain(chance), plain(chance))]
    answers = java_decoder.pack(*zip(*pairs, strict=True))
    for (content, base), answer in zip(pairs, answers, strict=True):
        assert answer.sha256 == sha256(sqz.pack(content, base)), (content[:200], base[:200])
