"""Make the golden vectors of docs/teaching.md: `python -m tests.teaching.golden`.

Python's tests and those of the Java twin read them. A change of them is a change of the format.
"""

import hashlib
import json
import math
import struct
from pathlib import Path

import numpy as np

from sqzkit.teaching import export, fitting, head_file
from sqzkit.teaching.features import STEPS, FeatureReader
from sqzkit.teaching.head import Head
from sqzkit.tflite import last_layer

FOLDER = Path(__file__).parents[1] / "golden" / "teaching"
DIGEST = hashlib.sha256(b"golden").digest()
# name: features, photographs by class
CASES = {
    "three_classes": (24, {"ant": 12, "bee": 30, "Zebra": 5}),
    "equal_classes": (40, {f"class {i}": 8 for i in range(5)}),
    "one_photograph": (6, {"only": 1}),
    "one_of_each": (8, {"a": 1, "b": 1, "ö": 1}),
    "one_class": (10, {"mug": 20}),
    # Classes so far apart that several strengths have a loss of 0, up to rounding.
    "tied_strengths": (6, dict(zip("abcdefgh", (6, 6, 5, 5, 7, 3, 6, 4), strict=True))),
}
# Files of the Android tests, one for each kind of weights and activations.
MODELS = Path(__file__).parents[2] / "android_demo/app/src/test/resources/models"
EXPORTED = (
    "colours_int8",
    "colours_per_tensor",
    "colours_uint8",
    "colours_int16x8",
    "colours_dynamic",
    "colours_float",
    "colours_float16",
    "dense",  # an average, then a dense layer
    "pooling",  # AVERAGE_POOL_2D, a convolution, RESHAPE
)
APART = {"equal_classes": 150, "tied_strengths": 1500}  # the others: 600


def photographs(features, counts, seed, apart=600):
    """Return made features by class: non-negative, skewed and correlated, as a network's are."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(features, features)) / math.sqrt(features)
    found = {}
    for name, count in counts.items():
        centre = random.gamma(1.0, apart, features)
        noise = random.normal(size=(count, features)) @ mixing * 400
        found[name] = np.clip(np.rint(np.maximum(centre + noise, 0)), 0, 32767).astype(np.int16)
    return found


def head_of(by_class):
    size = len(next(iter(by_class.values()))[0])
    head = Head(DIGEST, size)
    for name, rows in by_class.items():
        for row in rows:
            head.add(name, row)
    return head


def expected(head, queries):
    """Return what a head's sums, coefficients and answers are, as JSON-ready values."""
    taught = head.teach()
    sums = head.sums()
    left = fitting.leave_one_out(sums, *head.rows(), fitting.STRENGTHS[taught.choice.strength])
    threshold = taught.choice.threshold
    return {
        "labels": list(head.labels),
        "counts": sums.counts.tolist(),
        "sums": sums.sums.tolist(),
        "gram_lower": sums.gram[np.tril_indices(head.size)].tolist(),
        "strength": taught.choice.strength,
        "temperature": taught.choice.temperature,
        "threshold": threshold if math.isfinite(threshold) else "infinity",
        "left_out_loss": left.calibration()[0],
        "left_out_evidence": left.evidence.tolist(),
        "coefficients": taught.discriminant.coefficients.tolist(),
        "biases": taught.discriminant.biases.tolist(),
        "mean": taught.discriminant.mean.tolist(),
        "queries": queries.tolist(),
        "probabilities": taught.probabilities(queries).tolist(),
        "evidence": taught.evidence(queries).tolist(),
    }


def signed(body):
    """Return a file with its checksum."""
    return bytes(body) + hashlib.sha256(body).digest()


def of_version(content, digit):
    """Return a file as one of another version."""
    return signed(content[:7] + digit + content[8:-32])


def damaged(content, size):
    """Return files that must be refused, by what is wrong with them."""

    def changed(layout, position, value):
        body = bytearray(content[:-32])
        struct.pack_into(layout, body, position, value)
        return signed(body)

    body = content[:-32]
    return {
        "empty": b"",
        "not_a_head": b"SQZ1" + content[4:],
        "newer": of_version(content, b"3"),
        "cut_off": content[:-1],
        "checksum": content[:-1] + bytes([content[-1] ^ 1]),
        "short": signed(body[:-1]),
        "long": signed(body + b"\0"),
        "no_features": changed("<H", 40, 0),
        "features": changed("<H", 40, size + 1),
        "classes": changed("<H", 42, 1001),
        "photographs": changed("<I", 44, 0xFFFFFFFF),
        "flags": changed("<B", 48, 2),
        "strength": changed("<B", 49, len(fitting.STRENGTHS)),
        "temperature": changed("<d", 50, -1.0),
        "temperature_nan": changed("<d", 50, math.nan),
        "not_chosen": changed("<B", 49, 255),
        "feature_beyond": changed("<h", len(body) - 2, -32768),
        "threshold_nan": changed("<d", 58, math.nan),
        "name_empty": changed("<B", 66, 0),
        "name_control": changed("<B", 67, 7),
        "order_of_names": changed("<B", 67, ord("z")),
        "label_of_a_photograph": changed("<H", len(body) - 2 * size - 2, 9),
        "order_of_photographs": changed("<H", len(body) - 2 * size - 2, 0),
    }


def sums_damaged(content, size, names):
    """Return files whose sums cannot be those of photographs."""

    def changed(position, value):
        body = bytearray(content[:-32])
        struct.pack_into("<q", body, position, value)
        return signed(body)

    first = 66 + sum(1 + len(name.encode()) for name in names) + 4
    gram = len(content) - 32 - 8 * size * (size + 1) // 2
    return {
        "former_sums": of_version(content, b"1"),
        "sums_beyond": changed(first, 1 << 40),
        "sums_smallest": changed(first, -(1 << 63)),
        "gram_beyond": changed(gram + 8, 1 << 60),
        "gram_negative": changed(gram, -1),
    }


def averages():
    """Return maps of each kind of activation, and the features that are their averages."""
    random = np.random.default_rng(7)
    cases = []
    for dtype, steps in STEPS.items():
        places, low, high = 9, -40, 300
        values = random.integers(low, high, (3, 3, 4))
        total = values.reshape(places, 4).sum(0)
        features = [math.floor(steps * int(t) / places + 0.5) for t in total]
        cases.append({"dtype": dtype, "map": values.tolist(), "features": features})
    half = [[[1, -1, 3, 1000]], [[0, 0, 0, 1000]]]
    cases.append({"dtype": "int16", "map": half, "features": [1, 0, 2, 1000]})
    cases.append({"dtype": "int8", "map": half, "features": [64, -64, 192, 32767]})
    return cases


def write():
    FOLDER.mkdir(exist_ok=True)
    index = {"averages": averages(), "cases": {}}
    for seed, (name, (features, counts)) in enumerate(CASES.items()):
        apart = APART.get(name, 600)
        by_class = photographs(features, counts, seed, apart)
        queries = np.concatenate([*photographs(features, dict.fromkeys(counts, 2), 99).values()])
        queries = np.concatenate([queries, *(rows[:1] + 3 for rows in by_class.values())])
        head = head_of(by_class)
        (FOLDER / f"{name}_untaught.head").write_bytes(head_file.to_bytes(head))
        index["cases"][name] = expected(head, queries)
        (FOLDER / f"{name}.head").write_bytes(head_file.to_bytes(head))
        (FOLDER / f"{name}_sums.head").write_bytes(head_file.to_bytes(head.without_photographs()))
    case, size = "three_classes", CASES["three_classes"][0]
    content = (FOLDER / f"{case}.head").read_bytes()
    (FOLDER / "former.head").write_bytes(of_version(content, b"1"))
    bad = damaged(content, size)
    names = index["cases"][case]["labels"]
    bad |= sums_damaged((FOLDER / f"{case}_sums.head").read_bytes(), size, names)
    for name, broken in bad.items():
        (FOLDER / f"bad_{name}.head").write_bytes(broken)
    index["bad"] = sorted(f"bad_{name}.head" for name in bad)
    text = json.dumps(index, indent=None, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "index.json").write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


def taught(base):
    """Return a head of a small model's features."""
    random = np.random.default_rng(0)
    reader = FeatureReader(base, preprocessing="raw")
    head = Head(reader.digest, reader.size)
    for index in range(24):
        pixels = random.integers(0, 256, (8, 8, 3)).repeat(4, 0).repeat(4, 1) // 2
        pixels[..., index % 3] += 120
        head.add("red green blue".split()[index % 3], reader.average(reader.map(np.uint8(pixels))))
    head.teach()
    return head


def model(name):
    """Return one of the models of `EXPORTED`."""
    folder = MODELS if name.startswith("colours") else FOLDER
    return (folder / f"{name}.tflite").read_bytes()


def write_exports():
    """Write a model's export, and the SHA-256 of those of the models that the app's tests open."""
    found = {}
    for name in EXPORTED:
        base = model(name)
        head = taught(base)
        (FOLDER / f"{name}.head").write_bytes(head_file.to_bytes(head))
        files = {"teachable": last_layer.teachable(base), "exported": export.export(base, head)}
        found[name] = {key: hashlib.sha256(file).hexdigest() for key, file in files.items()}
    (FOLDER / "exports.json").write_text(json.dumps(found, indent=1) + "\n")
    base = (FOLDER / "export_base.tflite").read_bytes()
    head = taught(base)
    (FOLDER / "export.head").write_bytes(head_file.to_bytes(head))
    (FOLDER / "export.tflite").write_bytes(export.export(base, head))


if __name__ == "__main__":
    write()
    write_exports()
