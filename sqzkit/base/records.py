"""From JSON values to a record, checked by the record's own annotations.

A file may come from anyone. A whole number is accepted where a float is expected;
any other mismatch is refused by the name of its field. Hand-written because it bounds
lists and integers, and needs no library in the base installation.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqzkit.base.errors import RunError, UsageError

Record = TypeVar("Record")

MAX_ITEMS = 10_000
MAX_INTEGER = 1 << 53  # what JSON readers of all languages keep exactly
_SHOWN = 60


def build(kind: type[Record], values: Any, what: str, partial: bool = False) -> Record:
    """Return the frozen dataclass `kind` with these fields.

    Args:
      kind: its annotations may be int, float, str, bool, None, dict or Mapping
        of anything, Any, another such dataclass, unions and tuples of these.
      values: JSON values by field name.
      what: what the record is, with its article, for messages.
      partial: whether fields with a default may be absent.

    Raises:
      RunError: not a JSON object, an unknown or missing field, a value that its
        annotation does not allow, or one that `kind` itself refuses.
    """
    try:
        if not partial and isinstance(values, Mapping):
            _refuse_partial(kind, values)
        return _build(kind, values)
    except (_Mismatch, TypeError, UsageError) as error:
        raise RunError(f"not {what}: {error}") from error


class _Mismatch(Exception):  # noqa: N818 - never leaves this module
    """A value is not what its field's annotation says."""


def _refuse_partial(kind: type[Any], values: Mapping[str, Any]) -> None:
    for field in dataclasses.fields(kind):
        if field.name not in values:
            raise _Mismatch(f"it lacks the field {field.name!r}")


def _build(kind: type[Record], values: Any) -> Record:
    if not isinstance(values, Mapping):
        raise _Mismatch(f"{_shown(values)} is not a JSON object")
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise _Mismatch(f"it has no field {_shown(name)}")
    return kind(**{name: _convert(hints[name], value, name) for name, value in values.items()})


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _alternative(hint, value, name)
    if origin is tuple:
        return _items(typing.get_args(hint), value, name)
    if hint in (dict, Mapping) or origin in (dict, Mapping):
        return _expect(isinstance(value, dict), value, name, "an object")
    if dataclasses.is_dataclass(hint):
        return _build(hint, value)  # type: ignore[arg-type]
    return _plain(hint, value, name)


def _plain(hint: Any, value: Any, name: str) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        legal = typing.get_args(hint)
        return _expect(value in legal, value, name, f"one of {', '.join(legal)}")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        whole = number and isinstance(value, int) and abs(value) <= MAX_INTEGER
        return _expect(whole, value, name, "a whole number")
    if hint is float:
        finite = number and abs(value) <= MAX_INTEGER if isinstance(value, int) else number
        _expect(finite and math.isfinite(value), value, name, "a number")
        return float(value)
    names = {str: "text", bool: "true or false", types.NoneType: "null"}
    return _expect(isinstance(value, hint), value, name, names[hint])


def _alternative(hint: Any, value: Any, name: str) -> Any:
    for choice in typing.get_args(hint):
        try:
            return _convert(choice, value, name)
        except _Mismatch as error:
            mismatch = error
    raise mismatch


def _items(kinds: Sequence[Any], value: Any, name: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list | tuple), value, name, "a list")
    if kinds[-1] is Ellipsis:
        _expect(len(value) <= MAX_ITEMS, value, name, f"a list of at most {MAX_ITEMS} items")
        kinds = [kinds[0]] * len(value)
    _expect(len(value) == len(kinds), value, name, f"a list of {len(kinds)} items")
    return tuple(_convert(kind, item, name) for kind, item in zip(kinds, value, strict=True))


def _expect(fits: bool, value: Any, name: str, expected: str) -> Any:
    if not fits:
        raise _Mismatch(f"{name} {_shown(value)}: must be {expected}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "a number beyond 2^53"
    if isinstance(value, list | tuple | dict):
        return f"{type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
