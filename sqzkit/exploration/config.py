"""Everything `python -m sqzkit.explore` can be told, as one frozen record. Light."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.exploration import objectives, space
from sqzkit.exploration.space import SearchSpace
from sqzkit.training.config import TrainingConfig

SAMPLERS = ("grid", "random", "tpe", "nsga2", "annealing")
# Fields that decide what a trial's result is: another value makes another study.
_IDENTITY = ("data", "objectives", "space", "training")


@dataclasses.dataclass(frozen=True)
class ExploreConfig:
    """One exploration.

    Attributes:
      study_dir: folder of the study; its trials' run folders are in it.
      storage: database URL, or None for a journal file in `study_dir`.
      study_name: name of the study within its storage.
      data: where the images come from.
      space: which networks.
      objectives: one to three names of `sqzkit.exploration.objectives`.
      sampler: one of `SAMPLERS`.
      trials: how many networks to finish, over all processes, 1 or more.
      stop_bad: whether a trial that is beaten by its like is stopped early.
      winner_drop: the winner is the cheapest network whose accuracy is at most
        this much below the best one's, share 0..1.
      preset: preset of the space, for the paper's figures beside ours.
      training: how each network is trained.
      threads: TensorFlow's threads in this process; 0 leaves it to TensorFlow.
    """

    study_dir: str
    storage: str | None = None
    study_name: str = "explore"
    data: DataSource = dataclasses.field(default_factory=DataSource)
    space: SearchSpace = dataclasses.field(default_factory=lambda: space.from_texts(space.DEFAULT))
    objectives: tuple[str, ...] = ("accuracy", "parameters")
    sampler: str = "tpe"
    trials: int = 30
    stop_bad: bool = True
    winner_drop: float = 0.01
    preset: str = "default"
    training: TrainingConfig = dataclasses.field(
        default_factory=lambda: TrainingConfig(model_dir="unused", train_epochs=8)
    )
    threads: int = 0

    def __post_init__(self) -> None:
        if not self.study_dir:
            raise UsageError("--study_dir is missing: name the folder of the study")
        if self.storage is not None and "://" not in self.storage:
            raise UsageError(
                f"--storage {self.storage!r}: must be a database URL such as "
                "postgresql://user@host/name; without it a file in --study_dir is used"
            )
        objectives.select(self.objectives)
        if self.sampler not in SAMPLERS:
            raise UsageError(f"--sampler {self.sampler!r}: must be one of {', '.join(SAMPLERS)}")
        if self.trials < 1:
            raise UsageError(f"--trials {self.trials}: must be 1 or more")
        if not 0 <= self.winner_drop <= 1:
            raise UsageError(f"--winner_drop {self.winner_drop}: must be 0..1")
        if self.threads < 0:
            raise UsageError(f"--threads {self.threads}: must be 0 or more")

    @property
    def options(self) -> Any:
        """The `FitOptions` of every trial."""
        return self.training.fit_options(self.training.train_epochs)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values, without a password."""
        return {
            "study_dir": self.study_dir,
            "storage": hide_password(self.storage),
            "study_name": self.study_name,
            "data": self.data.to_json(),
            "space": self.space.to_json(),
            "objectives": list(self.objectives),
            "sampler": self.sampler,
            "trials": self.trials,
            "stop_bad": self.stop_bad,
            "winner_drop": self.winner_drop,
            "preset": self.preset,
            "training": self.options.to_json(),
            "threads": self.threads,
        }

    def identity(self) -> dict[str, Any]:
        """Return what all processes of one study must agree on."""
        record = self.to_json()
        return {name: record[name] for name in _IDENTITY}


def hide_password(url: str | None) -> str | None:
    """Return a database URL without its password."""
    if url is None or "@" not in url:
        return url
    scheme, _, rest = url.partition("://")
    login, _, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}@{place}"
