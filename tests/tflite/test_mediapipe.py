"""MediaPipe's ImageClassifier runs our files from their metadata alone.

MediaPipe and TF-MOT need different versions of absl-py, so it lives in an
environment of its own: set SQZKIT_MEDIAPIPE_PYTHON to that one's interpreter.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sqzkit.tflite.classifier import Classifier

CLIENT = Path(__file__).parent / "mediapipe_client.py"


@pytest.fixture(scope="module")
def mediapipe_python():
    path = os.environ.get("SQZKIT_MEDIAPIPE_PYTHON")
    if not path:
        pytest.skip("needs an environment with MediaPipe: set SQZKIT_MEDIAPIPE_PYTHON")
    return path


def ask(python, model, pixels, folder):
    """Return MediaPipe's best (label, score) for each of uint8 [N, S, S, 3]."""
    images = folder / "images.npy"
    np.save(images, pixels)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [python, str(CLIENT), str(model), str(images)],
        capture_output=True, text=True, env=environment, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uint8", "none"])
def test_mediapipe_gives_the_same_answers(converted, mediapipe_python, shared_dir, tmp_path, kind):
    model = tmp_path / "m.tflite"
    model.write_bytes(converted[kind])
    classifier = Classifier(model)
    folder = shared_dir / "data" / "sign_language_digits" / "test"
    paths = sorted(folder.rglob("*.JPG"))[::20][:20]
    pixels = np.stack([classifier.prepare(path) for path in paths])
    theirs = ask(mediapipe_python, model, pixels, tmp_path)
    probabilities = classifier.predict(pixels)
    ours = [(classifier.labels[int(row.argmax())], row.max()) for row in probabilities]
    assert len(theirs) == 20
    assert [label for label, _ in theirs] == [label for label, _ in ours]
    scores = [score for _, score in theirs]
    np.testing.assert_allclose(scores, [score for _, score in ours], atol=1.5 / 256)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [("--quantization=int8", "--inference_input_type=uint8"), ("--quantization=none",)]
)
def test_mediapipe_names_100_photographs_as_we_do(
    repository, mediapipe_python, shared_dir, tmp_path, flags
):
    photographs, model = shared_dir / "data" / "imagenet_samples", tmp_path / "m.tflite"
    subprocess.run(
        [
            sys.executable, "convert.py", "--weights=deep_compression", f"--output_file={model}",
            f"--weights_dir={shared_dir / 'weights'}", "--calibration_steps=50",
            f"--representative_dataset_dir={photographs}", *flags,
        ],
        cwd=repository, check=True, timeout=800,
    )  # fmt: skip
    classifier = Classifier(model)
    paths = sorted(photographs.rglob("*.JPEG"))[::2]
    pixels = np.stack([classifier.prepare(path) for path in paths])
    theirs = [label for label, _ in ask(mediapipe_python, model, pixels, tmp_path)]
    best = [classifier.labels[int(row.argmax())] for row in classifier.predict(pixels)]
    assert len(theirs) == 100
    assert theirs == best
