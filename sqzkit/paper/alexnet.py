"""The rows of AlexNet: trained, cut by SVD, pruned, and Deep Compression's.

All at 227 pixels with the original's 4,096 units, so that its layers but fc8
are those of the ImageNet network. Pruned and shared as Han et al. did: at once
to the densities they print, then trained on; 256 and 32 shared values.
"""

from sqzkit.base.keras import keras
from sqzkit.compression import chain
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig, StageName
from sqzkit.models import registry
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import printed, svd
from sqzkit.paper.files import Experiment, Made
from sqzkit.paper.folder import copy_run
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import begin_run, data_record, load_run
from sqzkit.runs.settings import recorded_options
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions

BYTES = 4
BATCH = 32
RATE, SVD_RATE, PRUNE_RATE, SHARE_RATE = 5e-4, 2e-4, 2e-4, 5e-5


def alexnet(experiment: Experiment) -> Made:
    """Train AlexNet from scratch, with batch normalization, which is folded away in its files."""
    folder = experiment.folder.run("alexnet")
    spec = AlexNetSpec(
        len(experiment.dataset.labels), "batch", fc_units=experiment.config.paper.fc_units
    )
    model = registry.build(spec, experiment.config.paper.image_size)
    epochs = experiment.config.effort.alexnet_epochs
    _train(experiment, folder, spec, model, _options(experiment, epochs, RATE, warmup=1.0))
    return Made(load_run(folder.path), "float32")


def cut_by_svd(experiment: Experiment) -> Made:
    """Factor fc6 and fc7 of the trained network, and train on."""
    folder = experiment.folder.run("svd")
    if not folder.finished_stages():
        # A killed training is resumed from its checkpoint: the cut is the same again.
        spec, model, note = _cut(experiment)
        options = _options(experiment, experiment.config.effort.svd_epochs, SVD_RATE)
        _train(experiment, folder, spec, model, options, note)
    note = folder.read_record("flags")["compare"]["note"]
    return Made(load_run(folder.path), "float32", (note,))


def pruned(experiment: Experiment) -> Made:
    """Prune the trained network to the densities Han et al. print, and train on."""
    folder = _compressed(experiment, ("prune",))
    return Made(load_run(folder.path, "prune"), "sparse_floats")


def deep_compression(experiment: Experiment) -> Made:
    """Let the weights of the pruned network share values, and train those."""
    folder = _compressed(experiment, ("prune", "cluster"))
    return Made(load_run(folder.path, "cluster"), "deep_compression")


def _compressed(experiment: Experiment, stages: tuple[StageName, ...]) -> RunFolder:
    """Return the run of the pruned and shared AlexNet, with `stages` finished."""
    source, effort = experiment.folder.run("alexnet"), experiment.config.effort
    folder = copy_run(source, experiment.folder.run("alexnet_compressed"), ("train",))
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
    chain.run_stages(
        folder, config, recorded_options(folder, "train", FitOptions), experiment.dataset
    )
    return folder


def _cut(experiment: Experiment) -> tuple[AlexNetSpec, keras.Model, str]:
    """Return the network with fc6 and fc7 factored, and how."""
    source = load_run(experiment.folder.run("alexnet").path)
    spec = AlexNetSpec.from_json(source.spec)
    print("svd: decomposing fc6 and fc7", flush=True)
    parts = svd.decompose_dense(source.model)
    energy = experiment.config.svd_energy
    if energy is None:
        whole = experiment.folder.row("alexnet")
        assert whole is not None
        dense = sum(part.left.shape[0] * part.right.shape[1] for part in parts.values())
        most = numbers_left(whole.paper.bytes, dense, experiment.config.svd_ratio)
        energy = svd.energy_for_numbers(parts, most)
    ranks = svd.ranks_for_energy(parts, energy)
    note = f"ranks {ranks['fc6']} and {ranks['fc7']} keep {energy:.1%} of the energy"
    print(f"svd: {note}", flush=True)
    return *svd.cut(source.model, spec, parts, ranks), note


def numbers_left(whole: int, dense: int, ratio: float) -> int:
    """Return how many numbers the factors may hold, so that a file becomes `ratio` times smaller.

    `whole` is the float32 file's bytes, `dense` the number of weights in it that are factored.
    """
    return int((whole / ratio - (whole - BYTES * dense)) / BYTES)


def _train(
    experiment: Experiment,
    folder: RunFolder,
    spec: AlexNetSpec,
    model: keras.Model,
    options: FitOptions,
    note: str = "",
) -> None:
    preprocessing = default(experiment.config.paper.image_size)
    flags = {"compare": {**experiment.folder.identity, "note": note}}
    records = {"data": data_record(experiment.source, experiment.dataset), "flags": flags}
    labels = tuple(experiment.dataset.labels)
    begin_run(folder, spec.to_json(), model, preprocessing, labels, records)
    folder.add_command(experiment.config.command())
    fit_stage(model, StageFit(folder, "train", experiment.dataset, preprocessing, options))


def _options(experiment: Experiment, epochs: int, rate: float, warmup: float = 0.0) -> FitOptions:
    return FitOptions(
        epochs=epochs,
        batch_size=BATCH,
        base_learning_rate=rate,
        warmup_epochs=min(warmup, epochs),
        weight_decay=0.01,
        augmentation="light",
        seed=experiment.config.seed,
        keep="last",  # the best so far would be another quarter of a gigabyte of memory
    )
