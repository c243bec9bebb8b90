"""Load a `.keras` or `.h5` model of somebody else without running anything in it."""

from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.conversion import keras_check

_SUFFIXES = (".keras", ".h5", ".hdf5")


def load_keras_file(path: Path | str) -> keras.Model:
    """Return the model in a file; its optimizer and losses are left out.

    Raises:
      UsageError: the path is none of `.keras`, `.h5`.
      RunError: the file cannot be read, is damaged, has layers with code, or is
        not a classifier of square photographs.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise UsageError(
            f"--keras_model_file {path}: must be one of {', '.join(_SUFFIXES)} "
            "(a SavedModel folder or a pickle is not loaded)"
        )
    if not path.is_file():
        raise UsageError(f"--keras_model_file {path}: no such file")
    keras_check.check(files.read_bytes(path, keras_check.MAXIMUM_BYTES), path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras answers a file it does not know with nearly any exception.
        raise FormatError(
            f"{path}: Keras 2 cannot load it ({error}); a Keras 3 file must be saved again "
            "with tf_keras"
        ) from error
    _check(model, path)
    return model


def _check(model: keras.Model, path: Path) -> None:
    source: Any = getattr(model, "input_shape", None)
    target: Any = getattr(model, "output_shape", None)
    square = isinstance(source, tuple) and len(source) == 4 and source[1] == source[2]
    if not square or source[1] is None or source[3] != 3:
        raise RunError(f"{path}: takes {source}; must take [N, size, size, 3]")
    if not isinstance(target, tuple) or len(target) != 2 or not target[1] or target[1] < 2:
        raise RunError(f"{path}: gives {target}; must give [N, classes], 2 classes or more")
