"""The size of a JPEG XL file, read before its plug-in expands the whole file.

ISO/IEC 18181-1, annex D (image header), and 18181-2, section 9 (boxes).
"""

from sqzkit.base.errors import RunError

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_HEADER = 64  # bytes; the fields that are read here take 30 at most
_SIZES = ((1, 9), (1, 13), (1, 18), (1, 30))  # (least value, bits) by selector
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_DEPTHS = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOAT_DEPTHS = ((32, 0), (16, 0), (24, 0), (1, 6))
_EXTRA = ((0, 0), (1, 0), (2, 4), (1, 12))


def register() -> bool:
    """Let Pillow read JPEG XL; return whether the plug-in is installed."""
    try:
        import pillow_jxl  # noqa: F401  (registers itself)
    except ImportError:
        return False
    return True


def is_jpeg_xl(content: bytes) -> bool:
    """Return whether a file begins as JPEG XL does."""
    return content.startswith((CODESTREAM, CONTAINER))


def planes(content: bytes) -> tuple[int, int, int]:
    """Return width, height and the number of planes, alpha and other extra ones included.

    Raises:
      RunError: the file ends before it says so, or is an animation or has a preview.
    """
    bits = _Bits(_codestream(content)[2 : 2 + _HEADER])
    width, height = _size(bits)
    if bits.take(1):  # all defaults
        return width, height, 3
    if bits.take(1):
        bits.take(3)  # orientation, which the plug-in applies
        if bits.take(1):
            _size(bits)  # intrinsic size
        if bits.take(2):
            raise RunError("an animation or a preview in JPEG XL; save a single picture")
    floating = bits.take(1)
    bits.choose(_FLOAT_DEPTHS if floating else _DEPTHS)
    bits.take(4 * floating + 1)
    return width, height, 3 + bits.choose(_EXTRA)


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content, "little")
        self._left = 8 * len(content)

    def take(self, count: int) -> int:
        """Return the next bits, the lowest first."""
        self._left -= count
        if self._left < 0:
            raise RunError("damaged or truncated image (JPEG XL header)")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choose(self, forms: tuple[tuple[int, int], ...]) -> int:
        """Return a number in the form that the next two bits name."""
        least, count = forms[self.take(2)]
        return least + self.take(count)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (1 + bits.take(5)) if small else bits.choose(_SIZES)

    height = side()
    ratio = bits.take(3)
    if not ratio:
        return side(), height
    numerator, denominator = _RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _codestream(content: bytes) -> bytes:
    """Return the beginning of the codestream, out of its box if there are boxes."""
    if content.startswith(CODESTREAM):
        return content[:_HEADER]
    at = 0
    while at + 8 <= len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        if kind in (b"jxlc", b"jxlp"):
            start = at + head + 4 * (kind == b"jxlp")
            return content[start : start + _HEADER]
        if size < head:
            break
        at += size
    raise RunError("damaged or truncated image (JPEG XL without a codestream)")
