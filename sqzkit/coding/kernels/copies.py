"""Compiled search for the runs that two files have in common."""

import numpy as np

from sqzkit.coding.kernels.binary import allocating, compiled
from sqzkit.coding.kernels.mixed_bytes import spread

SEED = 8  # bytes by which a run is found
MIN_ALIGNED = 6  # bytes of a run that goes on where the last one stood
MIN_MOVED = 24  # bytes of a run anywhere else: naming its place takes some
MAX_BITS = 22


@compiled
def _hash(content, at, mask):
    key = np.int64(0)
    for k in range(SEED):
        key = (key * 0x2F0B4C47 + content[at + k] + 1) & 0xFFFFFFFF
    return (spread(key) << 8 ^ key) & mask


@compiled
def _common(new, at, end, base, place):
    """Return how many bytes in at..end - 1 are those of the base from `place`."""
    count = 0
    most = min(end - at, base.size - place)
    while count < most and new[at + count] == base[place + count]:
        count += 1
    return count


@allocating
def find_copies(new, base, left_out, most):
    """Return the runs of `new` that `base` has too: int64 [at most `most`, 3].

    Each is where it begins in `new` and in `base`, and its length; they are in
    the order of `new` and do not overlap. A run that goes on at the distance of
    the last one is preferred.

    Args:
      new: uint8, the file.
      base: uint8.
      left_out: int64 [any, 2], where parts of `new` begin and end that are not looked at.
      most: runs to return.
    """
    bits = 10
    while bits < MAX_BITS and 1 << bits < base.size:
        bits += 1
    latest = np.full(1 << bits, -1, np.int64)
    for back in range(base.size - SEED + 1):
        place = base.size - SEED - back  # the first of equal ones stays
        latest[_hash(base, place, latest.size - 1)] = place
    found = np.empty((most, 3), np.int64)
    count, at, end, distance, part = 0, 0, 0, 0, 0
    while at < new.size and count < most:
        stop = left_out[part, 0] if part < len(left_out) else new.size
        if at >= stop:
            at = end = left_out[part, 1]
            part += 1
            continue
        place, length = at + distance, 0
        if 0 <= place < base.size:
            length = _common(new, at, stop, base, place)
        if length < MIN_ALIGNED:
            length = 0
            place = latest[_hash(new, at, latest.size - 1)] if at + SEED <= stop else np.int64(-1)
            if place >= 0:
                length = _common(new, at, stop, base, place)
        if length < (MIN_ALIGNED if place == at + distance else MIN_MOVED):
            at += 1
            continue
        back = 0
        while at - back > end and place > back and new[at - back - 1] == base[place - back - 1]:
            back += 1
        found[count] = at - back, place - back, length + back
        count += 1
        distance = place - at
        at += length
        end = at
    return found[:count]
