"""What changed between two versions of a `.tflite`, tensor by tensor."""

import dataclasses
import math

import numpy as np

from sqzkit.coding import planning, updating


@dataclasses.dataclass(frozen=True)
class Change:
    """A tensor, or the scales of one, that differs from the older version's of its name.

    `changed` of its `size` numbers differ. Where the number of outputs differs, a whole output
    counts unless the older version has one exactly like it.
    """

    name: str
    role: str
    size: int
    changed: int


def changes(content: bytes, base: bytes) -> list[Change]:
    """Return what changed from `base` to `content`, in the file's order; [] for other files."""
    spans = planning.find_spans(content)
    found = []
    for span, like in zip(spans, updating.likes(spans, planning.find_spans(base)), strict=True):
        width = span.length // max(math.prod(span.shape), 1)
        own = np.frombuffer(content, f"V{width}", span.length // width, span.offset)
        old = own[:0]
        if like and (like.dtype, like.shape[1:]) == (span.dtype, span.shape[1:]):
            old = np.frombuffer(base, own.dtype, like.length // width, like.offset)
        if len(own) == len(old):
            changed = int(np.count_nonzero(own != old))
        else:
            rows = span.shape[0] if span.shape else 1
            known = {row.tobytes() for row in old.reshape(-1, len(own) // rows)}
            new = sum(row.tobytes() not in known for row in own.reshape(rows, -1))
            changed = new * (len(own) // rows)
        if changed:
            name = span.name.decode("utf-8", "replace")
            found.append(Change(name, span.role, len(own), changed))
    return found
