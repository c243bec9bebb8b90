"""Numbers in as few bytes as they need, and a reader that never leaves its bytes."""

from typing import Generic, TypeVar

from sqzkit.base.errors import FormatError

MAX_NUMBER = 1 << 62
Content = TypeVar("Content", bytes, memoryview)


def write(*numbers: int) -> bytes:
    """Return the numbers (0..2^62): seven bits a byte, lowest first; the top bit says more."""
    written = bytearray()
    for number in numbers:
        if not 0 <= number <= MAX_NUMBER:
            raise ValueError(f"{number} is outside 0..2^62")
        left = number
        while left > 127:
            written.append(left & 127 | 128)
            left >>= 7
        written.append(left)
    return bytes(written)


class Reader(Generic[Content]):
    """Reads numbers and bytes from front to back.

    Every method raises `FormatError` instead of going past the end.

    Args:
      content: what to read; a memoryview gives memoryviews, without copies.
      name: of the content, for errors.
      position: where to begin.
    """

    def __init__(self, content: Content, name: str, position: int = 0) -> None:
        self._content: Content = content
        self._name = name
        self._position = position

    def number(self, most: int = MAX_NUMBER) -> int:
        """Return the next number; `most` is the largest legal one."""
        value = shift = 0
        position = self._position
        while True:
            if position >= len(self._content):
                raise FormatError(f"{self._name} ends early")
            byte = self._content[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 56:
                raise FormatError(f"{self._name}: a number of more than nine bytes")
        if shift and not byte:
            raise FormatError(f"{self._name}: {value} in more bytes than it needs")
        if value > most:
            raise FormatError(f"{self._name}: {value} where at most {most} is possible")
        self._position = position
        return value

    def bytes(self, count: int) -> Content:
        """Return the next `count` bytes."""
        end = self._position + count
        if end > len(self._content):
            raise FormatError(f"{self._name} ends early")
        taken = self._content[self._position : end]
        self._position = end
        return taken

    def end(self) -> None:
        """Raise if anything is left."""
        if self._position != len(self._content):
            raise FormatError(f"{self._name}: {len(self._content) - self._position} bytes too many")
