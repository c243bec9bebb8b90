from sqzkit.models import spec, squeezenet
from sqzkit.models.summary import LayerRow, format_table, layer_table


def test_every_layer_but_the_input_has_its_row():
    model = squeezenet.build(spec.tiny(3), 32)
    rows = layer_table(model)
    assert [row.name for row in rows] == [layer.name for layer in model.layers[1:]]
    assert rows[0] == LayerRow("conv1", "Conv2D", (15, 15, 8), 216)
    assert sum(row.parameters for row in rows) == model.count_params()


def test_text_is_aligned_and_ends_with_the_total():
    rows = [LayerRow("conv1", "Conv2D", (15, 15, 8), 1216), LayerRow("relu", "ReLU", (3,), 0)]
    assert format_table(rows).splitlines() == [
        "layer  kind     output  parameters",
        "conv1  Conv2D  15x15x8       1,216",
        "relu   ReLU          3",
        "total                        1,216",
    ]
