"""The models whose ARM instructions are counted are what their names say."""

import re

from benchmarks import arm_models
from sqzkit.tflite.flatbuffer import TFLiteFile


def filters(model):
    """Return the filters of each convolution of a model, by its name."""
    return {layer.name: layer.filters for layer in model.layers if hasattr(layer, "filters")}


def test_generations_have_any_number_of_channels_or_multiples_of_the_tile():
    pairs = dict(arm_models.generations())
    for name, model in pairs.items():
        hidden = [number for layer, number in filters(model).items() if layer != "conv10"]
        whole = all(number % arm_models.TILE == 0 for number in hidden)
        assert whole == name.endswith("_16"), (name, hidden)


def test_a_fire_module_pools_before_or_after_its_concatenation_to_the_same_shape():
    modules = dict(arm_models.fire_modules())
    before, after = (modules[f"fire_23px_pooled_{where}"] for where in ("before", "after"))
    assert before.output_shape == after.output_shape == (None, 11, 11, 128)
    assert type(before.layers[-1]).__name__ == "Concatenate"
    assert type(after.layers[-1]).__name__ == "MaxPooling2D"


def test_a_layer_becomes_int8_with_the_filters_of_its_name():
    name, model = next(
        item for item in arm_models.single_layers() if re.fullmatch("c8_1x1_n64", item[0])
    )
    file = TFLiteFile(arm_models.convert(model, per_tensor=False))
    assert [8, 64] == list(filters(model).values()), name
    assert {tensor.dtype for tensor in file.tensors} == {"int8", "int32"}
