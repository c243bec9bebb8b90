import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.compression import kernels, sparsity
from sqzkit.runs.folder import RunFolder

SIZES = {"robust": 1000, "delicate": 1000, "small": 10}


def curve(slope):
    return {sparsity: 0.1 + slope * sparsity**3 for sparsity in sparsity.GRID}


@pytest.fixture
def scanned():
    curves = {"robust": curve(0.1), "delicate": curve(5.0), "small": curve(1.0)}
    return sparsity.Scan(0.1, curves, SIZES)


def overall(proposal):
    return sum(SIZES[name] * value for name, value in proposal.items()) / sum(SIZES.values())


@pytest.mark.parametrize("target", [0.1, 0.5, 0.8, 0.97])
def test_the_target_is_met_over_all_layers_and_the_robust_one_bears_most(scanned, target):
    proposal = scanned.proposal(target)
    assert overall(proposal) == pytest.approx(target, abs=0.002)
    assert proposal["robust"] >= proposal["small"] >= proposal["delicate"]
    assert all(0 <= value <= sparsity.SCAN_MAX for value in proposal.values())


def test_layers_are_cut_to_the_same_rise_of_the_loss(scanned):
    proposal = scanned.proposal(0.5)
    losses = {}
    for name in ("delicate", "small"):
        points = {0.0: scanned.base, **scanned.curves[name]}
        losses[name] = np.interp(proposal[name], list(points), list(points.values()))
    assert losses["delicate"] == pytest.approx(losses["small"], abs=1e-3)
    assert losses["small"] > scanned.base + 0.02


def test_a_flat_loss_still_gives_a_proposal():
    flat = sparsity.Scan(2.3, dict.fromkeys(SIZES, dict.fromkeys(sparsity.GRID, 2.3)), SIZES)
    assert overall(flat.proposal(0.7)) == pytest.approx(0.7, abs=0.01)


def test_more_than_a_scan_can_propose_is_refused(scanned):
    with pytest.raises(UsageError, match=r"scan:0.99: a scan proposes 0..0.98"):
        scanned.proposal(0.99)


class Loss:
    """The sum of all weights' magnitudes that are gone: known in closed form."""

    def __init__(self, model, fail_after=None):
        self.model, self.calls, self.fail_after = model, 0, fail_after
        self.full = self.total()

    def total(self):
        arrays = kernels.read_kernels(self.model).values()
        return float(sum(np.abs(array).sum() for array in arrays))

    def __call__(self):
        self.calls += 1
        if self.fail_after and self.calls > self.fail_after:
            raise KeyboardInterrupt
        return self.full - self.total()


def test_a_killed_scan_measures_only_what_is_missing(small_model, tmp_path, capsys):
    folder = RunFolder(tmp_path)
    before = kernels.read_kernels(small_model)
    points = len(sparsity.GRID)
    identity = {"weights": "abc", "examples": 8}
    with pytest.raises(KeyboardInterrupt):
        sparsity.scan(small_model, Loss(small_model, 1 + 2 * points + 3), folder, identity)
    assert len(capsys.readouterr().out.splitlines()) == 2
    for name, kernel in kernels.read_kernels(small_model).items():
        np.testing.assert_array_equal(kernel, before[name], err_msg="weights were not put back")
    again = Loss(small_model)
    scanned = sparsity.scan(small_model, again, folder, identity)
    assert again.calls == 3 * points
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("sensitivity 5/5 conv10: loss ")
    whole = Loss(small_model)
    elsewhere = sparsity.scan(small_model, whole, RunFolder(tmp_path / "b"), identity)
    assert whole.calls == 1 + 5 * points
    assert elsewhere == scanned
    assert scanned.curves["conv1"][0.9] > scanned.curves["conv1"][0.3] > scanned.base


def test_curves_of_other_weights_are_thrown_away(small_model, tmp_path):
    folder = RunFolder(tmp_path)
    sparsity.scan(small_model, Loss(small_model), folder, {"weights": "a"})
    loss = Loss(small_model)
    sparsity.scan(small_model, loss, folder, {"weights": "b"})
    assert loss.calls == 1 + 5 * len(sparsity.GRID)
