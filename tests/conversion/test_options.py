import json
import os

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.options import ConversionOptions
from tests import approved


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [("none", "float32"), ("float16", "float32"), ("dynamic", "float32"), ("int8", "int8")],
)
def test_default_input_type(quantization, expected):
    options = ConversionOptions(quantization)
    assert options.inference_input_type == expected
    assert options.needs_calibration == (quantization == "int8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantization": "int4"}, "--quantization 'int4': must be one of none, float16"),
        ({"granularity": "layer"}, "--granularity 'layer'"),
        ({"inference_input_type": "int16"}, "--inference_input_type 'int16'"),
        ({"quantization": "none", "inference_input_type": "uint8"}, "needs --quantization=int8"),
        ({"quantization": "int16x8", "inference_input_type": "int8"}, "takes float32"),
    ],
)
def test_illegal_options(arguments, message):
    with pytest.raises(UsageError, match=message):
        ConversionOptions(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of --model_dir, --weights, --keras_model_file .now: none"),
        ({"model_dir": "a", "weights": "b"}, "now: --model_dir, --weights"),
        ({"weights": "v1_0"}, "--weights needs --output_file"),
        ({"model_dir": "a", "model": "v1_2"}, "--model=v1_2: only a file of --weights may need it"),
        ({"weights": "v1_0", "output_file": "a.bin"}, "a.bin: must end in .tflite"),
        ({"keras_model_file": "a.keras"}, "needs --preprocessing and --labels_file"),
        ({"model_dir": "a", "calibration_steps": 1}, "--calibration_steps 1"),
        ({"model_dir": "a", "max_accuracy_drop": -1.0}, "--max_accuracy_drop -1"),
        ({"model_dir": "a", "seed": -1}, "--seed -1"),
        ({"weights": "v1_0", "stage": "prune", "output_file": "a.tflite"}, "--stage=prune"),
        (
            {"weights": "v1_0", "data_dir": "p", "output_file": "a.tflite"},
            "only a run .--model_dir. has",
        ),
    ],
)
def test_illegal_configurations(arguments, message):
    with pytest.raises(UsageError, match=message):
        ConversionConfig(**arguments)


def test_a_configuration_is_json_ready():
    record = json.loads(json.dumps(ConversionConfig(model_dir="a").to_json()))
    assert record["model_dir"] == os.path.abspath("a")
    assert record["options"]["quantization"] == "int8"


def test_settings_are_as_approved():
    approved.check_settings(ConversionConfig)
    approved.check_settings(ConversionOptions)
