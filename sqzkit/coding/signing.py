"""Signed archives: who made an archive, and which release it is (docs/sqz.md, "Signatures").

The signature is ECDSA over P-256 with SHA-256, as the JDK and Android verify it.
"""

import dataclasses
import hashlib
import os
import struct
from pathlib import Path
from typing import Any, Literal

from sqzkit.base import extras, files
from sqzkit.base.errors import FormatError, UsageError

MAGIC = b"\x89SQS"
VERSION = 1
SIGNED = struct.Struct("<4sB3xQ32s")  # the part that is signed: magic, version, release, SHA-256
SIZE = struct.Struct("<H")
MAX_SIGNATURE = 72  # bytes of two numbers of 256 bits in DER
MAX_RELEASE = (1 << 63) - 1
CURVE = "secp256r1"
MAX_KEY = 1 << 16  # bytes of a PEM file


@dataclasses.dataclass(frozen=True)
class Verified:
    """An archive whose signature is right, and the number of its release."""

    archive: bytes
    release: int


def sign(archive: bytes, private_key: bytes, release: int) -> bytes:
    """Return the signed archive.

    Args:
      archive: a `.sqz`.
      private_key: of P-256, a PEM file's bytes (PKCS #8 or SEC 1), not encrypted.
      release: larger for each newer version, 0..2^63 - 1.

    Raises:
      UsageError: the key is not one, or the release is out of bounds.
      MissingExtraError: the library `cryptography` is not installed.
    """
    if not 0 <= release <= MAX_RELEASE:
        raise UsageError(f"--release={release}: legal are 0..{MAX_RELEASE}")
    library = _library()
    key = _key(library.serialization.load_pem_private_key, private_key, "private", password=None)
    part = SIGNED.pack(MAGIC, VERSION, release, hashlib.sha256(archive).digest())
    signature = key.sign(part, library.ec.ECDSA(library.hashes.SHA256()))
    return part + SIZE.pack(len(signature)) + signature + archive


def verify(signed: bytes, public_key: bytes, min_release: int = 0) -> Verified:
    """Return the archive that was signed with the private half of `public_key`.

    Args:
      signed: what `sign` returned.
      public_key: of P-256, a PEM file's bytes.
      min_release: of an older release nothing is returned.

    Raises:
      FormatError: not a signed archive, damaged, signed with another key, or older.
      UsageError, MissingExtraError: as `sign` does.
    """
    library = _library()
    key = _public(public_key)
    start = SIGNED.size + SIZE.size
    if signed[:4] != MAGIC or len(signed) < start:
        raise FormatError("not a signed archive: it does not begin with 89 53 51 53")
    _, version, release, digest = SIGNED.unpack_from(signed)
    (size,) = SIZE.unpack_from(signed, SIGNED.size)
    if version != VERSION or signed[5:8] != bytes(3) or size > MAX_SIGNATURE:
        raise FormatError("the signed archive's header is damaged, or newer: update sqzkit")
    signature, archive = signed[start : start + size], signed[start + size :]
    try:
        algorithm = library.ec.ECDSA(library.hashes.SHA256())
        key.verify(signature, signed[: SIGNED.size], algorithm)
    except library.exceptions.InvalidSignature:
        raise FormatError("the archive is not signed with this key, or is damaged") from None
    if hashlib.sha256(archive).digest() != digest:
        raise FormatError("the signed archive is damaged: its SHA-256 is not the one signed")
    if release < min_release:
        raise FormatError(f"release {release} is older than {min_release}: it is not taken")
    return Verified(archive, release)


def read_key(path: Path | str, half: Literal["private", "public"], flag: str = "--key") -> bytes:
    """Return the bytes of a PEM file with that half of a key of P-256.

    Raises:
      UsageError: the file is missing, or holds something else.
      MissingExtraError: as `sign` does.
    """
    if not os.path.exists(path):
        raise UsageError(f"{flag}={path}: no such file")
    content = files.read_bytes(path, MAX_KEY)
    try:
        public_key(content) if half == "private" else _public(content)
    except UsageError as error:
        raise UsageError(f"{flag}={path}: {error}") from None
    return content


def public_key(private_key: bytes) -> bytes:
    """Return the public half of a key, as a PEM file's bytes; raises as `sign` does."""
    serialization = _library().serialization
    key = _key(serialization.load_pem_private_key, private_key, "private", password=None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return pem


class _Library:
    """The parts of `cryptography` that are used."""

    def __init__(self) -> None:
        from cryptography import exceptions
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        self.exceptions, self.hashes = exceptions, hashes
        self.serialization, self.ec = serialization, ec


def _library() -> Any:
    with extras.explained():
        return _Library()


def _public(content: bytes) -> Any:
    return _key(_library().serialization.load_pem_public_key, content, "public")


def _key(load: Any, content: bytes, half: str, **more: Any) -> Any:
    try:
        key = load(content, **more)
    except (ValueError, TypeError):
        key = None
    if getattr(getattr(key, "curve", None), "name", "") != CURVE:
        raise UsageError(
            f"not an unencrypted {half} key of P-256 in a PEM file; `openssl ecparam -genkey -name "
            "prime256v1 -noout` makes a private one, `openssl ec -pubout` its public half"
        )
    return key
