"""The color space that a PNG states in chunks of its own, as an ICC profile.

PNG specification, third edition, section 11.3.2. Followed as Chromium does:
cICP comes before iCCP, that before sRGB and that before gAMA; a cICP that leaves its space open or
is not of full range does not count; cHRM counts beside gAMA only; and a lone gAMA of nearly 1/2.2
means sRGB.
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
_NTSC = (0.3127, 0.3290, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07)
# Primaries and curves by their codes in ITU-T H.273; curves in ICC's parametric forms 0 and 3.
_PRIMARIES = {
    1: _SRGB,  # and BT.709
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),  # PAL
    6: _NTSC,
    7: _NTSC,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # Display P3
}
_CURVES = {
    **dict.fromkeys((1, 6, 11, 14, 15), (2.4,)),  # BT.709, as screens show it
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),  # sRGB
}
# With those that are for films or of high dynamic range (curves 16 and 18).
_KNOWN_PRIMARIES, _KNOWN_CURVES = (*_PRIMARIES, 4, 8, 10, 11, 22), (*_CURVES, 7, 16, 17, 18)
_ONE = 100_000  # of gAMA and cHRM
_USUAL_GAMMA = range(43_000, 48_000)


def profile(chunks: Mapping[bytes, bytes]) -> bytes | None:
    """Return the ICC profile that the chunks in front of the pixels amount to; None for sRGB.

    Args:
      chunks: contents by chunk type, without damaged ones.

    Raises:
      RunError: a color space of high dynamic range, or another that is not known here.
    """
    code = chunks.get(b"cICP", b"")
    # Of full range, and of a known space and curve; others do not count.
    if len(code) == 4 and code[3] == 1 and code[0] in _KNOWN_PRIMARIES and code[1] in _KNOWN_CURVES:
        return _coded(code)
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
    primaries, curve, matrix, _ = code
    if matrix or primaries not in _PRIMARIES or curve not in _CURVES:
        raise RunError(f"a color space (cICP {code.hex()}) of high dynamic range or for films; "
                       "save it as sRGB")  # fmt: skip
    if (primaries, curve) == (1, 13):  # sRGB
        return None
    numbers = _CURVES[curve]
    return _rgb_profile(_PRIMARIES[primaries], _parametric(3 if numbers[1:] else 0, numbers))


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
