import dataclasses
import json

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.models import published
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import FitOptions
from sqzkit.training.presets import PRESETS
from tests import approved


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_dir": ""}, "--model_dir"),
        ({"mode": "test"}, "train, eval, train_and_eval"),
        ({"distribution_strategy": "ring"}, "off, one_device, mirrored"),
        ({"mixed_precision_dtype": "int8"}, "float32, float16, bfloat16"),
        ({"model": "resnet"}, "--model 'resnet': must be one of v1_0"),
        ({"bypass": "double"}, "none, simple, complex"),
        ({"pct3x3": 1.5}, "pct3x3"),
        ({"train_epochs": 0}, "--train_epochs 0"),
        ({"train_steps": 0}, "--train_steps 0"),
        ({"seed": -1}, "--seed -1"),
        ({"head_epochs": -1}, "--head_epochs"),
        ({"min_train_steps": -1}, "--min_train_steps -1"),
        ({"train_minutes": 0.0}, "--train_minutes 0.0: must be above 0"),
        ({"train_minutes": 2.0, "distribution_strategy": "mirrored"}, "--train_minutes 2: steps"),
        ({"head_learning_rate": 0.0}, "--head_learning_rate"),
        ({"weights": "v1_0", "bypass": "simple"}, "--bypass simple: --weights=v1_0 fixes"),
    ],
)
def test_a_bad_value_is_refused_by_its_flag(changes, named):
    with pytest.raises(UsageError, match=named):
        TrainingConfig(**{"model_dir": "run", **changes})


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_legal_configuration_that_changes_few_fields(name):
    changes = PRESETS[name]
    config = TrainingConfig("run", preset=name, **changes)
    assert len(changes) <= 14
    for field, value in changes.items():
        assert getattr(config, field) == value


def test_settings_and_presets_are_as_approved():
    approved.check_settings(TrainingConfig)
    approved.check_values("presets", dict(PRESETS))


def test_published_weights_fix_the_network_but_what_has_no_weights():
    config = TrainingConfig("run", weights="v1_0", dropout=0.25, pool_after=("fire3",))
    assert (config.dropout, config.pool_after) == (0.25, ("fire3",))
    assert config.pretrained() == published.PUBLISHED["v1_0"]
    for name, value in {"base_e": 64, "normalization": "none", "model": "v1_0"}.items():
        with pytest.raises(UsageError, match=f"--{name} {value}: --weights=v1_0 fixes"):
            TrainingConfig("run", weights="v1_0", **{name: value})


def test_the_paper_preset_is_the_papers_recipe():
    options = TrainingConfig("run", **PRESETS["paper"]).fit_options(68)
    assert (options.optimizer, options.momentum, options.weight_decay) == ("sgd", 0.9, 2e-4)
    assert (options.base_learning_rate, options.lr_schedule) == (0.04, "linear")
    assert options.batch_size == 512
    network = TrainingConfig("run", **PRESETS["paper"]).spec(1000)
    assert (network.normalization, network.conv10_relu, network.conv1_kernel) == ("none", True, 7)


def test_fields_of_the_network_reach_it():
    config = TrainingConfig("run", bypass="simple", base_e=64, pool_after=("conv1",), dropout=0.1)
    network = config.spec(7)
    assert (network.classes, network.bypass, network.base_e) == (7, "simple", 64)
    assert (network.pool_after, network.dropout, network.conv10_relu) == (("conv1",), 0.1, False)


def test_weights_are_found_for_the_network_that_the_fields_describe(monkeypatch):
    monkeypatch.setattr(published, "find", lambda *given: given)
    assert TrainingConfig("run", bypass="simple").pretrained() is None
    config = TrainingConfig(
        "run", weights="file.pth", model="v1_2", dropout=0.1, pool_after=("conv1",), base_e=64
    )
    assert config.pretrained() == ("file.pth", "v1_2", {"base_e": 64})


def test_a_short_run_has_a_short_warmup():
    assert TrainingConfig("run", warmup_epochs=5.0).fit_options(2).warmup_epochs == 2


def test_what_is_said_of_the_training_reaches_it():
    given = {
        **{"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.25, "base_learning_rate": 0.125},
        **{"lr_schedule": "linear", "warmup_epochs": 2.0, "label_smoothing": 0.2, "seed": 7},
        **{"class_weights": "balanced", "augmentation": "none", "early_stopping_patience": 3},
        **{"watchdog_epochs": 5},
    }
    config = TrainingConfig("run", train_batch_size=9, **given)
    assert config.fit_options(4) == FitOptions(epochs=4, batch_size=9, **given)


def test_the_head_learns_alone_at_a_constant_rate():
    options = TrainingConfig("run", head_epochs=2, head_learning_rate=0.5).head_options()
    assert (options.epochs, options.base_learning_rate) == (2, 0.5)
    assert (options.lr_schedule, options.keep) == ("constant", "last")


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("train_epochs", "min_train_steps"),
        ("train_steps", "min_train_steps"),
    ],
)
def test_what_was_given_is_not_adapted_to_the_data(flag, field):
    values = {"model_dir": "run", "weights": "v1_1"}
    assert getattr(TrainingConfig.from_settings(values), field) > 0
    assert getattr(TrainingConfig.from_settings({**values, flag: 5}), field) == 0


def test_the_configuration_is_json():
    config = TrainingConfig("run")
    stored = json.loads(json.dumps(config.to_json()))
    assert set(stored) == {field.name for field in dataclasses.fields(config)}
    assert stored["data"]["data_dir"] is None


def test_the_flags_of_the_teacher_make_its_record():
    given = {
        "teacher": "t.keras",
        "teacher_preprocessing": "caffe",
        "teacher_labels": "names.txt",
        "teacher_weight": 0.7,
        "teacher_temperature": 3.0,
        "unlabelled_dir": "more",
    }
    config = assembly.build(TrainingConfig, {"model_dir": "run", **given})
    expected = ("t.keras", "caffe", "names.txt", 0.7, 3.0, "more")
    assert dataclasses.astuple(config.teacher) == expected
    for name, value in (("weight", 1.1), ("weight", -0.1), ("temperature", 0.0)):
        with pytest.raises(UsageError, match=f"--teacher_{name} {value}: must be"):
            assembly.build(TrainingConfig, {"model_dir": "run", **given, f"teacher_{name}": value})
    with pytest.raises(UsageError, match="--unlabelled_dir more: without --teacher nobody says"):
        assembly.build(TrainingConfig, {"model_dir": "run", "unlabelled_dir": "more"})
