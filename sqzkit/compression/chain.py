"""Deep Compression over a run folder: prune, cluster, quantize, each resumable and optional.

Han, Mao and Dally, "Deep Compression", 2016: pruning, trained quantization
and Huffman coding. Each stage starts from the weights of the one before and
ends with a plain network, `STAGE.weights.h5`, whose zeros and shared values
were read back and compared with what was asked.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.compression import kernels as reading
from sqzkit.compression import sparsity, stages
from sqzkit.compression.plan import LAMP, CompressionConfig, check_stages, stages_to_run
from sqzkit.data import pipeline
from sqzkit.data.dataset import ImageDataset
from sqzkit.models import inference, registry
from sqzkit.preprocessing import photograph
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import load_run
from sqzkit.runs.settings import refuse_other
from sqzkit.training import distillation, distribution, steps
from sqzkit.training.evaluate import score
from sqzkit.training.fit import StageFit, fit_stage, remove_checkpoint
from sqzkit.training.options import FitOptions

NEEDS_FOLDED = ("cluster", "quantize")
SCAN_BATCH = 128


def run_stages(
    folder: RunFolder,
    config: CompressionConfig,
    fit: FitOptions,
    dataset: ImageDataset,
    strategy: tf.distribute.Strategy | None = None,
) -> list[str]:
    """Run the stages after "train" that are not finished yet, and return their names.

    Batch size, augmentation, seed and weight decay are those of `fit`, with which the run was
    trained; rate, schedule and epochs are the stages' own.

    Raises:
      UsageError: stages out of order, or one finished or begun with other options.
      InvariantError: a stage lost zeros or shared values.
    """
    check_stages(config.stages)
    wanted: list[str] = [stage for stage in config.stages if stage != "train"]
    entries = {entry["stage"]: entry for entry in folder.finished_stages()}
    todo = stages_to_run(wanted, list(entries))
    for stage in wanted:
        if stage in entries:
            _check_finished(folder, entries[stage], config, fit)
            remove_checkpoint(folder, stage)
    strategy = strategy or tf.distribute.get_strategy()
    for name in todo:
        with strategy.scope():
            _run_stage(folder, name, config, fit, dataset)
    return todo


def _run_stage(
    folder: RunFolder,
    stage: str,
    config: CompressionConfig,
    fit: FitOptions,
    dataset: ImageDataset,
) -> None:
    prepared, identity = _prepare(folder, stage, config, fit, dataset)
    if distribution.is_chief():
        folder.write_spec(prepared.spec, stage)
    training = StageFit(
        folder,
        stage,
        dataset,
        folder.preprocessing,
        prepared.options,
        export=prepared.export,
        loss=_loss(folder, config, fit),
        config={**config.stage_record(stage), **prepared.extras, "starts_from": identity},
    )
    result = fit_stage(prepared.model, training)
    if distribution.is_chief():
        _announce(stage, result.model, result.metrics)


def _prepare(
    folder: RunFolder,
    stage: str,
    config: CompressionConfig,
    fit: FitOptions,
    dataset: ImageDataset,
) -> tuple[stages.Stage, str]:
    """Return the stage, and the SHA-256 of the weights it starts from."""
    identity = folder.finished_stage()["weights_sha256"]
    run = load_run(folder.path)
    spec, model = run.spec, run.model
    if stage in NEEDS_FOLDED and spec.get("normalization") == "batch":
        # Folded later, it would give each channel another codebook.
        folded, model = inference.fold_batch_normalization(model, registry.spec_from_json(spec))
        spec = folded.to_json()
    strategy = tf.distribute.get_strategy()
    batches, _ = steps.epoch_batches(dataset, folder.preprocessing, fit, strategy, 0)
    start = stages.Start(model, spec, fit, batches, config)
    if stage == "prune":
        return stages.prune(start, _targets(folder, start, dataset, identity)), identity
    if stage == "dense":
        return stages.dense(start), identity
    if stage == "cluster":
        return stages.cluster(start), identity
    configs = {entry["stage"]: entry["config"] for entry in folder.finished_stages()}
    shared = configs.get("cluster", {})
    grids = {name: tuple(values) for name, values in shared.get("grids", {}).items()}
    return stages.quantize(start, shared.get("clusters", {}), grids), identity


def _loss(folder: RunFolder, config: CompressionConfig, fit: FitOptions) -> steps.Loss | None:
    """Return the loss with the trained network as teacher, or None for the labels alone."""
    if not config.distillation:
        return None
    teacher = load_run(folder.path, "train").model
    return distillation.distillation_loss(teacher, config.distillation, fit.label_smoothing)


def _targets(
    folder: RunFolder, start: stages.Start, dataset: ImageDataset, identity: str
) -> dict[str, float]:
    table = start.config.sparsity_table()
    if start.config.sharing is None:
        return table.resolve(reading.layer_names(start.model))
    if start.config.sharing == LAMP:
        return sparsity.share_out(reading.read_kernels(start.model), table.default)
    scanned = sparsity.scan(
        start.model,
        _scan_loss(start, dataset, folder),
        folder,
        {"weights": identity, "examples": start.config.scan_examples},
    )
    targets = scanned.proposal(table.default)
    text = ",".join(f"{name}={value:g}" for name, value in targets.items())
    print(f"the scan proposes --target_sparsity={text}", flush=True)
    return targets


def _scan_loss(start: stages.Start, dataset: ImageDataset, folder: RunFolder) -> sparsity.Loss:
    record = folder.preprocessing
    pixels, labels = pipeline.raw_images(
        dataset, "train", record, start.config.scan_examples, start.fit.seed
    )
    images = photograph.normalize(pixels, record)
    forward = tf.function(lambda batch: start.model(batch, training=False), reduce_retracing=True)

    def loss() -> float:
        parts = [
            forward(tf.constant(images[first : first + SCAN_BATCH])).numpy()
            for first in range(0, len(images), SCAN_BATCH)
        ]
        return score(np.concatenate(parts), labels).loss

    return loss


def _check_finished(
    folder: RunFolder, entry: dict[str, Any], config: CompressionConfig, fit: FitOptions
) -> None:
    stage = entry["stage"]
    start = stages.Start(None, {}, fit, 1, config)
    changes = {} if stage in ("prune", "dense") else {"weight_decay": 0.0}
    asked = {**start.options(stage, **changes).to_json(), **config.stage_record(stage)}
    asked.pop("best_from_epoch")  # follows from the others
    if config.asked_epochs(stage) is None:
        asked.pop("epochs")  # follows from the number of images
    recorded = {key: entry["config"].get(key) for key in asked}
    refuse_other(folder.path / f"stage {stage}", recorded, asked)


def _announce(stage: str, model: keras.Model, metrics: dict[str, Any]) -> None:
    kernels = reading.read_kernels(model)
    distinct = max(np.unique(kernel).size for kernel in kernels.values())
    print(
        f"{stage}: top-1 {100 * metrics['top1']:.2f} % on the test split, "
        f"{100 * reading.overall_sparsity(kernels):.1f} % zeros, "
        f"at most {distinct:,} distinct values a layer",
        flush=True,
    )
