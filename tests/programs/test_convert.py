"""The entry file: flags to exit codes, in a process of its own; the work is tested elsewhere."""

import re
import subprocess
import sys

import pytest


def convert(repository, *flags, cwd=None):
    call = [sys.executable, str(repository / "convert.py"), *flags]
    return subprocess.run(
        call, capture_output=True, text=True, cwd=cwd or repository, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give exactly one of --model_dir, --weights, --keras_model_file"),
        (["--model_dir=a", "--weights=v1_0"], "(now: --model_dir, --weights)"),
        (["--model_dir=a", "--quantization=int4"], "--quantization 'int4': must"),
        (
            ["--model_dir=a", "--granularity=layer"],
            "--granularity 'layer': must be one of per_tensor",
        ),
        (["--model_dir=a", "--inference_input_type=int16"], "--inference_input_type 'int16': must"),
        (["--model_dir=a", "--quantization=none", "--inference_input_type=uint8"], "takes float32"),
        (["--model_dir=a", "--calibration_steps=1"], "--calibration_steps 1: must be 2 or more"),
        (["--model_dir=a", "--calibration_steps=x"], "--calibration_steps"),
        (["--model_dir=a", "--max_accuracy_drop=101"], "must be 0..100"),
        (["--weights=v1_0"], "--weights needs --output_file"),
        (["--model_dir=a", "--output_file=a.bin"], "must end in .tflite"),
        (["--keras_model_file=a.keras", "--output_file=a.tflite"], "--labels_file"),
        (["--model_dir=a", "left_over"], "unexpected argument 'left_over'"),
        (["--no_such_flag"], "no_such_flag"),
    ],
)
def test_wrong_calls_exit_with_2_and_say_why(repository, tmp_path, flags, message):
    result = convert(repository, *flags, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_refused_at_once(repository, tmp_path):
    (tmp_path / "a.tflite").write_text("mine")
    result = convert(repository, "--weights=v1_0", f"--output_file={tmp_path / 'a.tflite'}")
    assert result.returncode == 2
    assert "a.tflite exists; give --overwrite" in result.stderr
    assert (tmp_path / "a.tflite").read_text() == "mine"


def test_help_names_every_flag_of_the_design(repository):
    result = convert(repository, "--help")
    for flag in (
        "model_dir", "data_dir", "weights", "keras_model_file", "output_file", "quantization",
        "granularity", "inference_input_type", "representative_dataset_dir", "calibration_steps",
        "verify", "max_accuracy_drop", "archive", "overwrite",
    ):  # fmt: skip
        assert re.search(rf"^  --(\[no\])?{flag}\s", result.stdout, re.MULTILINE), flag


@pytest.mark.slow
def test_a_keras_file_from_the_command_line(repository, tmp_path):
    import tf_keras as keras

    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    x = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    keras.Model(image, x).save(tmp_path / "m.keras")
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    flags = [
        f"--keras_model_file={tmp_path / 'm.keras'}",
        f"--labels_file={tmp_path / 'labels.txt'}",
        "--preprocessing=unit",
        f"--output_file={tmp_path / 'm.tflite'}",
        "--quantization=float16",
        "--archive",
    ]
    result = convert(repository, *flags)
    assert result.returncode == 0, result.stderr
    assert "bytes: tflite" in result.stdout
    assert result.stderr == "", "TensorFlow's chatter must stay off the terminal"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["labels.txt", "m.keras", "m.sqz", "m.tflite", "m.tflite.json"]
    again = convert(repository, *flags)
    assert again.returncode == 0
    assert "is there already" in again.stdout
    assert convert(repository, *flags, "--calibration_steps=7").returncode == 2
