"""What of a `.keras` or `.h5` file is looked at before Keras sees it; light, without Keras.

Keras runs what such a file names: a Lambda layer holds marshalled Python, a
configuration may name any function of any module, some layers open files by
the path they were saved with, and HDF5 may take its values from other files.
"""

import io
from pathlib import Path
from typing import Any

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError, RunError

MAXIMUM_BYTES = 1 << 30
_MOST_FILES = 1000
_MAXIMUM_DEPTH = 100
_CODE_CLASSES = ("Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod")
_CODE_KINDS = ("function", "__lambda__", "__typespec__")
_FILE_CLASSES = ("TextVectorization", "StringLookup", "IntegerLookup")
_MODULES = tuple(
    f"{keras}{part}"
    for keras in ("keras", "tf_keras")
    for part in (
        *("", ".layers", ".initializers", ".regularizers", ".constraints", ".mixed_precision"),
        *(".engine.functional", ".src.engine.functional", ".src.models.functional"),
    )
)
_WEIGHTS = "model.weights.h5"


def check(content: bytes, path: Path) -> None:
    """Raise `FormatError` naming `path` unless Keras may load it.

    Args:
      content: the whole file.
      path: its name; the suffix says how Keras will read it.
    """
    try:
        if path.suffix == ".keras":
            config = _check_zip(content)
        else:
            config = _check_h5(content)
        if isinstance(config, dict):
            config.pop("compile_config", None)  # Keras is told not to look at it
        refuse_code(config)
    except RunError as error:
        raise FormatError(f"{path}: {error}") from error
    except Exception as error:
        # h5py answers hostile bytes with nearly any exception.
        raise FormatError(f"{path}: not a Keras model file, or damaged ({error})") from error


def refuse_code(config: Any, depth: int = 0) -> None:
    """Raise `FormatError` if a model's configuration would run, import or open anything."""
    if depth > _MAXIMUM_DEPTH:
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
    if isinstance(module, str) and module not in _MODULES:
        raise FormatError(f"wants to import {module[:80]!r}; only Keras's own layers are loaded")
    for item in config.values():
        refuse_code(item, depth + 1)


def _check_zip(content: bytes) -> Any:
    members = archives.read_zip(content, _MOST_FILES, MAXIMUM_BYTES)
    for name in ("config.json", _WEIGHTS):
        if name not in members:
            raise FormatError(f"not a Keras model file, or damaged: it has no {name}")
    _check_store(members[_WEIGHTS])
    return files.parse_json(members["config.json"], "config.json")


def _check_h5(content: bytes) -> Any:
    return files.parse_json(_check_store(content, "model_config"), "model_config")


def _check_store(content: bytes, attribute: str | None = None) -> Any:
    """Check an HDF5 file and return its top attribute of that name."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as store:
        archives.check_hdf5(store, len(content))
        return store.attrs[attribute] if attribute else None
