import dataclasses
import hashlib
import json
import shutil

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import identity
from sqzkit.data.dataset import Split
from sqzkit.data.folder import drop_unusable, open_unlabeled
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource


@pytest.fixture
def run(photo_folder):
    """A folder of 30 photographs and what a run keeps of it."""
    top = photo_folder({"a": 20, "b": 10})
    return top, json.loads(json.dumps(identity.record(opened(top))))


def opened(path, **changes):
    return open_dataset(DataSource(data_dir=str(path), **changes))


def names(dataset):
    return {
        split: [dataset.name_of(example) for example in part.examples]
        for split, part in dataset.splits.items()
    }


def restored(top, record, **changes):
    dataset = opened(top, **changes)
    return dataset, identity.restore(dataset, record)


def test_the_record_counts_names_and_fingerprints(run):
    top, record = run
    dataset = opened(top)
    assert record["counts"] == {
        "train": {"a": 14, "b": 7},
        "validation": {"a": 2, "b": 1},
        "test": {"a": 4, "b": 2},
    }
    assert record["account"] == {"files": 30, "left_out": {}}
    listed = {
        split: [name for photographs in classes.values() for name in photographs]
        for split, classes in record["photographs"].items()
    }
    assert listed == names(dataset)
    digests = [d for c in record["photographs"].values() for p in c.values() for d in p.values()]
    assert len(set(digests)) == 30


def test_nothing_changes_where_nothing_changed(run):
    top, record = run
    before = opened(top)
    examples = {name: split.examples for name, split in before.splits.items()}
    changes = identity.restore(before, record)
    assert (changes.sentence(), changes.lost) == ("", False)
    assert all(before.splits[name].examples is part for name, part in examples.items())


def test_added_photographs_move_none_of_the_others(run, jpeg):
    top, record = run
    before = names(opened(top))
    for number in range(15):
        (top / "a" / f"0{number:02}x.jpg").write_bytes(jpeg(500 + number))
    assert names(opened(top)) != before  # the cut would be another one
    dataset, changes = restored(top, record)
    assert names(dataset) == before
    assert not changes.lost
    assert changes.sentence() == (
        "photographs since the run began: 15 added (not used): a/000x.jpg, a/001x.jpg, "
        "a/002x.jpg, ... 12 more"
    )


def test_removed_changed_and_relabeled_photographs_are_named(run, jpeg):
    top, record = run
    before = names(opened(top))
    (top / "a" / "000.jpg").unlink()
    (top / "a" / "001.jpg").write_bytes(jpeg(900))
    (top / "a" / "002.jpg").rename(top / "b" / "moved.jpg")
    (top / "a" / "003.jpg").rename(top / "a" / "renamed.jpg")
    dataset, changes = restored(top, record)
    assert changes.lost
    assert changes.sentence() == (
        "photographs since the run began: 1 changed (not used): a/001.jpg; 1 removed: a/000.jpg; "
        "1 moved to another class (not used): b/moved.jpg; "
        "1 renamed (used as before): a/003.jpg -> a/renamed.jpg"
    )
    gone = {"a/000.jpg", "a/001.jpg", "a/002.jpg", "a/003.jpg"}
    for split, kept in names(dataset).items():
        expected = [name for name in before[split] if name not in gone]
        assert sorted(set(kept) - {"a/renamed.jpg"}) == sorted(expected)
    home = next(split for split, found in before.items() if "a/003.jpg" in found)
    assert "a/renamed.jpg" in names(dataset)[home]


def test_what_is_gone_or_shows_something_else_is_lost():
    nothing = {field.name: [] for field in dataclasses.fields(identity.Changes)}
    lost = {name for name in nothing if identity.Changes(**{**nothing, name: ["a/1.jpg"]}).lost}
    assert lost == {"changed", "removed", "relabeled"}


def test_moved_data_and_another_seed_give_the_same_splits(run, tmp_path):
    top, record = run
    before = names(opened(top))
    shutil.move(top, tmp_path / "elsewhere")
    assert names(opened(tmp_path / "elsewhere", seed=5)) != before
    dataset, changes = restored(tmp_path / "elsewhere", record, seed=5)
    assert names(dataset) == before
    assert changes.sentence() == ""
    assert identity.is_same_data(dataset, record)


def test_what_was_begun_is_resumed_with_its_photographs_or_refused(run, jpeg, capsys):
    top, record = run
    (top / "a" / "new.jpg").write_bytes(jpeg(900))
    dataset = opened(top)
    identity.resume(dataset, record, "fit", "--output_dir")
    assert dataset.num_examples == 30
    assert "1 added (not used): a/new.jpg" in capsys.readouterr().out
    (top / "a" / "000.jpg").unlink()
    with pytest.raises(
        UsageError, match=r"1 removed: a/000\.jpg; .* a new fit with another --outp"
    ):
        identity.resume(opened(top), record, "fit", "--output_dir")
    (top / "b").rename(top / "c")
    with pytest.raises(UsageError, match="has the classes a, c, the fit was begun with a, b"):
        identity.resume(opened(top), record, "fit", "--output_dir")


def test_other_data_are_refused_as_the_runs_own(run, photo_folder, jpeg):
    _, record = run
    other = photo_folder({"a": 20, "b": 10}, "other")
    for number, path in enumerate(sorted(other.rglob("*.jpg"))):
        path.write_bytes(jpeg(2000 + number))
    dataset = opened(other)
    assert not identity.is_same_data(dataset, record)
    with pytest.raises(UsageError, match="holds none of the photographs of the run's split train"):
        identity.restore(dataset, record)
    assert identity.exclude_trained(dataset, record, "test") == []


def test_exchanged_classes_say_that_the_photographs_moved(run):
    top, record = run
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (top / old).rename(top / new)
    with pytest.raises(UsageError, match=r"in their classes \(.*30 moved to another class"):
        identity.restore(opened(top), record)


def test_what_was_trained_on_is_not_tested_on(run, photo_folder, jpeg):
    top, record = run
    trained = names(opened(top))["train"][:3]
    other = photo_folder({"train/a": 3, "train/b": 3, "test/a": 4, "test/b": 4}, "other")
    for number, path in enumerate(sorted(other.rglob("*.jpg"))):
        path.write_bytes(jpeg(2000 + number))
    for name in trained:
        shutil.copy(top / name, other / "test" / name)
    dataset = opened(other)
    size = dataset.split("test").num_examples
    assert identity.exclude_trained(dataset, record, "test") == [f"test/{name}" for name in trained]
    assert dataset.split("test").num_examples == size - 3
    dataset.split("test").examples = opened(top).split("train").examples
    with pytest.raises(UsageError, match="trained on every photograph of split test"):
        identity.exclude_trained(dataset, record, "test")


def test_what_is_measured_on_is_not_calibrated_on(run):
    top, record = run
    measured = sorted(names(opened(top))["test"] + names(opened(top))["validation"])
    dataset = open_unlabeled(top, "--representative_dataset_dir")
    drop_unusable(dataset)
    every = dataset.split("all").examples
    assert sorted(identity.exclude_measured(dataset, record, "all")) == measured
    assert sorted(names(dataset)["all"]) == sorted(names(opened(top))["train"])
    dataset.splits["all"] = Split(tuple(e for e in every if dataset.name_of(e) in measured))
    with pytest.raises(UsageError, match="only photographs that the run is measured on"):
        identity.exclude_measured(dataset, record, "all")


def test_a_folder_without_a_record_is_left_alone(run):
    top, _ = run
    dataset, changes = restored(top, {})
    assert (changes.sentence(), dataset.num_examples) == ("", 30)
    assert not identity.is_same_data(dataset, {})


def test_another_version_of_a_data_set_is_refused(coloured):
    record = identity.record(coloured(version="toy/1.0.0"))
    assert identity.restore(coloured(version="toy/1.0.0"), record).sentence() == ""
    with pytest.raises(UsageError, match=r"made from 'toy/1\.0\.0', this is 'toy/1\.0\.1'"):
        identity.restore(coloured(version="toy/1.0.1"), record)


@pytest.mark.parametrize(
    "damage", [[], {"train": 1}, {"train": {"a": "x"}}, {"train": {"a": {"n": []}}}]
)
def test_a_damaged_record_is_named(run, damage):
    top, _ = run
    with pytest.raises(RunError, match=r"data\.json: its list of photographs is damaged"):
        restored(top, {"photographs": damage})


def test_a_very_large_data_set_is_counted_but_not_listed(run, monkeypatch):
    top, _ = run
    monkeypatch.setattr(identity, "MAX_PHOTOGRAPHS", 29)
    record = identity.record(opened(top))
    assert record["photographs"] == {}
    assert record["counts"]["test"] == {"a": 4, "b": 2}


def test_edited_metadata_changes_nothing_and_a_run_of_an_earlier_version_is_known(run):
    top, record = run
    edited = top / "a" / "000.jpg"
    old = json.loads(json.dumps(record))
    del old["digests"]
    for classes in old["photographs"].values():
        for photographs in classes.values():
            for name in photographs:
                content = (top / name).read_bytes()
                photographs[name] = hashlib.sha256(content).hexdigest()[:32]
    assert restored(top, old)[1].sentence() == ""
    assert identity.is_same_data(opened(top), old)
    content = edited.read_bytes()
    edited.write_bytes(content[:2] + b"\xff\xfe\0\6mine" + content[2:])
    assert restored(top, record)[1].sentence() == ""
    assert restored(top, old)[1].changed == ["a/000.jpg"]
    dataset = opened(top)
    assert len(identity.exclude_trained(dataset, old, "train")) in (20, 21)


def test_grown_data_keep_the_splits_of_the_older_run(run, jpeg):
    top, record = run
    before = opened(top)
    for number in range(15):
        (top / "a" / f"new{number}.jpg").write_bytes(jpeg(500 + number))
    dataset = opened(top)
    identity.follow(dataset, record)
    for split, part in before.splits.items():
        found = {example.digest for example in dataset.split(split).examples}
        assert {example.digest for example in part.examples} <= found
    assert dataset.num_examples == before.num_examples + 15
    other = opened(top)
    identity.follow(other, {})  # nothing is known of the older run
    assert names(other) == names(opened(top))


def test_a_class_is_known_by_its_photographs_under_another_name(run, jpeg):
    top, record = run
    (top / "b").rename(top / "c")
    for number in range(6):
        (top / "c" / f"new{number}.jpg").write_bytes(jpeg(500 + number))
    assert identity.renamed(opened(top), record) == {"c": "b"}
    (top / "b").mkdir()
    for number in range(6):
        (top / "b" / f"{number}.jpg").write_bytes(jpeg(600 + number))
    assert identity.renamed(opened(top), record) == {}  # the old name is still there
