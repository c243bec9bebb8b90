"""What the tests of several models modules share."""

import numpy as np
from hypothesis import strategies as st

from sqzkit.base.errors import UsageError
from sqzkit.models import spec
from sqzkit.models.spec import SqueezeNetSpec


@st.composite
def specs(draw):
    """Any valid specification with few filters."""
    modules = draw(st.integers(1, 4))
    layers = ["conv1", *(f"fire{i + 2}" for i in range(modules))]
    fields = {
        "classes": draw(st.integers(2, 5)),
        "conv1_filters": draw(st.integers(1, 8)),
        "conv1_kernel": draw(st.sampled_from((3, 5, 7))),
        "base_e": draw(st.integers(2, 12)),
        "incr_e": draw(st.integers(0, 8)),
        "freq": draw(st.integers(1, 3)),
        "pct3x3": draw(st.sampled_from((0.0, 0.25, 0.5, 1.0))),
        "squeeze_ratio": draw(st.sampled_from((0.125, 0.5, 1.0))),
        "fire_modules": modules,
        "pool_after": tuple(draw(st.lists(st.sampled_from(layers), unique=True, max_size=2))),
        "normalization": draw(st.sampled_from(("none", "batch"))),
        "conv10_relu": draw(st.booleans()),
        "conv10_padding": draw(st.integers(0, 1)),
        "squeeze_relu": draw(st.booleans()),
    }
    try:
        return SqueezeNetSpec(bypass=draw(st.sampled_from(spec.BYPASSES)), **fields)
    except UsageError as error:  # a simple bypass may have no place
        assert "raise freq or choose complex" in str(error)
        return SqueezeNetSpec(bypass="complex", **fields)


def randomize(model, seed):
    """Give every weight a value that matters: biases, means, variances and factors too."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable, weight in zip(layer.weights, layer.get_weights(), strict=True):
            noise = generator.normal(size=weight.shape)
            if "variance" in variable.name or "gamma" in variable.name:
                values.append(0.5 + np.abs(noise))
            elif "kernel" in variable.name:
                values.append(noise / np.sqrt(np.prod(weight.shape[:-1])))
            else:
                values.append(0.3 * noise)
        layer.set_weights(values)
