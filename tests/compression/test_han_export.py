import subprocess
import sys

import numpy as np
import pytest

from sqzkit.base.errors import InvariantError, UsageError
from sqzkit.coding import han_net
from sqzkit.compression import han_export, kernels
from sqzkit.runs.loading import load_run


def export(*flags):
    call = [sys.executable, "-m", "sqzkit.net", *map(str, flags)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_a_clustered_run_is_written_and_read_back(finished_chain, tmp_path):
    folder, _ = finished_chain
    output = tmp_path / "run.net"
    result = export(f"--model_dir={folder.path}", f"--output_file={output}")
    assert result.returncode == 0, result.stderr
    assert f"{output.stat().st_size:,} bytes, every weight read back" in result.stdout
    model = load_run(folder.path).model
    convolutions = []
    for name, kernel in kernels.read_kernels(model).items():
        height, width, inputs, outputs = kernel.shape
        convolutions.append(han_net.Convolution(name, (outputs, inputs, height, width)))
    net = han_net.read(output.read_bytes(), convolutions)
    for name, (kernel, bias) in han_net.to_weights(net).items():
        np.testing.assert_array_equal(kernel, model.get_layer(name).kernel.numpy())
        np.testing.assert_array_equal(bias, model.get_layer(name).bias.numpy())
    assert han_net.write(net) == output.read_bytes()


def test_an_existing_file_is_left_alone(finished_chain, tmp_path):
    output = tmp_path / "run.net"
    output.write_text("mine")
    result = export(f"--model_dir={finished_chain[0].path}", f"--output_file={output}")
    assert result.returncode == 2
    assert "exists; give --overwrite" in result.stderr
    assert output.read_text() == "mine"


def test_what_is_not_clustered_is_refused(finished_chain):
    folder, _ = finished_chain
    with pytest.raises(UsageError, match="'prune' still has batch normalization.*cluster it first"):
        han_export.export_net(folder.path, "prune")
    with pytest.raises(UsageError, match="stage 'dense'.*not finished"):
        han_export.export_net(folder.path, "dense")
    refused = export(f"--model_dir={folder.path}", "--output_file=none.net", "--stage=prune")
    assert (refused.returncode, "cluster it first" in refused.stderr) == (2, True)


@pytest.mark.parametrize("what", ["kernel", "bias"])
def test_a_file_that_holds_other_weights_is_refused(finished_chain, monkeypatch, what):
    read = han_net.to_weights

    def careless(net):
        weights = read(net)
        kernel, bias = weights["fire2/expand3x3"]
        other = (kernel + 1, bias) if what == "kernel" else (kernel, bias + 1)
        return {**weights, "fire2/expand3x3": other}

    monkeypatch.setattr(han_export.han_net, "to_weights", careless)
    with pytest.raises(InvariantError, match=f"fire2/expand3x3.*does not hold its {what}"):
        han_export.export_net(finished_chain[0].path)
