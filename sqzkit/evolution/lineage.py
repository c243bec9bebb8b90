"""The lineage of an evolution: one record a generation, as JSON, text and plot."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import files, records
from sqzkit.base.errors import RunError, UsageError
from sqzkit.reporting import figures
from sqzkit.runs.settings import begun, refuse_other

ANCESTOR, FINAL = "ancestor", "final"


@dataclasses.dataclass(frozen=True)
class Generation:
    """The fittest network of a generation.

    Attributes:
      name: "ancestor", "generation_01", ..., "final".
      folder: its run folder, relative to the lineage unless it is the ancestor's.
      parameters: trained and not trained, batch normalization folded.
      tflite_bytes: size of the float32 `.tflite`.
      latency_ms: fastest of its inferences on one thread of this machine.
      validation_top1: accuracy by which the fittest is chosen, 0..1.
      top1: accuracy on the test split, 0..1; nothing is chosen by it.
      offspring: one record for each offspring, the fittest included.
    """

    name: str
    folder: str
    parameters: int
    tflite_bytes: int
    latency_ms: float
    validation_top1: float
    top1: float
    offspring: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if min(self.parameters, self.tflite_bytes) < 1 or not self.latency_ms > 0:
            raise UsageError(f"{self.name}: sizes and latency must be above 0")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {**dataclasses.asdict(self), "offspring": list(self.offspring)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Generation":
        """Return the record of `to_json`; raise `RunError` if it is damaged."""
        return records.build(cls, record, "a generation")


class Lineage:
    """The file `lineage.json` in an evolution's folder: `generations`, from the ancestor on."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        """Open or begin a lineage, resumed only with the same settings `identity`.

        Raises `UsageError` if the folder holds another evolution, or something else.
        """
        self.folder = folder
        self.generations: list[Generation] = []
        self._identity = identity
        record = begun(self.path, "an evolution")
        if record is None:
            return
        try:
            stored, entries = dict(record["evolution"]), list(record["generations"])
        except (TypeError, KeyError, ValueError) as error:
            raise RunError(f"{self.path}: not the lineage of an evolution: {error}") from error
        refuse_other(self.path, stored, identity, "--output_dir")
        self.generations = [Generation.from_json(entry) for entry in entries]

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "lineage.json"

    @property
    def bred(self) -> int:
        """How many generations there are after the ancestor."""
        return sum(entry.name not in (ANCESTOR, FINAL) for entry in self.generations)

    def add(self, generation: Generation) -> None:
        """Append a generation and store the lineage."""
        self.generations.append(generation)
        self.save()

    def save(self) -> None:
        """Store the lineage."""
        entries = [generation.to_json() for generation in self.generations]
        files.write_json(self.path, {"evolution": self._identity, "generations": entries})

    def drop_final(self) -> None:
        """Remove the last training, because further generations follow."""
        self.generations = [entry for entry in self.generations if entry.name != FINAL]
        self.save()


def format_table(generations: Sequence[Generation]) -> str:
    """Return the lineage as aligned text, with sizes and latencies relative to the ancestor."""
    ancestor = generations[0]
    lines = [
        f"{'':<14}{'parameters':>12}{'':>8}{'float bytes':>13}{'latency ms':>12}{'':>8}"
        f"{'validation':>12}{'test':>9}"
    ]
    for entry in generations:
        smaller = ancestor.parameters / entry.parameters
        faster = ancestor.latency_ms / entry.latency_ms
        lines.append(
            f"{entry.name:<14}{entry.parameters:>12,}{smaller:>7.1f}x{entry.tflite_bytes:>13,}"
            f"{entry.latency_ms:>12.2f}{faster:>7.1f}x{entry.validation_top1:>12.2%}"
            f"{entry.top1:>9.2%}"
        )
    return "\n".join(lines)


def _title(generations: Sequence[Generation]) -> str:
    first, last = generations[0], generations[-1]
    return (
        f"{last.name.replace('_', ' ')}: {first.parameters / last.parameters:.1f} times smaller, "
        f"{first.latency_ms / last.latency_ms:.1f} times faster, "
        f"{100 * (last.top1 - first.top1):+.2f} points on the test split"
    )


def plot(generations: Sequence[Generation], path: Path) -> None:
    """Draw size, accuracy and latency by generation into an image file."""
    figure, (sizes, accuracies, latencies) = figures.figure(7, 8, rows=3)
    figure.suptitle(_title(generations), fontsize="medium")
    numbers = range(len(generations))
    sizes.plot(numbers, [entry.parameters / 1e3 for entry in generations], "o-")
    sizes.set(ylabel="parameters, thousands", yscale="log")
    figures.plain_numbers(sizes.yaxis)
    accuracies.plot(numbers, [100 * entry.top1 for entry in generations], "o-", label="test")
    accuracies.plot(
        numbers, [100 * entry.validation_top1 for entry in generations], "s--", label="validation"
    )
    offspring = [
        (number, 100 * child["validation_top1"])
        for number, entry in enumerate(generations)
        for child in entry.offspring
    ]
    if offspring:
        label = "validation, each offspring"
        accuracies.plot(*zip(*offspring, strict=True), ".", color=figures.GREY, label=label)
    accuracies.set(ylabel="top-1, %")
    accuracies.legend()
    latencies.plot(numbers, [entry.latency_ms for entry in generations], "o-")
    latencies.set(ylabel="float latency, ms, 1 thread", ylim=(0, None), xlabel="generation")
    names = [entry.name.removeprefix("generation_") for entry in generations]
    latencies.set_xticks(list(numbers), names, rotation=90)
    for axes in (sizes, accuracies, latencies):
        axes.grid(alpha=0.3)
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
