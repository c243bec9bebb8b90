"""Start contenders, let them take turns, and keep their figures."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import interleave
from benchmarks.contender import Contender, ContenderError
from benchmarks.settings import Settings

_PEERS = "benchmarks.peers"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A contender to start.

    Attributes:
      name: what the tables call it.
      module: of `benchmarks.peers`.
      settings: what its `prepare` takes.
      ours: whether it runs in sqzkit's environment.
    """

    name: str
    module: str
    settings: Mapping[str, Any]
    ours: bool = False


@contextlib.contextmanager
def started(
    entries: Sequence[Entry], settings: Settings
) -> Iterator[tuple[list[Contender], dict[str, str]]]:
    """Yield the contenders that could be prepared, and why others could not, by name."""
    contenders: list[Contender] = []
    refused: dict[str, str] = {}
    try:
        for entry in entries:
            python = settings.python if entry.ours else settings.peers_python
            module = f"{_PEERS}.{entry.module}"
            try:
                made = Contender(entry.name, python, module, entry.settings, settings.log)
                contenders.append(made)
            except ContenderError as error:
                refused[entry.name] = str(error)
        yield contenders, refused
    finally:
        for contender in contenders:
            contender.close()


def compared(entries: Sequence[Entry], settings: Settings, rounds: int) -> dict[str, Any]:
    """Return {"ready", "answers", "refused"}, each by contender's name; JSON-ready."""
    with started(entries, settings) as (contenders, refused):
        answers = interleave.take_turns(contenders, rounds)
        ready = {contender.name: contender.ready for contender in contenders}
    return {"ready": ready, "answers": answers, "refused": refused}
