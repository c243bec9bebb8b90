"""Write some test images of a run as PNG files.

    sqzkit samples --model_dir=runs/mine

They are something to give to `sqzkit classify` or to the phone when the data set
is not a folder of photographs (the embedded digits, TFDS).
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqzkit import api
from sqzkit.base import assembly, files
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli
from sqzkit.runs import lock

if TYPE_CHECKING:
    from sqzkit.data.dataset import ImageDataset
    from sqzkit.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class SamplesSettings(Settings):
    """The flags of `sqzkit samples`."""

    model_dir: str = setting(path=True, help="The run folder.")
    output_dir: str | None = setting(
        None, path=True, help="Folder of the pictures.", default_text="samples/ in the run folder"
    )
    count: int = setting(10, minimum=1, help="Number of pictures; the classes in turn.")
    overwrite: bool = setting(False, help="Replace pictures that exist.")


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Write the pictures and print where they are."""
    asked = assembly.build(SamplesSettings, given)
    run = api.load_run(asked.model_dir)
    folder = Path(asked.output_dir or run.folder.path / "samples")
    dataset = run.open_data()
    with lock.hold(folder, "--output_dir"):
        written = write_samples(dataset, run.preprocessing, folder, asked.count, asked.overwrite)
    print(f"{len(written)} pictures in {folder}")


def write_samples(
    dataset: "ImageDataset",
    preprocessing: "Preprocessing",
    folder: Path,
    count: int,
    overwrite: bool = False,
) -> list[Path]:
    """Write `count` prepared test images as LABEL_INDEX.png; return their paths.

    The classes take turns; fewer are written if the split "test" has fewer. Raises `UsageError` if
    a file exists and may not be replaced.
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


PROGRAM = cli.Program("samples", main, (SamplesSettings,))

if __name__ == "__main__":
    cli.run(PROGRAM)
