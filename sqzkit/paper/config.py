"""What `python -m sqzkit.compare` is told to do; light, so that flags may import it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource

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
HIGHEST_SVD_RATIO = 9
MODELS = ("v1_0", "v1_1", "tiny")


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long everything is trained.

    Attributes:
      alexnet_epochs: of AlexNet, from scratch.
      svd_epochs, pruned_epochs, shared_epochs: of AlexNet after its dense
        layers were cut, after pruning, and with shared values.
      train_epochs: of SqueezeNet, from scratch.
      prune_epochs, cluster_epochs, quantize_epochs: of its Deep Compression.
      generations, population, environment, offspring_epochs, final_epochs: of
        its evolution (`EvolveConfig`).
      test_examples: test images that are looked at; 0: all.
    """

    alexnet_epochs: int = 30
    svd_epochs: int = 4
    pruned_epochs: int = 8
    shared_epochs: int = 4
    train_epochs: int = 30
    prune_epochs: int = 40
    cluster_epochs: int = 8
    quantize_epochs: int = 6
    generations: int = 15
    population: int = 2
    environment: float = 0.92
    offspring_epochs: int = 2
    final_epochs: int = 20
    test_examples: int = 0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            least = 0 if name in ("final_epochs", "test_examples") else 1
            if name != "environment" and value < least:
                raise UsageError(f"--{name} {value}: must be {least} or more")


FULL = Effort()
QUICK = Effort(
    alexnet_epochs=4,
    svd_epochs=1,
    pruned_epochs=1,
    shared_epochs=1,
    train_epochs=12,
    prune_epochs=4,
    cluster_epochs=1,
    quantize_epochs=1,
    generations=5,
    population=1,
    environment=0.85,
    offspring_epochs=1,
    final_epochs=6,
    test_examples=1000,
)


@dataclasses.dataclass(frozen=True)
class PaperSize:
    """The networks whose bytes are compared with the paper's.

    Attributes:
      classes: of ImageNet. image_size: of the published networks, pixels.
      fc_units: units of AlexNet's fc6 and fc7.
    """

    classes: int = 1000
    image_size: int = 227
    fc_units: int = 4096


@dataclasses.dataclass(frozen=True)
class CompareConfig:
    """One comparison.

    Attributes:
      output_dir: where everything goes.
      data: what is learned; that of `model_dir` where one is given.
      rows: which of `ROWS`; what they are made from is made, too.
      model_dir: run of a trained SqueezeNet to take, or None: train one.
      evolved_dir: run of an evolved network to take, or None: evolve one.
      model: which SqueezeNet is trained: "v1_0", "v1_1" or "tiny".
      effort: how long everything is trained.
      svd_energy: share of the energy fc6 and fc7 keep, above 0 and at most 1;
        None: the largest with which the file is `svd_ratio` times smaller.
      svd_ratio: that ratio, above 1 and at most 9; the paper's is 5.
      seed: of everything, 0 or more.
      paper: the networks the paper's bytes are compared with.
    """

    output_dir: str
    data: DataSource = dataclasses.field(default_factory=DataSource)
    rows: tuple[str, ...] = ROWS
    model_dir: str | None = None
    evolved_dir: str | None = None
    model: str = "v1_1"
    effort: Effort = FULL
    svd_energy: float | None = None
    svd_ratio: float = 5.0
    seed: int = 1
    paper: PaperSize = PaperSize()

    def __post_init__(self) -> None:
        if not self.output_dir:
            raise UsageError("--output_dir is missing: name the folder of the comparison")
        for row in self.rows:
            if row not in ROWS:
                raise UsageError(f"--rows {row!r}: must be among {', '.join(ROWS)}")
        if not self.rows:
            raise UsageError(f"--rows is empty: name some of {', '.join(ROWS)}")
        if self.model not in MODELS:
            raise UsageError(f"--model {self.model!r}: must be one of {', '.join(MODELS)}")
        if self.svd_energy is not None and not 0 < self.svd_energy <= 1:
            raise UsageError(f"--svd_energy {self.svd_energy}: must be above 0 and at most 1")
        if not 1 < self.svd_ratio <= HIGHEST_SVD_RATIO:
            raise UsageError(
                f"--svd_ratio {self.svd_ratio}: must be above 1 and at most {HIGHEST_SVD_RATIO}; "
                "the convolutions and fc8, which SVD leaves alone, are a ninth of AlexNet"
            )
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: must be 0 or more")
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

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """Return what must stay the same for a comparison to go on: all but which rows."""
        record = self.to_json()
        for name in ("output_dir", "rows"):
            del record[name]
        return record
