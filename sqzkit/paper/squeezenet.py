"""The rows of SqueezeNet: trained, Deep Compression's at 8 and 6 bits, evolved, and both.

Deep Compression is the kit's whole chain, int8 and `.sqz` included, to the
densities of the paper's table 1; 8 bits are the 255 values an int8 kernel
holds, 6 bits are 64.
"""

from pathlib import Path

from sqzkit.compression import chain
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig, StageName
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.evolution import evolve
from sqzkit.paper import printed
from sqzkit.paper.files import Experiment, Made
from sqzkit.paper.folder import copy_run
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels, load_run
from sqzkit.runs.settings import recorded_options
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import FitOptions

VALUES = {8: 255, 6: 64}
EVOLVED_BITS = 6


def squeezenet(experiment: Experiment) -> Made:
    """Train SqueezeNet from scratch, or take the user's run."""
    if experiment.config.model_dir is None:
        config = TrainingConfig(
            model_dir=str(experiment.folder.run("squeezenet").path),
            data=experiment.source,
            model=experiment.config.model,
            train_epochs=experiment.config.effort.train_epochs,
            seed=experiment.config.seed,
        )
        loop.train(config)
    return Made(load_run(ancestor(experiment).path, "train"), "float32")


def compressed(experiment: Experiment, bits: int) -> Made:
    """Prune, share and quantize SqueezeNet."""
    # Both numbers of bits go on from one pruned network.
    shared = copy_run(ancestor(experiment), experiment.folder.run("squeezenet_pruned"), ("train",))
    _run_stages(experiment, shared, bits, ("train", "prune"))
    folder = copy_run(shared, experiment.folder.run(f"squeezenet_dc{bits}"), ("train", "prune"))
    _run_stages(experiment, folder, bits, ("train", "prune", "cluster", "quantize"))
    return Made(load_run(folder.path), "sqz")


def evolved(experiment: Experiment) -> Made:
    """Breed a smaller network from SqueezeNet, or take the user's."""
    if experiment.config.evolved_dir is None:
        effort = experiment.config.effort
        evolve(
            EvolveConfig(
                model_dir=str(ancestor(experiment).path),
                output_dir=str(experiment.folder.evolution_path),
                generations=effort.generations,
                population=effort.population,
                environment=effort.environment,
                train_epochs=effort.offspring_epochs,
                final_epochs=effort.final_epochs,
                seed=experiment.config.seed,
            )
        )
    return Made(load_run(descendant(experiment).path, "train"), "float32")


def evolved_compressed(experiment: Experiment) -> Made:
    """Apply Deep Compression on top of evolution."""
    folder = copy_run(descendant(experiment), experiment.folder.run("evolved_dc"), ("train",))
    _run_stages(experiment, folder, EVOLVED_BITS, ("train", "prune", "cluster", "quantize"))
    return Made(load_run(folder.path), "sqz")


def ancestor(experiment: Experiment) -> RunFolder:
    """Return the run of SqueezeNet."""
    given = experiment.config.model_dir
    return RunFolder(Path(given).resolve()) if given else experiment.folder.run("squeezenet")


def descendant(experiment: Experiment) -> RunFolder:
    """Return the run of the evolved network."""
    if experiment.config.evolved_dir is not None:
        folder = RunFolder.existing(Path(experiment.config.evolved_dir).resolve(), "--evolved_dir")
        check_labels(folder, experiment.dataset)
        return folder
    effort, path = experiment.config.effort, experiment.folder.evolution_path
    name = "final" if effort.final_epochs else f"generation_{effort.generations:02d}"
    return RunFolder(path / name)


def _run_stages(
    experiment: Experiment, folder: RunFolder, bits: int, stages: tuple[StageName, ...]
) -> None:
    effort = experiment.config.effort
    names = reading.layer_names(load_run(folder.path, "train").model)
    config = CompressionConfig(
        stages=stages,
        target_sparsity=printed.sparsity_table(printed.SQUEEZENET_DENSITY, names),
        number_of_clusters=str(VALUES[bits]),
        codebook="lloyd",
        prune_epochs=effort.prune_epochs,
        cluster_epochs=effort.cluster_epochs,
        quantize_epochs=effort.quantize_epochs,
    )
    chain.run_stages(
        folder, config, recorded_options(folder, "train", FitOptions), experiment.dataset
    )
