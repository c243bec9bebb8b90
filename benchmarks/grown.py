"""Measure updates to data that grew: a class is added, or there are more photographs.

An old version is trained on a part of a folder of photographs (train/CLASS, test/CLASS), a new
one from it on all of them, and another one from the published weights alone, for comparison.
"""

import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqzkit
from benchmarks import update_peers
from sqzkit.base import files

TITLES = (
    *(
        "case",
        "moves",
        "seed",
        "whole `.sqz`",
        "update",
        "share",
        "best peer, our pair",
        "best peer, independent",
    ),
    *("old version", "new version", "retrained"),
)
EVERY = 6  # of this many training photographs, one is not in the old version of "photographs"
FEW, MORE = 20, 24  # training photographs a class of the old and of the new version of "few"
Keep = Callable[[str, str, int], bool]  # of a split, class and number


@dataclasses.dataclass(frozen=True)
class Grown:
    """Where the photographs and weights are, and how to train.

    Attributes:
      data_dir: all photographs. weights: as `--weights`. work_dir: keeps what was made.
      image_size: pixels.
    """

    data_dir: Path
    weights: str
    work_dir: Path
    image_size: int

    def rows(self, names: Sequence[str], moves: Sequence[str], seeds: int) -> Iterator[str]:
        """Yield a line of the table for each case, seed, and choice of what may move."""
        for name, seed in itertools.product(names, range(seeds)):
            keep_old, keep_new = self.cases()[name]
            anew: dict[str, Any] = {"weights": self.weights, "image_size": self.image_size}
            anew["seed"] = seed
            every = self.part(f"{name}_new", keep_new)
            retrained = self._trained(every, f"retrained_{name}_{seed}", **anew)
            old = self._trained(self.part(name, keep_old), f"old_{name}_{seed}", **anew)
            for may_move in moves:
                kind, _, share = may_move.partition(":")
                flags = {"base": _run(old), "base_moves": kind, "seed": seed}
                flags |= {"base_share": float(share)} if share else {}
                new = self._trained(every, f"{kind}{share}_{name}_{seed}", old, **flags)
                yield self._row(f"{name} | {may_move} | {seed}", old, new, retrained)

    def cases(self) -> dict[str, tuple[Keep, Keep]]:
        """Return what the old and the new version have, by case."""
        last = sorted(path.name for path in (self.data_dir / "train").iterdir())[-1]

        def first(count: int) -> Keep:
            return lambda split, label, number: split == "test" or number < count

        return {
            "class": (lambda split, label, number: label != last, _everything),
            "photographs": (
                lambda split, label, number: split == "test" or number % EVERY < EVERY - 1,
                _everything,
            ),
            "few": (first(FEW), first(MORE)),
        }

    def _row(
        self,
        name: str,
        old: sqzkit.ConvertedModel,
        new: sqzkit.ConvertedModel,
        retrained: sqzkit.ConvertedModel,
    ) -> str:
        before, after, other = (files.read_bytes(m.path, 1 << 28) for m in (old, new, retrained))
        measured = json.loads((_run(new) / "base.json").read_text())
        whole, update = new.sizes["sqz"], new.sizes["update"]
        accuracies = measured["top1"], new.converted_top1, retrained.converted_top1
        cells = [
            *(name, f"{whole:,}", f"{update:,}", f"{update / whole:.2%}"),
            *(f"{update_peers.best(before, pair):,}" for pair in (after, other)),
            *("-" if top1 is None else f"{top1:.2%}" for top1 in accuracies),
        ]
        return f"| {' | '.join(cells)} |"

    def _trained(
        self, data: Path, name: str, older: sqzkit.ConvertedModel | None = None, **flags: Any
    ) -> sqzkit.ConvertedModel:
        run = sqzkit.train(data, model_dir=self.work_dir / name, **flags)
        return sqzkit.convert(run, archive=True, base=older)

    def part(self, name: str, keep: Keep) -> Path:
        """Return a folder of the photographs that `keep` chooses."""
        folder = self.work_dir / "data" / name
        for split in ("train", "test"):
            for label in sorted(path.name for path in (self.data_dir / split).iterdir()):
                photographs = sorted((self.data_dir / split / label).iterdir())
                for number, photograph in enumerate(photographs):
                    target = folder / split / label / photograph.name
                    if keep(split, label, number) and not target.exists():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(photograph, target)
        return folder


def _everything(split: str, label: str, number: int) -> bool:
    return True


def _run(made: sqzkit.ConvertedModel) -> Path:
    """Return the run folder of a file in it."""
    return made.path.parent.parent
