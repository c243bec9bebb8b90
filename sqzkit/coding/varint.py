"""Numbers in as few bytes as they need, and a reader that never leaves its bytes."""

from sqzkit.base.errors import FormatError

LARGEST = 1 << 62


def write(*numbers: int) -> bytes:
    """Return the numbers (0..2^62): seven bits a byte, lowest first; the top bit says more."""
    written = bytearray()
    for number in numbers:
        if not 0 <= number <= LARGEST:
            raise ValueError(f"{number} is outside 0..2^62")
        left = number
        while left > 127:
            written.append(left & 127 | 128)
            left >>= 7
        written.append(left)
    return bytes(written)


class Reader:
    """Reads a directory from front to back.

    Every method raises `FormatError` instead of going past the end.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content = content
        self._name = name
        self._position = 0

    def number(self, most: int = LARGEST) -> int:
        """Return the next number; `most` is the largest legal one."""
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 62:
                raise FormatError(f"{self._name}: a number of more than nine bytes")
        if value > most:
            raise FormatError(f"{self._name}: {value} where at most {most} is possible")
        return value

    def bytes(self, count: int) -> bytes:
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
