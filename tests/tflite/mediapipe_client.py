"""Ask MediaPipe's ImageClassifier; run by test_mediapipe.py in MediaPipe's own environment.

python mediapipe_client.py MODEL IMAGES.npy   -> JSON: [[label, score] per image]
"""

import json
import sys

import mediapipe
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision


def main(model: str, images: str) -> None:
    base = tasks.BaseOptions(model_asset_path=model)
    options = vision.ImageClassifierOptions(base_options=base, max_results=1)
    answers = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for pixels in np.load(images):
            image = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(pixels))
            best = classifier.classify(image).classifications[0].categories[0]
            answers.append([best.category_name, best.score])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
