"""A clustered run as Song Han's `.net` file, whose encoder was never released.

`sqzkit.coding.han_net` knows the format; here its layers are taken from a run.
"""

from pathlib import Path

import numpy as np

from sqzkit.base.errors import InvariantError, UsageError
from sqzkit.base.keras import keras
from sqzkit.coding import han_net
from sqzkit.compression import kernels as reading
from sqzkit.runs.loading import load_run


def export_net(model_dir: Path | str, stage: str | None = None) -> bytes:
    """Return the `.net` file of a run, every weight read back and compared.

    Args:
      model_dir: a run folder.
      stage: whose weights to take; default: the last.

    Raises:
      UsageError: the network has batch normalization left, layers that the
        format does not know, or a kernel with more than 255 values beside zero.
    """
    run = load_run(model_dir, stage)
    if run.spec.get("normalization") == "batch":
        raise UsageError(
            f"{model_dir}: the stage {run.stage!r} still has batch normalization, which a .net "
            "file cannot hold; cluster it first (--stages=cluster)"
        )
    weights = {}
    for layer in reading.weighted_layers(run.model):
        if not isinstance(layer, keras.layers.Conv2D):
            raise UsageError(f"{layer.name}: a .net file holds convolutions only")
        weights[layer.name] = (layer.kernel.numpy(), layer.bias.numpy())
    net = han_net.from_weights(weights)
    content = han_net.write(net)
    _check(content, weights, [layer.convolution for layer in net])
    return content


def _check(
    content: bytes,
    weights: dict[str, tuple[np.ndarray, np.ndarray]],
    convolutions: list[han_net.Convolution],
) -> None:
    found = han_net.to_weights(han_net.read(content, convolutions))
    for name, arrays in weights.items():
        for what, array, other in zip(("kernel", "bias"), arrays, found[name], strict=True):
            if not np.array_equal(array, other):
                raise InvariantError(name, f"the .net file does not hold its {what}")
