"""A teacher of any file format answers with the probabilities of the data's classes."""

import numpy as np
import pytest
import tf_keras as keras

from sqzkit import preprocessing
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import sqz
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import begin_run
from sqzkit.runs.weights import save_weights
from sqzkit.training.options import TeacherOptions
from sqzkit.training.teacher import open_teacher
from tests.models import pth
from tests.models.test_weight_files import FIRES, random_weights

LABELS = ("red", "green", "blue", "yellow")
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]]) / 255


def knowing(order=(0, 1, 2, 3), softmax=True, side=48):
    """Return a model whose class i is the colour `order[i]`, by the nearest mean colour."""
    means = COLOURS[list(order)]
    image = keras.Input((side, side, 3))
    average = keras.layers.GlobalAveragePooling2D()(image)
    dense = keras.layers.Dense(len(order), activation="softmax" if softmax else None)
    model = keras.Model(image, dense(average))
    dense.set_weights([20 * means.T, -10 * (means**2).sum(axis=1)])
    return model


def pictures(side):
    """Return one picture of each class, uint8 [4, S, S, 3]."""
    pixels = np.round(255 * COLOURS).astype(np.uint8)
    return np.broadcast_to(pixels[:, None, None], (4, side, side, 3))


@pytest.fixture
def saved(tmp_path):
    """Write a teacher in the format that a suffix tells, and return its path."""

    def save(suffix, labels=LABELS, model=None):
        path = tmp_path / f"teacher{suffix}"
        model = model or knowing()
        if suffix in (".keras", ".h5"):
            model.save(path)
            return path
        rule = preprocessing.named("unit", model.input_shape[1])
        options = ConversionOptions(quantization="none")
        content = convert_model(model, rule, labels, options, foreign=True)
        path.write_bytes(sqz.pack(content) if suffix == ".sqz" else content)
        return path

    return save


@pytest.mark.parametrize(
    ("suffix", "softmax"),
    [(".keras", True), (".keras", False), (".h5", True), (".tflite", True), (".sqz", True)],
)
def test_each_format_gives_the_probabilities_of_the_classes(suffix, softmax, saved):
    rule = "unit" if suffix in (".keras", ".h5") else None
    path = saved(suffix, model=knowing(softmax=softmax))
    teacher = open_teacher(TeacherOptions(str(path), preprocessing=rule), LABELS)
    assert (teacher.name, teacher.classes) == (path.name, 4)
    assert teacher.identity.startswith(f"{path.name} sha256:")
    assert teacher.preprocessing.image_size == 48
    answers = teacher.answers(pictures(48))
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    expected = knowing()(pictures(48).astype(np.float32) / 255)
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_classes_are_matched_by_name_and_others_left_out(saved):
    order = (3, 0, 2, 1)
    path = saved(".tflite", ("Yellow", "red ", "blue", "green"), knowing(order))
    teacher = open_teacher(TeacherOptions(str(path)), LABELS)
    np.testing.assert_array_equal(teacher.answers(pictures(48)).argmax(axis=1), range(4))
    fewer = open_teacher(TeacherOptions(str(path)), ("blue", "red")).answers(pictures(48))
    assert fewer.shape == (4, 2)
    np.testing.assert_allclose(fewer.sum(axis=1), 1, rtol=1e-5)
    assert fewer[2, 0] > 0.99 and fewer[0, 1] > 0.99
    with pytest.raises(UsageError, match=r"does not know the classes 'gray', 'pink' of the data"):
        open_teacher(TeacherOptions(str(path)), ("gray", "pink", "red"))
    for labels, words in (
        (("gray", "red"), "does not know the class 'gray' of the data; it knows"),
        (("x", "y", "z"), "does not know the classes 'x', 'y', 'z' of the data; it knows"),
    ):
        with pytest.raises(UsageError, match=f"{words} the classes 'Yellow', .* and 1 more"):
            open_teacher(TeacherOptions(str(path)), labels)


def test_of_a_file_without_names_the_number_of_classes_must_fit(saved, tmp_path, capsys):
    path = saved(".keras")
    options = TeacherOptions(str(path), preprocessing="unit")
    teacher = open_teacher(options, ("a", "b", "c", "d"))
    assert teacher.columns == [0, 1, 2, 3]
    assert "does not name its classes; taken to be the data's" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no names for its 4 classes, and the data have 2; give"):
        open_teacher(options, ("a", "b"))
    names = tmp_path / "names.txt"
    options = TeacherOptions(str(path), preprocessing="unit", labels_file=str(names))
    names.write_text("d\nc\nb\na\n")
    assert open_teacher(options, ("a", "b", "c", "d")).columns == [3, 2, 1, 0]
    names.write_text("d\nc\n")
    with pytest.raises(UsageError, match="has 2 names for 4 classes"):
        open_teacher(options, ("c", "d"))
    names.unlink()
    with pytest.raises(UsageError, match="--teacher_labels .*names.txt"):
        open_teacher(options, ("c", "d"))


def test_a_run_and_a_published_format_teach(tmp_path, saved):
    folder = RunFolder(tmp_path / "run")
    network = specs.tiny(4, fire_modules=1, pool_after=("conv1",))
    model = squeezenet.build(network, 32)
    begin_run(folder, network.to_json(), model, preprocessing.default(32), LABELS, {})
    save_weights(model, folder.weights_path("train"))
    folder.finish_stage("train", {}, {})
    teacher = open_teacher(TeacherOptions(str(folder.path)), ("blue", "red", "green"))
    assert (teacher.name, teacher.columns) == ("run", [2, 0, 1])
    assert teacher.answers(pictures(32)).shape == (4, 3)
    weights = random_weights(specs.v1_1(4, normalization="none"))
    path = tmp_path / "other.pth"
    path.write_bytes(pth.written(pth.torch_names(weights, FIRES["v1_1"])))
    teacher = open_teacher(TeacherOptions(str(path)), LABELS)
    assert teacher.preprocessing == preprocessing.torchvision(224)
    given = open_teacher(TeacherOptions(str(path), preprocessing="caffe"), LABELS)
    assert given.preprocessing == preprocessing.caffe(224)


def test_what_cannot_teach_is_refused_by_name(tmp_path, saved):
    def refused(path, kind=UsageError, **options):
        with pytest.raises(kind) as caught:
            open_teacher(TeacherOptions(str(path), **options), LABELS)
        return str(caught.value)

    assert "no such file or folder" in refused(tmp_path / "none.tflite")
    assert "not a run folder" in refused(tmp_path)
    (tmp_path / "note.txt").write_text("x")
    assert "must be a run folder, or end in .tflite, .sqz, .keras" in refused(tmp_path / "note.txt")
    (tmp_path / "bad.tflite").write_bytes(b"x" * 100)
    assert "--teacher" in refused(tmp_path / "bad.tflite", FormatError)
    keras_file = saved(".keras")
    assert "give --teacher_preprocessing, one of default, caffe" in refused(keras_file)
    assert "--teacher_preprocessing odd: must be" in refused(keras_file, preprocessing="odd")


def test_answers_that_are_not_numbers_are_refused(saved):
    model = knowing(softmax=False)
    model.layers[-1].set_weights([np.full((3, 4), np.nan), np.zeros(4)])
    options = TeacherOptions(str(saved(".keras", model=model)), preprocessing="unit")
    with pytest.raises(FormatError, match="values that are not finite"):
        open_teacher(options, LABELS).answers(pictures(48))


def test_flags_that_need_a_teacher_are_refused_without_one():
    with pytest.raises(UsageError, match="--unlabelled_dir more: .* give that run as --teacher"):
        TeacherOptions(unlabelled_dir="more")
    with pytest.raises(UsageError, match="--teacher_preprocessing caffe: says something of --te"):
        TeacherOptions(preprocessing="caffe")
    with pytest.raises(UsageError, match="--teacher_labels a.txt"):
        TeacherOptions(labels_file="a.txt")
