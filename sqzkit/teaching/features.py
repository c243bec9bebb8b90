"""From a photograph to the features that a head is taught on."""

from pathlib import Path

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.preprocessing import Preprocessing
from sqzkit.teaching.sums import MAX_FEATURE
from sqzkit.tflite import flatbuffer, last_layer
from sqzkit.tflite.classifier import Classifier, Photograph
from sqzkit.tflite.flatbuffer import Tensor, TFLiteFile

# Features are the averages of an activation in this share of one of its steps (of 1 if it is
# float32). An int16 activation has steps that are fine enough.
STEPS = {"int8": 128, "uint8": 128, "int16": 1, "float32": 128}


class FeatureReader:
    """The features of a converted classifier, before its last layer.

    Args:
      model: path of a `.tflite` or `.sqz` file, or its bytes.
      num_threads: of the interpreter; None: one for each core, at most 4.
      preprocessing: to use instead of what the file says, as `Classifier` takes it.

    Attributes:
      content: the `.tflite`, as it was given.
      classifier: the same, with features and class map as further outputs.
      layer: where they are in the graph.
      digest: what tells networks with other features apart.
      size: the number of features.
      steps: how many units of a feature are one step of the activation.

    Raises:
      FormatError: the file is not a classifier, or cannot be taught.
    """

    def __init__(
        self,
        model: Path | str | bytes,
        num_threads: int | None = None,
        preprocessing: Preprocessing | str | None = None,
    ) -> None:
        self.content = flatbuffer.load(model)
        try:
            graph = TFLiteFile(self.content)
            self.layer = last_layer.find(graph)
            self.digest = last_layer.digest(graph, self.layer)
            content = last_layer.teachable(self.content)
            self.classifier = Classifier(content, num_threads, preprocessing)
        except FormatError as error:
            name = "the model" if isinstance(model, bytes) else model
            raise FormatError(f"{name}: {error}") from None
        self.size = self.layer.features.shape[-1]
        self.steps = STEPS[self.layer.features.dtype]

    def read(self, photo: Photograph) -> np.ndarray:
        """Return a photograph's features, int16 [size], as `Classifier.classify` takes it."""
        return self.average(self.map(self.classifier.prepare(photo)))

    def map(self, image: np.ndarray) -> np.ndarray:
        """Return the activation that is averaged, [H, W, size], less its zero point.

        The image is uint8 [S, S, 3], RGB, prepared. The result is int64, in steps of the
        activation, or float64 if that is float32.
        """
        return _less_zero(self.classifier.outputs(image)[1][0], self.layer.features)

    def class_map(self, image: np.ndarray) -> np.ndarray:
        """Return the model's own class map, [H, W, classes], as `map` returns the features.

        Raises:
          FormatError: the model averages before its last layer, as MobileNet does.
        """
        if self.layer.class_map is None:
            raise FormatError(
                "the model averages before its last layer, so it has no map of its classes; teach "
                "a head, whose report shows maps"
            )
        return _less_zero(self.classifier.outputs(image)[2][0], self.layer.class_map)

    def average(self, values: np.ndarray) -> np.ndarray:
        """Return the features of a map, int16 [size]: its average, rounded to the nearest.

        Halves are rounded up. Averages beyond int16 are clipped.
        """
        steps = self.steps
        places = values.shape[0] * values.shape[1]
        total = values.reshape(places, -1).sum(0)
        if total.dtype == np.int64:
            rounded = (2 * steps * total + places) // (2 * places)
        else:
            rounded = np.floor(total * steps / places + 0.5)
        return np.asarray(np.clip(rounded, -MAX_FEATURE, MAX_FEATURE), np.int16)


def _less_zero(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Return stored values less their zero point: int64, or float64 if they are float32."""
    if values.dtype == np.float32:
        return np.asarray(values, np.float64)
    return np.asarray(values, np.int64) - int(tensor.zero_points[0])
