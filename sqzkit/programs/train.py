"""Train an image classifier for phones, and compress it: see README.md and docs/training.md."""

import sys
from collections.abc import Sequence

from absl import flags

from sqzkit.compression import plan
from sqzkit.programs import cli, compression_flags
from sqzkit.programs import train_flags as training_flags
from sqzkit.runs import lock
from sqzkit.runs.folder import RunFolder
from sqzkit.training.config import TrainingConfig

flags.adopt_module_key_flags(training_flags)
flags.adopt_module_key_flags(compression_flags)


def main(argv: Sequence[str]) -> None:
    """Read the flags and do what they say."""
    cli.reject_arguments(argv)
    training = training_flags.training_config_from_flags()
    compression = compression_flags.compression_config_from_flags()
    plan.refuse_strategy(compression.stages, training.distribution_strategy)
    # TensorFlow is loaded only now, so that --help and wrong flags answer at once.
    cli.load_tensorflow()
    from sqzkit.training import distribution

    if training.mode != "eval" and distribution.serves(training.distribution_strategy):
        distribution.serve()
    elif distribution.is_chief():
        if training.mode == "eval" or "train" not in compression.stages:
            RunFolder.existing(training.model_dir)
        with lock.hold(training.model_dir):
            _work(training, compression)
    elif training.mode != "eval":  # one process is enough to evaluate
        _work(training, compression)


def _work(training: TrainingConfig, compression: plan.CompressionConfig) -> None:
    from sqzkit.training import distribution, loop

    if training.mode == "eval":
        loop.evaluate(training)
        return
    run = loop.train(training) if "train" in compression.stages else loop.reopen(training)
    if distribution.is_chief():
        run.folder.add_command(sys.argv)
    if set(compression.stages) - {"train"}:
        from sqzkit.conversion.stage_summary import compress

        with loop.precision(training.mixed_precision_dtype):
            compress(run.folder, compression, run.options, run.dataset, run.strategy)
    if not distribution.is_chief():
        return
    if training.mode == "train_and_eval":
        loop.evaluate(training)
    from sqzkit.reporting.page import write_report

    print(f"report: {write_report(run.folder)}")


if __name__ == "__main__":
    cli.run(main)
