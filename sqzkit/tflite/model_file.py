"""A classifier's file as bytes: a `.tflite`, or the `.sqz` archive of one."""

from pathlib import Path

from sqzkit.base.errors import FormatError, RunError
from sqzkit.tflite.flatbuffer import IDENTIFIER, MAXIMUM_BYTES

_IDENTIFIER_AT = slice(4, 8)


def load(model: Path | str | bytes) -> bytes:
    """Return the `.tflite` in a file or in bytes; a `.sqz` archive is expanded.

    Raises:
      RunError: the file cannot be read.
      FormatError: it is neither, too large, or a damaged archive.
    """
    if isinstance(model, bytes):
        return expand(model)
    try:
        size = Path(model).stat().st_size
        if size > MAXIMUM_BYTES:
            raise FormatError(f"{size} bytes: a model has at most {MAXIMUM_BYTES}")
        return expand(Path(model).read_bytes())
    except OSError as error:
        raise RunError(f"{model} cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise FormatError(f"{model}: {error}") from error


def expand(content: bytes) -> bytes:
    """Return the `.tflite` that `content` is or holds; raise `FormatError` if none."""
    if content[_IDENTIFIER_AT] == IDENTIFIER:
        return content
    # Imported only for archives: the decoder's compiler (Numba) takes a while.
    from sqzkit.coding import container, sqz

    if not content.startswith(container.MAGIC):
        raise FormatError("neither a .tflite model nor a .sqz archive")
    return sqz.unpack(content, limit=MAXIMUM_BYTES)
