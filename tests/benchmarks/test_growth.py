import dataclasses
import json
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import process
from benchmarks.parts import growth
from tests import thorough


def test_ten_times_is_ten_times():
    assert growth.GROWN["images"].images == 10 * growth.BASE.images
    assert growth.GROWN["classes"].classes == 10 * growth.BASE.classes
    assert growth.GROWN["pixels"].side ** 2 == pytest.approx(10 * growth.BASE.side**2, rel=0.01)
    for name, scale in growth.GROWN.items():
        changed = [
            field.name
            for field in dataclasses.fields(scale)
            if getattr(scale, field.name) != getattr(growth.BASE, field.name)
        ]
        assert len(changed) == (2 if name == "pixels" else 1)


def test_photographs_are_written_once(tmp_path):
    scale = growth.Scale(images=6, classes=3, photograph=40)
    folder = growth.write_photographs(scale, tmp_path)
    paths = sorted(folder.glob("*/*.jpg"))
    assert [path.parent.name for path in paths] == ["000", "000", "001", "001", "002", "002"]
    assert np.asarray(Image.open(paths[0])).shape == (40, 40, 3)
    paths[0].unlink()
    assert growth.write_photographs(scale, tmp_path) == folder
    assert not paths[0].exists()


@pytest.mark.slow
@pytest.mark.skipif(not thorough.THOROUGH, reason="SQZKIT_THOROUGH=1 runs the benchmark's probe")
def test_a_probe_measures_every_step(tmp_path):
    scale = growth.Scale(images=90, classes=2, side=48, base_e=16, photograph=48)
    folder = growth.write_photographs(scale, tmp_path)
    command = [sys.executable, "-m", "benchmarks.peers.growth_probe", f"--photographs={folder}"]
    command += ["--image_size=48", "--base_e=16"]
    answer = json.loads(process.run(command, tmp_path / "log").output.splitlines()[-1])
    assert list(answer["steps"]) == [
        "open the folder",
        "decode",
        "train an epoch",
        "convert to int8",
        "pack",
        "unpack",
        "infer",
    ]
    for step in answer["steps"].values():
        assert step["seconds"] > 0
        assert 50 < step["peak_mib"] < 5000
    assert 1000 < answer["parameters"] < 1_000_000
