"""One resumable stage of training, for `train.py` and for every compression stage."""

# Published early so that the compression stages can be built to it; the body follows.
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from sqzkit.data.open import ImageDataset
from sqzkit.keras import keras
from sqzkit.preprocessing import Preprocessing
from sqzkit.run_folder import RunFolder
from sqzkit.training.options import FitOptions


@dataclasses.dataclass(frozen=True)
class StageResult:
    """How a stage ended: `metrics` are JSON-ready; `model` has the kept weights."""

    model: keras.Model
    metrics: dict[str, Any]
    resumed_from_epoch: int


def fit_stage(
    model: keras.Model,
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    options: FitOptions,
    folder: RunFolder,
    stage: str,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    extra_variables: Sequence[Any] = (),
    export: Callable[[keras.Model], keras.Model] | None = None,
    loss: Callable[[Any, Any, Any], Any] | None = None,
    config: dict[str, Any] | None = None,
    strategy: Any = None,
) -> StageResult:
    """Train `model` for one stage; resume it if its checkpoint is there.

    Args:
      model: flat Keras model, logits out; TF-MOT wrappers are welcome. All its
        variables (masks, thresholds, pruning steps, quantization ranges) and
        the optimizer's are in the checkpoint.
      callbacks: Keras callbacks. `set_model` (with `model.optimizer` set),
        `on_train_begin` (after the state was restored), `on_epoch_begin`,
        `on_train_batch_begin(step)`, `on_train_batch_end`, `on_epoch_end`,
        `on_train_end` are called as by `Model.fit`; e.g. TF-MOT's
        `UpdatePruningStep()`.
      extra_variables: further tf.Variables to keep in the checkpoint.
      export: makes the model whose weights are stored as STAGE.weights.h5
        (e.g. `tfmot.sparsity.keras.strip_pruning`); default: `model` itself.
      loss: (images, labels int32 [B], logits) -> float32 [B]; default is
        cross-entropy with `options.label_smoothing`.
      config: further settings of the stage (JSON): stored, and compared when
        a stage is resumed (`UsageError` when they differ).
      strategy: a `tf.distribute.Strategy`, or None.

    Returns:
      the result, after `folder.finish_stage(stage, ...)`. A stage that is already
      finished with the same options is not trained again: its weights are loaded.
    """
    raise NotImplementedError  # replaced within the hour
