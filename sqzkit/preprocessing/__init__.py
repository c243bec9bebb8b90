"""From a photograph to the network's input: one record, followed by everybody."""

from sqzkit.preprocessing.record import (
    CHANNEL_ORDERS,
    MAXIMUM_SIZE,
    MINIMUM_SIZE,
    NAMES,
    RESIZE_RULES,
    Preprocessing,
    caffe,
    default,
    named,
)

__all__ = [
    "CHANNEL_ORDERS",
    "MAXIMUM_SIZE",
    "MINIMUM_SIZE",
    "NAMES",
    "RESIZE_RULES",
    "Preprocessing",
    "caffe",
    "default",
    "named",
]
