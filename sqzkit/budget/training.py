"""Trials and finalists: exploration's trials and the chain, on a network of the ladder."""

from pathlib import Path
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.keras import keras
from sqzkit.budget.config import FitConfig
from sqzkit.budget.networks import Network
from sqzkit.budget.predict import CLUSTERS, DENSE
from sqzkit.compression import chain
from sqzkit.compression.plan import CompressionConfig, StageName
from sqzkit.data.dataset import ImageDataset
from sqzkit.exploration import trial
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.trial import Experiment
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.settings import recorded_options
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import FitOptions


def train(
    config: FitConfig, dataset: ImageDataset, network: Network, part: str, epochs: int
) -> RunFolder:
    """Train a network in the part "trials" or "finals" of the fit; return its run folder.

    What is trained already is not trained again.
    """
    place = Path(config.output_dir) / part
    if network.candidate is None:
        return _transfer(config, network, place, epochs)
    training = TrainingConfig(model_dir="unused", train_epochs=epochs, seed=config.seed)
    explored = ExploreConfig(
        study_dir=str(place), objectives=("accuracy",), data=config.data, training=training
    )
    experiment = Experiment(explored, dataset, network.side)
    trial.run_trial(experiment, network.candidate, lambda results, curve: False)
    return experiment.folder(network.candidate)


def _transfer(config: FitConfig, network: Network, place: Path, epochs: int) -> RunFolder:
    path = place / "trials" / network.name
    values: dict[str, Any] = {
        **{"model_dir": str(path), "weights": config.weights, "weights_dir": config.weights_dir},
        **{"image_size": network.side, "train_epochs": epochs, "seed": config.seed},
        **assembly.given(config.data),
    }
    keras.backend.clear_session()
    loop.train(assembly.build(TrainingConfig, values))
    return RunFolder(path)


def compress(
    folder: RunFolder,
    dataset: ImageDataset,
    sparsity: float,
    epochs: dict[str, int],
) -> None:
    """Run the chain's stages that `epochs` names, unless the network needs no pruning."""
    if sparsity == DENSE:
        return
    keras.backend.clear_session()
    names: tuple[StageName, ...] = ("train", "prune", "cluster", "quantize")
    changes: dict[str, Any] = {f"{stage}_epochs": count for stage, count in epochs.items()}
    settings = CompressionConfig(
        stages=tuple(name for name in names if name == "train" or name in epochs),
        target_sparsity=f"lamp:{sparsity:g}",
        number_of_clusters=str(CLUSTERS),
        **changes,
    )
    fit = recorded_options(folder, "train", FitOptions)
    chain.run_stages(folder, settings, fit, dataset)


def validation(folder: RunFolder) -> dict[str, float]:
    """Return accuracy (0..1) and loss of the last finished stage on the validation split."""
    metrics = folder.finished_stage()["metrics"]
    return {
        "top1": round(float(metrics["validation_top1"]), 6),
        "loss": round(float(metrics["validation_loss"]), 6),
    }
