"""A teacher's answers and photographs without a label, from the folder to the trained weights."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import Example, Split
from sqzkit.data.source import DataSource
from sqzkit.reporting import page
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import read_weights, save_weights
from sqzkit.training import lessons, loop, run_data
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import TeacherOptions
from sqzkit.training.teacher import Teacher
from tests.training.conftest import coloured
from tests.training.test_teacher import COLOURS, LABELS, knowing

UNIT = preprocessing.named("unit", 48)


def nearest(images):
    """Answer with the class of the nearest mean colour, and a little brightness of the left."""
    means = images.mean(axis=(1, 2)) / 255
    odds = np.exp(20 * means @ COLOURS.T - 10 * (COLOURS**2).sum(axis=1))
    odds[:, 0] += images[:, :, :24].mean(axis=(1, 2, 3)) / 1000
    return odds / odds.sum(axis=1, keepdims=True)


def teacher(answer=nearest):
    return Teacher("t", "t sha256:0", 4, UNIT, answer, [0, 1, 2, 3])


@pytest.fixture
def photographs(tmp_path):
    """Write photographs of the four colours: a folder of classes, or all in one."""

    def write(name, count, seed, classes=True):
        top = tmp_path / name
        for number, example in enumerate(coloured(count, seed).examples):
            place = top / LABELS[example.label] if classes else top
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(example.image).save(place / f"{number}.png")
        return top

    return write


def prepared(monkeypatch, dataset, folder, answer=nearest, **options):
    monkeypatch.setattr(lessons, "open_teacher", lambda *_: teacher(answer))
    return lessons.prepare(TeacherOptions("t", **options), dataset, folder, "light")


def test_without_a_teacher_the_data_stay_as_they_are(colours, folder):
    assert lessons.prepare(TeacherOptions(), colours, folder, "light").dataset is colours


def test_answers_are_those_of_each_image_and_its_mirror_image_and_asked_once(
    colours, folder, monkeypatch, capsys
):
    asked = []

    def counting(images):
        asked.append(len(images))
        return nearest(images)

    taught = prepared(monkeypatch, colours, folder, counting, weight=0.3)
    soft = taught.dataset.soft_targets
    # 96 training images and their mirror images, and 16 to validate.
    assert sum(asked) == 2 * 96 + 16
    assert soft.probabilities.shape == (96, 2, 4)
    images = np.stack([e.load(UNIT) for e in colours.split("train").examples])
    np.testing.assert_allclose(soft.probabilities[:, 0], nearest(images), rtol=1e-5)
    np.testing.assert_allclose(soft.probabilities[:, 1], nearest(images[:, :, ::-1]), rtol=1e-5)
    np.testing.assert_array_equal(soft.weights, np.full(96, 0.3, np.float32))
    assert taught.settings["teacher"] == "t sha256:0"
    assert taught.records["teacher"]["top1"] == 1.0
    assert "right on 100.0% ± 0.9% of the 112 training and validation" in capsys.readouterr().out
    again = prepared(monkeypatch, colours, folder, counting)
    assert sum(asked) == 2 * 96 + 16
    np.testing.assert_array_equal(again.dataset.soft_targets.probabilities, soft.probabilities)
    still = dataclasses.replace(colours, flip=False)
    plain = prepared(monkeypatch, still, folder).dataset.soft_targets.probabilities
    np.testing.assert_array_equal(plain[:, 0], plain[:, 1])


@pytest.mark.parametrize("changes", [{"identity": "t sha256:1"}, {"columns": [1, 0, 2, 3]}])
def test_the_answers_of_another_teacher_are_not_taken_for_this_ones(
    colours, folder, monkeypatch, changes
):
    """Nor those to the data's classes in another order."""
    first = prepared(monkeypatch, colours, folder).dataset.soft_targets.probabilities
    other = dataclasses.replace(teacher(lambda images: np.sqrt(nearest(images))), **changes)
    monkeypatch.setattr(lessons, "open_teacher", lambda *_: other)
    found = lessons.prepare(TeacherOptions("t"), colours, folder, "light").dataset.soft_targets
    assert np.abs(found.probabilities - first).max() > 0.05


def test_a_broken_photograph_is_dropped_though_the_answers_were_kept(colours, folder, monkeypatch):
    def opened():
        examples = (Example(b"broken", 0), *colours.split("train").examples)
        splits = {**colours.splits, "train": Split(examples)}
        return dataclasses.replace(colours, splits=splits, stores={}, broken=[])

    for _ in range(2):
        taught = prepared(monkeypatch, opened(), folder).dataset
        assert len(taught.soft_targets.probabilities) == taught.split("train").num_examples == 96
        assert len(taught.broken) == 1


def test_a_teacher_is_judged_by_the_photographs_and_not_by_their_mirror_images(
    photographs, colours, folder, monkeypatch
):
    """And labels those without a label by themselves."""
    more = photographs("more", 8, 6, classes=False)
    examples = [Example(path, 0) for path in more.iterdir()]
    for name in ("train", "validation"):
        examples += colours.split(name).examples
    known = {example.load(UNIT).tobytes() for example in examples}

    def answer(images):
        found = nearest(images)
        turned = [image.tobytes() not in known for image in images]
        found[turned] = found[turned][:, ::-1]  # wrong
        return found

    taught = prepared(monkeypatch, colours, folder, answer, unlabelled_dir=str(more))
    assert taught.records["teacher"]["top1"] == 1.0
    wrong = taught.dataset.soft_targets.probabilities[:, 1].argmax(axis=1)
    assert (wrong != taught.dataset.split("train").labels).all()
    found = {e.image.stem: e.label for e in taught.dataset.split("train").examples[-8:]}
    assert found == {str(number): number % 4 for number in range(8)}


def test_a_teacher_that_answers_at_random_is_refused(colours, folder, monkeypatch):
    random = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"t: right on \d+ of 112 labelled images, which is no"):
        prepared(monkeypatch, colours, folder, lambda images: random.random((len(images), 4)))


def test_of_a_handful_of_images_a_teacher_may_know_all(colours, folder, monkeypatch):
    few = {name: Split(split.examples[:2]) for name, split in colours.splits.items()}
    data = dataclasses.replace(colours, splits=few, stores={})
    prepared(monkeypatch, data, folder)
    with pytest.raises(UsageError, match="right on 0 of 4"):
        other = RunFolder(folder.path / "other")  # this one keeps the answers
        prepared(monkeypatch, data, other, lambda images: nearest(images)[:, ::-1])


def test_unlabelled_photographs_are_accounted_for_and_stay_the_same(
    photographs, folder, monkeypatch, capsys
):
    """What is in a split is left out; what comes later is not used; what is gone is missed."""
    from sqzkit.data.open import open_dataset

    few, more = photographs("few", 40, 5), photographs("more", 24, 6, classes=False)
    dataset = open_dataset(DataSource(data_dir=str(few)))
    for split in ("train", "validation", "test"):
        image = dataset.split(split).examples[0].image
        shutil.copy(image, more / f"in_{split}.png")
    (more / "broken.png").write_bytes(b"x")
    count = dataset.split("train").num_examples
    taught = prepared(monkeypatch, dataset, folder, unlabelled_dir=str(more))
    examples = taught.dataset.split("train").examples
    soft = taught.dataset.soft_targets
    assert (len(examples), taught.settings["unlabelled"]) == (count + 24, 24)
    assert soft.labelled == count
    assert set(soft.weights[:count]) == {0.5} and set(soft.weights[count:]) == {1.0}
    expected = [LABELS[int(example.image.stem) % 4] for example in examples[count:]]
    assert [LABELS[example.label] for example in examples[count:]] == expected
    assert dataset.split("train").num_examples == count
    out = capsys.readouterr().out
    assert "unlabelled: more, 24 photographs" in out
    assert "1 copy (in_train.png = " in out and "1 unreadable (broken.png)" in out
    assert "2 in two splits (in_test.png = " in out
    # The run has begun.
    folder.write_record("unlabelled", taught.records["unlabelled"])
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(more / "new.png")
    again = prepared(monkeypatch, dataset, folder, unlabelled_dir=str(more))
    assert [e.digest for e in again.dataset.split("train").examples] == [e.digest for e in examples]
    (more / "3.png").unlink()
    with pytest.raises(UsageError, match="--unlabelled_dir .* 1 removed: 3.png; restore"):
        prepared(monkeypatch, dataset, folder, unlabelled_dir=str(more))
    with pytest.raises(UsageError, match="--unlabelled_dir .*few: nothing to learn from"):
        lessons.open_unlabelled(str(few), dataset, RunFolder(folder.path / "other"))


def test_a_run_learns_from_both_and_survives_a_kill(photographs, tmp_path, monkeypatch):
    """Killed between its epochs and resumed without the teacher's help, it ends the same."""
    few, more = photographs("few", 20, 5), photographs("more", 60, 6, classes=False)
    knowing().save(tmp_path / "t.keras")
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    taught = {
        "file": str(tmp_path / "t.keras"),
        "preprocessing": "unit",
        "labels_file": str(tmp_path / "names.txt"),
        "unlabelled_dir": str(more),
    }

    def config(name, **changes):
        return TrainingConfig(
            str(tmp_path / name),
            data=DataSource(data_dir=str(few)),
            teacher=TeacherOptions(**{**taught, **changes}),
            **{"model": "tiny", "fire_modules": 1, "pool_after": ("conv1",), "image_size": 32},
            **{"train_steps": 26, "train_batch_size": 8, "deterministic": False},
        )

    whole = loop.train(config("whole")).folder
    assert len(whole.metrics()) == 3  # epochs of 9 steps: unlabelled photographs count
    save, asked = lessons.checkpoint.StageState.save, []

    def killed(state, write=True):
        save(state, write)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lessons.checkpoint.StageState, "save", killed)
        loop.train(config("other"))
    monkeypatch.setattr(Teacher, "answers", lambda *_: asked.append(1))
    with pytest.raises(UsageError, match="teacher_weight: 0.5 there, 0.9 asked"):
        loop.train(config("other", weight=0.9))
    resumed = loop.train(config("other")).folder
    assert not asked
    one, other = (read_weights(run.weights_path("train")) for run in (whole, resumed))
    for layer, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[layer][name])
    assert whole.metrics()[-1]["loss"] < whole.metrics()[0]["loss"]
    stage = whole.finished_stage("train")["config"]
    assert stage["unlabelled"] == 60 and stage["teacher"].startswith("t.keras sha256:")
    text = page.render(whole)
    assert "learnt the answers of t.keras, which is right on 100" in text
    assert "its answers to 60 photographs without a label" in text
    # What was trained on is not measured on; the stages after it see it.
    both = shutil.copytree(few, tmp_path / "both")
    shutil.copy(more / "4.png", both / "red" / "seen.png")
    elsewhere = dataclasses.replace(config("whole"), data=DataSource(data_dir=str(both)))
    monkeypatch.setattr(run_data.identity, "is_same_data", lambda *_: False)
    measured = run_data.to_measure(loop.load_run(whole.path), elsewhere, "train")
    assert measured.split("train").num_examples > 0
    monkeypatch.undo()
    # It is the trained network that labels them, also after a stage that has spoiled it.
    run = loop.reopen(config("whole"))
    data = run_data.to_compress(run.folder, run.dataset)
    assert data.soft_targets is None
    spoiled = loop.load_run(whole.path, "train").model
    spoiled.set_weights([np.zeros_like(values) for values in spoiled.get_weights()])
    save_weights(spoiled, whole.weights_path("prune"))
    whole.finish_stage("prune", {"top1": 0.25}, {})
    shutil.rmtree(whole.path / "features")
    again = run_data.to_compress(run.folder, run.dataset).split("train")
    assert again.num_examples == run.dataset.split("train").num_examples + 60
    assert again.labels.tolist() == data.split("train").labels.tolist()
    assert len(set(again.labels[-60:])) > 1
