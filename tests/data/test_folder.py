import io
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import folder
from sqzkit.data.folder import open_unlabeled
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.preprocessing import decoding


def opened(path, **changes):
    return open_dataset(DataSource(data_dir=str(path), **changes))


def encoded(kind):
    stream = io.BytesIO()
    Image.effect_noise((50, 40), 80).convert("RGB").save(stream, kind)
    return stream.getvalue()


def paths(dataset):
    return {name: {e.image for e in split.examples} for name, split in dataset.splits.items()}


def test_class_folders_are_cut_into_three(photo_folder):
    dataset = opened(photo_folder({"cat": 20, "dog": 10}))
    assert dataset.labels == ("cat", "dog")
    counts = {name: list(np.bincount(s.labels)) for name, s in dataset.splits.items()}
    assert counts == {"train": [14, 7], "validation": [2, 1], "test": [4, 2]}
    assert len(set.union(*paths(dataset).values())) == 30
    assert dataset.name == "photos"
    assert dataset.flip and not opened(dataset.root, flip="off").flip
    for split in dataset.splits.values():
        for example in split.examples:
            assert example.image.parent.name == dataset.labels[example.label]


def test_the_seed_decides_the_cut(photo_folder):
    top = photo_folder({"cat": 20, "dog": 10})
    assert paths(opened(top)) == paths(opened(top))
    assert paths(opened(top)) != paths(opened(top, seed=1))


def test_three_given_splits_are_kept(photo_folder):
    top = photo_folder(
        {"Train/b": 3, "Train/a": 4, "valid/a": 2, "valid/b": 1, "test/a": 1, "test/b": 1}
    )
    dataset = opened(top)
    assert [split.num_examples for split in dataset.splits.values()] == [7, 3, 2]
    assert dataset.labels == ("a", "b")


def test_validation_is_cut_off_train_where_only_test_is_given(photo_folder):
    dataset = opened(photo_folder({"train/a": 10, "train/b": 10, "test/a": 3, "test/b": 3}))
    assert [split.num_examples for split in dataset.splits.values()] == [18, 2, 6]
    assert all(path.parents[1].name == "test" for path in paths(dataset)["test"])


def test_hidden_and_other_files_are_left_out_and_subfolders_are_read(photo_folder, jpeg):
    top = photo_folder({"a": 3, "b": 3, ".cache": 5})
    (top / "a" / ".hidden.jpg").write_bytes(b"x")
    (top / "a" / "notes.txt").write_text("x")
    (top / "a" / "more").mkdir()
    (top / "a" / "more" / "deep.JPG").write_bytes(jpeg(99))
    dataset = opened(top)
    assert dataset.labels == ("a", "b")
    assert dataset.num_examples == 7


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "no such folder"),
        ({"a": 0, "b": 0}, "no photographs"),
        ({"train/a": 0, "test/a": 0}, "no photographs"),
        ({"a": 9}, "only one class \\('a'\\)"),
        ({"train/a": 9, "test/a": 3}, "only one class"),
        ({"a": 9, "b": 1}, "class 'b' has 1 image"),
        ({"train/a": 9, "train/b": 1, "test/a": 1, "test/b": 1}, "class 'b' has 1 image"),
        ({"a": 9, "b": 0}, "no photographs of class 'b'"),
        ({"train/a": 9, "train/b": 9, "test/a": 1}, "class 'b' is not in both train and test"),
        ({"train/a": 9, "train/b": 9, "val/a": 1}, "class 'b' is not in both train and validation"),
        ({"train/a": 9, "train/b": 9, "test/a": 1, "test/b": 0}, "class 'b' in split test"),
        ({"train/a": 9, "train/b": 9, "extra/a": 1}, "'extra' stands beside 'train'"),
        ({"train/a": 9, "training/a": 9}, "the same split"),
    ],
)
def test_unusable_folders_are_refused(counts, message, photo_folder):
    with pytest.raises(UsageError, match=message):
        opened(photo_folder(counts))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="a file, where a folder"):
        opened(tmp_path / "photo.jpg")


def test_broken_photographs_are_counted_and_left_out(photo_folder, jpeg):
    top = photo_folder({"a": 20, "b": 20})
    (top / "a" / "000.jpg").write_text("not a photograph")
    (top / "b" / "001.jpg").write_bytes(jpeg(5)[:300])
    dataset = opened(top)
    assert dataset.num_examples == 38
    assert dataset.found == 40
    assert len(dataset.broken) == 2
    assert "a/000.jpg: not an image" in dataset.broken[0]
    assert "b/001.jpg: damaged or truncated" in dataset.broken[1]


def test_too_many_broken_photographs_stop_the_run(photo_folder):
    top = photo_folder({"a": 20, "b": 20})
    for number in range(12):
        (top / "a" / f"{number:03}.jpg").write_text("no")
    with pytest.raises(
        RunError, match=r"12 of 40 .*--max_broken_share=0\.05[^\n]*\n.*000\.jpg"
    ) as e:
        opened(top)
    assert "and 2 more" in str(e.value)
    assert opened(top, max_broken_share=0.3).num_examples == 28


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("Training Testing", [18, 2, 6]),
        ("TRAIN dev Eval", [20, 6, 6]),
        ("training valid evaluation", [20, 6, 6]),
        ("train Validation", [18, 2, 6]),
        ("\uff34rain TEST.", [18, 2, 6]),
        ("train", [14, 2, 4]),
    ],
)
@pytest.mark.parametrize("wrapper", ["", "archive/", "archive/photos/"])
def test_splits_are_known_by_all_their_names_in_any_case(photo_folder, names, wrapper, wanted):
    first, *others = names.split()
    counts = {f"{wrapper}{first}/{label}": 10 for label in "ab"}
    counts |= {f"{wrapper}{name}/{label}": 3 for name in others for label in "ab"}
    dataset = opened(photo_folder(counts))
    assert dataset.labels == ("a", "b")
    assert [split.num_examples for split in dataset.splits.values()] == wanted


def test_splits_may_hold_a_folder_of_their_own_name(photo_folder):
    dataset = opened(
        photo_folder({"train/train/a": 9, "train/train/b": 9, "test/test/a": 2, "test/test/b": 2})
    )
    assert (dataset.labels, dataset.split("test").num_examples) == (("a", "b"), 4)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (("val/a", "val/b", "test/a", "test/b"), "'test' and 'val' but no folder named train"),
        (("test", "cat", "dog"), "'test' but no folder named train"),
        (("seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"), "'seg_test' and 'seg_train'"),
        (("seg_train/a", "seg_test/a", "seg_pred"), "'seg_test' and 'seg_train' look like splits"),
        (("TrainImages/a", "TrainImages/b", "cat"), "'TrainImages' look like splits"),
        (("testset/a", "trainset/a"), "'testset' and 'trainset' look like splits"),
        (("trn/a", "tst/a"), "'trn' and 'tst' look like splits"),
        (("entrenamiento/a", "prueba/a"), "'entrenamiento' and 'prueba' look like splits"),
        (("Entra\u00eenement/a", "cat"), "'Entra\u00eenement' look like splits"),
        (("\u8bad\u7ec3\u96c6/a", "\u6d4b\u8bd5\u96c6/a"), "look like splits"),
        (("\u30c6\u30b9\u30c8/a", "\u691c\u8a3c2/a"), "look like splits"),
        (("cat/train", "cat/test", "dog/train", "dog/test"), "would be classes and hold splits"),
        (("fold1/a", "fold2/a"), "'fold1' and 'fold2' look like splits"),
        (("query/a", "gallery/a"), "'gallery' and 'query' look like splits"),
        (("2019/a", "2019/b", "2020/a", "2020/b"), "'2019' and '2020' look like splits"),
        (("data/train/a", "more/Test/a"), "'data' and 'more' would be classes and hold splits"),
    ],
)
def test_what_looks_like_splits_is_asked_about(photo_folder, places, message):
    with pytest.raises(UsageError, match=message) as e:
        opened(photo_folder(dict.fromkeys(places, 5)))
    assert "train" in str(e.value).partition(message)[2]


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (("images", "masks"), "'images' beside 'masks'"),
        (("JPEGImages", "SegmentationClass", "SegmentationObject"), "'JPEGImages' beside 'Segm"),
        (("annotations/trimaps", "images"), "'images' beside 'annotations'"),
        (("train/Original_Images", "train/ground truth", "test/a"), "'Original_Images' beside"),
        (("leftImg8bit/train/a", "leftImg8bit/val/a", "gtFine/train/a"), "'leftImg8bit' beside"),
    ],
)
def test_pictures_beside_their_masks_are_not_two_classes(photo_folder, places, names):
    with pytest.raises(UsageError, match=f"{names}.*name them for what their photographs show"):
        opened(photo_folder(dict.fromkeys(places, 5)))


def test_pictures_beside_labels_that_are_no_photographs_are_asked_about(photo_folder):
    top = photo_folder({"images/train": 5, "images/val": 5})
    (top / "labels" / "train").mkdir(parents=True)
    (top / "labels" / "train" / "000.txt").write_text("0 0.5 0.5 1 1")
    with pytest.raises(UsageError, match="'images' beside 'labels'"):
        opened(top)


def test_photographs_named_like_their_masks_are_asked_about_among_others(photo_folder):
    top = photo_folder({"images": 5, "masks": 5, "overlays": 5})
    for path in list((top / "masks").iterdir()):
        path.rename(path.with_stem(f"{path.stem}_mask"))
    with pytest.raises(UsageError, match="'images' beside 'masks'"):
        opened(top)


def test_masks_and_images_among_other_classes_are_classes(photo_folder):
    for number, classes in enumerate([("mask", "no mask"), ("images", "boxes"), ("a", "labels")]):
        assert opened(photo_folder(dict.fromkeys(classes, 5), str(number))).num_classes == 2
    top = photo_folder(dict.fromkeys(("labels", "photos", "receipts"), 5), "documents")
    for path in list((top / "labels").iterdir()):
        path.rename(path.with_stem(f"label{path.stem}"))
    assert opened(top).labels == ("labels", "photos", "receipts")


def test_classes_named_like_splits_can_be_trained_as_the_message_says(photo_folder):
    dataset = opened(photo_folder({"train/train": 5, "train/test": 5, "train/bus": 5}))
    assert dataset.labels == ("bus", "test", "train")
    assert opened(photo_folder({"test tube": 5, "flask": 5}, "lab")).labels == (
        "flask",
        "test tube",
    )
    parts = {"train/0/b": 5, "train/0/c": 5, "train/1/b": 5, "train/1/c": 5}
    assert opened(photo_folder(parts, "numbers")).labels == ("0", "1")


def test_equal_folders_in_every_folder_are_asked_about(photo_folder):
    """Photographs of the same classes from three sources; or classes, each by day."""
    places = [f"{a}/{b}" for a in ("amazon", "dslr", "webcam") for b in ("bike", "mug")]
    with pytest.raises(UsageError, match=r"hold the same folders \(bike, mug\); which are the cl"):
        opened(photo_folder(dict.fromkeys(places, 5)))
    with pytest.raises(UsageError, match=r"hold the same folders \(bike, mug\)"):
        opened(photo_folder(dict.fromkeys([*places, "webcam/desk"], 5), "one_more"))
    trained = photo_folder({f"train/{place}": 5 for place in places}, "as_said")
    assert opened(trained).labels == ("amazon", "dslr", "webcam")
    uneven = photo_folder(dict.fromkeys([*places[:-1], "webcam/desk"], 5), "uneven")
    assert opened(uneven).num_classes == 3


def test_numbered_classes_with_folders_of_their_own_are_classes(photo_folder):
    parts = {"0/morning": 5, "0/noon": 5, "1/night": 5, "1/noon": 5, "2/noon": 5}
    assert opened(photo_folder(parts)).labels == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        (b"dog\r", r"dog\r"),
        (b"a\nb", r"a\nb"),
        (b"caf\xe9", r"caf\xe9"),
        ("a\u2028b".encode(), r"a\u2028b"),
        ("a\x85b".encode(), r"a\x85b"),
        (b"tab\t", r"tab\t"),
        ("turned\u202ednuor".encode(), r"turned\u202ednuor"),
        ("\u200b".encode(), r"\u200b"),  # nothing to be seen
        ("\u3164\u2800".encode(), "\u3164\u2800"),
        (b" .", " ."),
    ],
)
def test_a_class_name_that_cannot_be_stored_is_refused_with_the_name_escaped(
    photo_folder, jpeg, name, escaped
):
    top = photo_folder({"cat": 5})
    folder = os.fsencode(top) + b"/" + name
    os.mkdir(folder)
    for number in range(5):
        with open(folder + b"/%d.jpg" % number, "wb") as stream:
            stream.write(jpeg(50 + number))
    with pytest.raises(UsageError, match=re.escape(f"class folder '{escaped}': its name holds")):
        opened(top)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("cat", "cat\u200b"),
        ("Cat", "cat"),
        ("cat", "cat."),
        ("\u2764", "\u2764\ufe0f"),
        ("cat", "c\u0430t"),  # Cyrillic
        ("KAT", "\u041a\u0410\u0422"),
        ("\u041a\u0430\u0442", "\u043a\u0410\u0442"),
        ("ov", "\u03bf\u03bd"),  # Greek
        ("no\u00ebl", "no\u0451l"),
        ("\u0643\u062a", "\u06a9\u062a"),  # Persian and Arabic
        ("t-shirt", "t\u2011shirt"),
        ("a  dog", "a dog"),
    ],
)
def test_class_names_that_look_alike_are_refused(photo_folder, one, other):
    with pytest.raises(UsageError, match=re.escape(f"{one!a} and {other!a} look alike")):
        opened(photo_folder({one: 5, other: 5}))


def test_single_letters_are_classes_small_and_capital_of_every_alphabet(photo_folder):
    letters = ("A", "a", "\u0391", "\u0430")
    assert opened(photo_folder(dict.fromkeys(letters, 5))).labels == letters


def test_words_of_one_alphabet_are_not_taken_for_each_other(photo_folder):
    words = "вата нота \u03bd\u03bf\u03c5 \u03b7\u03bf\u03bd sinir s\u0131n\u0131r".split()
    assert set(opened(photo_folder(dict.fromkeys(words, 3))).labels) == set(words)


def test_names_that_windows_refuses_are_class_names(photo_folder):
    names = ("CON", "a:b", "aux", "nul.txt", "what?")
    assert opened(photo_folder(dict.fromkeys(names, 3))).labels == names


@pytest.mark.parametrize(
    ("other", "message"), [("cafe\u0301", r"'caf\\xe9' look"), ("CAF\u00c9", "look")]
)
def test_a_class_spelled_otherwise_in_another_split_is_shown_so(photo_folder, other, message):
    places = ("train/caf\u00e9", "train/dog", f"test/{other}", "test/dog")
    with pytest.raises(UsageError, match=f"in both train and test .*{message}"):
        opened(photo_folder(dict.fromkeys(places, 5)))


def test_odd_names_of_photographs_are_read(photo_folder, jpeg):
    top = photo_folder({"a": 3, "b": 3})
    for number, name in enumerate((b"line\n.jpg", b"caf\xe9.jpg", b"sp ace .jpg", b"=cmd.JPG")):
        with open(os.fsencode(top) + b"/a/" + name, "wb") as stream:
            stream.write(jpeg(70 + number))
    dataset = opened(top)
    names = {dataset.name_of(e) for s in dataset.splits.values() for e in s.examples}
    assert names >= {r"a/line\n.jpg", r"a/caf\xe9.jpg", "a/sp ace .jpg", "a/=cmd.JPG"}


def test_a_content_is_used_once_and_not_at_all_in_two_classes(photo_folder, jpeg):
    top = photo_folder({"a": 5, "b": 5})
    (top / "a" / "copy.jpg").write_bytes((top / "a" / "000.jpg").read_bytes())
    (top / "a" / "link.jpg").symlink_to(top / "a" / "000.jpg")
    (top / "b" / "torn.jpg").write_bytes((top / "a" / "001.jpg").read_bytes())
    (top / "loose.jpg").write_bytes(jpeg(99))
    dataset = opened(top)
    assert dataset.num_examples == 9
    assert dataset.account.left_out == {
        "copy": ["a/copy.jpg = a/000.jpg", "a/link.jpg = a/000.jpg"],
        "in two classes": ["a/001.jpg", "b/torn.jpg = a/001.jpg"],
        "outside the class folders": ["loose.jpg"],
    }


def test_a_copy_that_is_measured_on_is_kept_and_the_one_in_train_is_not(photo_folder):
    counts = {f"{split}/{label}": 3 for split in ("train", "test", "validation") for label in "ab"}
    top = photo_folder(counts)
    for name, split in (("z", "test"), ("y", "validation")):
        content = (top / split / "a" / "001.jpg").read_bytes()
        (top / "train" / "a" / f"{name}.jpg").write_bytes(content)
    dataset = opened(top)
    assert {name: split.num_examples for name, split in dataset.splits.items()} == {
        "train": 6, "validation": 6, "test": 6,
    }  # fmt: skip
    assert sorted(dataset.account.left_out["in two splits"]) == [
        "train/a/y.jpg = validation/a/001.jpg",
        "train/a/z.jpg = test/a/001.jpg",
    ]


def test_a_split_of_nothing_but_copies_is_cut_off_train_instead(photo_folder):
    top = photo_folder({"train/a": 10, "train/b": 10})
    shutil.copytree(top / "train", top / "Testing")
    dataset = opened(top)
    assert [split.num_examples for split in dataset.splits.values()] == [14, 2, 4]
    assert len(dataset.account.left_out["in two splits"]) == 20


def test_a_class_that_is_a_link_to_another_is_named(photo_folder):
    top = photo_folder({"a": 5, "b": 5})
    shutil.copytree(top / "a", top / "c")
    with pytest.raises(UsageError, match=r"no photographs of class 'a' .* 10 in two classes"):
        opened(top)


def test_unlabeled_photographs_lose_copies_and_broken_ones(photo_folder, jpeg):
    top = photo_folder({"a": 30, "b/deep": 8})
    (top / "a" / "copy.jpg").write_bytes(jpeg(1))
    (top / "a" / "broken.jpg").write_bytes(b"")
    dataset = folder.open_unlabeled(top, "--flag")
    assert dataset.split("all").num_examples == 40
    folder.drop_unusable(dataset)
    assert dataset.split("all").num_examples == 38
    assert dataset.account.left_out == {
        "unreadable": ["a/broken.jpg"],
        "copy": ["a/copy.jpg = a/001.jpg"],
    }
    for number in range(2):
        (top / "a" / f"{number:03}.jpg").write_bytes(b"no")
    with pytest.raises(RunError, match="3 of 40 photographs cannot be read"):
        folder.drop_unusable(folder.open_unlabeled(top, "--flag"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_whole_files_look_whole_and_halves_do_not(kind):
    content = encoded(kind)
    assert folder.looks_whole(content)
    assert not folder.looks_whole(content[: len(content) // 2])
    assert not folder.looks_whole(content[:-8])


@pytest.mark.parametrize("content", [b"", b"text", encoded("BMP"), encoded("TIFF")])
def test_what_has_no_known_end_is_decoded_to_be_sure(content):
    assert not folder.looks_whole(content)


def test_only_what_cannot_be_decoded_is_broken_and_whole_files_are_not_decoded(
    photo_folder, monkeypatch
):
    contents = {
        "whole.jpg": encoded("JPEG"),
        "trailing.jpg": encoded("JPEG") + bytes(500),
        "plain.bmp": encoded("BMP"),
        "half.jpg": encoded("JPEG")[:900],
        "letter.png": b"Dear friend",
        "empty.gif": b"",
    }
    top = photo_folder({"a": 5, "b": 5})
    for name, content in contents.items():
        (top / "a" / name).write_bytes(content)
    (top / "a" / "gone.jpg").symlink_to("/nowhere.jpg")
    decoded, decode = [], decoding.decode
    monkeypatch.setattr(decoding, "decode", lambda p: decoded.append(p.name) or decode(p))
    dataset = folder.open_folder(DataSource(data_dir=str(top), max_broken_share=0.5), alike=False)
    names = ["a/empty.gif", "a/gone.jpg", "a/half.jpg", "a/letter.png"]
    assert dataset.account.left_out["unreadable"] == names
    for name, message in zip(names, dataset.broken, strict=True):
        assert str(top / name) in message
    assert sorted(decoded) == ["empty.gif", "half.jpg", "letter.png", "plain.bmp", "trailing.jpg"]


def test_sign_language_digits_are_read_as_their_page_says(shared_dir):
    dataset = opened(shared_dir / "data" / "sign_language_digits")
    assert dataset.labels == tuple("0123456789")
    assert [split.num_examples for split in dataset.splits.values()] == [1480, 164, 418]
    assert dataset.broken == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("photos.zip", "read.me"), "2 not a photograph (photos.zip, read.me)"),
        (("1.jpg", "train/cat.jpg"), "2 outside the class folders (1.jpg, train/cat.jpg)"),
        (("cat/1.cr2", "dog/2.nef"), "2 unsupported format (cat/1.cr2, dog/2.nef)"),
    ],
)
def test_where_no_photographs_are_found_it_says_what_is_there(tmp_path, names, said):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        UsageError, match=f"no photographs .*left out 2 of 2 files: {re.escape(said)}"
    ):
        opened(tmp_path)
    if "1.jpg" not in names:
        with pytest.raises(UsageError, match="--unlabelled_dir .*no photographs .*left out 2 of 2"):
            open_unlabeled(tmp_path, "--unlabelled_dir")
