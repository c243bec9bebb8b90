"""Classify photographs with a model and the head that was taught on it."""

from pathlib import Path

import numpy as np

from sqzkit.preprocessing import Preprocessing
from sqzkit.teaching import head_file
from sqzkit.teaching.features import FeatureReader
from sqzkit.teaching.head import refuse_other
from sqzkit.tflite.classifier import Photograph, Prediction, rank


class TaughtClassifier:
    """A model whose classes are those of a head; it knows when a photograph shows none of them.

    Args:
      model: path of the `.tflite` or `.sqz` file.
      head: path of the `.head` file.
      preprocessing: as `Classifier` takes it.
      own_classes: whether the model itself answers where a photograph shows none of the head's.

    Attributes:
      labels: the head's class names in class order.

    Raises:
      SqzkitError: one of the files cannot be read, or the head belongs to another model.
    """

    def __init__(
        self,
        model: Path | str,
        head: Path | str,
        preprocessing: Preprocessing | str | None = None,
        own_classes: bool = False,
    ) -> None:
        self._reader = FeatureReader(model, preprocessing=preprocessing)
        found = head_file.read(head)
        refuse_other(found.digest, self._reader.digest, str(head))
        self._taught = found.teach()
        self.labels = self._taught.labels
        self._own_classes = own_classes

    def prepare(self, photo: Photograph) -> np.ndarray:
        """Return a photograph as the network sees it, as `Classifier.prepare` does."""
        return self._reader.classifier.prepare(photo)

    def answer(self, image: np.ndarray, top_k: int) -> tuple[list[Prediction], bool]:
        """Return the most probable classes of a prepared image, and whether it shows none."""
        features = self._reader.average(self._reader.map(image))[None]
        if self._own_classes and self._taught.is_none(features)[0]:
            return self._reader.classifier.answer(image, top_k)
        (probabilities,) = self._taught.probabilities(features)
        best = rank(probabilities, self.labels, top_k)
        return best, bool(self._taught.is_none(features)[0])
