"""sqzkit: train, compress and ship SqueezeNet image classifiers on phones.

Importing this package imports nothing heavy; TensorFlow is loaded by the
modules that need it, when they are first used.
"""

__version__ = "0.1.0"
