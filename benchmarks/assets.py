"""Make the files that all contenders read.

    python -m benchmarks.assets --assets_dir=DIR [--weights_dir=DIR] [--photographs=DIR]

Run once by `benchmarks.run`, as a process of its own: TensorFlow's memory and
threads are then gone before anything is measured.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from benchmarks import script
from sqzkit.base import quiet

_ASSETS_DIR = flags.DEFINE_string("assets_dir", None, "Folder to fill.", required=True)
_WEIGHTS_DIR = flags.DEFINE_string("weights_dir", None, "Where the published weights lie.")
_PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder to calibrate on; else made up.")
_EXAMPLES = flags.DEFINE_integer("examples", 1024, "Training images.")

SIDES = (227, 96)
TRAINING_SIDE = 64
PICTURES = 32  # to calibrate on, and to compare answers on
DONE = "done.json"


def made_up_pictures(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Return uint8 [count, side, side, 3]: random blots of colour, smooth as photographs are."""
    from PIL import Image

    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    resized = [
        Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse
    ]
    noise = random.normal(0, 8, (count, side, side, 3))
    return np.clip(np.stack([np.asarray(one) for one in resized]) + noise, 0, 255).astype(np.uint8)


def training_data(count: int, side: int) -> dict[str, np.ndarray]:
    """Return "pixels" uint8, "normalized" float32 (both [N, S, S, 3]) and "labels" int32."""
    from sqzkit.data.pipeline import normalize
    from sqzkit.preprocessing import default

    pixels = made_up_pictures(count, side)
    labels = (pixels.mean((1, 2, 3)) * 10 / 256).astype(np.int32)
    normalized = normalize(pixels.astype(np.float32), default(side)).numpy()
    return {"pixels": pixels, "normalized": normalized, "labels": labels}


def gather_photographs(target: Path, source: str | None) -> None:
    """Put `2 * PICTURES` photographs into a folder: some of `source`'s, or made up."""
    from PIL import Image

    from sqzkit.data.tree import survey

    target.mkdir(parents=True, exist_ok=True)
    if source is None:
        for index, pixels in enumerate(made_up_pictures(2 * PICTURES, 256)):
            Image.fromarray(pixels).save(target / f"{index:03}.jpg", quality=92)
        return
    found = sorted(survey(Path(source))[0].everything())
    for index, path in enumerate(found[:: max(1, len(found) // (2 * PICTURES))]):
        shutil.copyfile(path, target / f"{index:03}{path.suffix}")


def _write_published(target: Path, side: int) -> list[int]:
    """Write graph, `.tflite` files and pictures of one size; return the float network's answers."""
    from benchmarks.networks import published_classifier
    from sqzkit.conversion.converter import convert_model
    from sqzkit.conversion.options import ConversionOptions
    from sqzkit.data.pipeline import normalize
    from sqzkit.preprocessing.photograph import load_photograph

    classifier = published_classifier(side, _WEIGHTS_DIR.value)
    paths = sorted((target / "photographs").iterdir())[:PICTURES]
    pictures = np.stack([load_photograph(path, classifier.preprocessing) for path in paths])
    np.save(target / f"pictures_{side}.npy", pictures)
    classifier.graph().save(target / f"published_{side}.npz")
    for name, options in {
        "float": ConversionOptions(quantization="none"),
        "int8": ConversionOptions(inference_input_type="uint8"),
        "int8_per_tensor": ConversionOptions(
            granularity="per_tensor", inference_input_type="uint8"
        ),
    }.items():
        content = convert_model(
            classifier.model, classifier.preprocessing, classifier.labels, options, pictures
        )
        (target / f"published_{side}_{name}.tflite").write_bytes(content)
    if side == max(SIDES):
        classifier.model.save(target / "classifier.keras")
        classifier.preprocessing.save(target / "preprocessing.json")
        (target / "labels.txt").write_text("\n".join(classifier.labels), encoding="utf-8")
    logits = classifier.model(normalize(pictures.astype(np.float32), classifier.preprocessing))
    return [int(answer) for answer in np.argmax(logits, axis=1)]


def main(argv: Sequence[str]) -> None:
    """Fill the folder; its last file says that it is whole."""
    script.reject_arguments(argv)
    target = Path(_ASSETS_DIR.value)
    target.mkdir(parents=True, exist_ok=True)
    quiet.load_tensorflow()
    from benchmarks.networks import training_graph

    training_graph(TRAINING_SIDE).save(target / "training.npz")
    data: dict[str, Any] = training_data(_EXAMPLES.value, TRAINING_SIDE)
    np.savez(target / "training_data.npz", **data)
    gather_photographs(target / "photographs", _PHOTOGRAPHS.value)
    answers = {side: _write_published(target, side) for side in SIDES}
    record = {"photographs": _PHOTOGRAPHS.value is not None, "answers": answers}
    (target / DONE).write_text(json.dumps(record), encoding="utf-8")


if __name__ == "__main__":
    script.run(main)
