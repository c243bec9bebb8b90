"""Settings: fields of frozen dataclasses that know their help, unit and legal values.

A program's flags, the checks of its values and the keyword arguments of the library are all
made from these fields, so each default, bound and help text is written once.
"""

import dataclasses
import functools
import math
import os
import types
import typing
from typing import Any, Literal

from sqzkit.base.errors import UsageError
from sqzkit.base.records import MAX_INTEGER

KEY = "sqzkit"
MISSING: Any = dataclasses.MISSING
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_MAX_SHOWN = 100
_MAX_NAME_BYTES = 255  # of one file or folder, on Linux and macOS


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a field's metadata say.

    Attributes:
      help: one or two sentences.
      choices: legal values; empty: those of the annotation, if it is a `Literal`.
      minimum, maximum: bounds that are legal values themselves; None: no bound.
      above, below: bounds that are not.
      unit: of a number, such as "pixels".
      flag: the flag's name; "" for the field's own.
      hidden: whether the field is checked but has no flag.
      path: whether it names a file or folder: `~` is expanded, and it is stored absolute.
      exists: whether such a file or folder must be there.
      group: heading in --help of this field and of those after it.
      default_text: what --help says of a default that depends on other settings.
      repeated: whether the flag is given once for each item instead of with commas.
      none_word: a text that stands for None, such as "auto"; "" if there is none.
    """

    help: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    unit: str = ""
    flag: str = ""
    hidden: bool = False
    path: bool = False
    exists: bool = False
    group: str = ""
    default_text: str = ""
    repeated: bool = False
    none_word: str = ""


@dataclasses.dataclass(frozen=True)
class Nested:
    """A field that holds a record whose settings are flags of the outer record.

    Attributes:
      only: names of the settings that are; empty: all.
      record: the class that has the settings, if it is not the field's own.
    """

    only: tuple[str, ...] = ()
    record: type[Any] | None = None


@dataclasses.dataclass(frozen=True)
class Item:
    """A setting together with its field.

    Attributes:
      name: of the field.
      kind: int, float, bool or str: what one value is.
      many: whether the field holds a tuple of them.
      optional: whether it may be None.
      default: its default, or `dataclasses.MISSING`.
      choices: legal values; empty: any.
      setting: the rest.
    """

    name: str
    kind: type[Any]
    many: bool
    optional: bool
    default: Any
    choices: tuple[str, ...]
    setting: Setting

    @property
    def flag(self) -> str:
        """The flag's name."""
        return self.setting.flag or self.name

    @property
    def legal(self) -> str:
        """The legal values in words, such as "0..1" or "one of a, b"; "" if there is no limit."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        low, high = self.setting.minimum, self.setting.maximum
        if low is not None and high is not None:
            return f"{low:g}..{high:g}"
        above, below = self.setting.above, self.setting.below
        bounds = [
            f"above {above:g}" if above is not None else "",
            f"{low:g} or more" if low is not None else "",
            f"at most {high:g}" if high is not None else "",
            f"below {below:g}" if below is not None else "",
        ]
        if self.setting.none_word:
            return f"{' and '.join(filter(None, bounds))}, or {self.setting.none_word}"
        return " and ".join(filter(None, bounds))

    def refuse(self, value: object, legal: str, prefix: str = "--") -> UsageError:
        """Return the error for a value that is not `legal`."""
        return UsageError(f"{prefix}{self.flag} {_shortened(value)}: must be {legal}")

    def checked(self, value: Any, prefix: str = "--") -> Any:
        """Return a legal value in its own type; raise `UsageError` for any other."""
        if self.optional and (value is None or value == (self.setting.none_word or None)):
            return None
        if not self.many:
            return self._checked_one(value, prefix)
        if not isinstance(value, list | tuple):
            raise self.refuse(value, "a list", prefix)
        return tuple(self._checked_one(item, prefix) for item in value)

    def parsed(self, text: str) -> Any:
        """Return the value that a flag's text stands for, not yet checked against the bounds."""
        if self.kind is str or (text and text == self.setting.none_word):
            return text
        try:
            value = self.kind(text)
        except ValueError:
            word = self.setting.none_word
            legal = f"{_KINDS[self.kind]} or {word}" if word else _KINDS[self.kind]
            raise self.refuse(text, legal) from None
        return value

    def _checked_one(self, value: Any, prefix: str) -> Any:
        if self.kind is str and isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            legal = self.legal or _KINDS[self.kind]
            raise UsageError(f"{prefix}{self.flag} is a number beyond 2^53: must be {legal}")
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or (self.kind is int and isinstance(value, bool)):
            raise self.refuse(value, self.legal if self.choices else _KINDS[self.kind], prefix)
        if value == "":
            raise UsageError(f"{prefix}{self.flag} is empty: give a value or leave it out")
        if self.choices:
            fits = value in self.choices
        else:
            fits = self.kind in (str, bool) or _within(self.setting, value)
        if not fits:
            finite = not isinstance(value, float) or math.isfinite(value)
            words = (self.legal,) if finite else ("a finite number", self.legal)
            raise self.refuse(value, ", ".join(filter(None, words)), prefix)
        if not self.setting.path:
            return value
        check_path(value, f"{prefix}{self.flag} ")
        path = os.path.expanduser(value)
        if self.setting.exists and not os.path.exists(path):
            raise UsageError(f"{prefix}{self.flag} {path}: no such file or folder")
        return path


def setting(default: Any = MISSING, **details: Any) -> Any:
    """Return a dataclass field with the attributes of `Setting` as metadata."""
    return dataclasses.field(default=default, metadata={KEY: Setting(**details)})


def like(record: type[Any], name: str, default: Any = MISSING, **changes: Any) -> Any:
    """Return a field with the metadata of a field of `record`, and its default if none is given."""
    original = next(field for field in dataclasses.fields(record) if field.name == name)
    found = dataclasses.replace(original.metadata[KEY], **changes)
    return setting(original.default if default is MISSING else default, **vars(found))


class Settings:
    """Base of frozen dataclasses whose settings are checked when one is made."""

    def __post_init__(self) -> None:
        check(self)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values, in which every path is absolute."""
        return to_json(self)


def nested(
    default: Any = MISSING,
    only: tuple[str, ...] = (),
    record: type[Any] | None = None,
    factory: Any = MISSING,
) -> Any:
    """Return a field that holds a record; its settings become flags of the outer record."""
    given = {"default": default} if factory is MISSING else {"default_factory": factory}
    return dataclasses.field(metadata={KEY: Nested(only, record)}, **given)


def check(record: Any, prefix: str = "--") -> None:
    """Check every setting of a new record, and give each value its own type.

    Paths have `~` expanded.

    Args:
      record: a frozen dataclass.
      prefix: what messages write before a setting's name.

    Raises:
      UsageError: a value is not legal; the message names the flag and the legal values.
    """
    kind: Any = type(record)
    for item in own(kind):
        value = item.checked(getattr(record, item.name), prefix)
        object.__setattr__(record, item.name, value)


def check_path(value: str, prefix: str = "") -> None:
    """Raise `UsageError`, beginning with `prefix`, if no file system takes the names of a path."""
    if max(map(len, os.fsencode(value).split(b"/"))) > _MAX_NAME_BYTES:
        legal = f"a path whose names have at most {_MAX_NAME_BYTES} bytes"
        raise UsageError(f"{prefix}{_shortened(value)}: must be {legal}")


@functools.cache
def own(kind: Any) -> tuple[Item, ...]:
    """Return the settings that are fields of the record class itself, in order."""
    hints = typing.get_type_hints(kind)
    return tuple(
        _item(field, hints[field.name], field.metadata[KEY])
        for field in dataclasses.fields(kind)
        if isinstance(field.metadata.get(KEY), Setting)
    )


def to_json(record: Any) -> dict[str, Any]:
    """Return a record as JSON-ready values, in which every path is absolute."""
    values = dataclasses.asdict(record)
    for field in dataclasses.fields(record):
        value, details = getattr(record, field.name), field.metadata.get(KEY)
        if isinstance(details, Setting) and details.path and value is not None:
            values[field.name] = absolute(value)
        elif dataclasses.is_dataclass(value):
            values[field.name] = to_json(value)
    return values


def absolute(path: str) -> str:
    """Return a path as it is to be stored; an address such as gs://bucket stays as it is."""
    return path if "://" in path else os.path.abspath(path)


def _item(field: "dataclasses.Field[Any]", hint: Any, details: Setting) -> Item:
    options = typing.get_args(hint) if is_union(hint) else (hint,)
    optional = types.NoneType in options
    (hint,) = (option for option in options if option is not types.NoneType)
    many = typing.get_origin(hint) is tuple
    if many:
        hint = typing.get_args(hint)[0]
    choices = details.choices
    if typing.get_origin(hint) is Literal:
        choices, hint = choices or typing.get_args(hint), str
    return Item(field.name, hint, many, optional, default_of(field), choices, details)


def is_union(hint: Any) -> bool:
    """Return whether an annotation is a union, such as `int | None`."""
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """Return a field's default, or `dataclasses.MISSING`."""
    factory: Any = field.default_factory
    return field.default if factory is MISSING else factory()


def _shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def _within(setting: Setting, value: float) -> bool:
    # Written so that NaN is never within.
    return (
        math.isfinite(value)
        and (setting.minimum is None or value >= setting.minimum)
        and (setting.maximum is None or value <= setting.maximum)
        and (setting.above is None or value > setting.above)
        and (setting.below is None or value < setting.below)
    )
