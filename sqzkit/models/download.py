"""Download a published file once, check it, and keep it in the cache.

Not with pooch: it cannot check a Git blob's identity, does not limit a file's
size, follows redirections away from https, and does not resume.
"""

import dataclasses
import hashlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from sqzkit.base import files
from sqzkit.base.errors import RunError

CACHE_VARIABLE = "SQZKIT_CACHE"
MAX_BYTES = 16 << 20
ATTEMPTS = 3
TIMEOUT_SECONDS = 30

OpenUrl = Callable[[urllib.request.Request], Any]


@dataclasses.dataclass(frozen=True)
class Checksum:
    r"""What a file's content must hash to.

    Attributes:
      kind: "sha256", or "git_blob": SHA-1 of `blob <size>\0` and the content, which
        GitHub shows, so it is known without the file.
      value: lower-case hexadecimal; of a "sha256", at least the first 8 digits.
    """

    kind: Literal["sha256", "git_blob"]
    value: str

    def of(self, content: bytes) -> str:
        """Return the checksum of `content` by this rule."""
        if self.kind == "git_blob":
            header = b"blob %d\0" % len(content)
            return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
        return hashlib.sha256(content).hexdigest()

    def matches(self, content: bytes) -> bool:
        """Tell whether `content` has this checksum."""
        return self.of(content).startswith(self.value)

    def require(self, content: bytes, source: str) -> bytes:
        """Return `content`; raise `RunError` naming both checksums if it is another."""
        if not self.matches(content):
            found = self.of(content)
            raise RunError(
                f"{source}: {self.kind} is {found}, must be {self.value}; the file is damaged "
                "or another one; remove it and fetch it again"
            )
        return content


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A file at a fixed address, with its checksum."""

    url: str
    checksum: Checksum

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[-1]


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https addresses only."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_https(request: urllib.request.Request, context: ssl.SSLContext | None = None) -> Any:
    """Open an https address; refuse any other, also by redirection."""
    if request.type != "https":
        raise urllib.error.URLError(f"{request.full_url} is not https")
    https = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(_HttpsRedirects, https)
    return opener.open(request, timeout=TIMEOUT_SECONDS)


def cache_folder() -> Path:
    """Return the cache: $SQZKIT_CACHE, $XDG_CACHE_HOME/sqzkit or ~/.cache/sqzkit."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "sqzkit"
    return Path.home() / ".cache" / "sqzkit"


def obtain(
    remote: RemoteFile, folder: Path | str | None = None, open_url: OpenUrl = open_https
) -> bytes:
    """Return the file's checked content from `folder`, the cache, or its address.

    A file of its name in `folder` must be the right one; otherwise any file there with
    its checksum is taken. A damaged file in the cache is fetched again. What was
    fetched is kept in the cache, whole or not at all.

    Args:
      remote: which file.
      folder: `--weights_dir`, looked at first; may be None.
      open_url: opens a request; the default speaks https only.

    Raises:
      RunError: the checksum is wrong, or the file cannot be fetched.
    """
    if folder is not None and (content := _in_folder(remote, Path(folder))) is not None:
        return content
    cached = cache_folder() / remote.name
    if cached.exists():
        content = files.read_bytes(cached, MAX_BYTES)
        if remote.checksum.matches(content):
            return content
    content = remote.checksum.require(_fetch(remote, open_url), remote.url)
    try:
        files.write_bytes(cached, content)
    except RunError as error:
        raise RunError(f"{error} (${CACHE_VARIABLE} names the cache)") from error
    return content


def is_at_hand(remote: RemoteFile, folder: Path | str | None = None) -> bool:
    """Return whether `obtain` would find the file in `folder` or the cache."""
    if (cache_folder() / remote.name).exists():
        return True
    try:
        return folder is not None and _in_folder(remote, Path(folder)) is not None
    except RunError:  # a damaged one
        return False


def _in_folder(remote: RemoteFile, folder: Path) -> bytes | None:
    """Return the file's content from a folder, or None if it is not there."""
    path = folder / remote.name
    if path.exists():
        return remote.checksum.require(files.read_bytes(path, MAX_BYTES), str(path))
    for other in sorted(folder.glob(f"*{path.suffix}")):
        if other.is_file() and other.stat().st_size <= MAX_BYTES:
            content = files.read_bytes(other, MAX_BYTES)
            if remote.checksum.matches(content):
                return content
    return None


def _fetch(remote: RemoteFile, open_url: OpenUrl) -> bytes:
    content = b""
    reason: object = "no attempt was made"
    for _ in range(ATTEMPTS):
        content, reason = _continue(remote.url, content, open_url)
        if reason is None:
            return content
    raise RunError(
        f"cannot fetch {remote.url}: {reason}; try again, or download it elsewhere and give "
        "its folder as --weights_dir"
    )


def _continue(url: str, content: bytes, open_url: OpenUrl) -> tuple[bytes, object]:
    """Fetch what is missing after `content`; return what there is now and what went wrong."""
    headers = {"Range": f"bytes={len(content)}-"} if content else {}
    try:
        with open_url(urllib.request.Request(url, headers=headers)) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                content = b""  # the server starts again from the beginning
            try:
                rest = response.read(MAX_BYTES + 1 - len(content))
            except http.client.IncompleteRead as error:
                return content + error.partial, "the connection was closed early"
            expected = response.headers.get("Content-Length")
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return content, getattr(error, "reason", None) or error
    content += rest
    if len(content) > MAX_BYTES:
        raise RunError(f"{url}: larger than {MAX_BYTES} bytes, not the published file")
    if expected is not None and len(rest) < int(expected):
        return content, "the connection was closed early"
    return content, None
