"""Write a release of a file, and updates to it, into a static folder."""

import dataclasses
import hashlib
import os
import time
from pathlib import Path

from sqzkit.base import files
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import archive_files, signing, sqz
from sqzkit.runs import lock
from sqzkit.serving import index as indexes
from sqzkit.serving.index import ArchiveFile, Index, Release

PathLike = str | os.PathLike[str]
DAY = 24 * 60 * 60


@dataclasses.dataclass(frozen=True)
class Published:
    """What `publish` left in the folder.

    Attributes:
      index: the file that readers fetch first.
      release: number of the newest release.
      archives: that give it, the whole one first.
      written: False if the folder already ended with this content.
    """

    index: Path
    release: int
    archives: tuple[ArchiveFile, ...]
    written: bool


def publish(
    path: PathLike,
    folder: PathLike,
    *,
    key: PathLike | None = None,
    updates: int = 3,
    release: int | None = None,
    valid_days: int | None = None,
) -> Published:
    """Add a file to a folder of releases that any web server can serve.

    The index is replaced last and at once, so readers see the old folder or the new one. The
    same call again changes nothing, but for the day on which the index expires.

    Args:
      path: the new version, or a `.sqz` of it.
      folder: to make, or to add to.
      key: private key of P-256, a PEM file: archives and index are signed. A folder is signed
        by one key from its first release on, or never.
      updates: how many of the last releases get an update to the new one.
      release: number of the new version, larger than all before; None: the next.
      valid_days: for how long readers take the index; None: for ever.

    Raises:
      SqzkitError: a number or the key is wrong (`UsageError`), or the folder is damaged.
    """
    content = archive_files.read_base(path)
    private = None if key is None else signing.read_key(os.path.expanduser(key), "private")
    assert content is not None  # there is a path
    with lock.hold(Path(folder), "--folder"):
        return _Folder(Path(folder), private).add(content, updates, release, valid_days)


class _Folder:
    """A folder of releases, held by this process."""

    def __init__(self, path: Path, private: bytes | None) -> None:
        self._path, self._private = path, private
        self._public = None if private is None else signing.public_key(private)
        self._index_path = path / (indexes.SIGNED_NAME if private else indexes.PLAIN_NAME)
        other = path / (indexes.PLAIN_NAME if private else indexes.SIGNED_NAME)
        if other.exists():
            state = "not signed: leave --key out" if private else "signed: give its --key"
            raise UsageError(f"{path} is {state}, or name another folder")

    def add(
        self, content: bytes, updates: int, release: int | None, valid_days: int | None
    ) -> Published:
        """Add a release, unless it is the newest one already."""
        old = self._index()
        days = None if valid_days is None else int(time.time()) + valid_days * DAY
        digest = hashlib.sha256(content).hexdigest()
        if old.releases and old.newest.sha256 == digest and release in (None, old.newest.release):
            if days is not None:
                self._write_index(dataclasses.replace(old, expires=days))
            return self._published(old, written=False)
        last = old.newest.release if old.releases else 0
        number = last + 1 if release is None else release
        if number <= last:
            raise UsageError(f"--release={release}: must be more than {last}, the newest one")
        bases = [one.release for one in old.releases[-updates:]] if updates else []
        made = [self._archive(content, number, None)]
        for base in reversed(bases):
            update = self._archive(content, number, base)
            if update.size < made[0].size:
                made.append(update)
        releases = *old.releases, Release(number, len(content), digest)
        new = Index(indexes.VERSION, days, releases, (*old.archives, *made))
        self._write_index(new)
        return self._published(new, written=True)

    def _published(self, index: Index, written: bool) -> Published:
        number = index.newest.release
        made = tuple(one for one in index.archives if one.release == number)
        return Published(self._index_path, number, made, written)

    def _index(self) -> Index:
        if not self._index_path.exists():
            return Index(indexes.VERSION, None, (), ())
        content = files.read_bytes(self._index_path, indexes.MAX_BYTES + (1 << 16))
        try:
            return indexes.parse(self._opened(content))
        except FormatError as error:
            raise FormatError(f"{self._index_path}: {error}") from None

    def _write_index(self, index: Index) -> None:
        content = files.json_text(dataclasses.asdict(index)).encode()
        indexes.parse(content)  # what no reader takes is not written
        files.write_bytes(self._index_path, self._signed(content, index.newest.release))

    def _archive(self, content: bytes, number: int, base: int | None) -> ArchiveFile:
        """Write an archive and return its entry; the index does not name it yet."""
        start = None if base is None else self._content(base)
        archive = self._signed(sqz.pack(content, start), number)
        name = f"{number}.sqz" if base is None else f"{base}-{number}.sqz"
        files.write_bytes(self._path / name, archive)
        digest = hashlib.sha256(archive).hexdigest()
        return ArchiveFile(name, number, base, len(archive), digest)

    def _content(self, number: int) -> bytes:
        """Return the file of an older release, from its whole archive."""
        for entry in self._index().archives:
            if entry.release == number and entry.base is None:
                path = self._path / entry.name
                whole = path.is_file() and path.stat().st_size == entry.size
                archive = files.read_bytes(path, entry.size) if whole else b""
                if hashlib.sha256(archive).hexdigest() != entry.sha256:
                    raise FormatError(
                        f"{path} is not the file that the index names, or is missing: bring that "
                        "file back, or publish in another folder"
                    )
                return sqz.unpack(self._opened(archive), indexes.MAX_FILE)
        raise FormatError(f"{self._index_path} lists no whole archive of release {number}")

    def _signed(self, content: bytes, number: int) -> bytes:
        return content if self._private is None else signing.sign(content, self._private, number)

    def _opened(self, content: bytes) -> bytes:
        return content if self._public is None else signing.verify(content, self._public).archive
