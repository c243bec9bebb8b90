"""Everything `python -m sqzkit.explore` can be told, as one frozen record. Light."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from sqzkit.base import assembly, settings
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, nested, setting
from sqzkit.data.source import DataSource
from sqzkit.exploration import objectives, space
from sqzkit.exploration.space import SearchSpace
from sqzkit.training.config import TrainingConfig

Sampler = Literal["grid", "random", "tpe", "nsga2", "annealing"]
DEFAULT_TRIALS = 30
# Fields that decide what a trial's result is: another value makes another study.
_IDENTITY = ("data", "objectives", "space", "training")


_VALUES = "a,b,c or lowest:highest:step"


@dataclasses.dataclass(frozen=True)
class SpaceTexts(Settings):
    """A search space as flags describe it; None: the preset's values."""

    preset: space.PresetName = setting(
        "default",
        group="Search space",
        help="Values to start from; all but 'default' are the paper's sweeps (figure 3) and its "
        "table 3.",
    )
    model: str | None = setting(None, help="Networks to start from: v1_0,v1_1,v1_2.")
    bypass: str | None = setting(None, help="Bypasses: none,simple,complex.")
    pool_after: str | None = setting(
        None,
        help="Positions of the poolings: conv1+fire3+fire5,fire3+fire5+fire8.",
        default_text="the preset's, or each network's own where it lacks those layers",
    )
    base_e: str | None = setting(None, help=f"Values: {_VALUES}.")
    incr_e: str | None = setting(None, help=f"Values: {_VALUES}.")
    freq: str | None = setting(None, help=f"Values: {_VALUES}.")
    fire_modules: str | None = setting(None, help=f"Values: {_VALUES}.")
    image_size: str | None = setting(None, help=f"Values: {_VALUES}.", unit="pixels")
    pct3x3: str | None = setting(None, help=f"Values: {_VALUES}.")
    squeeze_ratio: str | None = setting(None, help=f"Values: {_VALUES}.")

    def space(self) -> SearchSpace:
        """Return the space."""
        texts = {name: getattr(self, name) for name in space.DIMENSIONS}
        given = {name: text for name, text in texts.items() if text is not None}
        return space.from_texts({**space.preset_for(self.preset, self.model), **given})


@dataclasses.dataclass(frozen=True)
class ExploreConfig(Settings):
    """One exploration: which networks (`space`, of `preset`), and how each is trained."""

    study_dir: str = setting(
        path=True, group="Study", help="Folder of the study. A study in it is continued."
    )
    storage: str | None = setting(
        None, help="Database URL that several machines share.", default_text="a file in --study_dir"
    )
    study_name: str = setting("explore", help="Name of the study in --storage.")
    objectives: tuple[str, ...] = setting(
        ("accuracy", "parameters"),
        choices=tuple(objectives.OBJECTIVES),
        help="What to optimize: one to three of them.",
    )
    sampler: Sampler = setting(
        "tpe", help="How networks are chosen.", default_text="tpe; grid for the paper's sweeps"
    )
    trials: int = setting(
        DEFAULT_TRIALS,
        minimum=1,
        help="Networks to finish in total.",
        default_text=f"{DEFAULT_TRIALS}; with the sampler grid all of them",
    )
    stop_bad: bool = setting(
        True,
        help="Stop a trial early when its accuracy is below the median of comparable finished "
        "trials.",
    )
    winner_drop: float = setting(
        0.01,
        minimum=0,
        maximum=1,
        help="The winner is the cheapest network whose accuracy is at most this much below the "
        "best.",
    )
    threads: int = setting(0, minimum=0, help="TensorFlow's threads in this process; 0: all cores.")
    data: DataSource = nested(factory=DataSource)
    space: SearchSpace = nested(factory=lambda: SpaceTexts().space(), record=SpaceTexts)
    preset: str = "default"
    training: TrainingConfig = nested(
        factory=lambda: TrainingConfig(model_dir="unused", train_epochs=8),
        only=("train_epochs", "train_batch_size", "base_learning_rate", "augmentation", "seed"),
    )

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> "ExploreConfig":
        """Return the record of flat settings and their preset (see `settings.build`)."""
        names = {item.name for item in settings.own(SpaceTexts)}
        texts = SpaceTexts(**{name: values[name] for name in names if name in values})
        networks, sweep = texts.space(), texts.preset != "default"
        sampler = values.get("sampler", "grid" if sweep else "tpe")
        trials = values.get("trials", networks.size if sampler == "grid" else DEFAULT_TRIALS)
        stop_bad = values.get("stop_bad", True) and not sweep
        changed = {**values, "sampler": sampler, "trials": trials, "stop_bad": stop_bad}
        config = assembly.assemble(cls, changed, space=networks, preset=texts.preset)
        return dataclasses.replace(config, trials=min(config.trials, networks.size))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.training.data.refuse_inside("--study_dir", self.study_dir)
        if self.storage is not None and "://" not in self.storage:
            raise UsageError(
                f"--storage {self.storage!r}: must be a database URL such as "
                "postgresql://user@host/name; without it a file in --study_dir is used"
            )
        objectives.check(self.objectives)

    @property
    def options(self) -> Any:
        """The `FitOptions` of every trial."""
        return self.training.fit_options(self.training.train_epochs)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values; paths are absolute, no password."""
        return {
            "study_dir": settings.absolute(self.study_dir),
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
        # Machines of one study may keep the data in different places: their paths as given.
        record = {**self.to_json(), "data": dataclasses.asdict(self.data)}
        # Studies made before had the paper's ReLU after conv10: other networks.
        return {"conv10_relu": False, **{name: record[name] for name in _IDENTITY}}


def hide_password(url: str | None) -> str | None:
    """Return a database URL without its password."""
    if url is None or "@" not in url:
        return url
    scheme, _, rest = url.partition("://")
    login, _, place = rest.rpartition("@")
    return f"{scheme}://{login.partition(':')[0]}@{place}"
