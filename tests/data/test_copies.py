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


def opened(photographs, place="", **options):
    return folder.open_folder(DataSource(data_dir=str(photographs.top / place)), **options)


def names_by_split(dataset):
    return {
        split: [dataset.name_of(example) for example in part.examples]
        for split, part in dataset.splits.items()
    }


AGAIN = {
    "a/02.jpg": {"quality": 50},
    "a/03.jpg": {"side": (90, 67)},
    "b/27.jpg": {"side": (224, 224)},
    "b/30.jpg": {"side": (120, 90), "quality": 40},
}


def test_a_shot_saved_again_under_another_name_is_kept_in_one_split_and_named(photographs):
    before = names_by_split(opened(photographs))
    assert "a/02.jpg" in before["test"] and "b/27.jpg" in before["test"]
    for number, (name, options) in enumerate(AGAIN.items()):
        photographs(f"{name[0]}/again {number}.jpg", int(name[2:4]), **options)
    photographs("b/other.jpg", 4, side=(70, 50))
    dataset = opened(photographs)
    assert dataset.account.left_out == {}
    kept = dataset.account.alike["kept in one split"]
    assert sorted(sorted(pair.split(" ~ "))[0] for pair in kept) == sorted(AGAIN)
    splits = {n: split for split, names in names_by_split(dataset).items() for n in names}
    assert all(len({splits[name] for name in pair.split(" ~ ")}) == 1 for pair in kept)
    (torn,) = dataset.account.alike["in two classes"]
    assert sorted(torn.split(" ~ ")) == ["a/04.jpg", "b/other.jpg"]
    assert dataset.account.alike_sentence().startswith("5 look like another: 1 in two classes (")
    assert dataset.account.to_json()["alike"]["kept in one split"]["count"] == 4
    for part in dataset.splits.values():
        labels = [example.label for example in part.examples]
        assert labels == sorted(labels) and set(labels) == {0, 1}


def test_a_run_that_has_its_splits_looks_for_nothing(photographs, monkeypatch):
    photographs("a/again.jpg", 1, quality=50)
    monkeypatch.setattr(copies, "_look", None)
    assert opened(photographs, alike=False).account.alike == {}
    assert opened(photographs, cut=False).account.alike == {}


def test_splits_of_the_folder_stay_and_every_class_stays_in_every_split(photographs):
    for label, base in (("a", 0), ("b", 100)):
        for number in range(10):
            photographs(f"d/train/{label}/{number}.jpg", base + number)
        for number in range(4):
            photographs(f"d/test/{label}/{number}.jpg", base + 50 + number)
    photographs("d/train/a/again.jpg", 50, quality=50)
    dataset = opened(photographs, "d")
    assert dataset.account.alike == {"in two splits": ["test/a/0.jpg ~ train/a/again.jpg"]}
    assert dataset.split("test").num_examples == 8
    for number in range(9):
        photographs(f"d/train/a/{number}.jpg", 9, side=(60 + number, 45 + number))
    dataset = opened(photographs, "d")
    assert {example.label for example in dataset.split("validation").examples} == {0, 1}
    assert len(dataset.account.alike["kept in one split"]) < 9


def test_other_photographs_are_not_alike():
    random = np.random.default_rng(0)
    looks = random.integers(0, 256, (600, 16, 16, 3))
    looks[300:] = looks[:300] + random.integers(-12, 13, (300, 16, 16, 3))
    paths = [f"{number}" for number in range(600)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_look", lambda path: (1.0, looks[int(path)].astype(np.int16)))
        assert copies.alike(paths) == {f"{300 + i}": f"{i}" for i in range(300)}
        looks[300:] //= 2  # darker: another exposure, not the same file saved again
        assert copies.alike(paths) == {}
        patch.setattr(copies, "MAX_COMPARED", 599)
        looks[300:] = looks[:300]
        assert copies.alike(paths) == {}


@pytest.mark.parametrize("name", ["ants_and_bees", "sign_language_digits"])
def test_real_photographs_give_no_false_alarm(shared_dir, name):
    found = folder.open_folder(DataSource(data_dir=str(shared_dir / "data" / name)))
    assert found.account.alike == {}
