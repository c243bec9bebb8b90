"""The one door to Keras 2: every other module imports `keras` from here.

TF-MOT accepts only Keras-2 models, and TensorFlow 2.21's own `tf.keras` is
Keras 3. `tf_keras` is Keras 2 and needs no environment variable.
"""

import tf_keras as keras

__all__ = ["keras"]
