"""The index of a folder of releases, and the cheapest way to the newest (docs/updates.md)."""

import dataclasses
import json
import re
from collections.abc import Iterator

from sqzkit.base import records
from sqzkit.base.errors import FormatError, RunError

VERSION = 1
PLAIN_NAME, SIGNED_NAME = "index.json", "index.signed"
MAX_BYTES = 1 << 20
MAX_FILE = 256 << 20
MAX_ARCHIVE = MAX_FILE + (1 << 16)
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Release:
    """One version of the file: its number, bytes, and SHA-256 in lower-case hexadecimal."""

    release: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class ArchiveFile:
    """A file of the folder that gives a release.

    Attributes:
      name: of the file, without a path.
      release: that it gives.
      base: release that it starts from, a smaller number; None: the archive is whole.
      size, sha256: of the archive, with its signature.
    """

    name: str
    release: int
    base: int | None
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Index:
    """What a folder offers.

    Attributes:
      version: of the index's form.
      expires: seconds since 1970 after which a reader refuses the index; None: never.
      releases: oldest first.
      archives: in any order.
    """

    version: int
    expires: int | None
    releases: tuple[Release, ...]
    archives: tuple[ArchiveFile, ...]

    @property
    def newest(self) -> Release:
        """The last release."""
        return self.releases[-1]


def parse(content: bytes) -> Index:
    """Return the index in a JSON text of at most `MAX_BYTES`.

    Raises:
      FormatError: not JSON, a newer form, or a rule of docs/updates.md is broken.
    """
    if len(content) > MAX_BYTES:
        raise FormatError(f"the index has more than {MAX_BYTES:,} bytes")
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the index is damaged: {error}") from None
    version = values.get("version") if isinstance(values, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise FormatError(
            f"index of version {version}, newer than version {VERSION} read here: update sqzkit"
        )
    try:
        index = records.build(Index, values, "an index of releases")
    except (ValueError, RunError) as error:
        raise FormatError(f"the index is damaged: {error}") from None
    for problem in _problems(index):
        raise FormatError(f"the index is damaged: {problem}")
    return index


def _problems(index: Index) -> Iterator[str]:
    """Yield what breaks a rule; a name that leads out of the folder among it."""
    numbers = [one.release for one in index.releases]
    known = set(numbers)
    if index.version != VERSION or (index.expires or 0) < 0:
        yield f"version {index.version}, expires {index.expires}"
    if not numbers or numbers[0] < 0 or numbers != sorted(known):
        yield "its releases are not in order"
    listed: list[Release | ArchiveFile] = [*index.releases, *index.archives]
    for one in listed:
        most = MAX_FILE if isinstance(one, Release) else MAX_ARCHIVE
        if not 0 <= one.size <= most or not _SHA256.fullmatch(one.sha256):
            yield f"size or SHA-256 of a file of release {one.release}"
    for archive in index.archives:
        if not _NAME.fullmatch(archive.name):
            yield f"{archive.name[:40]!r} is not a name of a file in its folder"
        base = archive.base
        if archive.release not in known or (base is not None and base not in known):
            yield f"{archive.name} names a release that is not listed"
        elif base is not None and base >= archive.release:
            yield f"{archive.name} starts from a release that is not older"


def plan(index: Index, have: int | None) -> tuple[ArchiveFile, ...]:
    """Return which archives give the newest release, in the order of their use.

    Of all ways the one with the fewest bytes is taken; of equal ones that with the fewest
    archives, then that whose last archive stands first in the index.

    Args:
      index: what there is.
      have: the release that the reader has; None: it has none.

    Raises:
      FormatError: there is no way.
    """
    target = index.newest.release
    costs: dict[int | None, tuple[int, int]] = {None: (0, 0), have: (0, 0)}
    last: dict[int, ArchiveFile] = {}
    for archive in sorted(index.archives, key=lambda one: one.release):
        if archive.base in costs:
            size, count = costs[archive.base]
            cost = size + archive.size, count + 1
            if archive.release not in costs or cost < costs[archive.release]:
                costs[archive.release], last[archive.release] = cost, archive
    if target not in costs:
        raise FormatError(f"the index has no archive that leads to release {target}")
    way: list[ArchiveFile] = []
    at: int | None = target
    while at is not None and at in last:
        way.append(last[at])
        at = last[at].base
    return tuple(reversed(way))
