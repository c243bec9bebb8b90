import numpy as np
import pytest
from PIL import Image

from benchmarks import assets


@pytest.mark.parametrize("count", [1, 1000])
def test_photographs_are_taken_from_all_of_a_folder(tmp_path, count):
    source, target = tmp_path / "source", tmp_path / "target"
    for label in ("ants", "bees"):
        (source / label).mkdir(parents=True)
        for index in range(count // 2 or 1):
            Image.fromarray(np.full((4, 4, 3), index % 256, np.uint8)).save(
                source / label / f"{index:03}.png"
            )
    (source / "notes.txt").write_text("not a photograph")
    assets.gather_photographs(target, str(source))
    taken = sorted(target.iterdir())
    assert {path.suffix for path in taken} == {".png"}
    assert min(2, count) <= len(taken) <= 2.5 * assets.PICTURES
    everything = {path.read_bytes() for path in source.rglob("*.png")}
    assert {path.read_bytes() for path in taken} <= everything


def test_photographs_are_made_up_without_a_folder(tmp_path):
    assets.gather_photographs(tmp_path, None)
    assert len(list(tmp_path.glob("*.jpg"))) == 2 * assets.PICTURES
