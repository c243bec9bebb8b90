import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sqzkit.preprocessing import Preprocessing
from sqzkit.programs import classify as program
from sqzkit.teaching.features import FeatureReader
from sqzkit.tflite import metadata
from sqzkit.tflite.metadata import Description


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A file that answers with the strongest colour of a photograph."""
    import tensorflow as tf
    import tf_keras as keras

    image = keras.Input((32, 32, 3))
    mean = keras.layers.GlobalAveragePooling2D()(image)
    head = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(image, head(mean))
    head.set_weights([np.eye(3) / 40, np.zeros(3)])
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    labels = ("red", "green", "blue")
    path = tmp_path_factory.mktemp("model") / "colours.tflite"
    path.write_bytes(metadata.attach(content, Preprocessing(32, 32), labels, Description()))
    return path


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("1.png", (250, 9, 9)), ("2.png", (9, 250, 9)), ("3.png", (9, 9, 250))):
        Image.new("RGB", (60, 40), colour).save(folder / name)
    return folder


def classify(*arguments):
    call = [sys.executable, "-m", "sqzkit.classify", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)


def test_prints_the_best_answers_of_files_and_folders(model_file, photographs):
    result = classify(f"--model={model_file}", "--top_k=2", photographs / "3.png", photographs)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        str(photographs / name) for name in ("3.png", "1.png", "2.png", "3.png")
    ]
    best = [lines[i].split()[1] for i in range(1, len(lines), 3)]
    assert best == ["blue", "red", "green", "blue"]
    assert len(lines) == 4 * 3


def test_says_which_files_of_a_folder_are_not_photographs(model_file, photographs):
    (photographs / "notes.txt").write_text("x")
    result = classify(f"--model={model_file}", photographs)
    assert result.returncode == 0
    assert result.stderr == (
        f"{photographs}: left out 1 of 4 files: 1 not a photograph (notes.txt)\n"
    )
    (photographs.parent / "none").mkdir()
    result = classify(f"--model={model_file}", photographs.parent / "none")
    assert (result.returncode, "no photographs in it" in result.stderr) == (2, True)


def test_an_archive_answers_as_its_file(model_file, photographs, tmp_path):
    from sqzkit.coding import sqz

    archive = tmp_path / "colours.sqz"
    archive.write_bytes(sqz.pack(model_file.read_bytes()))
    plain, packed = (classify(f"--model={path}", photographs) for path in (model_file, archive))
    assert packed.returncode == 0, packed.stderr
    assert packed.stdout == plain.stdout


def test_draws_a_contact_sheet(model_file, photographs, tmp_path):
    sheet = tmp_path / "sheet.png"
    call = (f"--model={model_file}", f"--contact_sheet={sheet}", photographs)
    result = classify(*call)
    assert result.returncode == 0, result.stderr
    with Image.open(sheet) as drawn:
        assert drawn.width > 3 * 224
        assert drawn.height > 224
        assert drawn.getpixel((100, 100)) == (250, 9, 9)
    assert classify(*call).returncode == 2
    assert classify(*call, "--overwrite").returncode == 0


def test_a_sheet_shows_what_speaks_for_the_answer(converted, noise_images, tmp_path):
    model, sheet = tmp_path / "a.tflite", tmp_path / "sheet.png"
    model.write_bytes(converted["int8"])
    Image.fromarray(noise_images[0]).save(tmp_path / "a.png")
    asked = {"model": str(model), "contact_sheet": str(sheet)}
    program.main(asked, [str(tmp_path / "a.png")])
    plain = np.asarray(Image.open(sheet)).astype(int)[8:232, 8:232]
    program.main({**asked, "activation_maps": True, "overwrite": True}, [str(tmp_path / "a.png")])
    painted = np.asarray(Image.open(sheet)).astype(int)[8:232, 8:232]
    reader = FeatureReader(model)
    image = reader.classifier.prepare(tmp_path / "a.png")
    shares = reader.class_map(image)[..., reader.classifier.answer(image, 1)[0][0].index]
    row, column = (int(32 * i + 16) for i in np.unravel_index(shares.argmax(), shares.shape))
    red = (230, 30, 30)
    before, after = plain[row, column], painted[row, column]
    assert abs(after - red).sum() < 0.6 * abs(before - red).sum()


def test_a_bad_photograph_does_not_keep_the_others_answers(model_file, photographs):
    (photographs / "2.png").write_text("no picture")
    result = classify(f"--model={model_file}", photographs)
    assert result.returncode == 1
    assert "2.png: not an image" in result.stderr
    assert "1 of 3 photographs could not be read" in result.stderr
    assert "3.png" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.png"], "--model is missing"),
        (["--model=MODEL"], "no photographs"),
        (["--model=MODEL", "--top_k=0", "a.png"], "--top_k 0: must be 1 or more"),
        (["--model=MODEL", "--contact_sheet=a.jpg", "a.png"], "must end in .png"),
        (["--model=MODEL", "EMPTY"], "no photographs in it"),
        (["--model=MODEL", "--activation_maps", "a.png"], "needs --contact_sheet"),
    ],
)
def test_wrong_calls(model_file, tmp_path, arguments, message):
    known = {"--model=MODEL": f"--model={model_file}", "EMPTY": str(tmp_path)}
    result = classify(*(known.get(argument, argument) for argument in arguments))
    assert result.returncode == 2
    assert message in result.stderr


def test_a_file_that_is_no_model(photographs):
    result = classify(f"--model={photographs / '1.png'}", photographs)
    assert result.returncode == 1
    assert "1.png: neither a .tflite model nor a .sqz archive" in result.stderr
    assert result.stdout == ""


def test_a_file_that_brings_nothing_is_told_its_labels_and_normalization(
    model_file, photographs, tmp_path
):
    from sqzkit.tflite import metadata

    content = model_file.read_bytes()
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(metadata.add_entry(content, metadata.ENTRY + "_", b""))
    bare.write_bytes(bare.read_bytes().replace(b"TFLITE_METADATA\0", b"TFLITE_NOTHING!\0"))
    refused = classify(f"--model={bare}", photographs)
    assert (refused.returncode, "give --preprocessing" in refused.stderr) == (1, True)
    (tmp_path / "labels.txt").write_text("rot\ngrün\nblau\n", encoding="utf-8")
    flags = (f"--model={bare}", "--preprocessing=raw", f"--labels_file={tmp_path / 'labels.txt'}")
    result = classify(*flags, "--top_k=1", photographs)
    assert result.returncode == 0, result.stderr
    assert [line.split()[1] for line in result.stdout.splitlines()[1::2]] == ["rot", "grün", "blau"]
    for flag, message in (
        (
            "--preprocessing=nothing",
            "must be one of default, caffe, torchvision, unit",
        ),
        (f"--labels_file={tmp_path / 'none.txt'}", "--labels_file"),
    ):
        wrong = classify(*flags, flag, photographs)
        assert (wrong.returncode, message in wrong.stderr) == (2, True), wrong.stderr
