"""The chain over the kinds of network there are: every invariant holds in the int8 file."""

import numpy as np
import pytest

from sqzkit.compression import kernels
from sqzkit.conversion import checks, stage_summary
from sqzkit.models import spec
from sqzkit.runs.loading import load_run
from tests import thorough
from tests.compression import small_chain

STEMS = {
    "v1_0": {"conv1_kernel": 7, "pool_after": ("conv1", "fire2"), "conv10_padding": 1},
    "v1_1": {"conv1_kernel": 3, "pool_after": ("conv1", "fire3")},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "bypass", "normalization", "codebook"),
    thorough.pick(
        [("v1_0", "simple", "batch", "kmeans++"), ("v1_1", "complex", "none", "density")],
        [
            ("v1_0", "simple", "batch", "kmeans++"),
            ("v1_0", "complex", "none", "uniform"),
            ("v1_1", "none", "none", "density"),
            ("v1_1", "complex", "batch", "linear"),
        ],  # each value of each column at least once
    ),
)
def test_every_invariant_holds_in_the_int8_file(
    tmp_path, corners, stem, bypass, normalization, codebook
):
    network = spec.tiny(
        small_chain.CLASSES,
        fire_modules=2,
        freq=2,  # two Fire modules of equal width: the second has a simple bypass
        bypass=bypass,
        normalization=normalization,
        **STEMS[stem],
    )
    folder, options = small_chain.make_untrained_run(tmp_path / "run", network, corners)
    config = small_chain.quick_config(
        target_sparsity="0.7,conv1=0.3",
        codebook=codebook,
        prune_epochs=1,
        dense_epochs=1,
        cluster_epochs=1,
        quantize_epochs=1,
    )
    stage_summary.compress(folder, config, options, corners)
    run = load_run(folder.path)
    assert run.spec["normalization"] == "none"
    assert any("bypass1x1" in name for name in kernels.layer_names(run.model)) == (
        bypass == "complex"
    )
    content = small_chain.int8_file(folder, run.model, corners)
    found = checks.check_compression(run.model, folder.preprocessing, content)
    assert list(found) == kernels.layer_names(run.model)
    pruned = kernels.read_kernels(load_run(folder.path, "prune").model)
    for name, (sparsity, distinct) in found.items():
        size = pruned[name].size
        assert sparsity * size >= np.floor((0.3 if name == "conv1" else 0.7) * size)
        assert distinct <= 8
