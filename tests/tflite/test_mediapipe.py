"""MediaPipe's ImageClassifier runs our files from their metadata alone.

MediaPipe and TF-MOT need different versions of absl-py, so it lives in an
environment of its own: set SQZKIT_MEDIAPIPE_PYTHON to that one's interpreter.
"""

import json
import os
import subprocess
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uint8", "none"])
def test_mediapipe_gives_the_same_answers(converted, mediapipe_python, shared_dir, tmp_path, kind):
    model, images = tmp_path / "m.tflite", tmp_path / "images.npy"
    model.write_bytes(converted[kind])
    classifier = Classifier(model)
    folder = shared_dir / "data" / "sign_language_digits" / "test"
    paths = sorted(folder.rglob("*.JPG"))[::20][:20]
    pixels = np.stack([classifier.prepare(path) for path in paths])
    np.save(images, pixels)
    call = [mediapipe_python, str(CLIENT), str(model), str(images)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        call, capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr[-2000:]
    theirs = json.loads(result.stdout.splitlines()[-1])
    probabilities = classifier.predict(pixels)
    ours = [(classifier.labels[int(row.argmax())], row.max()) for row in probabilities]
    assert len(theirs) == 20
    assert [label for label, _ in theirs] == [label for label, _ in ours]
    scores = [score for _, score in theirs]
    np.testing.assert_allclose(scores, [score for _, score in ours], atol=1.5 / 256)
