"""Fetch the newest release from a folder that `publish` wrote, over https."""

import dataclasses
import functools
import glob
import hashlib
import http.client
import os
import ssl
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqzkit.base import files, records
from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.coding import signing, sqz
from sqzkit.models import download
from sqzkit.models.download import OpenUrl
from sqzkit.serving import index as indexes
from sqzkit.serving.index import ArchiveFile, Index

PathLike = str | os.PathLike[str]
MAX_CONNECTIONS = 10  # for one file; each must bring something
PIECE = 1 << 16
STATE_SUFFIX = ".release.json"
NETWORK_ERRORS = (OSError, http.client.HTTPException)  # urllib's errors are an OSError


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What `fetch` did. Usable as a path.

    Attributes:
      path: of the file, which is the newest release now.
      release: its number.
      archives: names of what was used, in order; empty if the file was the newest before.
      size: bytes of these.
    """

    path: Path
    release: int
    archives: tuple[str, ...]
    size: int

    def __fspath__(self) -> str:
        return str(self.path)


@dataclasses.dataclass(frozen=True)
class _State:
    """Remembered beside the file: the highest release that an index had."""

    release: int


def fetch(
    url: str,
    output: PathLike,
    *,
    key: PathLike | None = None,
    ca_file: PathLike | None = None,
    overwrite: bool = False,
) -> Fetched:
    """Bring a file up to the newest release of a folder that `publish` wrote.

    Of updates from the release that `output` is, and whole archives, those with the fewest
    bytes are fetched. What an interrupted call fetched is used by the next. `output` is
    replaced at once by a file with the SHA-256 that the index names, or stays as it was.

    Args:
      url: https address of the folder.
      output: the file to write or to bring up to date.
      key: public key of P-256, a PEM file: all that comes must be signed with its other half.
      ca_file: PEM file of certificates to trust instead of the system's.
      overwrite: whether a file that is not one of the releases may be replaced.

    Raises:
      SqzkitError: the call is wrong (`UsageError`), the server does not answer as it should
        (`RunError`), or what it sent is damaged, older than seen before, or not signed by the
        key (`FormatError`).
    """
    target = Path(os.path.expanduser(output))
    files.refuse_existing(target, overwrite=True)
    public = None if key is None else signing.read_key(os.path.expanduser(key), "public")
    open_url = functools.partial(download.open_https, context=_context(ca_file))
    return _Fetch(_folder(url), target, public, open_url).run(overwrite)


def _context(ca_file: PathLike | None) -> ssl.SSLContext | None:
    try:
        return None if ca_file is None else ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # also of the library
        raise UsageError(f"--ca_file={ca_file}: not a PEM file of certificates: {error}") from None


def _folder(url: str) -> str:
    """Return the address with a slash at its end; refuse all but https."""
    try:
        parts = urllib.parse.urlsplit(url)
        # A user name is refused because nothing here would send it.
        named = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        wrong = parts.scheme != "https" or not named or bool(parts.query or parts.fragment)
    except ValueError:
        wrong = True
    if wrong or not url.isascii() or any(letter <= " " for letter in url):
        raise UsageError(
            f"{url!r}: must be the https address of a folder, such as https://a.org/b, without a "
            "user name, a query or spaces"
        )
    return url.rstrip("/") + "/"


class _Fetch:
    """One call of `fetch`."""

    def __init__(self, url: str, target: Path, public: bytes | None, open_url: OpenUrl) -> None:
        self._url, self._target, self._public = url, target, public
        self._open_url = open_url
        self._state = target.with_name(target.name + STATE_SUFFIX)

    def run(self, overwrite: bool) -> Fetched:
        """Fetch what is missing and replace the file."""
        known = self._state.exists()
        index = self._index()
        self._refuse_older(index)
        content = (
            files.read_bytes(self._target, indexes.MAX_FILE) if self._target.exists() else None
        )
        have = None if content is None else _release_of(content, index)
        if content is not None and have is None and not (known or overwrite):
            raise UsageError(f"{self._target} is not one of the releases; give --overwrite")
        way = indexes.plan(index, have)
        for entry in way:
            content = self._unpacked(entry, content if entry.base is not None else None, index)
        if way and content is not None:
            files.write_bytes(self._target, content)
        for left in self._target.parent.glob(f".{glob.escape(self._target.name)}.*.part"):
            left.unlink(missing_ok=True)
        names = tuple(entry.name for entry in way)
        size = sum(entry.size for entry in way)
        return Fetched(self._target, index.newest.release, names, size)

    def _index(self) -> Index:
        """Return the server's index, if it is signed as it must be and has not expired."""
        name = indexes.SIGNED_NAME if self._public else indexes.PLAIN_NAME
        content = self._small(self._url + name)
        try:
            if self._public:
                verified = signing.verify(content, self._public)
                index = indexes.parse(verified.archive)
                if verified.release != index.newest.release:
                    raise FormatError("the index is signed as another release than it ends with")
            else:
                index = indexes.parse(content)
        except FormatError as error:
            raise FormatError(f"{self._url}{name}: {error}") from None
        if index.expires is not None and time.time() > index.expires:
            day = datetime.fromtimestamp(min(index.expires, 1 << 36), timezone.utc)
            raise FormatError(
                f"{self._url}{name}: stale, it expired on {day:%Y-%m-%d}; the server withholds "
                "newer releases, its owner must run sqzkit publish again, or this clock is wrong"
            )
        return index

    def _refuse_older(self, index: Index) -> None:
        """Raise `FormatError` if a newer release was seen before; remember this one."""
        seen = -1
        if self._state.exists():
            values = files.read_json(self._state)
            seen = records.build(_State, values, f"a note of sqzkit fetch ({self._state})").release
        newest = index.newest.release
        if newest < seen:
            raise FormatError(
                f"{self._url}: its newest release is {newest}, but {seen} was seen before: the "
                "server was rolled back; nothing was changed (if that is meant, remove "
                f"{self._state})"
            )
        if newest > seen:
            files.write_json(self._state, {"release": newest})

    def _unpacked(self, entry: ArchiveFile, base: bytes | None, index: Index) -> bytes:
        """Return the file of an entry's release."""
        archive = self._archive(entry)
        try:
            if self._public:
                verified = signing.verify(archive, self._public)
                archive = verified.archive
                if verified.release != entry.release:
                    raise FormatError("signed as another release")
            content = sqz.unpack(archive, indexes.MAX_FILE, base)
            if _release_of(content, index, entry.release) is None:
                raise FormatError(f"gives another file than release {entry.release}")
        except FormatError as error:
            raise FormatError(f"{self._url}{entry.name}: {error}") from None
        return content

    def _archive(self, entry: ArchiveFile) -> bytes:
        """Return an archive of the folder with the size and SHA-256 that the index names."""
        part = self._target.with_name(f".{self._target.name}.{entry.sha256[:16]}.part")
        url, problem = self._url + entry.name, None
        for _ in range(MAX_CONNECTIONS):
            before = part.stat().st_size if part.exists() else 0
            if before > entry.size:
                part.unlink()
                before = 0
            if before == entry.size and part.exists():
                break
            problem = self._continue(url, part, before, entry.size)
            if problem and part.stat().st_size <= before:
                break
        else:
            problem = f"{MAX_CONNECTIONS} connections were not enough"
        if part.stat().st_size < entry.size:
            raise RunError(f"cannot fetch {url}: {problem}; the same command resumes")
        content = files.read_bytes(part, entry.size)
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            part.unlink()
            raise FormatError(f"{url} is not the file that the index names: {len(content)} bytes")
        return content

    def _continue(self, url: str, part: Path, start: int, size: int) -> object:
        """Append to `part` what is missing; return what went wrong, or None."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with files.writing(part):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.touch()
        try:
            with self._open_url(urllib.request.Request(url, headers=headers)) as response:
                if response.status != http.client.PARTIAL_CONTENT:
                    start = 0  # the server begins again
                _require_length(url, response, start, size)
                with files.writing(part), open(part, "r+b") as stream:
                    stream.truncate(start)
                    stream.seek(start)
                    return _copy(response, stream, url, size - start)
        except NETWORK_ERRORS as error:
            return getattr(error, "reason", None) or error

    def _small(self, url: str) -> bytes:
        """Return a file of at most the size of an index."""
        most = indexes.MAX_BYTES + (1 << 10)  # and its signature
        try:
            request = urllib.request.Request(url, headers={"Cache-Control": "no-cache"})
            with self._open_url(request) as response:
                content: bytes = response.read(most + 1)
        except NETWORK_ERRORS as error:
            raise RunError(f"cannot fetch {url}: {_explained(error)}") from None
        if len(content) > most:
            raise FormatError(f"{url}: larger than the {most:,} bytes that an index may have")
        return content


def _explained(error: Exception) -> str:
    """Return why the index cannot be fetched, and what to do where that is known."""
    reason = getattr(error, "reason", None) or error
    if getattr(error, "code", None) == http.client.NOT_FOUND:
        return (
            f"{reason} (a folder that was published with a key has {indexes.SIGNED_NAME}, for "
            f"--key; others have {indexes.PLAIN_NAME})"
        )
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"{reason.verify_message}; --ca_file names other certificates to trust"
    return str(reason)


def _release_of(content: bytes, index: Index, wanted: int | None = None) -> int | None:
    """Return the newest release that is `content`, or `wanted` if it is; None if none is."""
    digest = hashlib.sha256(content).hexdigest()
    same = [one.release for one in index.releases if one.sha256 == digest]
    return max((one for one in same if wanted in (None, one)), default=None)


def _require_length(url: str, response: Any, start: int, size: int) -> None:
    """Raise `FormatError` if the server announces another part or length than is missing."""
    told = response.headers.get("Content-Length")
    ranged = response.headers.get("Content-Range", f"bytes {start}-").strip()
    if (told is not None and told != str(size - start)) or not ranged.startswith(f"bytes {start}-"):
        raise FormatError(
            f"{url}: the server sends {told} bytes ({ranged}) instead of {size - start}"
        )


def _copy(response: Any, stream: Any, url: str, missing: int) -> object:
    """Append at most `missing` bytes; return what went wrong, or None."""
    while True:
        try:
            piece = response.read(min(PIECE, missing + 1))
        except NETWORK_ERRORS as error:
            return error
        if not piece:
            break
        if len(piece) > missing:
            raise FormatError(f"{url}: the server sends more bytes than the index names")
        stream.write(piece)
        missing -= len(piece)
    return "the server stopped in the middle" if missing else None
