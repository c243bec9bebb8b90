"""Write tests/golden/sqz: archives that every decoder of `.sqz` must read, or refuse.

    python -m tests.coding.make_golden_sqz

Run it only when the format changes on purpose; a released version never does.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from sqzkit.coding import codebook, container, han_net, sqz, varint
from tests.coding import crafted
from tests.coding.conftest import build_tflite, sparse_kernel
from tests.coding.drafts import HEADER, checked

FOLDER = Path(__file__).parents[1] / "golden" / "sqz"


def contents() -> dict[str, bytes]:
    """Return the files whose archives are golden, by name."""
    random = np.random.default_rng(20)
    text = b"".join(b"n%08d class number %d, kind %d\n" % (7 * n, n, n % 7) for n in range(200))
    floats = random.normal(0, 0.1, 900).astype(np.float32)
    clustered = np.linspace(-0.5, 0.5, 33, dtype=np.float32)[random.integers(0, 33, (32, 3, 3, 8))]
    odd = sparse_kernel((3, 2, 5, 7), 5)
    odd[0, 0, 0, 0], odd[2, 1, 4, 6] = -128, 127
    smooth = np.cumsum(random.normal(0, 9, (12, 7, 7, 3)), axis=1)
    smooth = np.clip(np.cumsum(smooth, axis=2), -127, 127).astype(np.int8)
    scales = (random.random(24) + 0.5).astype(np.float32)
    half = (np.arange(256) / 64 - 2).astype(np.float16)
    pruned = clustered * (random.random(clustered.shape) < 0.5)
    return {
        "empty": b"",
        "one_byte": b"\x5a",
        "text": text,
        "noise": random.bytes(300),
        "zeros": bytes(100_000),
        "deflated": text * 30,
        "float_planes": build_tflite(
            [random.normal(0, 1, 50_000).astype(np.float16).astype(np.float32)]
        ),
        "kernel_1x1": build_tflite([sparse_kernel((64, 1, 1, 48), 1)]),
        "kernel_3x3": build_tflite([sparse_kernel((32, 3, 3, 16), 2, 0.3)]),
        "kernel_stem": build_tflite([smooth]),
        "kernel_odd": build_tflite([odd]),
        "depthwise": build_tflite([sparse_kernel((1, 3, 3, 40), 3, 1.0)]),
        "dense_layer": build_tflite([sparse_kernel((10, 200), 4, 0.8)]),
        "uint8": build_tflite([(sparse_kernel((24, 1, 1, 32), 6).view(np.uint8) + np.uint8(128))]),
        "two_values": build_tflite(
            [np.where(random.random((16, 16)) < 0.5, 5, -5).astype(np.int8)]
        ),
        "one_value": build_tflite([np.full((8, 16), -7, np.int8), sparse_kernel((8, 16), 7)]),
        "all_zero": build_tflite([np.zeros((8, 16), np.int8), sparse_kernel((8, 16), 8)]),
        "per_channel": build_tflite(
            [sparse_kernel((24, 3, 3, 8), 9), random.integers(-9999, 9999, 24).astype(np.int32)],
            [scales.tolist(), (scales * np.float32(0.0237)).tolist()],
            tail=text[:999],
        ),
        "codebook_float32": build_tflite([pruned.astype(np.float32), floats[:32]]),
        "codebook_float16": build_tflite([pruned.astype(np.float16)]),
        "several": build_tflite([sparse_kernel((16, 3, 3, 16), n) for n in range(10, 14)]),
        "caffe_net": han_net.write(small_net()),
        "kernel_9x9": build_tflite([sparse_kernel((3, 9, 9, 2), 14, 0.7)]),
        "two_outputs": build_tflite([sparse_kernel((2, 1, 1, 300), 15, 0.7)]),
        "two_places": build_tflite([sparse_kernel((1, 1, 2, 300), 16, 0.7)]),
        "flat": build_tflite([sparse_kernel((700,), 17)]),
        "codebook_int64": build_tflite([(7 * sparse_kernel((1500,), 18, 0.5)).astype(np.int64)]),
        "codebook_256": build_tflite([np.tile(half[:256], 30)[random.permutation(7680)]]),
    }


ABOUT = {
    "empty": "no byte",
    "one_byte": "one byte, stored",
    "text": "labels as mixed bytes",
    "noise": "random bytes, stored",
    "zeros": "zeros as mixed bytes",
    "deflated": "more text than may be mixed",
    "float_planes": "floats as byte planes of 4 bytes",
    "kernel_1x1": "a convolution of 1x1",
    "kernel_3x3": "a convolution of 3x3",
    "kernel_stem": "a first convolution of 7x7, smooth",
    "kernel_odd": "odd sides, the values -128 and 127",
    "depthwise": "one output",
    "dense_layer": "a dense layer",
    "uint8": "elements around 128: `Center`",
    "two_values": "two values, no zero",
    "one_value": "a tensor of one value",
    "all_zero": "a tensor of zeros",
    "per_channel": "scales, and products of them",
    "codebook_float32": "a codebook of float32",
    "codebook_float16": "a codebook of float16",
    "several": "four tensors, one model",
    "caffe_net": "kind 1: a network of SqueezeNet v1.0's shape",
    "kernel_9x9": "a kernel of more than 64 places",
    "two_outputs": "two outputs of one place",
    "two_places": "one output of two places",
    "flat": "a tensor of one side",
    "codebook_int64": "a codebook of 8-byte elements",
    "codebook_256": "a codebook of 256 entries",
    "example": "the example above",
    "everything": "pieces of every kind",
    "planes_left_over": "byte planes of 8, 4 and 2 bytes, with bytes left over",
    "mixed_strides": "mixed bytes of each stride",
    "empty_parts": "streams, gaps and pieces without a byte",
    "odd_products": "a source behind its product; subnormal numbers, -0",
    "code_ahead": "a coded stream with a zero byte that need not be there",
    "deflate_blocks": "deflated blocks of all three types",
    "net_small": "kind 1: gaps of 0, 15, 31 and more zeros, a kernel without entries",
    "mixing_weights_clamped": "mixers' coefficients at their limit, in the weights stream",
    "mixed_bytes_clamped": "mixers' coefficients at their limit, in mixed bytes",
    "predictors_clamped": "predictors' coefficients at their limit",
}


def small_net() -> list[han_net.HanLayer]:
    """Return a Caffe net of SqueezeNet v1.0's shape with few weights left."""
    random, layers = np.random.default_rng(30), []
    for convolution in han_net.squeezenet_v1_0():
        kernel = random.integers(-9, 10, convolution.shape).astype(np.float32) / 16
        kernel *= random.random(convolution.shape) < 120 / convolution.size
        codes, short = codebook.encode(kernel)
        book = np.concatenate([short, np.zeros(256 - len(short), np.float32)])
        bias = np.round(random.normal(0, 1, convolution.shape[0]) * 8).astype(np.float32) / 8
        layers.append(han_net.HanLayer(convolution, codes, book, bias))
    return layers


def refused(good: bytes) -> dict[str, tuple[bytes, str, str]]:
    """Return archives to refuse, a word that the message must have, and the rule."""
    newer = checked(good[:4] + b"\x02" + good[5:])
    huge = checked(good[:8] + struct.pack("<Q", 5 << 40) + good[16:])
    other = checked(good[:16] + bytes(32) + good[48:])
    sums = "CRC32 is that of the archive."
    return {
        "not_an_archive": (b"PK\x03\x04" + good[4:], "89 53 51 5A", "Magic is 89 53 51 5A."),
        "header_only": (good[:30], "header", "An archive has at least 52 bytes."),
        "cut_off": (good[:-9], "CRC-32", sums),
        "bit_flipped": (good[:200] + bytes([good[200] ^ 4]) + good[201:], "CRC-32", sums),
        "longer": (good + b"\0", "CRC-32", sums),
        "newer": (newer, "newer", "Version is at most 1."),
        "terabytes": (huge, "limit", "File_Size is at most what the caller allows."),
        "other_digest": (other, "SHA-256", "What comes out has the SHA-256 of the header."),
        "directory_cut": (
            checked(_cut_directory(good)),
            "where announced",
            "The directory is a whole deflated stream.",
        ),
        **crafted.refused(),
    }


def _cut_directory(good: bytes) -> bytes:
    """Return `good` without the last byte of its directory, its Directory_Coded_Size right."""
    reader = varint.Reader(good, "", HEADER)
    plain, coded = reader.number(), reader.number()
    directory, start = reader.bytes(coded), HEADER + len(varint.write(plain, coded)) + coded
    return good[:HEADER] + varint.write(plain, coded - 1) + directory[:-1] + good[start:]


def main() -> None:
    """Write archives and index."""
    listed = []
    for name, content in contents().items():
        archive = sqz.pack(content)
        if content[4:8] == b"TFL3":  # of the smallest the plain archive would be smaller
            archive = container.write(sqz._split(content))
        listed.append(_accept(name, archive))
    for name, draft in crafted.accepted().items():
        listed.append(_accept(name, draft.sealed()))
    for name, (archive, word, rule) in refused((FOLDER / "kernel_1x1.sqz").read_bytes()).items():
        (FOLDER / f"bad_{name}.sqz").write_bytes(archive)
        listed.append({"file": f"bad_{name}.sqz", "error": word, "rule": rule})
    (FOLDER / "index.json").write_text(json.dumps(listed, indent=1) + "\n")


def _accept(name: str, archive: bytes) -> dict[str, object]:
    """Write an archive; return its entry in the index."""
    (FOLDER / f"{name}.sqz").write_bytes(archive)
    content, found = sqz.unpack(archive), sqz.info(archive)
    return {
        "file": f"{name}.sqz",
        "kind": "net" if found.kind == "Caffe .net" else "file",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "archive_sha256": hashlib.sha256(archive).hexdigest(),
        "methods": [stream.method for stream in found.streams],
        "about": ABOUT[name],
    }


if __name__ == "__main__":
    main()
