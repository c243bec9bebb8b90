"""A network's table: layers, output shapes and parameters, as the paper's table 1."""

import dataclasses
from collections.abc import Sequence

from sqzkit.base.keras import keras


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One layer.

    Attributes:
      name: the layer's name.
      kind: its Keras class, such as "Conv2D".
      output_shape: without the batch.
      parameters: trained and not trained.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


def layer_table(model: keras.Model) -> list[LayerRow]:
    """Return one row for each layer of `model`, in network order, without the input."""
    return [
        LayerRow(
            name=layer.name,
            kind=type(layer).__name__,
            output_shape=tuple(layer.output_shape[1:]),
            parameters=layer.count_params(),
        )
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def format_table(rows: Sequence[LayerRow]) -> str:
    """Return the rows as aligned text, with the total at the end."""
    cells = [("layer", "kind", "output", "parameters")]
    for row in rows:
        shape = "x".join(map(str, row.output_shape))
        cells.append((row.name, row.kind, shape, f"{row.parameters:,}" if row.parameters else ""))
    cells.append(("total", "", "", f"{sum(row.parameters for row in rows):,}"))
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  {line[1]:<{widths[1]}}  {line[2]:>{widths[2]}}  "
        f"{line[3]:>{widths[3]}}".rstrip()
        for line in cells
    )
