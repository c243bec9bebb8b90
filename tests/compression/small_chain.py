"""A data set, networks and runs small enough to train in tests of the chain."""

import dataclasses

import numpy as np

from sqzkit import preprocessing
from sqzkit.models import spec
from sqzkit.runs.folder import RunFolder

CLASSES = 4
SIDE = 32


def images(count, seed):
    """Return noisy pictures whose brightest corner is their class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    pixels = generator.integers(0, 120, (count, SIDE, SIDE, 3), np.uint8)
    half = SIDE // 2
    for picture, label in zip(pixels, labels, strict=True):
        row, column = divmod(int(label), 2)
        picture[row * half :, column * half :][:half, :half] += 130
    return pixels, labels


def make_dataset():
    from sqzkit.data.dataset import Example, ImageDataset, Split

    splits = {}
    for seed, (name, count) in enumerate((("train", 96), ("validation", 24), ("test", 24))):
        pairs = zip(*images(count, seed), strict=True)
        splits[name] = Split(tuple(Example(pixels, int(label)) for pixels, label in pairs))
    return ImageDataset("corners", ("a", "b", "c", "d"), splits)


def small_spec(**changes):
    """Return a network with one Fire module: as quick to trace as can be."""
    small = {"fire_modules": 1, "pool_after": ("conv1",), **changes}
    return spec.tiny(CLASSES, **small)


def make_run(path, network, dataset, epochs=3):
    """Return a run folder whose stage "train" is finished, and its options."""
    from sqzkit.base.keras import keras
    from sqzkit.models import registry
    from sqzkit.training.fit import StageFit, fit_stage
    from sqzkit.training.options import FitOptions

    folder = RunFolder(path)
    folder.write_spec(network.to_json())
    folder.write_preprocessing(preprocessing.default(SIDE))
    folder.write_labels(dataset.labels)
    options = FitOptions(epochs=epochs, batch_size=16, base_learning_rate=3e-3, watchdog_epochs=0)
    keras.utils.set_random_seed(0)
    model = registry.build_from_json(network.to_json(), SIDE)
    fit_stage(model, StageFit(folder, "train", dataset, folder.preprocessing, options))
    return folder, options


def make_untrained_run(path, network, dataset):
    """Return a run folder whose network has random weights as its stage "train"."""
    from sqzkit.base.keras import keras
    from sqzkit.models import registry
    from sqzkit.runs.weights import save_weights
    from sqzkit.training.options import FitOptions

    folder = RunFolder(path)
    folder.write_preprocessing(preprocessing.default(SIDE))
    folder.write_labels(dataset.labels)
    folder.write_spec(network.to_json())
    options = FitOptions(epochs=1, batch_size=16, watchdog_epochs=0)
    keras.utils.set_random_seed(0)
    model = registry.build_from_json(network.to_json(), SIDE)
    save_weights(model, folder.weights_path("train"))
    folder.finish_stage("train", {"top1": 1 / CLASSES}, options.to_json())
    return folder, options


def int8_file(folder, model, dataset):
    """Return the model converted to int8 with one scale a kernel."""
    from sqzkit.conversion.converter import convert_model
    from sqzkit.conversion.options import ConversionOptions
    from sqzkit.data import pipeline

    pixels, _ = pipeline.raw_images(dataset, "train", folder.preprocessing, 16, 0)
    options = ConversionOptions(granularity="per_tensor")
    return convert_model(model, folder.preprocessing, dataset.labels, options, pixels)


def quick_config(**changes):
    """Return the chain with as few epochs as it can have."""
    from sqzkit.compression.plan import CompressionConfig

    base = CompressionConfig(
        stages=("prune", "cluster", "quantize"),
        target_sparsity="0.5,conv1=0.25",
        number_of_clusters="8",
        prune_epochs=2,
        dense_epochs=1,
        cluster_epochs=1,
        quantize_epochs=1,
    )
    return dataclasses.replace(base, **changes)


def train_steps(model, steps=6):
    """Train `model` a few steps on noise, as a stage would."""
    from sqzkit.base.keras import keras

    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(8, SIDE, SIDE, 3)).astype(np.float32)
    labels = generator.integers(0, CLASSES, 8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.fit(pixels, labels, batch_size=8, epochs=steps, verbose=0)
