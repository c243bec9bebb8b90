"""The rows of AlexNet: trained, cut by SVD, pruned, and Deep Compression's.

All at 227 pixels with the original's 4,096 units, so that its layers but fc8
are those of the ImageNet network. Pruned and shared as Han et al. did: at once
to the densities they print, then trained on; 256 and 32 shared values.
"""

import time

from sqzkit.base.keras import keras
from sqzkit.coding import layer_file
from sqzkit.compression import chain
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig
from sqzkit.models import registry
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import printed, runs, svd
from sqzkit.paper.files import FLOAT, Bench, Form, finish_row
from sqzkit.paper.folder import Row
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import begin_run, load_run
from sqzkit.runs.settings import recorded_options
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions

BYTES = 4
BATCH = 32
RATE, SVD_RATE, PRUNE_RATE, SHARE_RATE = 5e-4, 2e-4, 2e-4, 5e-5


def alexnet(bench: Bench) -> Row:
    """Train AlexNet from scratch, with batch normalization, which is folded away in its files."""
    started = time.monotonic()
    folder = bench.folder.run("alexnet")
    spec = AlexNetSpec(len(bench.dataset.labels), "batch", fc_units=bench.config.paper.fc_units)
    model = registry.build(spec, bench.config.paper.image_size)
    epochs = bench.config.effort.alexnet_epochs
    _train(bench, folder, spec, model, _options(bench, epochs, RATE, warmup=1.0))
    return finish_row(bench, "alexnet", load_run(folder.path), Form(FLOAT), started)


def cut_by_svd(bench: Bench) -> Row:
    """Factor fc6 and fc7 of the trained network, and train on."""
    started = time.monotonic()
    folder = bench.folder.run("svd")
    if not folder.finished_stages():
        # A killed training is resumed from its checkpoint: the cut is the same again.
        spec, model, note = _cut(bench)
        options = _options(bench, bench.config.effort.svd_epochs, SVD_RATE)
        _train(bench, folder, spec, model, options, note)
    notes = (folder.read_record("flags")["compare"]["note"],)
    return finish_row(bench, "svd", load_run(folder.path), Form(FLOAT), started, notes)


def pruned(bench: Bench) -> Row:
    """Prune the trained network to the densities Han et al. print, and train on."""
    started = time.monotonic()
    folder = _compressed(bench, ("prune",))
    form = Form(layer_file.SUFFIX, "sparse_floats")
    return finish_row(bench, "pruned", load_run(folder.path, "prune"), form, started)


def deep_compression(bench: Bench) -> Row:
    """Let the weights of the pruned network share values, and train those."""
    started = time.monotonic()
    folder = _compressed(bench, ("prune", "cluster"))
    form = Form(layer_file.SUFFIX, "deep_compression")
    return finish_row(bench, "alexnet_dc", load_run(folder.path, "cluster"), form, started)


def _compressed(bench: Bench, stages: tuple[str, ...]) -> RunFolder:
    """Return the run of the pruned and shared AlexNet, with `stages` finished."""
    source, effort = bench.folder.run("alexnet"), bench.config.effort
    folder = runs.copy_run(source, bench.folder.run("alexnet_compressed"), ("train",))
    names = reading.layer_names(load_run(folder.path, "train").model)
    config = CompressionConfig(
        stages=("train", *stages),
        target_sparsity=printed.sparsity_table(printed.ALEXNET_DENSITY, names),
        number_of_clusters=printed.values_table(printed.ALEXNET_VALUES, names),
        codebook="lloyd",
        prune_schedule="once",
        prune_epochs=effort.pruned_epochs,
        cluster_epochs=effort.shared_epochs,
        prune_learning_rate=PRUNE_RATE,
        cluster_learning_rate=SHARE_RATE,
        distillation=0.0,
    )
    chain.run_stages(folder, config, recorded_options(folder, "train", FitOptions), bench.dataset)
    return folder


def _cut(bench: Bench) -> tuple[AlexNetSpec, keras.Model, str]:
    """Return the network with fc6 and fc7 factored, and how."""
    source = load_run(bench.folder.run("alexnet").path)
    spec = AlexNetSpec.from_json(source.spec)
    print("svd: decomposing fc6 and fc7", flush=True)
    parts = svd.decompose_dense(source.model)
    energy = bench.config.svd_energy
    if energy is None:
        whole = bench.folder.row("alexnet")
        assert whole is not None
        dense = sum(part.left.shape[0] * part.right.shape[1] for part in parts.values())
        most = numbers_left(whole.paper.bytes, dense, bench.config.svd_ratio)
        energy = svd.energy_for_numbers(parts, most)
    ranks = svd.ranks_for_energy(parts, energy)
    note = f"ranks {ranks['fc6']} and {ranks['fc7']} keep {energy:.1%} of the energy"
    print(f"svd: {note}", flush=True)
    return *svd.cut(source.model, spec, parts, ranks), note


def numbers_left(whole: int, dense: int, ratio: float) -> int:
    """Return how many numbers the factors may hold, so that a file becomes `ratio` times smaller.

    Args:
      whole: bytes of the float32 file.
      dense: weights in it that are factored.
      ratio: above 1.
    """
    return int((whole / ratio - (whole - BYTES * dense)) / BYTES)


def _train(
    bench: Bench,
    folder: RunFolder,
    spec: AlexNetSpec,
    model: keras.Model,
    options: FitOptions,
    note: str = "",
) -> None:
    preprocessing = default(bench.config.paper.image_size)
    flags = {"compare": {**bench.folder.identity, "note": note}}
    records = {"data": bench.source.to_json(), "flags": flags}
    labels = tuple(bench.dataset.labels)
    begin_run(folder, spec.to_json(), model, preprocessing, labels, records)
    folder.add_command(bench.config.command())
    fit_stage(model, StageFit(folder, "train", bench.dataset, preprocessing, options))


def _options(bench: Bench, epochs: int, rate: float, warmup: float = 0.0) -> FitOptions:
    return FitOptions(
        epochs=epochs,
        batch_size=BATCH,
        base_learning_rate=rate,
        warmup_epochs=min(warmup, epochs),
        weight_decay=0.01,
        augmentation="light",
        seed=bench.config.seed,
        keep="last",  # the best so far would be another quarter of a gigabyte of memory
    )
