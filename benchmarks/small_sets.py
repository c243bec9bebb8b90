"""What the benchmarks of small sets share: their data, and the results that are kept."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.source import DataSource


class Results(list[dict[str, Any]]):
    """Results, one line of results.jsonl each: an interrupted benchmark finds them again."""

    def __init__(self, work_dir: Path) -> None:
        work_dir.mkdir(parents=True, exist_ok=True)
        self.path = work_dir / "results.jsonl"
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        super().__init__(json.loads(line) for line in text.splitlines())

    def keep(self, result: dict[str, Any]) -> None:
        """Add a result, in the file too."""
        self.append(result)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(result) + "\n")


def add_data_flags(add: Callable[..., Any]) -> None:
    """Define the flags that `open_data` reads, but for --test_images, and those of the weights."""
    add("--data_dir", help="folder of photographs that has a test part")
    add("--tfds_name", help="TFDS data set instead")
    add("--tfds_data_dir", help="folder in which TFDS keeps data sets")
    add("--weights", required=True, help="as of `sqzkit train`")


def open_data(options: argparse.Namespace) -> ImageDataset:
    """Return the data set that the flags name, with at most `test_images` to test on.

    A folder's images lie class by class: those to test on are taken at equal distances.
    """
    from sqzkit.data.open import open_dataset

    source = DataSource(options.data_dir, options.tfds_name, tfds_data_dir=options.tfds_data_dir)
    dataset = open_dataset(source)
    examples = dataset.split("test").examples
    count = min(options.test_images, len(examples))
    kept = tuple(examples[i * len(examples) // count] for i in range(count))
    dataset.splits["test"] = Split(kept)
    return dataset
