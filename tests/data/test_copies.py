import numpy as np
import pytest
from PIL import Image

from sqzkit.data import copies, folder
from sqzkit.data.source import DataSource
from tests.preprocessing.odd_images import exif


def shot(number, side=(60, 45)):
    noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(side, Image.Resampling.BICUBIC)


@pytest.fixture
def photographs(tmp_path):
    """Two classes of twelve photographs; returns a function that saves one more."""

    def save(name, number, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = shot(number, options.pop("side", (60, 45)))
        image.save(path, **options)

    for number in range(12):
        save(f"a/{number:02}.jpg", number)
        save(f"b/{number + 20}.jpg", number + 20)
    save.top = tmp_path
    return save


def left_out(photographs):
    dataset = folder.open_folder(DataSource(data_dir=str(photographs.top)))
    return dataset.num_examples, dataset.account.left_out


def test_a_photograph_whose_metadata_was_edited_is_a_copy(photographs):
    photographs("a/edited.jpg", 3, exif=b"Exif\0\0" + exif(1), comment=b"mine")
    photographs("b/edited too.jpg", 4, exif=b"Exif\0\0" + exif(6))
    assert left_out(photographs) == (23, {
        "copy": ["a/edited.jpg = a/03.jpg"],
        "in two classes": ["a/04.jpg", "b/edited too.jpg = a/04.jpg"],
    })  # fmt: skip


@pytest.mark.parametrize("suffix", ["webp", "png", "tiff", "avif", "JPEG"])
def test_one_shot_in_two_formats_under_one_name_is_used_once(photographs, suffix):
    photographs(f"a/05.{suffix}", 5, quality=50)
    photographs("a/IMG_1.PNG", 31)
    photographs(f"a/deeper/img_1.{suffix}", 31, quality=60)
    used, reasons = left_out(photographs)
    assert used == 25
    assert sorted(reasons) == ["copy"]
    assert len(reasons["copy"]) == 2


def test_one_shot_in_two_formats_is_named_in_two_classes_and_in_two_splits(photographs):
    for split in ("train", "test"):
        for label in "ab":
            for number in range(4):
                name = f"{ord(label) + ord(split[1]) * 9 + number * 999}"
                photographs(f"d/{split}/{label}/{name}.jpg", int(name))
    photographs("d/train/a/x.webp", 400)
    photographs("d/train/b/x.jpg", 400)
    photographs("d/train/a/y.png", 401)
    photographs("d/test/a/y.jpg", 401)
    dataset = folder.open_folder(DataSource(data_dir=str(photographs.top / "d")), cut=False)
    assert dataset.account.left_out == {
        "in two classes": ["train/a/x.webp", "train/b/x.jpg = train/a/x.webp"],
        "in two splits": ["train/a/y.png = test/a/y.jpg"],
    }


def test_other_shots_of_one_name_are_all_used(photographs):
    photographs("a/06.png", 106)
    photographs("b/07.png", 107)
    photographs("a/08.png", 8, side=(60, 30))
    assert left_out(photographs) == (27, {})


def test_numbers_that_every_class_begins_anew_are_compared_within_a_class(tmp_path, monkeypatch):
    looked = []
    monkeypatch.setattr(copies, "_look", looked.append)
    paths = [tmp_path / f"{label}/1.jpg" for label in range(30)]
    paths += [tmp_path / "0/1.png", tmp_path / "x/2.jpg", tmp_path / "y/2.png"]
    copies.shots({path: str(path) for path in paths})
    assert sorted(looked) == sorted([paths[0], *paths[30:]])
