"""A run that is trained already: opened for further stages, or evaluated."""

import dataclasses

from sqzkit.base import records
from sqzkit.data.open import open_dataset
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import check_labels, load_run
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.epochs import EVALUATION_BATCH
from sqzkit.training.evaluate import evaluate_model, record_evaluation
from sqzkit.training.options import FitOptions


def reopen(training: TrainingConfig) -> loop.Run:
    """Open a run whose stage "train" is finished, by what its folder says.

    Raises:
      UsageError: it is no run folder, or its stage "train" is not finished.
    """
    side = RunFolder.existing(training.model_dir).preprocessing.image_size
    strategy = loop.prepare(training, side)
    loaded = load_run(training.model_dir, "train")
    config = next(e["config"] for e in loaded.folder.finished_stages() if e["stage"] == "train")
    names = {field.name for field in dataclasses.fields(FitOptions)}
    options = {name: value for name, value in config.items() if name in names}
    return loop.Run(
        folder=loaded.folder,
        dataset=loaded.open_data(training.cache_dir),
        spec=loaded.spec,
        preprocessing=loaded.preprocessing,
        options=records.build(FitOptions, options, "the record of a stage"),
        strategy=strategy,
    )


def evaluate(config: TrainingConfig, split: str = "test") -> None:
    """Measure the last finished stage on `split` and store the evaluation.

    Raises:
      UsageError: `config.model_dir` is not a run folder, or its data have other labels.
    """
    run = load_run(config.model_dir)
    given = config.data.data_dir or config.data.tfds_name
    cache = config.cache_dir
    dataset = open_dataset(config.data, cache) if given else run.open_data(cache)
    check_labels(run.folder, dataset)
    metrics = evaluate_model(run.model, dataset, split, run.preprocessing, EVALUATION_BATCH)
    record_evaluation(run.folder, dataset, split, metrics)
    print(
        f"{run.stage} on {metrics.examples:,} {split} images: top-1 {metrics.top1:.2%}, "
        f"top-5 {metrics.top5:.2%}, loss {metrics.loss:.4f}",
        flush=True,
    )
