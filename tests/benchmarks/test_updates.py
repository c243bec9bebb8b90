import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import grown, update_peers, updates
from tests.coding.conftest import build_tflite, sparse_kernel


def test_a_share_of_the_weights_moves_by_one():
    kernel = sparse_kernel((64, 1, 1, 64))
    kernel[0] = -127
    old = build_tflite([kernel, np.arange(99).astype(np.int32)])
    new, choice = updates.moved(old, 0.05)
    steps = np.frombuffer(new, np.int8).astype(int) - np.frombuffer(old, np.int8)
    assert set(steps) == {-1, 0, 1}
    assert 0.04 * 4096 < np.count_nonzero(steps) < 0.06 * 4096
    assert 0.3 * 512 < choice < 0.4 * 512
    weights, changed = np.frombuffer(old, np.int8), steps != 0
    ends = abs(weights) == 127
    count, at_ends = (int(np.count_nonzero(changed & part)) for part in (~ends, ends))
    assert ends.sum() == 64
    kinds = math.comb(4096 - 64, count) * 2**count * math.comb(64, at_ends)
    assert choice == pytest.approx(math.log2(kinds) / 8)


def test_a_row_names_every_size():
    old = build_tflite([sparse_kernel((64, 1, 1, 64))])
    new, _ = updates.moved(old, 0.01)
    cells = [cell.strip() for cell in updates.row("a", old, new).strip("|").split("|")]
    assert len(cells) == len(updates.TITLES) + 2
    size, whole, update = (int(cell.replace(",", "")) for cell in cells[1:4])
    assert size == len(new) > whole > update
    assert update_peers.zstd(old, new) < len(new) / 10
    assert update_peers.xz_of_difference(old, new) < len(new) / 10
    assert update_peers.xz_of_difference(old, new + bytes(9)) < len(new) / 10


def test_the_old_versions_lack_a_class_or_some_photographs(tmp_path, monkeypatch):
    monkeypatch.setattr(grown, "FEW", 2)
    monkeypatch.setattr(grown, "MORE", 4)
    for split, label in ((s, c) for s in ("train", "test") for c in "abc"):
        (tmp_path / "all" / split / label).mkdir(parents=True)
        for number in range(7):
            (tmp_path / "all" / split / label / f"{number}.jpg").write_bytes(b"%d" % number)
    made = grown.Grown(tmp_path / "all", "v1_1_onnx", tmp_path / "work", 96)
    found = {}
    for name, (keep, new) in made.cases().items():
        later = [str(p.name) for p in made.part(f"{name}_new", new).rglob("train/a/*.jpg")]
        assert len(later) == (4 if name == "few" else 7)
        folder = made.part(name, keep)
        found[name] = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.jpg"))
    assert len(found["class"]) == 28
    assert not any("/c/" in name for name in found["class"])
    assert len(found["photographs"]) == 3 * (6 + 7)
    assert "train/a/5.jpg" not in found["photographs"]
    assert "test/a/5.jpg" in found["photographs"]
    assert len(found["few"]) == 3 * (2 + 7)
    assert "train/a/1.jpg" in found["few"]


def test_each_seed_and_choice_has_a_row(tmp_path, monkeypatch):
    """Old and retrained versions are made once a seed."""
    (tmp_path / "all" / "train" / "a").mkdir(parents=True)
    (tmp_path / "all" / "test" / "a").mkdir(parents=True)
    trained = []

    def train(self, data, name, older=None, **flags):
        trained.append((name, data.name, flags.get("base_moves"), flags["seed"]))
        return SimpleNamespace(path=Path(name, "conversions", "a"), older=older)

    monkeypatch.setattr(grown.Grown, "_trained", train)
    monkeypatch.setattr(grown.Grown, "_row", lambda self, name, *models: name)
    made = grown.Grown(tmp_path / "all", "v1_1_onnx", tmp_path / "work", 96)
    assert list(made.rows(["few"], ["head", "share:0.5"], 2)) == [
        *("few | head | 0", "few | share:0.5 | 0", "few | head | 1", "few | share:0.5 | 1")
    ]
    assert trained[3:] == [
        ("share0.5_few_0", "few_new", "share", 0),
        ("retrained_few_1", "few_new", None, 1),
        ("old_few_1", "few", None, 1),
        ("head_few_1", "few_new", "head", 1),
        ("share0.5_few_1", "few_new", "share", 1),
    ]
