"""Find unreadable photographs before any time is spent on training.

Decoding every large photograph twice would double the preparation, so a file
is first looked at from outside: its header must parse and its end must be
where its format puts it. Only a file that fails that is decoded, and only
what cannot be decoded is called broken. Damage inside a file that has both
ends is met, and dropped, when the images are prepared.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import photograph

_TAIL = 64


def find_broken(paths: Sequence[Path]) -> dict[Path, str]:
    """Return, for each unreadable file of `paths`, a message that names it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        messages = pool.map(_message, paths)
        return {path: message for path, message in zip(paths, messages, strict=True) if message}


def looks_whole(content: bytes) -> bool:
    """Return whether the bytes have the beginning and the end of their format."""
    tail = content[-_TAIL:]
    if content[:2] == b"\xff\xd8":
        return b"\xff\xd9" in tail
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" in tail
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return tail.rstrip(b"\0")[-1:] == b";"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    return False


def _message(path: Path) -> str | None:
    try:
        if looks_whole(photograph.read(path)):
            return None
        photograph.decode(path)
    except RunError as error:
        return str(error)
    return None
