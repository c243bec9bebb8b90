"""ICC profiles made here, and what colors of theirs are in sRGB, computed with NumPy alone."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
# x, y of red, green, blue and white.
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.3290))
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585))
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_xyz(space):
    """The matrix from linear RGB to XYZ as seen under D50 [3, 3]."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in space]).T
    primaries, white = columns[:, :3], columns[:, 3]
    matrix = primaries * np.linalg.solve(primaries, white)
    adapted = np.diag((_BRADFORD @ D50) / (_BRADFORD @ white))
    return np.linalg.inv(_BRADFORD) @ adapted @ _BRADFORD @ matrix


def srgb_of_xyz(xyz):
    """sRGB 0..255 of XYZ under D50 [..., 3]."""
    linear = np.clip(xyz @ np.linalg.inv(to_xyz(SRGB)).T, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * coded).astype(np.uint8)


def in_srgb(pixels, space, gamma):
    """What uint8 pixels [..., 3] of a color space are in sRGB; with sRGB's curve for None."""
    values = pixels / 255.0
    if gamma is None:
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    else:
        linear = values**gamma
    return srgb_of_xyz(linear @ to_xyz(space).T)


def gray_in_srgb(values, gamma):
    """What uint8 gray values [...] are in sRGB [..., 3]."""
    return srgb_of_xyz((values[..., None] / 255.0) ** gamma * D50)


def rgb(space, gamma):
    """The profile of an RGB color space."""
    matrix = to_xyz(space)
    tags = {f"{name}XYZ": _xyz(matrix[:, i]) for i, name in enumerate("rgb")}
    return _profile("mntr", "RGB ", tags | {f"{name}TRC": _curve(gamma) for name in "rgb"})


def gray(gamma):
    """The profile of gray with a gamma."""
    return _profile("mntr", "GRAY", {"kTRC": _curve(gamma)})


# How much L, a and b each ink takes or adds.
INKS = np.array([[-24, -30, -40], [-26, 62, -6], [-4, -6, 80], [-44, 0, 0]])


def inks_in_srgb(inks):
    """What C, M, Y, K 0..255 [..., 4] of the profile `cmyk` are in sRGB.

    Lab is linear in the inks, so that any interpolation between the nodes of its table is exact.
    """
    lab = [100, 0, 0] + inks / 255.0 @ INKS
    middle = (lab[..., :1] + 16) / 116
    roots = np.concatenate([middle + lab[..., 1:2] / 500, middle, middle - lab[..., 2:] / 200], -1)
    ratios = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    return srgb_of_xyz(ratios * D50)


def cmyk():
    """A printer's profile with a table of two nodes an ink."""
    nodes = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(-1, 4)
    table = ([100, 0, 0] + nodes @ INKS + [0, 128, 128]) * [2.55, 1, 1]
    unit = (np.eye(3) * 65536).astype(">i4").tobytes()
    ramp = bytes(range(256))
    body = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + ramp * 4
    body += np.round(table).clip(0, 255).astype(np.uint8).tobytes() + ramp * 3
    return _profile("prtr", "CMYK", {"A2B0": body}, "Lab ")


def _xyz(values):
    return b"XYZ " + bytes(4) + np.round(values * 65536).astype(">i4").tobytes()


def _curve(gamma):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _profile(kind, space, tags, connection="XYZ "):
    tags = {"wtpt": _xyz(D50), **tags}
    place = 128 + 4 + 12 * len(tags)
    directory, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        directory += name.encode() + struct.pack(">II", place + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(bodies), bytes(4), 0x02400000,
                       kind.encode(), space.encode(), connection.encode())  # fmt: skip
    head += bytes(12) + b"acsp" + bytes(28) + np.round(D50 * 65536).astype(">i4").tobytes()
    return head + bytes(128 - len(head)) + directory + bodies
