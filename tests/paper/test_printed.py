import fnmatch

import pytest

from sqzkit.compression import kernels
from sqzkit.compression.plan import CompressionConfig
from sqzkit.models import alexnet, squeezenet
from sqzkit.models import spec as specs
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper.config import ROWS
from sqzkit.paper.printed import (
    ALEXNET_DENSITY,
    ALEXNET_VALUES,
    PAPER,
    SQUEEZENET_DENSITY,
    sparsity_table,
    values_table,
)


def weights_left(shapes, densities):
    """Return the weights that are not zero."""
    left = 0.0
    for name, size in shapes.items():
        matching = [value for pattern, value in densities.items() if fnmatch.fnmatch(name, pattern)]
        left += size * (matching[-1] if matching else 1)
    return left


def sizes(model):
    return {
        layer.name: layer.kernel.shape.num_elements() for layer in kernels.weighted_layers(model)
    }


def test_alexnets_densities_leave_a_ninth_which_is_27_megabytes():
    # Small sides and units keep the test quick: convolutions do not depend on them.
    found = sizes(alexnet.build(AlexNetSpec(1000, fc_units=8), 67))
    found |= {"fc6": 9216 * 4096, "fc7": 4096 * 4096, "fc8": 4096 * 1000}
    assert sum(found.values()) + 10_568 == 60_965_224
    left = weights_left(found, ALEXNET_DENSITY)
    assert 4 * left == pytest.approx(27e6, rel=0.02)
    assert sum(found.values()) / left == pytest.approx(9, rel=0.02)


def test_squeezenets_densities_leave_what_table_1_prints():
    model = squeezenet.build(specs.v1_0(1000, normalization="none"), 227)
    biases = model.count_params() - sum(sizes(model).values())
    assert weights_left(sizes(model), SQUEEZENET_DENSITY) + biases == pytest.approx(
        421_098, rel=0.02
    )


def test_tables_are_what_the_chain_takes():
    names = ["conv1/a", "conv1/b", "fc6"]
    text = sparsity_table(ALEXNET_DENSITY, names)
    assert text == "0,conv1/a=0.16,conv1/b=0.16,fc6=0.91"
    clusters = values_table(ALEXNET_VALUES, names)
    config = CompressionConfig(target_sparsity=text, number_of_clusters=clusters)
    assert config.sparsity_table().resolve(names) == {"conv1/a": 0.16, "conv1/b": 0.16, "fc6": 0.91}
    assert config.cluster_table().resolve(names) == {"conv1/a": 255, "conv1/b": 255, "fc6": 32}
    last = ["fire8/expand3x3", "fire9/expand3x3", "fire2/squeeze1x1"]
    text = sparsity_table(SQUEEZENET_DENSITY, last)
    assert text == "0,fire8/expand3x3=0.67,fire9/expand3x3=0.7"


def test_every_row_of_the_paper_is_ours():
    assert set(PAPER) < set(ROWS)


def test_the_papers_figures_fit_together():
    alexnet, svd = PAPER["alexnet"], PAPER["svd"]
    assert (alexnet.megabytes, alexnet.top1, alexnet.top5) == (240, 57.2, 80.3)
    sizes = [(240, 1), (48, 5), (27, 9), (6.9, 35), (4.8, 50), (0.66, 363), (0.47, 510)]
    assert [(row.megabytes, row.ratio) for row in PAPER.values()] == sizes  # as table 2 has them
    for row in PAPER.values():  # the paper rounds down, or to the nearest
        assert -1 < row.ratio - alexnet.megabytes / row.megabytes < 0.5
    assert (svd.top1, svd.top5) == (56.0, 79.4)  # all others lose nothing
    for name, row in PAPER.items():
        if name != "svd":
            assert (row.top1, row.top5) == (57.5 if "squeezenet" in name else 57.2, 80.3)
