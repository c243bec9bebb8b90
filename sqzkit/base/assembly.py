"""Settings of a record and of the records inside it under one name each, as flags give them."""

import dataclasses
import difflib
import os
import shlex
import shutil
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import (
    KEY,
    MISSING,
    Item,
    Nested,
    Setting,
    absolute,
    default_of,
    is_union,
    own,
)

Record = TypeVar("Record")
_MAX_SHOWN = 100


def flat(kind: Any) -> dict[str, Item]:
    """Return the settings of a record class and of the records inside it, by flag, in order.

    A setting inside has the default that the outer record gives it.
    """
    found: dict[str, Item] = {}
    items = {item.name: item for item in own(kind)}
    for field in dataclasses.fields(kind):
        if field.name in items:
            item = items[field.name]
            if not item.setting.hidden:
                found[item.flag] = item
        elif isinstance(inside := field.metadata.get(KEY), Nested):
            found |= _inside(kind, field, inside)
    return found


def _inside(kind: type[Any], field: "dataclasses.Field[Any]", inside: Nested) -> dict[str, Item]:
    record, outer = _record_of(kind, field.name, inside), default_of(field)
    chosen = {
        name: item for name, item in flat(record).items() if not inside.only or name in inside.only
    }
    if outer is None or isinstance(outer, record):
        for name, item in chosen.items():
            chosen[name] = dataclasses.replace(item, default=getattr(outer, item.name, None))
    return chosen


def build(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """Return a record of flat settings, as flags and keyword arguments give them; None: default.

    A class that needs more than defaults for what is missing (presets, say) has a
    class method `from_settings(values)`.

    Raises:
      UsageError: an unknown name (the message has a suggestion), a missing value, or a
        wrong one.
    """
    refuse_unknown(values, flat(kind))
    values = {name: value for name, value in values.items() if value is not None}
    maker = getattr(kind, "from_settings", None)
    return maker(values) if maker else assemble(kind, values)


def assemble(kind: type[Record], values: Mapping[str, Any], **fields: Any) -> Record:
    """Return a record of flat settings; `fields` are given as they are.

    Raises:
      UsageError: a value is missing or wrong.
    """
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        details = field.metadata.get(KEY)
        name = getattr(details, "flag", "") or field.name
        if field.name in fields or (isinstance(details, Setting) and details.hidden):
            continue
        if isinstance(details, Nested):
            part = {key: values[key] for key in _inside(kind, field, details) if key in values}
            if part:
                default: Any = default_of(field)
                record: Any = _record_of(kind, field.name, details)
                plain = default is None or field.default_factory is record
                fields[field.name] = (
                    assemble(record, part) if plain else assemble_from(default, part)
                )
        elif isinstance(details, Setting) and name in values:
            fields[field.name] = values[name]
        elif default_of(field) is MISSING:
            help_text = details.help if isinstance(details, Setting) else ""
            raise UsageError(f"--{name} is missing: {help_text}")
    return kind(**fields)


def assemble_from(default: Record, values: Mapping[str, Any]) -> Record:
    """Return `default` with other values of its flat settings."""
    known = flat(type(default))
    changes = {known[name].name: value for name, value in values.items() if name in known}
    return dataclasses.replace(default, **changes)  # type: ignore[type-var]


def refuse_unknown(values: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a name that is not known, with the nearest one that is."""
    for name in values:
        if name not in known:
            raise UsageError(f"{name[:_MAX_SHOWN]!r} is not a setting{nearest(name, known)}")


def nearest(name: str, known: Mapping[str, Any], prefix: str = "") -> str:
    """Return "; did you mean X?" for the known name that is most like `name`, or ""."""
    close = difflib.get_close_matches(name[:_MAX_SHOWN], known, 1)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def given(record: Any) -> dict[str, Any]:
    """Return the flat settings of a record, by flag, that differ from their defaults."""
    kind, found = type(record), {}
    for field in dataclasses.fields(kind):
        value, details = getattr(record, field.name), field.metadata.get(KEY)
        items, holder = {}, record
        if isinstance(details, Nested):
            items, holder = _inside(kind, field, details), value
        elif isinstance(details, Setting) and not details.hidden:
            items = {details.flag or field.name: flat(kind)[details.flag or field.name]}
        for name, item in items.items():
            value = getattr(holder, item.name, item.default)
            if value != item.default:
                found[name] = value
    return found


def command(program: str, known: Mapping[str, Item], values: Mapping[str, Any]) -> str:
    """Return the command line that gives a program these values; its paths are absolute."""
    words = [*_program(), program]
    for name, value in values.items():
        item = known[name]
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no{name}")
            continue
        parts = value if item.many else (value,)
        if item.setting.path:
            parts = [absolute(os.path.expanduser(part)) for part in parts]
        words.append(f"--{name}={','.join(map(str, parts))}")
    return shlex.join(words)


def _program() -> list[str]:
    """Return how this installation's console command is called."""
    found = shutil.which("sqzkit") or shutil.which("sqzkit", path=os.path.dirname(sys.executable))
    return ["sqzkit"] if found else ["python", "-m", "sqzkit"]


def _record_of(kind: type[Any], name: str, inside: Nested) -> type[Any]:
    if inside.record is not None:
        return inside.record
    hint = typing.get_type_hints(kind)[name]
    options = typing.get_args(hint) if is_union(hint) else (hint,)
    found: type[Any] = next(option for option in options if option is not types.NoneType)
    return found
