import pytest

from benchmarks import int8_layers
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet

SPEC = specs.tiny(3, normalization="none")


def test_the_layers_times_add_up_to_the_networks():
    fastest = {name: 2.0 ** (i / 4) for i, name in enumerate(int8_layers.cuts(SPEC))}
    rows = int8_layers.layer_times(fastest, SPEC)
    assert sum(ms for _, _, ms in rows) == pytest.approx(fastest["logits"])
    squeezed, whole = fastest["fire2/relu_squeeze1x1"], fastest["fire2/concat"]
    assert dict((kind, ms) for kind, module, ms in rows if module == "fire2") == pytest.approx(
        {
            "squeeze": squeezed - fastest["pool1"],
            "expand 1x1": fastest["fire2/relu_expand1x1"] - squeezed,
            "expand 3x3": fastest["fire2/relu_expand3x3"] - squeezed,
            "concatenation": whole
            + squeezed
            - fastest["fire2/relu_expand1x1"]
            - fastest["fire2/relu_expand3x3"],
        }
    )


@pytest.mark.slow
def test_every_piece_runs_as_int8(capsys):
    model = squeezenet.build(SPEC, 32)
    names = int8_layers.cuts(SPEC)
    assert names[0] == "relu_conv1" and names[-1] == "logits"
    for name in ("fire3/relu_expand3x3", "logits"):
        content = int8_layers.convert(int8_layers.cut(model, name), False)
        int8_layers.runner(content, 1)()
    int8_layers.print_times("32 px", dict.fromkeys(names, 1.0), SPEC)
    assert "32 px: 1.000 ms" in capsys.readouterr().out
