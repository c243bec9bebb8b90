"""Presets: a few fields changed, with what they cost and reach.

Accuracies are on the test split, seed 1; the README has the times.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Changes = Mapping[str, Any]


def default() -> Changes:
    """Train a small data set from scratch without touching a flag.

    `python train.py --model_dir=runs/digits`: the embedded digits, 98.89 %.
    With `--data_dir` of the sign language digits, 64 pixels: 99.76 % of 418 (seeds 2
    and 3: 100.00 and 99.76 %).
    """
    return {}


def transfer() -> Changes:
    """Fit published ImageNet weights to other classes: the head at once, then all layers.

    The default whenever `--weights` is given:
    `python train.py --model_dir=runs/transfer --data_dir=PHOTOS --weights=v1_1_onnx`.
    """
    return {
        "train_epochs": 10,
        "min_train_steps": 1_500,
        "train_batch_size": 16,
        "base_learning_rate": 3e-4,
        "augmentation": "standard",
        "warmup_epochs": 1.0,
        "weight_decay": 0.0,
    }


def update() -> Changes:
    """Train an older run on, so that a small update gives the new version (docs/updates.md).

    The default whenever `--base` is given:
    `python train.py --model_dir=runs/new --data_dir=PHOTOS --base=runs/old`.
    """
    return {
        "train_epochs": 10,
        "train_batch_size": 16,
        "base_learning_rate": 3e-4,
        "warmup_epochs": 1.0,
        "weight_decay": 0.0,
    }


def paper() -> Changes:
    """Train as Iandola et al. did: SGD, 170,000 steps of 512 images, no normalization.

    `python train.py --preset=paper --model=v1_0 --model_dir=runs/paper
    --tfds_name=imagenet2012`. Not run here: ImageNet and a GPU are needed. On
    small data it often stays at chance; the watchdog says so.
    """
    return {
        "model": "v1_0",
        "normalization": "none",
        "conv10_relu": True,
        "image_size": 227,
        "optimizer": "sgd",
        "momentum": 0.9,
        "weight_decay": 2e-4,
        "base_learning_rate": 0.04,
        "lr_schedule": "linear",
        "warmup_epochs": 0.0,
        "train_batch_size": 512,
        "train_steps": 170_000,
        "augmentation": "standard",
    }


def cifar10() -> Changes:
    """Train CIFAR-10 from ImageNet weights, enlarged to 64 pixels and pooled late.

    The first stride of 2 then loses nothing, and the Fire modules see maps of 31, 15 and 7
    pixels. `python train.py --preset=cifar10 --model_dir=runs/cifar10 --tfds_name=cifar10`:
    89.07 % of 10,000 (with `--mixed_precision_dtype=bfloat16`).
    """
    return {
        "weights": "v1_1_onnx",
        "image_size": 64,
        "pool_after": ("fire3", "fire5"),
        "train_batch_size": 64,
        "train_epochs": 56,
        "base_learning_rate": 8e-4,
        "warmup_epochs": 1.0,
        "weight_decay": 0.05,
        "label_smoothing": 0.1,
        "augmentation": "standard",
    }


def imagenet() -> Changes:
    """Train ImageNet-1k (TFDS `imagenet2012`) with batch normalization.

    `python train.py --preset=imagenet --model_dir=runs/imagenet
    --tfds_name=imagenet2012 --distribution_strategy=mirrored`. Not run here.
    """
    return {
        "image_size": 224,
        "optimizer": "sgd",
        "train_batch_size": 1024,
        "base_learning_rate": 0.4,
        "train_epochs": 90,
        "warmup_epochs": 5.0,
        "weight_decay": 5e-5,
        "dropout": 0.2,
        "augmentation": "standard",
    }


PRESETS: Mapping[str, Changes] = MappingProxyType(
    {make.__name__: make() for make in (default, transfer, update, paper, cifar10, imagenet)}
)
