import types

import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.coding import sqz
from sqzkit.conversion import converter
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.converter import PricedConverter
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.outputs import output_path
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile

OPTIONS = ConversionOptions("int8", "per_tensor", "uint8")
LABELS = ("ant", "bee", "cat", "dog", "eel")


def convert(model, record, images, **changes):
    config = OptimizeConfig(**changes)
    return PricedConverter(model, record, LABELS, OPTIONS, images, config).best()


@pytest.mark.slow
def test_a_budget_is_kept_and_the_answers_stay(small_network, record, noise_images, converted):
    plain = len(sqz.pack(converted["uint8"]))
    budget = round(0.9 * plain)
    content = convert(
        small_network, record, noise_images, optimize_for="size", archive_budget_bytes=budget
    )
    assert 0.985 * budget <= len(sqz.pack(content)) <= budget
    model = TFLiteFile(content)
    assert model.operator_counts() == TFLiteFile(converted["uint8"]).operator_counts()
    assert model.tensors[model.inputs[0]].scales.tolist() == [1.0]
    classifier = Classifier(content)
    assert classifier.labels == LABELS
    exact = Classifier(converted["none"]).predict(noise_images)
    found = classifier.predict(noise_images)
    assert np.abs(found - exact).mean() < 0.05
    with pytest.raises(RunError, match="--archive_budget_bytes=1000: all but the kernels takes"):
        convert(small_network, record, noise_images, archive_budget_bytes=1000)


@pytest.mark.parametrize(
    ("budget", "base", "asked"),
    [
        ({}, None, ["price"]),
        ({}, b"old", ["price"]),
        ({"archive_budget_bytes": 5000}, b"old", [(5000, len(b"file"))]),
        ({"update_budget_bytes": 900}, b"old", [(900, len(b"file - old"))]),
    ],
)
def test_a_budget_is_of_the_archive_or_of_the_update(monkeypatch, budget, base, asked):
    """And a bit is one of an update where there is an older file."""
    opened, found, checked, converted = [], [], [], []

    class Optimizer:
        price = 0.5
        rounded = types.SimpleNamespace(template=lambda *given: given[1:], write=lambda _: b"file")

        def __init__(self, model, record, images, config, say, older):
            opened.append(older)

        def at(self, price):
            found.append("price" if price == self.price else price)
            return self.rounded

        def best(self, budget, size):
            found.append((budget, size(self.rounded)))
            return self.rounded

    def pack(content, base=None):
        return content if base is None else content + b" - " + base

    monkeypatch.setattr(converter, "Optimizer", Optimizer)

    def convert_model(*given):
        converted.append(given)
        return b"template"

    monkeypatch.setattr(converter, "convert_model", convert_model)
    monkeypatch.setattr(converter, "TFLiteFile", bytes)
    monkeypatch.setattr(converter.checks, "check_ends", lambda *given: checked.append(given))
    monkeypatch.setattr(converter.sqz, "pack", pack)
    config = OptimizeConfig(**budget)
    given = keras.Sequential(), "record", LABELS, OPTIONS, "images", config, base
    assert PricedConverter(*given).best() == b"file"
    assert opened == [base and (base, LABELS)]
    assert found == asked
    assert checked[0] == (b"file", OPTIONS)
    assert converted == [(("record",), "record", LABELS, OPTIONS, "images")]  # once


def test_only_int8_per_tensor_can_be_optimized(tmp_path):
    given = {"model_dir": str(tmp_path), "optimize": OptimizeConfig()}
    with pytest.raises(UsageError, match="needs --quantization=int8, not float16"):
        ConversionConfig(ConversionOptions("float16"), **given)
    with pytest.raises(UsageError, match="--granularity=per_channel with --optimize_for"):
        ConversionConfig(granularity_given=True, **given)
    name = output_path(ConversionConfig(OPTIONS, **given)).name
    assert name == "size_int8_per_tensor_uint8.tflite"


def test_the_budget_of_an_update_needs_a_base_and_is_the_only_one():
    given = {"model_dir": "run", "archive": True, "update_budget_bytes": 500}
    with pytest.raises(UsageError, match="--update_budget_bytes needs --optimize_for"):
        ConversionConfig.from_settings(given)
    given["optimize_for"] = "size"
    with pytest.raises(UsageError, match="--update_budget_bytes=500: only an update.*--base"):
        ConversionConfig.from_settings(given)
    given["base"] = "old.tflite"
    assert ConversionConfig.from_settings(given).optimize.update_budget_bytes == 500
    with pytest.raises(UsageError, match="give one of the two"):
        ConversionConfig.from_settings({**given, "archive_budget_bytes": 9000})
