"""From a stored specification to a network, whatever its architecture."""

from collections.abc import Mapping
from typing import Any

from sqzkit.errors import RunError
from sqzkit.keras import keras
from sqzkit.models import squeezenet
from sqzkit.models.spec import SqueezeNetSpec


def build_from_json(
    spec_json: Mapping[str, Any], image_size: int, classifier_activation: str | None = None
) -> keras.Model:
    """Build the network of a `spec.json`.

    Args:
      spec_json: what a specification's `to_json` gave.
      image_size: side of the square input in pixels.
      classifier_activation: None for logits or "softmax".

    Raises:
      RunError: the record names no known architecture or is not one.
      UsageError: the network is not possible at that size.
    """
    architecture = spec_json.get("architecture")
    if architecture == "squeezenet":
        spec = SqueezeNetSpec.from_json(spec_json)
        return squeezenet.build(spec, image_size, classifier_activation)
    raise RunError(f"architecture {architecture!r}: must be one of squeezenet")
