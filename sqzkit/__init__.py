"""sqzkit: train, compress and ship SqueezeNet image classifiers on phones.

    run = sqzkit.train("photographs", model_dir="runs/mine", stages=("train", "prune"))
    model = sqzkit.convert(run, archive=True)
    sqzkit.Classifier(model.archive).classify("photo.jpg")

`__all__` is the public interface; everything else may change. Importing this package imports
nothing heavy: each name is loaded when it is first used.
"""

import importlib
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqzkit.base import __version__ as __version__

if TYPE_CHECKING:
    from sqzkit.api import (
        ConvertedModel,
        Run,
        compare,
        compress,
        convert,
        evaluate,
        evolve,
        explore,
        load_run,
        train,
        write_report,
    )
    from sqzkit.base.errors import FormatError, RunError, SqzkitError, UsageError
    from sqzkit.budget.fit import fit
    from sqzkit.budget.folder import FittedModel
    from sqzkit.coding.archive_files import Packed, archive_info, pack, unpack
    from sqzkit.data.source import DataSource
    from sqzkit.preprocessing import Preprocessing
    from sqzkit.serving.fetching import Fetched, fetch
    from sqzkit.serving.publishing import Published, publish
    from sqzkit.teaching.teach import TaughtModel, teach
    from sqzkit.tflite.classifier import Classifier

__all__ = [
    "Classifier",
    "ConvertedModel",
    "DataSource",
    "Fetched",
    "FittedModel",
    "FormatError",
    "Packed",
    "Preprocessing",
    "Published",
    "Run",
    "RunError",
    "SqzkitError",
    "TaughtModel",
    "UsageError",
    "archive_info",
    "compare",
    "compress",
    "convert",
    "evaluate",
    "evolve",
    "explore",
    "fetch",
    "fit",
    "load_run",
    "pack",
    "publish",
    "teach",
    "train",
    "unpack",
    "write_report",
]

_ELSEWHERE = {
    "Classifier": "tflite.classifier",
    "DataSource": "data.source",
    "FittedModel": "budget.folder",
    "fit": "budget.fit",
    "Preprocessing": "preprocessing",
    **dict.fromkeys(("Fetched", "fetch"), "serving.fetching"),
    **dict.fromkeys(("Published", "publish"), "serving.publishing"),
    **dict.fromkeys(("TaughtModel", "teach"), "teaching.teach"),
    **dict.fromkeys(("Packed", "archive_info", "pack", "unpack"), "coding.archive_files"),
    **dict.fromkeys(("FormatError", "RunError", "SqzkitError", "UsageError"), "base.errors"),
}

# So that `python -m sqzkit.evolve` runs sqzkit/programs/evolve.py.
__path__.append(str(Path(__path__[0], "programs")))


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'api')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """Keeps `sqzkit.train` the function when somebody imports the program `sqzkit.train`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
