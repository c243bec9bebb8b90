"""From a stored specification to a network, whatever its architecture."""

from collections.abc import Mapping
from typing import Any

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import alexnet, squeezenet
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.models.spec import SqueezeNetSpec

Spec = SqueezeNetSpec | AlexNetSpec
SPECS: dict[str, type[SqueezeNetSpec] | type[AlexNetSpec]] = {
    "squeezenet": SqueezeNetSpec,
    "alexnet": AlexNetSpec,
}


def spec_from_json(spec_json: Mapping[str, Any]) -> Spec:
    """Return the specification of a `spec.json`; raise `RunError` if it is not one."""
    architecture = spec_json.get("architecture")
    if not isinstance(architecture, str) or architecture not in SPECS:
        raise RunError(f"architecture {architecture!r}: must be one of {', '.join(SPECS)}")
    return SPECS[architecture].from_json(spec_json)


def build(spec: Spec, image_size: int, classifier_activation: str | None = None) -> keras.Model:
    """Build the network of a specification.

    Args:
      spec: a `SqueezeNetSpec` or an `AlexNetSpec`.
      image_size: side of the square input in pixels.
      classifier_activation: None for logits or "softmax".

    Raises:
      UsageError: the network is not possible at that size.
    """
    if isinstance(spec, AlexNetSpec):
        return alexnet.build(spec, image_size, classifier_activation)
    return squeezenet.build(spec, image_size, classifier_activation)


def build_from_json(spec_json: Mapping[str, Any], image_size: int) -> keras.Model:
    """Build the network of a `spec.json`, from a square input of `image_size` pixels to logits.

    Raises:
      RunError: the record names no known architecture or is not one.
      UsageError: the network is not possible at that size.
    """
    return build(spec_from_json(spec_json), image_size)
