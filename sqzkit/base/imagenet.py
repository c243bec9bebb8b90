"""The names of ImageNet-1k's classes."""

from importlib import resources

CLASSES = 1000


def imagenet_labels() -> tuple[str, ...]:
    """Return the 1,000 ImageNet class names (first synonyms, distinct) in class order.

    The order is that of the sorted WordNet numbers ("n01440764" is 0), which Caffe,
    TFDS and everyone else use.
    """
    text = resources.files("sqzkit.base").joinpath("imagenet_labels.txt").read_text("utf-8")
    return tuple(text.splitlines())
