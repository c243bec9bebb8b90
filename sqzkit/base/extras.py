"""Optional libraries: which extra of the package brings a module that is not installed."""

import contextlib
from collections.abc import Iterator

from sqzkit.base.errors import MissingExtraError

_EXPLORE = ("optuna",)
_SIGN = ("cryptography",)
_TRAIN = (
    "google", "h5py", "matplotlib", "sklearn", "tensorboard", "tensorflow",
    "tensorflow_datasets", "tensorflow_model_optimization", "tf_keras", "zstandard",
)  # fmt: skip


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn the failed import of an optional library into an error that names the extra.

    Raises:
      MissingExtraError: a library of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _EXPLORE + _SIGN + _TRAIN:
            raise
        extra = "explore" if name in _EXPLORE else "sign" if name in _SIGN else "train"
        raise MissingExtraError(
            f"{name} is not installed: install it with pip install 'sqzkit[{extra}]'"
        ) from error
