"""One value for all layers, or a table by layer: `0.6,fire*/expand3x3=0.9,conv10=0.8`.

The language of `--target_sparsity` and `--number_of_clusters`. An entry
without a name is the value of all layers not named; a name may hold `*` and
`?`; where several names match a layer, the last one wins.
"""

import dataclasses
import fnmatch
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqzkit.base.errors import UsageError

Value = TypeVar("Value", int, float)


@dataclasses.dataclass(frozen=True)
class LayerTable(Generic[Value]):
    """Values by layer name: `entries` of (pattern, value) in order, else `default`.

    `flag` is the flag it came from, for messages.
    """

    default: Value
    entries: tuple[tuple[str, Value], ...]
    flag: str

    def resolve(self, layers: Sequence[str]) -> dict[str, Value]:
        """Return the value of each layer; raise `UsageError` if a pattern matches none."""
        values = dict.fromkeys(layers, self.default)
        for pattern, value in self.entries:
            matches = fnmatch.filter(layers, pattern)
            if not matches:
                raise UsageError(
                    f"{self.flag} {pattern!r}: no layer has that name; the layers are "
                    f"{', '.join(layers)}"
                )
            values.update(dict.fromkeys(matches, value))
        return values


def parse(
    text: str, flag: str, kind: Callable[[str], Value], check: Callable[[Value], str | None]
) -> LayerTable[Value]:
    """Return the table that `text` describes (see the module's docstring).

    Args:
      text: not empty.
      flag: the flag's name, for messages.
      kind: int or float. Layers that no entry names get `kind("0")`: untouched.
      check: returns what is legal if a value is not, else None.

    Raises:
      UsageError: not a table, or `check` finds fault with a value.
    """
    default = kind("0")
    entries: list[tuple[str, Value]] = []
    for index, item in enumerate(text.split(",")):
        pattern, _, number = item.rpartition("=")
        try:
            value = kind(number.strip())
        except ValueError:
            raise UsageError(
                f"{flag} {item!r}: must be a number, or layer=number pairs separated by commas"
            ) from None
        if legal := check(value):
            raise UsageError(f"{flag} {item.strip()!r}: must be {legal}")
        if pattern:
            entries.append((pattern.strip(), value))
        elif index:
            raise UsageError(f"{flag} {item!r}: a number without a layer's name must come first")
        else:
            default = value
    return LayerTable(default, tuple(entries), flag)
