import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import RunError, SqzkitError
from sqzkit.data import tree
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from tests import thorough

JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"  # enough to look whole
)


def touch(top, *names):
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(top):
    folder, account = tree.survey(top)
    return [path.relative_to(top).as_posix() for path in folder.everything()], account


def test_photographs_come_in_name_order_and_other_files_are_counted(tmp_path):
    touch(
        tmp_path, "b/2.jpg", "b/1.PNG", "a.jpg", "b/notes.txt", "b/raw.CR2", "b/.jpg", "b/x/1.gif"
    )
    names, account = found(tmp_path)
    assert names == ["a.jpg", "b/1.PNG", "b/2.jpg", "b/x/1.gif"]
    assert account.files == 7
    assert account.left_out == {
        "hidden": ["b/.jpg"],
        "not a photograph": ["b/notes.txt"],
        "unsupported format": ["b/raw.CR2"],
    }
    assert account.sentence() == (
        "left out 3 of 7 files: 1 hidden (b/.jpg); 1 not a photograph (b/notes.txt); "
        "1 unsupported format (b/raw.CR2)"
    )


def test_formats_without_their_library_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(tree.decoding, "suffixes", lambda: (".jpg",))
    touch(tmp_path, "IMG_1.HEIC", "2.jpg")
    names, account = found(tmp_path)
    assert names == ["2.jpg"]
    heic = "; to read HEIC: pip install 'sqzkit[heif]'"
    assert account.sentence().endswith(f"(IMG_1.HEIC){heic}")
    touch(tmp_path, "3.jxl")
    both = f"(3.jxl, IMG_1.HEIC){heic}; to read JXL: pip install 'sqzkit[jxl]'"
    assert found(tmp_path)[1].sentence().endswith(both)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("c/.thumbnails/p.jpg", "hidden"),
        (".git/objects/deep/p.jpg", "hidden"),
        ("__MACOSX/c/p.jpg", "made by another program"),
        ("c/@eaDir/p.jpg/SYNOPHOTO_THUMB_M.jpg", "made by another program"),
        ("c/Thumbnails/p.jpg", "made by another program"),
        ("$RECYCLE.BIN/p.jpg", "made by another program"),
        ("c/p_thumb.jpg", "made by another program"),
        ("c/p-150x150.jpg", "made by another program"),
        ("c/thumb_P.jpg", "made by another program"),
        ("c/p.jpg_thumb.jpg", "made by another program"),
        ("c/p-scaled.jpg", "made by another program"),
        ("c/P@2x.jpg", "made by another program"),
        ("c/p_150px.webp", "made by another program"),
        ("c/_thumbs/P.jpg", "made by another program"),
        ("c/previews/p_preview.png", "made by another program"),
        ("thumbs/c/p.jpg", "made by another program"),
        ("c/Originals/p.jpg", "made by another program"),
        ("c/_cache/p.jpg", "made by another program"),
        ("compressed/c/p.jpg", "made by another program"),
        ("c/@Recycle/p.jpg", "made by another program"),
        ("Network Trash Folder/p.jpg", "made by another program"),
        ("c/.AppleDouble/p.jpg", "hidden"),
        ("c/._p.jpg", "hidden"),
        ("Previews.lrdata/c/p.jpg", "made by another program"),
        ("c/All.photoslibrary/originals/1.jpg", "made by another program"),
        ("c/Folder.jpg", "made by another program"),
        ("c/Thumbs.db", "not a photograph"),
        ("c/p.jpg.part", "not a photograph"),
    ],
)
def test_what_other_programs_leave_is_left_out(tmp_path, name, reason):
    touch(tmp_path, "c/p.jpg", name)
    names, account = found(tmp_path)
    assert names == ["c/p.jpg"]
    assert account.left_out == {reason: [name]}


def test_a_shot_edited_on_the_phone_is_left_out_beside_its_original(tmp_path):
    touch(tmp_path, "c/IMG_0012.HEIC.jpg", "c/IMG_0042.JPG", "c/IMG_E0042.JPG", "c/IMG_E0043.JPG")
    names, account = found(tmp_path)
    assert names == ["c/IMG_0012.HEIC.jpg", "c/IMG_0042.JPG", "c/IMG_E0043.JPG"]
    assert account.left_out == {"made by another program": ["c/IMG_E0042.JPG"]}


def test_a_name_like_a_preview_without_its_original_is_a_photograph(tmp_path):
    touch(tmp_path, "c/thumb_up.jpg", "c/cat_small.jpg", "thumbs/1.jpg", "c/640x480.jpg")
    touch(tmp_path, "c/small/other.jpg", "small/1.jpg", "large/1.jpg", "thumbs/c/other.jpg")
    touch(tmp_path, "c/originals/another.jpg")
    assert len(found(tmp_path)[0]) == 9


def test_a_folder_of_nothing_but_previews_is_not_a_class(tmp_path):
    touch(tmp_path, "c/p.jpg", "thumbs/c/p.jpg")
    (tmp_path / "small").mkdir()
    folder, _ = tree.survey(tmp_path)
    assert sorted(folder.folders) == ["c", "small"]


def test_each_folder_is_read_once_whatever_links_lead_to_it(tmp_path):
    top = tmp_path / "top"
    touch(top, "a/1.jpg", "b/2.jpg")
    touch(tmp_path, "pool/3.jpg", "beside.jpg")
    links = {"a/up": top, "a/over": tmp_path, "a/root": Path("/"), "0": top / "b",
             "b/self": top / "b", "c": tmp_path / "pool", "d": tmp_path / "pool"}  # fmt: skip
    for name, target in links.items():
        (top / name).symlink_to(target)
    (top / "loop").symlink_to("loop")
    names, account = found(top)
    assert names == ["a/1.jpg", "b/2.jpg", "c/3.jpg"]
    assert account.left_out == {
        "link to a folder that is read already": ["0", "a/over", "a/root", "a/up", "b/self", "d"],
        "not a photograph": ["loop"],
    }
    assert account.files == 10


def test_special_files_are_not_opened(tmp_path):
    touch(tmp_path, "a/1.jpg")
    os.mkfifo(tmp_path / "a" / "2.jpg")
    (tmp_path / "a" / "gone.jpg").symlink_to("/nowhere.jpg")
    names, account = found(tmp_path)
    assert names == ["a/1.jpg", "a/gone.jpg"]
    assert account.left_out == {"not a photograph": ["a/2.jpg"]}


def test_too_deep_and_unreadable_folders_are_named(tmp_path, monkeypatch):
    touch(tmp_path, "/".join("d" * 66) + "/1.jpg")
    with pytest.raises(RunError, match="d/d: folders are nested deeper than 64"):
        tree.survey(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tree.os, "scandir", refuse)
    with pytest.raises(RunError, match="cannot be read: Permission denied; change its permissions"):
        tree.survey(tmp_path)


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=2, max_size=2, unique=True))
def test_any_two_names_stay_different_and_printable(names):
    first, second = (tree.shown(os.fsdecode(name)) for name in names)
    assert first != second
    assert (first + second).isprintable()
    (first + second).encode()


def test_names_are_bounded_in_a_record():
    account = tree.Account(20_000, {"copy": [str(i) for i in range(20_000)]})
    record = account.to_json()["left_out"]["copy"]
    assert (record["count"], len(record["names"])) == (20_000, tree.MAX_NAMES)
    assert account.sentence().endswith("20,000 copy (0, 1, 2, ... 19,997 more)")


# Random trees. A content is a number; a photograph of it begins and ends as a JPEG does.
CLASSES = [
    "cat",
    "dog",
    "café",
    "test tube",
    "train_ticket",
    "\uff24\uff2f\uff27",
    "a\u2028b",
    "x" * 200,
]
WRAPPERS = ["", "photos/", "data/images/"]
SPLITS = ["", "Train/", "TRAINING/", "val/", "dev/", "Valid/", "test/", "Testing/", "eval/",
          "seg_train/", "testset/", "\uff34\uff32\uff21\uff29\uff2e/", "Test ./",
          "\u8bad\u7ec3\u96c6/", "Pru\u0308fung/", "prueba/", "thumbs/"]  # fmt: skip
NAMES = ["{}.jpg", "{}.JPEG", "{}.png", ".{}.jpg", "p{}_thumb.jpg", "{}.heic", "{}.txt", "{}",
         "deep/{}.jpg", "@eaDir/{}.jpg", "b\udcff{}.jpg", "line\n{}.jpg",
         "more/.cache/{}.jpg", "thumbs/first{}.jpg", "first{}-150x150.jpg", "bi\u202edi{}.jpg",
         "trail{}.jpg ", "{}.jpg.", "\u0301{}.jpg"]  # fmt: skip
FILE = st.tuples(
    st.sampled_from(
        ["whole", "whole", "whole", "whole", "empty", "cut", "link", "hard link", "gone"]
    ),
    st.sampled_from(SPLITS),
    st.sampled_from(CLASSES),
    st.sampled_from(NAMES),
    st.integers(0, 30),
)
FOLDER_LINK = st.tuples(st.sampled_from(SPLITS), st.sampled_from(CLASSES), st.sampled_from(CLASSES))


def write_tree(top, files, links):
    made = []
    for number, (kind, split, label, name, content) in enumerate(files):
        path = top / f"{split}{label}" / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = JPEG + bytes([content]) + b"\xff\xd9"
        if kind == "link" and made:
            path.symlink_to(made[content % len(made)])
        elif kind == "hard link" and made:
            os.link(made[content % len(made)], path, follow_symlinks=False)
        elif kind == "gone":
            path.symlink_to("/nowhere")
        else:
            path.write_bytes({"empty": b"", "cut": whole[:-3]}.get(kind, whole))
        made.append(path)
    for number, (split, label, target) in enumerate(links):
        if (top / f"{split}{label}").is_dir():
            (top / f"{split}{label}" / f"l{number}").symlink_to(top / f"{split}{target}")


def check_tree(files, links, wrapper, prepare):
    """Every file is used or left out, once; no content is in two splits or classes."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / wrapper
        top.mkdir(parents=True, exist_ok=True)
        prepare(top)
        write_tree(top, files, links)
        try:
            dataset = open_dataset(DataSource(data_dir=folder, max_broken_share=1.0))
        except SqzkitError as error:
            assert len(str(error)) > len(folder)
            return False
        used = {}
        for split, part in dataset.splits.items():
            for example in part.examples:
                content = example.image.read_bytes()
                assert content not in used, f"{used[content]} and {example.image}"
                used[content] = (split, example.label, dataset.name_of(example))
                assert dataset.labels[example.label] in example.image.parts
        names = [name for _, _, name in used.values()]
        left_out = [
            name.split(" = ")[0] for part in dataset.account.left_out.values() for name in part
        ]
        met = [
            tree.shown(str(Path(parent, name).relative_to(folder)))
            for parent, folders, found in os.walk(folder)
            for name in [*found, *(f for f in folders if Path(parent, f).is_symlink())]
        ]
        assert sorted(names + left_out) == sorted(met)
        assert dataset.account.files == len(met)
        return True


def two_classes(top, *splits):
    """Enough photographs to be cut, of contents that the random files have as well."""
    for number, place in enumerate(split + label for split in splits for label in ("cat", "dog")):
        (top / place).mkdir(parents=True, exist_ok=True)
        for i in range(6):
            content = JPEG + bytes([25 + 6 * number + i]) + b"\xff\xd9"
            (top / place / f"first{i}.jpg").write_bytes(content)


TREES = {
    "files": st.lists(FILE, max_size=25),
    "links": st.lists(FOLDER_LINK, max_size=3),
    "wrapper": st.sampled_from(WRAPPERS),
    "splits": st.sampled_from(
        [("",), ("",), ("Train/", "Testing/"), ("TRAINING/", "val/", "test/")]
    ),
    "only": st.booleans(),
}


def check_random(files, links, wrapper, splits, only):
    if only:  # files in the splits that are there: most of these trees can be read
        files = [(k, splits[i % len(splits)], ("cat", "dog")[i % 2], *rest)
                 for i, (k, _, _, *rest) in enumerate(files)]  # fmt: skip
        links = [(splits[i % len(splits)], "cat", "dog") for i, _ in enumerate(links)]
    return check_tree(files, links, wrapper, lambda top: two_classes(top, *splits))


def test_every_file_of_random_trees_is_accounted_for():
    count, outcomes = thorough.pick(200, 2000), []

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    @given(**TREES)
    def check(files, links, wrapper, splits, only):
        outcomes.append(check_random(files, links, wrapper, splits, only))

    check()
    assert sum(outcomes) > count / 5
