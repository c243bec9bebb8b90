"""From settings records to the flags of a program: parsing, --help, unknown names."""

import dataclasses
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from absl import flags

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Item, check_path

HELP = ("-h", "--help", "-help", "--helpfull", "--helpshort")
_COLUMN = 30
_WIDTH = 100


def items(records: Iterable[type[Any]]) -> dict[str, Item]:
    """Return the settings of all records by flag, in order."""
    found: dict[str, Item] = {}
    for record in records:
        found |= assembly.flat(record)
    return found


def parse(
    argv: Sequence[str], known: Mapping[str, Item], elsewhere: Callable[[str], str] = lambda _: ""
) -> tuple[dict[str, Any], list[str]]:
    """Return the flags that were given, by name, and the other arguments.

    A required flag that was not given is None. The flags live in an object of their own: two
    programs fit in one process. Of a flag that is unknown here the error says `elsewhere` of its
    name.

    Raises:
      UsageError: an unknown flag, a text that is not of the flag's type, or an argument that is
        too long for a path.
    """
    values = flags.FlagValues()
    for name, item in known.items():
        _define(values, name, item)
    try:
        # absl's own answer to an unknown flag recurses as deep as its name is long.
        _, *rest = values(list(argv), known_only=True)
    except flags.Error as error:
        raise UsageError(str(error)) from None
    for argument in rest:
        if argument == "--":
            break
        if argument.startswith("-") and len(argument) > 1:
            raise unknown(argument, known, elsewhere)
    given = {
        name: values[name].value
        for name, item in known.items()
        if values[name].present or item.default is dataclasses.MISSING
    }
    arguments = [argument for argument in rest if argument != "--"]
    for argument in arguments:
        check_path(argument)
    return given, arguments


def unknown(
    argument: str, known: Mapping[str, Item], elsewhere: Callable[[str], str]
) -> UsageError:
    """Return the error for a flag that the program does not have."""
    name = argument.lstrip("-").partition("=")[0]
    shown = name if len(name) <= _COLUMN else f"{name[:_COLUMN]}..."
    return UsageError(
        f"--{shown} is not a flag of this program"
        f"{elsewhere(name) or assembly.nearest(name, known, '--')} (see --help)"
    )


def overview(known: Mapping[str, Item]) -> str:
    """Return the text of --help on the flags: defaults, legal values and units, in groups."""
    lines: list[str] = []
    for name, item in known.items():
        if item.setting.group or not lines:
            lines.append(f"\n{item.setting.group or 'Flags'}:")
        left = f"  --[no]{name}" if item.kind is bool else f"  --{name}"
        text = f"{item.setting.help} {_facts(item)}".strip()
        column = textwrap.wrap(text, _WIDTH - _COLUMN, break_on_hyphens=False)
        if len(left) >= _COLUMN:
            lines.append(left)
            left = ""
        lines.append(f"{left:{_COLUMN}}{column[0]}")
        lines += [f"{'':{_COLUMN}}{line}" for line in column[1:]]
    return "\n".join(lines).lstrip("\n")


def _facts(item: Item) -> str:
    legal = item.legal
    if item.many and not item.setting.repeated:
        legal = f"list with commas, each {legal}" if legal else "list with commas"
    facts = [item.setting.unit, legal, _default_text(item)]
    shown = "; ".join(fact for fact in facts if fact)
    return f"({shown})" if shown else ""


def _default_text(item: Item) -> str:
    if item.setting.default_text:
        return f"default: {item.setting.default_text}"
    if item.default is dataclasses.MISSING:
        return "required"
    if item.default is None or item.default == ():
        return ""
    if item.kind is bool:
        return f"default: {'on' if item.default else 'off'}"
    if item.many:
        return f"default: {','.join(map(str, item.default))}"
    return f"default: {item.default:g}" if item.kind is float else f"default: {item.default}"


class _Parser(flags.ArgumentParser):  # type: ignore[misc, unused-ignore]
    """Reads one value of a setting; its `UsageError` leaves absl as it is."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def parse(self, argument: Any) -> Any:
        return self._item.parsed(argument) if isinstance(argument, str) else argument


class _ListParser(_Parser):
    def parse(self, argument: Any) -> Any:
        parts = argument.split(",") if isinstance(argument, str) and argument else argument
        return tuple(self._item.parsed(part.strip()) for part in parts or ())


def _define(values: flags.FlagValues, name: str, item: Item) -> None:
    if item.kind is bool and not item.many:
        flags.DEFINE_boolean(name, None, item.setting.help, flag_values=values)
    elif item.setting.repeated:
        flags.DEFINE_multi(
            _Parser(item), flags.ArgumentSerializer(), name, None, item.setting.help, values
        )
    else:
        parser = _ListParser(item) if item.many else _Parser(item)
        flags.DEFINE(parser, name, None, item.setting.help, values, flags.ArgumentSerializer())
