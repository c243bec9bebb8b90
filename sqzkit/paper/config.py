"""What `python -m sqzkit.compare` is told to do; light, so that flags may import it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, nested, setting
from sqzkit.data.source import DataSource
from sqzkit.models.spec import ModelName

TITLES: Mapping[str, str] = {
    "alexnet": "AlexNet",
    "svd": "AlexNet, SVD of its dense layers",
    "pruned": "AlexNet, pruned",
    "alexnet_dc": "AlexNet, Deep Compression",
    "squeezenet": "SqueezeNet",
    "squeezenet_dc8": "SqueezeNet, Deep Compression, 8 bit",
    "squeezenet_dc6": "SqueezeNet, Deep Compression, 6 bit",
    "evolved": "SqueezeNet, evolved",
    "evolved_dc": "SqueezeNet, evolved, Deep Compression",
}
ROWS = tuple(TITLES)
NEEDS: Mapping[str, tuple[str, ...]] = {
    "alexnet": (),
    "svd": ("alexnet",),
    "pruned": ("alexnet",),
    "alexnet_dc": ("alexnet", "pruned"),
    "squeezenet": ("alexnet",),
    "squeezenet_dc8": ("alexnet", "squeezenet"),
    "squeezenet_dc6": ("alexnet", "squeezenet"),
    "evolved": ("alexnet", "squeezenet"),
    "evolved_dc": ("alexnet", "squeezenet", "evolved"),
}
MAX_SVD_RATIO = 9  # the convolutions and fc8, which SVD leaves alone, are a ninth of AlexNet


def _effort(full: float, quick: float, **details: Any) -> Any:
    """Return a field with the default of a full comparison; `QUICK` has the other."""
    field = setting(full, **{"minimum": 1, **details}, default_text=f"{full}; --quick: {quick}")
    metadata = {**field.metadata, "quick": quick}
    return dataclasses.field(default=full, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Effort(Settings):
    """How long everything is trained."""

    alexnet_epochs: int = _effort(30, 4, group="Effort", help="AlexNet, from scratch.")
    svd_epochs: int = _effort(4, 1, help="AlexNet, after SVD of its dense layers.")
    pruned_epochs: int = _effort(8, 1, help="AlexNet, after pruning.")
    shared_epochs: int = _effort(4, 1, help="AlexNet, with shared values.")
    train_epochs: int = _effort(30, 12, help="SqueezeNet, from scratch.")
    prune_epochs: int = _effort(40, 4, help="Stage prune of SqueezeNet.")
    cluster_epochs: int = _effort(8, 1, help="Stage cluster of SqueezeNet.")
    quantize_epochs: int = _effort(6, 1, help="Stage quantize of SqueezeNet.")
    generations: int = _effort(15, 5, help="Generations of the evolution.")
    population: int = _effort(2, 1, help="Offspring of a generation.")
    environment: float = _effort(
        0.92,
        0.85,
        minimum=None,
        above=0,
        maximum=1,
        help="Share of channels that survives a generation.",
    )
    offspring_epochs: int = _effort(2, 1, help="Training of each offspring.")
    final_epochs: int = _effort(20, 6, minimum=0, help="Further training of the last generation.")
    test_examples: int = _effort(0, 1000, minimum=0, help="Test images to measure on; 0: all.")


@dataclasses.dataclass(frozen=True)
class EffortSettings(Effort):
    """`Effort`, and which of two efforts its fields change."""

    quick: bool = setting(False, help="Train everything just long enough for a table.")


FULL = Effort()
QUICK = Effort(**{field.name: field.metadata["quick"] for field in dataclasses.fields(Effort)})


@dataclasses.dataclass(frozen=True)
class PaperSize:
    """The networks whose bytes are compared with the paper's: ImageNet's classes, 227 pixels.

    `fc_units` are the units of AlexNet's fc6 and fc7.
    """

    classes: int = 1000
    image_size: int = 227
    fc_units: int = 4096


@dataclasses.dataclass(frozen=True)
class CompareConfig(Settings):
    """One comparison.

    `data` are those of `model_dir` where one is given; an `svd_energy` of None is the largest with
    which the file is `svd_ratio` times smaller.
    """

    output_dir: str = setting(
        path=True,
        group="Comparison",
        help="Folder of the comparison. An unfinished one in it is resumed.",
    )
    rows: tuple[str, ...] = setting(
        ROWS,
        choices=ROWS,
        help="Rows of the table; what they need is made too.",
        default_text="all",
    )
    model_dir: str | None = setting(
        None,
        path=True,
        help="Run of a trained SqueezeNet to take, with its data.",
        default_text="train one",
    )
    evolved_dir: str | None = setting(
        None, path=True, help="Run of an evolved network to take.", default_text="evolve one"
    )
    model: ModelName = setting("v1_1", help="The SqueezeNet to train.")
    svd_energy: float | None = setting(
        None,
        above=0,
        maximum=1,
        help="Share of the energy that fc6 and fc7 keep.",
        default_text="by --svd_ratio",
    )
    svd_ratio: float = setting(
        5.0, above=1, maximum=MAX_SVD_RATIO, help="How many times smaller SVD makes AlexNet."
    )
    seed: int = setting(1, minimum=0, help="Seed of weights, order, augmentation and inheritance.")
    data: DataSource = nested(factory=DataSource)
    effort: Effort = nested(FULL, record=EffortSettings)
    paper: PaperSize = PaperSize()

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> "CompareConfig":
        """Return the record of flat settings (see `settings.build`)."""
        given = {name: values[name] for name in assembly.flat(Effort) if name in values}
        effort = assembly.assemble_from(QUICK if values.get("quick") else FULL, given)
        return assembly.assemble(cls, values, effort=effort)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data.refuse_inside("--output_dir", self.output_dir)
        if not self.rows:
            raise UsageError(f"--rows is empty: name some of {', '.join(ROWS)}")
        if self.model_dir is not None and self.data != DataSource():
            raise UsageError(
                f"--model_dir {self.model_dir}: brings its own data; leave --data_dir and "
                "--tfds_name out"
            )

    def rows_to_make(self) -> list[str]:
        """Return the rows and all they are made from, in the table's order.

        AlexNet is always among them: every size is set in ratio to its.
        """
        wanted = {need for row in self.rows for need in (*NEEDS[row], row)}
        return [row for row in ROWS if row in wanted]

    def identity(self) -> dict[str, Any]:
        """Return what must stay the same for a comparison to go on: all but which rows."""
        record = self.to_json()
        for name in ("output_dir", "rows"):
            del record[name]
        return record

    def command(self) -> str:
        """Return the command line that gives this configuration."""
        values, known = assembly.given(self), assembly.flat(type(self))
        names = assembly.flat(Effort)
        efforts = {name: getattr(self.effort, name) for name in names}
        changed = {name: size for name, size in efforts.items() if size != getattr(QUICK, name)}
        if len(changed) < len(values.keys() & names.keys()):
            kept = {name: value for name, value in values.items() if name not in names}
            values = {**kept, "quick": True, **changed}
        return assembly.command("compare", known, values)
