"""Conversion with weights chosen for the fewest archive bytes (`--optimize_for`)."""

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.coding import sqz, weights
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.preprocessing import Preprocessing
from sqzkit.ptq import optimize as optimizer
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.tflite.flatbuffer import TFLiteFile


def convert_optimized(
    model: keras.Model,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    options: ConversionOptions,
    photographs: np.ndarray,
    config: OptimizeConfig,
) -> bytes:
    """Convert to int8 per tensor with optimized kernels; see `sqzkit.ptq.optimize`.

    Args:
      model: as for `convert_model`, of layers that the optimizer knows.
      preprocessing: what `model` expects of its input.
      labels: class names in class order.
      options: int8, per_tensor.
      photographs: uint8 [N, S, S, 3], RGB, unlabelled.
      config: target and budget.

    Returns:
      The file; its `.sqz` is not larger than the budget.

    Raises:
      RunError: the budget cannot be met.
    """
    overhead = 0
    if config.archive_budget_bytes is not None:
        plain = convert_model(model, preprocessing, labels, options, photographs)
        overhead = _archive_overhead(plain)
        if overhead >= config.archive_budget_bytes:
            raise RunError(
                f"--archive_budget_bytes={config.archive_budget_bytes}: all but the kernels takes "
                f"{overhead:,} bytes already; allow more"
            )
    found = optimizer.optimize(
        model, preprocessing, photographs, config, overhead, lambda text: print(text, flush=True)
    )
    template = found.template(model, preprocessing)
    content = found.write(convert_model(template, preprocessing, labels, options, photographs))
    checks.check_ends(TFLiteFile(content), options)
    budget = config.archive_budget_bytes
    if budget is not None and (size := len(sqz.pack(content))) > budget:
        raise RunError(
            f"the archive has {size:,} bytes, more than --archive_budget_bytes={budget}: no file "
            "was written; allow more"
        )
    return content


def _archive_overhead(content: bytes) -> int:
    """Return the bytes of a file's archive besides its kernels."""
    model = TFLiteFile(content)
    kernels = [model.data(item.kernel) for item in model.convolutions()]
    return len(sqz.pack(content)) - len(weights.encode(kernels))
