"""Load a `.keras` or `.h5` model of somebody else without running anything in it.

A Lambda layer holds marshalled Python code, and a layer's "module" is
imported by name: both are looked for before Keras sees the file.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

from sqzkit.errors import FormatError, RunError, UsageError
from sqzkit.keras import keras

_MAXIMUM_CONFIG_BYTES = 1 << 26
_MAXIMUM_DEPTH = 100
_CODE_CLASSES = ("Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod")
_MODULES = ("keras", "tf_keras", "builtins", "sqzkit")
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
    refuse_code(_configuration(path), path)
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


def refuse_code(config: Any, path: Path, depth: int = 0) -> None:
    """Raise `FormatError` if a model's configuration would run or import anything foreign."""
    if depth > _MAXIMUM_DEPTH:
        raise FormatError(f"{path}: its configuration is nested too deeply")
    if isinstance(config, list):
        for item in config:
            refuse_code(item, path, depth + 1)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if kind in _CODE_CLASSES or kind == "__lambda__":
        raise FormatError(f"{path}: has a {kind} layer, which holds code; replace it by a layer")
    if isinstance(module, str) and module.split(".", maxsplit=1)[0] not in _MODULES:
        raise FormatError(f"{path}: wants to import {module!r}; only Keras's own layers are loaded")
    for item in config.values():
        refuse_code(item, path, depth + 1)


def _configuration(path: Path) -> Any:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo("config.json").file_size > _MAXIMUM_CONFIG_BYTES:
                    raise FormatError("its configuration is too large")
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path, "r") as stored:
            return json.loads(stored.attrs["model_config"])
    except Exception as error:
        raise FormatError(f"{path}: not a Keras model file, or damaged ({error})") from error


def _check(model: keras.Model, path: Path) -> None:
    source: Any = getattr(model, "input_shape", None)
    target: Any = getattr(model, "output_shape", None)
    square = isinstance(source, tuple) and len(source) == 4 and source[1] == source[2]
    if not square or source[1] is None or source[3] != 3:
        raise RunError(f"{path}: takes {source}; must take [N, size, size, 3]")
    if not isinstance(target, tuple) or len(target) != 2 or not target[1] or target[1] < 2:
        raise RunError(f"{path}: gives {target}; must give [N, classes], 2 classes or more")
