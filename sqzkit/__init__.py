"""sqzkit: train, compress and ship SqueezeNet image classifiers on phones.

Importing this package imports nothing heavy; TensorFlow is loaded by the
modules that need it, when they are first used.
"""

from pathlib import Path

__version__ = "0.1.0"

# So that `python -m sqzkit.evolve` runs sqzkit/programs/evolve.py.
__path__.append(str(Path(__path__[0], "programs")))
