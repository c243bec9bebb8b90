"""The one door to Keras 3, which only reads and runs model files that Keras 3 saved."""

import os

# Keras 3 chooses its backend when it is first imported.
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras as keras3

__all__ = ["keras3"]
