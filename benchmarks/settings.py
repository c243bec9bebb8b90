"""What a benchmark run is told."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Result = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where things are, and how much is measured.

    Attributes:
      work_dir: for files that come and go, and for each task's figures.
      peers_python: the interpreter that has the peers; ours is the running one.
      weights_dir: where the published weights may lie; None fetches them.
      photographs: folder to calibrate on; None makes pictures up.
      rounds: how often each contender is measured.
      quick: measure little, to see that all runs.
    """

    work_dir: Path
    peers_python: str
    weights_dir: str | None = None
    photographs: str | None = None
    rounds: int = 7
    quick: bool = False

    @property
    def python(self) -> str:
        """The interpreter that has sqzkit."""
        return sys.executable

    @property
    def assets(self) -> Path:
        """Folder of the files that all contenders read."""
        return self.work_dir / "assets"

    @property
    def log(self) -> Path:
        """File of what contenders print."""
        return self.work_dir / "contenders.log"

    def folder(self, name: str) -> Path:
        """Return a folder of that name for a task's own files, made if need be."""
        path = self.work_dir / name
        path.mkdir(parents=True, exist_ok=True)
        return path


Task = Callable[[Settings], Result]
