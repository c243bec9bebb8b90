"""From a photograph to the network's input: the record and the rule that everybody follows."""

from sqzkit.preprocessing.record import (
    MAX_SIZE,
    MIN_SIZE,
    NAMES,
    Preprocessing,
    caffe,
    default,
    named,
    torchvision,
)

__all__ = [
    "MAX_SIZE",
    "MIN_SIZE",
    "NAMES",
    "Preprocessing",
    "caffe",
    "default",
    "named",
    "torchvision",
]
