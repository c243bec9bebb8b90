import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    import tensorflow as tf
    import tf_keras as keras

    from sqzkit.preprocessing import Preprocessing
    from sqzkit.tflite import metadata
    from sqzkit.tflite.metadata import Description

    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3)(image)
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    content = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, x)).convert()
    path = tmp_path_factory.mktemp("model") / "m.tflite"
    path.write_bytes(
        metadata.attach(content, Preprocessing(32, 32), ("a", "b", "c"), Description())
    )
    return path


def benchmark(*arguments):
    call = [sys.executable, "-m", "sqzkit.benchmark", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=120)


def test_measures_every_model_with_every_number_of_threads(model_file, tmp_path):
    output = tmp_path / "figures.json"
    call = [f"--model={model_file}"] * 2
    call += ["--threads=1,2", "--runs=20", "--warmup=2", f"--output_file={output}"]
    result = benchmark(*call)
    assert result.returncode == 0, result.stderr
    record = json.loads(output.read_text())
    assert "cores" in record["machine"]
    assert len(record["models"]) == 2
    for model in record["models"]:
        assert model["operators"]["CONV_2D"] == 1
        assert [row["threads"] for row in model["latency"]] == [1, 2]
        for row in model["latency"]:
            assert 0 < row["minimum_ms"] <= row["median_ms"] <= row["p90_ms"] < 1000
            assert 0 < row["memory_mib"] < 500
            assert row["runs"] == 20
    assert "1 CONV_2D" in result.stdout
    assert "median ms" in result.stdout
    assert benchmark(*call).returncode == 2, "the output exists"
    assert benchmark(*call, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model is missing"),
        ([f"--model={__file__}", "--threads=0"], "--threads 0: must be 1..256"),
        ([f"--model={__file__}", "--threads=two"], "--threads 'two': must be a whole number"),
        ([f"--model={__file__}", "--threads="], "--threads is empty: give numbers such as 1,2"),
        ([f"--model={__file__}", "--runs=0"], "--runs 0: must be 1 or more"),
        ([f"--model={__file__}", "--warmup=-1"], "--warmup -1: must be 0 or more"),
        ([f"--model={__file__}", "left_over"], "unexpected argument"),
    ],
)
def test_wrong_calls(arguments, message):
    result = benchmark(*arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_files_that_are_no_models(tmp_path):
    missing = tmp_path / "none.tflite"
    result = benchmark(f"--model={missing}")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"error: --model {missing}: no such file or folder\n"
