"""Zip and HDF5 files from other people, read within bounds on memory and without links."""

import copy
import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from sqzkit.base.errors import FormatError

_END = b"PK\x05\x06"
_END_FIELDS = struct.Struct("<4s4H2LH")
_LOCATOR = b"PK\x06\x07"
_LOCATOR_SIZE = 20
_MAX_END = _END_FIELDS.size + 0xFFFF
_MAX_DIRECTORY_BYTES = 1 << 20
_MAX_DEPTH = 32


def has_zip(content: bytes) -> bool:
    """Tell whether a zip may end where `content` does."""
    return _END in content[-_MAX_END:]


def read_zip(content: bytes, max_files: int, max_bytes: int) -> dict[str, bytes]:
    """Return all files of a zip by name. The names are keys only; no path is made of them.

    Memory stays below `max_bytes`, and some megabytes for the directory.

    Args:
      content: a zip, which may have anything before it.
      max_files: maximum number of files.
      max_bytes: maximum bytes of all files together, expanded.

    Raises:
      FormatError: it is damaged, a Zip64 file, too large, or compressed other than by deflate.
    """
    try:
        _check_directory(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > max_files or total > max_bytes:
                raise FormatError(
                    f"a zip of {len(members)} files and {total} bytes: at most "
                    f"{max_files} and {max_bytes} are read"
                )
            return {member.filename: read_member(archive, member) for member in members}
    except FormatError:
        raise
    except Exception as error:
        # Hostile bytes make the zip reader answer with nearly any exception.
        raise FormatError(f"damaged zip ({error})") from error


def _check_directory(content: bytes) -> None:
    """Bound the list of files before `zipfile` makes an object of each."""
    for end in _possible_ends(content):
        if content[max(end - _LOCATOR_SIZE, 0) : end].startswith(_LOCATOR):
            raise FormatError("a zip of the Zip64 kind: not read")
        if len(content) - end >= _END_FIELDS.size:
            size = _END_FIELDS.unpack_from(content, end)[5]
            if size > _MAX_DIRECTORY_BYTES:
                raise FormatError(f"a zip whose list of files has {size} bytes")


def _possible_ends(content: bytes) -> Iterator[int]:
    # Which one `zipfile` takes depends on comments, so none may announce too much.
    at = content.rfind(_END, max(len(content) - _MAX_END, 0))
    while at >= 0:
        yield at
        at = content.rfind(_END, max(len(content) - _MAX_END, 0), at)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a file of a zip that has exactly as many bytes as announced.

    Raises:
      FormatError: it has more or fewer, is encrypted, or is compressed other than by deflate.
    """
    # The other methods expand without a bound.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"file {member.filename!r} of a zip: unknown compression")
    # `zipfile` ends at the announced size, and so would take the beginning of a larger member.
    probe = copy.copy(member)
    probe.file_size += 1
    try:
        with archive.open(probe) as stream:
            content = stream.read(probe.file_size)
    except RuntimeError as error:  # encrypted, patched, ...
        raise FormatError(f"file {member.filename!r} of a zip cannot be read ({error})") from error
    if len(content) != member.file_size:
        raise FormatError(f"file {member.filename!r} of a zip is not as long as announced")
    return content


def check_hdf5(store: Any, size: int, further: Sequence[str] = ()) -> dict[str, Any]:
    """Return the datasets of an open `h5py.File` by their path, such as "conv1/kernel".

    Raises `FormatError` if reading one of them could leave the file or fill the memory.

    Refused are links to other files, values kept in other files or computed
    from others, elements that are not numbers, and more values than the file
    has bytes (compressed, sparse or shared ones).

    Args:
      store: the file, open.
      size: its bytes.
      further: NumPy's names of element types that are allowed beside numbers.
    """
    import h5py

    total, datasets = 0, {}
    for name, item in _hdf5_items(store, 0, [size // 64 + 4096]):
        if not isinstance(item, h5py.Dataset):
            continue
        if item.shape is None:
            raise FormatError(f"{name!r} holds nothing")
        if item.external or item.is_virtual:
            raise FormatError(f"the values of {name!r} lie in another file")
        if item.dtype.kind not in "iufb" and item.dtype not in further:
            raise FormatError(f"{name!r} holds {item.dtype}, not numbers")
        total += item.nbytes
        if item.id.get_storage_size() != item.nbytes or total > size:
            raise FormatError(f"{name!r} announces {item.nbytes} bytes that the file does not hold")
        datasets[name.strip("/")] = item
    return datasets


def _hdf5_items(group: Any, depth: int, left: list[int]) -> Iterator[tuple[str, Any]]:
    """Yield all items below `group`; `left[0]` counts down how many may still be visited."""
    import h5py

    if depth > _MAX_DEPTH:
        raise FormatError("its groups are nested too deeply")
    for key in group:
        left[0] -= 1
        if left[0] < 0:
            raise FormatError("its groups refer to each other")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise FormatError(f"{key!r} is a link to somewhere else")
        item = group[key]
        yield f"{group.name}/{key}", item
        if isinstance(item, h5py.Group):
            yield from _hdf5_items(item, depth + 1, left)
