"""`python -m sqzkit.samples`: write some test images of a run as PNG files.

They are what one gives to `python -m sqzkit.classify` or to the phone when the
data set does not lie about as photographs (the embedded digits, TFDS).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from sqzkit.base import files
from sqzkit.base.errors import UsageError
from sqzkit.programs import cli

if TYPE_CHECKING:
    from sqzkit.data.dataset import ImageDataset
    from sqzkit.preprocessing import Preprocessing

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The run folder.", required=True)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Where the pictures go; default: samples/ in the run folder."
)
_COUNT = flags.DEFINE_integer("count", 10, "How many pictures, the classes in turn.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace pictures that are there.")


def main(argv: Sequence[str]) -> None:
    """Write the pictures and say where they are."""
    cli.reject_arguments(argv)
    if _COUNT.value < 1:
        raise UsageError(f"--count {_COUNT.value}: must be 1 or more")
    cli.load_tensorflow()
    from sqzkit.runs.loading import load_run

    run = load_run(_MODEL_DIR.value)
    folder = Path(_OUTPUT_DIR.value or run.folder.path / "samples")
    dataset = run.open_data()
    written = write_samples(dataset, run.preprocessing, folder, _COUNT.value, _OVERWRITE.value)
    print(f"{len(written)} pictures in {folder}")


def write_samples(
    dataset: "ImageDataset",
    preprocessing: "Preprocessing",
    folder: Path,
    count: int,
    overwrite: bool = False,
) -> list[Path]:
    """Write test images, prepared for the network, as LABEL_INDEX.png.

    Args:
      dataset: its split "test" is taken, the classes in turn, in order.
      preprocessing: decides size and crop.
      folder: made if absent.
      count: how many, fewer if the split has fewer.
      overwrite: whether to replace files that are there.

    Returns:
      the files' paths.

    Raises:
      UsageError: a file exists and may not be replaced.
    """
    from PIL import Image

    examples = dataset.split("test").examples
    by_class: list[list[int]] = [[] for _ in dataset.labels]
    for index, example in enumerate(examples):
        by_class[example.label].append(index)
    rounds = max(len(indices) for indices in by_class)
    in_turn = [ids[turn] for turn in range(rounds) for ids in by_class if turn < len(ids)]
    written = []
    for index in in_turn[:count]:
        label = "".join(c if c.isalnum() else "_" for c in dataset.labels[examples[index].label])
        path = folder / f"{label}_{index:05d}.png"
        files.refuse_existing(path, overwrite)
        with files.atomic_path(path) as temporary:
            Image.fromarray(examples[index].load(preprocessing)).save(temporary)
        written.append(path)
    return written


if __name__ == "__main__":
    cli.run(main)
