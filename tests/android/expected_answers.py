"""Write down what Python's LiteRT says, for the app's tests to compare with.

    export PYTHONPATH=.
    python tests/android/expected_answers.py MODEL PHOTOGRAPHS OUT [--limit=100] [--on_arm=10]

MODEL is the `.tflite` or `.sqz` that the APK bundles, PHOTOGRAPHS a folder of
images (searched whole, in order of name), OUT the folder to write. The Maven
build reads it with -Dsqzkit.expected=OUT. Photographs whose best two classes
are within one percent are left out of the ones for the emulated processors:
there another rounding may rightly decide.
"""

import hashlib
import json
from pathlib import Path

from absl import flags

from benchmarks.script import run
from sqzkit.base.errors import UsageError

FLAGS = flags.FLAGS
flags.DEFINE_integer("limit", 100, "How many photographs.", lower_bound=1)
flags.DEFINE_integer("on_arm", 10, "How many of them also run emulated.", lower_bound=0)

SUFFIXES = (".jpg", ".jpeg", ".png")
CLEAR_MARGIN = 0.01


def photographs(folder, limit):
    """Return the first `limit` images of a folder, in order of path."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UsageError(f"{folder}: holds no {', '.join(SUFFIXES)} file")
    return found[:limit]


def answers(model, paths, on_arm):
    """Return the record that the app's BundledModelTest reads."""
    from sqzkit.tflite import flatbuffer
    from sqzkit.tflite.classifier import Classifier

    content = flatbuffer.load(model)
    classifier = Classifier(content)
    rows = []
    for path in paths:
        best, second = classifier.classify(path, top_k=2)
        clear = best.probability - second.probability > CLEAR_MARGIN
        emulated = clear and on_arm > 0
        on_arm -= emulated
        rows.append({"file": str(path.resolve()), "top": best.index, "on_arm": emulated})
    return {"model_sha256": hashlib.sha256(content).hexdigest(), "photographs": rows}


def main(arguments):
    if len(arguments) != 4:
        raise UsageError("usage: expected_answers.py MODEL PHOTOGRAPHS OUT")
    model, folder, out = (Path(argument) for argument in arguments[1:])
    record = answers(model, photographs(folder, FLAGS.limit), FLAGS.on_arm)
    out.mkdir(parents=True, exist_ok=True)
    (out / "answers.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{out / 'answers.json'}: {len(record['photographs'])} photographs")


if __name__ == "__main__":
    run(main)
