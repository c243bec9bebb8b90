"""Load a `.keras` or `.h5` model of another maker without running anything in it.

Keras runs what such a file names: a Lambda layer holds marshalled Python, a
configuration may name any function of any module, some layers open files by
the path they were saved with, and HDF5 may take its values from other files.
So the file is checked first; the check imports neither Keras nor TensorFlow.
"""

import io
import re
from pathlib import Path
from typing import Any

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError, RunError, UsageError

MAX_BYTES = 1 << 30
SUFFIXES = (".keras", ".h5", ".hdf5")
_MAX_FILES = 1000
_MAX_DEPTH = 100
_CODE_CLASSES = (
    *("Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod"),
    *("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
)
_CODE_KINDS = ("function", "__lambda__", "__typespec__")
_FILE_CLASSES = ("TextVectorization", "StringLookup", "IntegerLookup")
_MODULES = tuple(
    f"{keras}{part}"
    for keras in ("keras", "tf_keras")
    for part in (
        *("", ".layers", ".initializers", ".regularizers", ".constraints", ".mixed_precision"),
        *(".engine.functional", ".src.engine.functional", ".src.models.functional"),
        *(".src.ops.numpy", ".src.ops.nn"),  # what Keras 3 makes of `x + y` between layers
    )
)
_HALF = re.compile(r'"(?:mixed_)?b?float16"')
_BFLOAT16 = "V2"  # as HDF5 holds it
_WEIGHTS = "model.weights.h5"


def load_keras_file(path: Path | str, flag: str = "--keras_model_file") -> Any:
    """Return the Keras 2 or Keras 3 model in a file; its optimizer and losses are left out.

    Args:
      path: of the file.
      flag: that named it.

    Raises:
      UsageError: the file is missing, or is not a `.keras` or `.h5` file.
      RunError: the file cannot be read, is damaged, has layers with code, or is
        not a classifier of square photographs.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"{flag} {path}: must be one of {', '.join(SUFFIXES)} (a SavedModel "
            "folder or a pickle is not loaded, because it runs code); save the model as .keras"
        )
    if not path.is_file():
        raise UsageError(f"{flag} {path}: no such file")
    version = check(files.read_bytes(path, MAX_BYTES), path)
    model = _load(path, version)
    _check_classifier(model, path)
    return model


def check(content: bytes, path: Path) -> int:
    """Return the major version of the Keras that saved the whole file `content`, 2 or 3.

    The suffix of `path` says how Keras will read it.

    Raises:
      FormatError: the file is damaged, or Keras must not load it; names `path`.
    """
    try:
        config, version = (_read_zip if path.suffix == ".keras" else _read_h5)(content)
        if isinstance(config, dict):
            config.pop("compile_config", None)  # Keras is told not to look at it
        refuse_code(config)
    except RunError as error:
        raise FormatError(f"{path}: {error}") from error
    except Exception as error:
        # h5py answers hostile bytes with nearly any exception.
        raise FormatError(f"{path}: not a Keras model file, or damaged ({error})") from error
    return 3 if str(version).startswith("3") else 2


def refuse_code(config: Any, depth: int = 0) -> None:
    """Raise `FormatError` if a model's configuration would run, import or open anything."""
    if depth > _MAX_DEPTH:
        raise FormatError("its configuration is nested too deeply")
    if isinstance(config, list):
        for item in config:
            refuse_code(item, depth + 1)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if kind in _CODE_CLASSES or kind in _CODE_KINDS:
        raise FormatError(f"has a {kind} layer, which holds code; replace it by a layer")
    if kind in _FILE_CLASSES:
        raise FormatError(f"has a {kind} layer, which may open other files; take it out")
    if isinstance(kind, str) and not kind.replace(">", "_").isidentifier():
        if not kind.startswith("__"):
            raise FormatError(f"names the class {kind[:40]!r}, which Keras does not have")
    if module == "keras.dtype_policies":
        raise FormatError("has layers that Keras quantized; save the model before model.quantize()")
    if isinstance(module, str) and module not in _MODULES:
        raise FormatError(f"wants to import {module[:80]!r}; only Keras's own layers are loaded")
    for item in config.values():
        refuse_code(item, depth + 1)


def _read_zip(content: bytes) -> tuple[Any, Any]:
    """Return the configuration and the Keras version of a `.keras` file."""
    members = archives.read_zip(content, _MAX_FILES, MAX_BYTES)
    for name in ("config.json", _WEIGHTS):
        if name not in members:
            raise FormatError(f"not a Keras model file, or damaged: it has no {name}")
    _attributes(members[_WEIGHTS])
    config = files.parse_json(members["config.json"], "config.json")
    metadata = files.parse_json(members.get("metadata.json", b"{}"), "metadata.json")
    return config, metadata.get("keras_version") if isinstance(metadata, dict) else None


def _read_h5(content: bytes) -> tuple[Any, Any]:
    """Return the configuration and the Keras version of an `.h5` file."""
    attributes = _attributes(content)
    if "model_config" not in attributes:
        raise FormatError("holds weights without a model; save it with model.save()")
    config = files.parse_json(attributes["model_config"], "model_config")
    return config, attributes.get("keras_version")


def _attributes(content: bytes) -> dict[str, Any]:
    """Check an HDF5 file and return its top attributes that the check needs."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as store:
        datasets = archives.check_hdf5(store, len(content), (_BFLOAT16,))
        names = ("model_config", "keras_version")
        found = {name: store.attrs[name] for name in names if name in store.attrs}
        if found and any(dataset.dtype == _BFLOAT16 for dataset in datasets.values()):
            raise FormatError(
                "its weights are bfloat16, which Keras reads from .keras files only; save the "
                "model as .keras"
            )
        return found


def _load(path: Path, version: int) -> Any:
    library: Any
    if version == 3:
        from sqzkit.base.keras3 import keras3 as library
    else:
        from sqzkit.base.keras import keras as library
    try:
        model = library.models.load_model(path, compile=False, safe_mode=True)
        return _plain(_in_float32(model, library), library)
    except Exception as error:
        # Keras answers a file it does not know with nearly any exception.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise FormatError(
            f"{path}: Keras {version} cannot load it ({reason}); save it again from a model of "
            "Keras's own layers"
        ) from error


def _in_float32(model: Any, library: Any) -> Any:
    """Return the model without mixed precision, which TensorFlow Lite cannot compute."""
    config = model.to_json()
    whole = _HALF.sub('"float32"', config)
    if whole == config:
        return model
    rebuilt = library.models.model_from_json(whole)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


def _plain(model: Any, library: Any) -> Any:
    """Return the model from an image to an output, where it has these in lists or dictionaries."""
    ends = getattr(model, "input", None), getattr(model, "output", None)
    nested = any(isinstance(end, dict | list | tuple) for end in ends)
    if not nested or (len(model.inputs), len(model.outputs)) != (1, 1):
        return model
    return library.Model(model.inputs[0], model.outputs[0], name=model.name)


def _check_classifier(model: Any, path: Path) -> None:
    try:
        source, target = model.input_shape, model.output_shape
    except (AttributeError, RuntimeError, ValueError):
        source = target = None
    square = isinstance(source, tuple) and len(source) == 4 and source[1] == source[2]
    if not square or source[1] is None or source[3] != 3:
        raise RunError(f"{path}: takes {source}; must take [N, size, size, 3]")
    if not isinstance(target, tuple) or len(target) != 2 or not target[1] or target[1] < 2:
        raise RunError(
            f"{path}: gives {target}; must give [N, classes], 2 classes or more (of a single "
            "sigmoid output, make two of a softmax)"
        )
