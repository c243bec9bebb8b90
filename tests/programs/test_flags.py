"""Every flag of the six large programs reaches the record that its program works by."""

import dataclasses
import importlib

import pytest

from sqzkit.base import assembly
from sqzkit.programs import flags
from tests.command_lines import programs

# By program: flags that must be there, and another value for each flag
# (with further flags that it needs; "!" leaves out those that must be there).
PROGRAMS = {
    "train": (
        ("--model_dir=a",),
        {
            "model_dir": "b", "mode": "eval", "preset": "cifar10", "data_dir": "photos",
            "tfds_name": "cifar10", "tfds_data_dir": "sets --tfds_name=cifar10",
            "tfds_download": "true", "cache_dir": "c",
            "max_broken_share": "0.25", "flip": "off", "model": "v1_0",
            "bypass": "complex", "base_e": "64", "incr_e": "32", "freq": "4", "pct3x3": "0.25",
            "squeeze_ratio": "0.75", "fire_modules": "6", "pool_after": "conv1,fire4",
            "normalization": "none", "dropout": "0.125", "conv10_relu": "true",
            "weights": "deep_compression", "weights_dir": "w --weights=deep_compression",
            "image_size": "96", "train_batch_size": "48", "train_epochs": "17",
            "train_steps": "1234", "min_train_steps": "55", "train_minutes": "2.5",
            "base_learning_rate": "0.0625", "lr_schedule": "step",
            "warmup_epochs": "2.5", "optimizer": "sgd", "momentum": "0.75",
            "weight_decay": "0.03125", "label_smoothing": "0.375",
            "class_weights": "balanced", "augmentation": "none",
            "seed": "77", "early_stopping_patience": "9", "watchdog_epochs": "8",
            "head_epochs": "4 --weights=deep_compression",
            "head_learning_rate": "0.015625 --weights=deep_compression",
            "mixed_precision_dtype": "bfloat16", "distribution_strategy": "one_device",
            "teacher": "t.tflite", "teacher_labels": "names --teacher=t.onnx",
            "teacher_preprocessing": "unit --teacher=t.onnx",
            "teacher_temperature": "2.5 --teacher=t.tflite",
            "teacher_weight": "0.25 --teacher=t.tflite",
            "unlabelled_dir": "more --teacher=t.tflite",
            "base": "old", "base_moves": "share --base=old", "base_share": "0.25 --base=old",
            "base_pull": "0.375 --base=old",
            "deterministic": "false", "tensorboard": "true", "stages": "train,prune",
            "target_sparsity": "0.5,conv10=0.25", "number_of_clusters": "8,conv1=64",
            "codebook": "uniform", "prune_epochs": "5", "prune_schedule": "once",
            "dense_epochs": "6", "cluster_epochs": "7", "quantize_epochs": "8",
            "prune_learning_rate": "0.001953125",
            "dense_learning_rate": "0.0009765625", "cluster_learning_rate": "0.00390625",
            "quantize_learning_rate": "0.0078125", "distillation": "0.1875",
            "scan_examples": "99",
        },
    ),
    "convert": (
        ("--model_dir=a",),
        {
            "model_dir": "b", "data_dir": "d", "stage": "prune",
            "weights": "!dsd --output_file=a.tflite",
            "model": "!v1_2 --weights=a.pth --output_file=a.tflite",
            "image_size": "!160 --weights=dsd --output_file=a.tflite",
            "weights_dir": "w", "keras_model_file": "!m.keras --preprocessing=unit "
            "--labels_file=l --output_file=a.tflite", "preprocessing": "caffe",
            "labels_file": "names", "output_file": "o.tflite", "quantization": "float16",
            "granularity": "per_tensor",
            "inference_input_type": "uint8", "representative_dataset_dir": "photos",
            "calibration_steps": "33", "verify": "false", "max_accuracy_drop": "0.125",
            "archive": "true", "overwrite": "true", "optimize_for": "accuracy",
            "archive_budget_bytes": "12345 --optimize_for=size", "seed": "7",
            "update_budget_bytes": "2345 --optimize_for=size --archive --base=old.sqz",
            "teachable": "true", "base": "old.sqz --archive",
        },
    ),
    "explore": (
        ("--study_dir=a",),
        {
            "study_dir": "b", "storage": "sqlite:///s.db", "study_name": "other",
            "preset": "bypass", "objectives": "accuracy,latency", "sampler": "random",
            "trials": "11", "stop_bad": "false", "winner_drop": "0.125", "threads": "3",
            "data_dir": "photos", "tfds_name": "cifar10",
            "tfds_data_dir": "sets --tfds_name=cifar10", "tfds_download": "true", "flip": "off",
            "max_broken_share": "0.25", "image_size": "96", "train_epochs": "17",
            "train_batch_size": "48", "base_learning_rate": "0.0625", "augmentation": "none",
            "seed": "77", "model": "v1_0", "bypass": "none,complex", "base_e": "48,96",
            "incr_e": "16,48", "freq": "2,4", "fire_modules": "6,8", "pct3x3": "0.125:0.375:0.125",
            "squeeze_ratio": "0.25,1.0", "pool_after": "conv1+fire3,conv1+fire5",
        },
    ),
    "evolve": (
        ("--model_dir=a", "--output_dir=c"),
        {
            "model_dir": "b", "output_dir": "d", "generations": "3", "population": "5",
            "environment": "0.75", "channel_multiple": "8", "train_epochs": "4",
            "final_epochs": "6",
            "base_learning_rate": "0.0625", "distillation": "0.25", "seed": "77",
        },
    ),
    "fit": (
        ("--max_archive_bytes=9000",),
        {
            "max_archive_bytes": "8000", "max_latency_ms": "2.5", "max_ram_bytes": "70000",
            "hours": "0.25", "output_dir": "b", "networks": "3", "finalists": "1",
            "weights": "v1_1_onnx", "weights_dir": "w", "image_size": "96", "seed": "77",
            "data_dir": "photos", "tfds_name": "cifar10",
            "tfds_data_dir": "sets --tfds_name=cifar10", "tfds_download": "true", "flip": "off",
            "max_broken_share": "0.25",
        },
    ),
    "compare": (
        ("--output_dir=a",),
        {
            "output_dir": "b", "quick": "true", "rows": "alexnet,svd", "model_dir": "m",
            "evolved_dir": "e", "model": "v1_0", "svd_energy": "0.5", "svd_ratio": "4.5",
            "seed": "77", "data_dir": "photos", "tfds_name": "cifar10",
            "tfds_data_dir": "sets --tfds_name=cifar10", "tfds_download": "true", "flip": "off",
            "max_broken_share": "0.25", "alexnet_epochs": "17", "svd_epochs": "9",
            "pruned_epochs": "11", "shared_epochs": "12", "train_epochs": "13",
            "prune_epochs": "14", "cluster_epochs": "15", "quantize_epochs": "16",
            "generations": "3", "population": "5", "environment": "0.75",
            "offspring_epochs": "4", "final_epochs": "7", "test_examples": "99",
        },
    ),
}  # fmt: skip


def leaves(value, path=()):
    """Return every value inside a JSON value by its path."""
    if isinstance(value, dict):
        return {k: v for key in value for k, v in leaves(value[key], (*path, str(key))).items()}
    return {".".join(path): repr(value)}


def made(records, known, arguments):
    """Return the fields of the records that a command line makes, by record and path."""
    given, _ = flags.parse(["program", *arguments], known)
    parts = []
    for record in records:
        mine = {name: value for name, value in given.items() if name in assembly.flat(record)}
        parts.append(assembly.build(record, mine))
    return {
        field: value
        for number, part in enumerate(parts)
        for field, value in leaves(dataclasses.asdict(part), (str(number),)).items()
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_flag_changes_its_programs_record(name):
    base, given = PROGRAMS[name]
    program = importlib.import_module(f"sqzkit.programs.{name}").PROGRAM
    known = program.flags()
    assert set(given) == set(known)
    plain, changed = made(program.records, known, base), {}
    for flag, text in given.items():
        value, *others = text.removeprefix("!").split(" ")
        kept = [] if text.startswith("!") else base
        found = made(program.records, known, [*kept, f"--{flag}={value}", *others])
        changed[flag] = [k for k in {*plain, *found} if plain.get(k) != found.get(k)]
    assert [flag for flag, fields in changed.items() if not fields] == []
    # A field of the same name, or one of a record inside: model_dir, data.flip, space.base_e.
    stages = ("_epochs", "_learning_rate")
    for flag, fields in changed.items():
        if flag == "quick":  # a preset: all of the effort
            assert all(field.startswith("0.effort.") for field in fields)
            continue
        last = flag.removesuffix(next((s for s in stages if flag.endswith(s)), ""))
        inside = flag.replace("_", ".", 1)  # teacher_labels is teacher.labels_file
        assert any(
            field.split(".")[-1] in (flag, last) or flag in field or inside in field
            for field in fields
        ), (flag, fields)


FILES = ("base", "contact_sheet", "folder", "head", "key", "output", "teacher", "teacher_labels")


@pytest.mark.parametrize("name", [path.stem for path in programs().values()])
def test_files_and_folders_are_stored_with_their_whole_path(name):
    """Else a run that is resumed, or a command that is recorded, means another place."""
    known = importlib.import_module(f"sqzkit.programs.{name}").PROGRAM.flags()
    named = {flag: item for flag, item in known.items() if flag.endswith(("_dir", "_file"))}
    named |= {flag: known[flag] for flag in FILES if flag in known}
    assert [flag for flag, item in named.items() if not item.setting.path] == []
