import dataclasses

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.training.options import BaseOptions, FitOptions, TeacherOptions
from tests import approved


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("epochs", 0, "--train_epochs 0"),
        ("batch_size", 0, "--train_batch_size 0"),
        ("base_learning_rate", 0.0, "--base_learning_rate"),
        ("base_learning_rate", float("nan"), "--base_learning_rate"),
        ("lr_schedule", "poly", "constant, linear, cosine, step"),
        ("optimizer", "lion", "sgd, adam, adamw"),
        ("keep", "first", "best, last"),
        ("warmup_epochs", 9.0, "--warmup_epochs 9.0"),
        ("momentum", 1.0, "--momentum"),
        ("label_smoothing", -0.1, "--label_smoothing"),
        ("weight_decay", -1.0, "--weight_decay"),
        ("early_stopping_patience", -1, "--early_stopping_patience"),
        ("watchdog_epochs", -1, "--watchdog_epochs"),
    ],
)
def test_a_bad_value_is_refused_by_its_flag(field, value, named):
    with pytest.raises(UsageError, match=named):
        dataclasses.replace(FitOptions(epochs=5), **{field: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing": "unit"}, "--teacher_preprocessing unit: says something of --teacher"),
        ({"labels_file": "a.txt"}, "--teacher_labels a.txt: says something of --teacher"),
        ({"unlabelled_dir": "more"}, "--unlabelled_dir more: without --teacher"),
    ],
)
def test_what_is_said_of_a_teacher_needs_one(changes, message):
    TeacherOptions("t", **changes)
    with pytest.raises(UsageError, match=message):
        TeacherOptions(**changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [("moves", "all"), ("share", 0.001), ("share", 0.5), ("pull", 0.0), ("pull", 0.5)],
)
def test_what_is_said_of_a_base_needs_one(name, value):
    BaseOptions("old", **{name: value})
    with pytest.raises(UsageError, match=f"--base_{name} {value}: says something of --base"):
        BaseOptions(**{name: value})


def test_options_survive_json():
    options = FitOptions(epochs=3, optimizer="sgd")
    assert FitOptions(**options.to_json()) == options


def test_settings_are_as_approved():
    approved.check_settings(FitOptions)
    approved.check_settings(TeacherOptions)
    approved.check_settings(BaseOptions)
