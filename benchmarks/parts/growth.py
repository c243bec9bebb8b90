"""How time and memory grow when one thing is ten times as much."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from benchmarks import process
from benchmarks.settings import Result, Settings, Task

ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Scale:
    """The size of one probe.

    Attributes:
      images, classes: of the folder; shared out evenly.
      side: of the network's input, pixels.
      base_e: width of v1.1; its own is 128.
      photograph: side of the JPEG photographs, pixels.
    """

    images: int = 600
    classes: int = 10
    side: int = 64
    base_e: int = 40
    photograph: int = 128


BASE = Scale()
# 10 times the pixels is sqrt(10) times the side; a network's parameters grow as its width squared.
GROWN = {
    "images": dataclasses.replace(BASE, images=10 * BASE.images),
    "pixels": dataclasses.replace(BASE, side=202, photograph=405),
    "classes": dataclasses.replace(BASE, classes=100),
    "parameters": dataclasses.replace(BASE, base_e=128),
}


def write_photographs(scale: Scale, folder: Path) -> Path:
    """Return a folder of JPEG files of that scale below `folder`, made unless it is there."""
    from PIL import Image

    target = folder / f"{scale.images}_{scale.classes}_{scale.photograph}"
    done = target.with_suffix(".done")
    if done.exists():
        return target
    random = np.random.default_rng(0)
    for index in range(scale.images):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        size = (scale.photograph, scale.photograph)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        path = target / f"{index % scale.classes:03}" / f"{index:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=92)
    done.touch()
    return target


def measure(settings: Settings, name: str) -> Result:
    """Return the base's and the grown probe's figures, taken in turns."""
    scales = {"base": BASE, "grown": GROWN[name]}
    commands = {
        which: _command(settings, scale, write_photographs(scale, settings.folder("growth")))
        for which, scale in scales.items()
    }
    found: dict[str, list[Result]] = {which: [] for which in scales}
    for _ in range(1 if settings.quick else ROUNDS):
        for which, command in commands.items():
            usage = process.run(command, settings.log)
            answer = json.loads(usage.output.splitlines()[-1])
            found[which].append({**answer, **usage.figures()})
    told = {which: dataclasses.asdict(scale) for which, scale in scales.items()}
    return {"grown": name, "scales": told, "answers": found}


def _command(settings: Settings, scale: Scale, photographs: Path) -> process.Command:
    return [
        settings.python,
        "-m",
        "benchmarks.peers.growth_probe",
        f"--photographs={photographs}",
        f"--image_size={scale.side}",
        f"--base_e={scale.base_e}",
    ]


def _task(name: str) -> Task:
    return lambda settings: measure(settings, name)


TASKS = {f"growth/{name}": _task(name) for name in GROWN}
