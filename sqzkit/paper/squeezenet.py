"""The rows of SqueezeNet: trained, Deep Compression's at 8 and 6 bits, evolved, and both.

Deep Compression is the kit's whole chain, int8 and `.sqz` included, to the
densities of the paper's table 1; 8 bits are the 255 values an int8 kernel
holds, 6 bits are 64.
"""

import time
from pathlib import Path

from sqzkit.compression import chain
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.evolution import evolve
from sqzkit.paper import printed, runs
from sqzkit.paper.files import FLOAT, SQZ, Bench, Form, finish_row
from sqzkit.paper.folder import Row
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels, load_run
from sqzkit.runs.settings import recorded_options
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import FitOptions

VALUES = {8: 255, 6: 64}
EVOLVED_BITS = 6


def squeezenet(bench: Bench) -> Row:
    """Train SqueezeNet from scratch, or take the user's run."""
    started = time.monotonic()
    if bench.config.model_dir is None:
        config = TrainingConfig(
            model_dir=str(bench.folder.run("squeezenet").path),
            data=bench.source,
            model=bench.config.model,
            train_epochs=bench.config.effort.train_epochs,
            seed=bench.config.seed,
        )
        loop.train(config)
    run = load_run(ancestor(bench).path, "train")
    return finish_row(bench, "squeezenet", run, Form(FLOAT), started)


def compressed(bench: Bench, bits: int) -> Row:
    """Prune, share and quantize SqueezeNet."""
    started = time.monotonic()
    # Both numbers of bits go on from one pruned network.
    shared = runs.copy_run(ancestor(bench), bench.folder.run("squeezenet_pruned"), ("train",))
    _run_stages(bench, shared, bits, ("train", "prune"))
    name = f"squeezenet_dc{bits}"
    folder = runs.copy_run(shared, bench.folder.run(name), ("train", "prune"))
    _run_stages(bench, folder, bits, ("train", "prune", "cluster", "quantize"))
    return finish_row(bench, name, load_run(folder.path), Form(SQZ), started)


def evolved(bench: Bench) -> Row:
    """Breed a smaller network from SqueezeNet, or take the user's."""
    started = time.monotonic()
    if bench.config.evolved_dir is None:
        effort = bench.config.effort
        evolve(
            EvolveConfig(
                model_dir=str(ancestor(bench).path),
                output_dir=str(bench.folder.evolution_path),
                generations=effort.generations,
                population=effort.population,
                environment=effort.environment,
                train_epochs=effort.offspring_epochs,
                final_epochs=effort.final_epochs,
                seed=bench.config.seed,
            )
        )
    run = load_run(descendant(bench).path, "train")
    return finish_row(bench, "evolved", run, Form(FLOAT), started)


def evolved_compressed(bench: Bench) -> Row:
    """Apply Deep Compression on top of evolution."""
    started = time.monotonic()
    target = bench.folder.run("evolved_dc")
    folder = runs.copy_run(descendant(bench), target, ("train",))
    _run_stages(bench, folder, EVOLVED_BITS, ("train", "prune", "cluster", "quantize"))
    return finish_row(bench, "evolved_dc", load_run(folder.path), Form(SQZ), started)


def ancestor(bench: Bench) -> RunFolder:
    """Return the run of SqueezeNet."""
    given = bench.config.model_dir
    return RunFolder(Path(given).resolve()) if given else bench.folder.run("squeezenet")


def descendant(bench: Bench) -> RunFolder:
    """Return the run of the evolved network."""
    if bench.config.evolved_dir is not None:
        folder = RunFolder.existing(Path(bench.config.evolved_dir).resolve(), "--evolved_dir")
        check_labels(folder, bench.dataset)
        return folder
    effort, path = bench.config.effort, bench.folder.evolution_path
    name = "final" if effort.final_epochs else f"generation_{effort.generations:02d}"
    return RunFolder(path / name)


def _run_stages(bench: Bench, folder: RunFolder, bits: int, stages: tuple[str, ...]) -> None:
    effort = bench.config.effort
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
    chain.run_stages(folder, config, recorded_options(folder, "train", FitOptions), bench.dataset)
