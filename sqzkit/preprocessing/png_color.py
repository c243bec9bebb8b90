"""The color space that a PNG states in chunks of its own, as an ICC profile.

PNG specification, third edition, section 11.3.2. Followed as Chromium does:
cICP comes before iCCP, that before sRGB and that before gAMA; cHRM counts beside gAMA only; and a
lone gAMA of nearly 1/2.2 means sRGB.
"""

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import RunError

MAX_PROFILE = 1 << 20  # bytes, as Pillow reads
CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# x and y of white, red, green and blue, as cHRM has them.
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_DISPLAY_P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_SRGB_CICP = bytes((1, 13, 0, 1))
_P3_CICP = bytes((12, 13, 0, 1))  # primaries of Display P3, the curve of sRGB, full range
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # ICC's parametric form 3
_ONE = 100_000  # of gAMA and cHRM
_USUAL_GAMMA = range(43_000, 48_000)


def profile(chunks: Mapping[bytes, bytes]) -> bytes | None:
    """Return the ICC profile that the chunks in front of the pixels amount to; None for sRGB.

    Args:
      chunks: contents by chunk type, without damaged ones.

    Raises:
      RunError: a color space of high dynamic range, or another that is not known here.
    """
    if b"cICP" in chunks:
        return _coded(chunks[b"cICP"])
    if embedded := _embedded(chunks.get(b"iCCP", b"")):
        return embedded
    gamma = int.from_bytes(chunks.get(b"gAMA", b""), "big")
    if b"sRGB" in chunks or not gamma:
        return None
    stated = chunks.get(b"cHRM", b"")
    if len(stated) != 32:
        if gamma in _USUAL_GAMMA:
            return None
        chromaticities = _SRGB
    else:
        chromaticities = tuple(value / _ONE for value in struct.unpack(">8I", stated))
    return _rgb_profile(chromaticities, _parametric(0, (_ONE / gamma,)))


def _coded(code: bytes) -> bytes | None:
    """Return the profile for a cICP chunk: primaries, curve, matrix, full range."""
    if code == _SRGB_CICP:
        return None
    if code == _P3_CICP:
        return _rgb_profile(_DISPLAY_P3, _parametric(3, _SRGB_CURVE))
    raise RunError(f"a color space (cICP {code[:4].hex()}) other than sRGB and Display P3; save it "
                   "as sRGB")  # fmt: skip


def _embedded(content: bytes) -> bytes | None:
    """Return the profile in an iCCP chunk; None if it is damaged or too large."""
    _, _, packed = content.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return None
    return profile if len(profile) < MAX_PROFILE else None


def _rgb_profile(chromaticities: tuple[float, ...], curve: bytes) -> bytes | None:
    points = np.array(chromaticities).reshape(4, 2)
    if not points[:, 1].all():
        return None
    white, *primaries = np.column_stack([points, 1 - points.sum(1)]) / points[:, 1:]
    try:
        columns = np.transpose(primaries) * np.linalg.solve(np.transpose(primaries), white)
        adapted = np.linalg.solve(
            _BRADFORD, np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD @ columns
        )
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(adapted).all() and np.abs(adapted).max() < 16):
        return None
    bodies = {name: _xyz(adapted[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    bodies |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve) | {b"wtpt": _xyz(_D50)}
    return _file(bodies)


def _file(tags: Mapping[bytes, bytes]) -> bytes:
    """Return an ICC profile of version 4.3 for a display (ICC.1:2010, section 7)."""
    place = 128 + 4 + 12 * len(tags)
    directory, content = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        directory += name + struct.pack(">II", place + len(content), len(body))
        content += body
    size = struct.pack(">I", place + len(content))
    head = size + bytes(4) + b"\x04\x30\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + _fixed(_D50)
    return head + bytes(128 - len(head)) + directory + content


def _parametric(form: int, numbers: tuple[float, ...]) -> bytes:
    return b"para" + struct.pack(">IHH", 0, form, 0) + _fixed(numbers)


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: np.ndarray | tuple[float, ...]) -> bytes:
    return np.round(np.asarray(values) * 65536).clip(-(2**31), 2**31 - 1).astype(">i4").tobytes()
