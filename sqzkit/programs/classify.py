"""Say what is on photographs, with a converted model.

sqzkit classify --model=runs/digits/conversions/int8_per_channel.tflite a.jpg b.png
sqzkit classify --model=model.sqz --contact_sheet=sheet.png photographs/
sqzkit classify --model=model.sqz --head=taught/taught.head photographs/
"""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sqzkit.base import assembly, files
from sqzkit.base.errors import RunError, SqzkitError, UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqzkit.reporting.contact_sheet import Answered
    from sqzkit.teaching.classifier import TaughtClassifier
    from sqzkit.tflite.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class ClassifySettings(Settings):
    """The flags of `sqzkit classify`."""

    model: str = setting(path=True, exists=True, help="The .tflite or .sqz file to ask.")
    labels_file: str | None = setting(
        None, path=True, help="Class names, one a line, instead of the model's own."
    )
    head: str | None = setting(
        None,
        path=True,
        exists=True,
        help="A .head file that sqzkit teach wrote: its classes instead of the model's own.",
    )
    own_classes: bool = setting(
        False,
        help="With --head: answer with the model's own classes where a photograph shows none of "
        "the head's.",
    )
    preprocessing: str | None = setting(
        None,
        help="Instead of what the model says: a preprocessing.json, or default (-1..1), unit "
        "(0..1), raw (0..255), caffe, torchvision. Needed for a float model without metadata.",
    )
    top_k: int = setting(5, minimum=1, help="Answers to print for each photograph.")
    contact_sheet: str | None = setting(
        None, path=True, help="Draw the photographs with their answers into this .png file too."
    )
    activation_maps: bool = setting(
        False, help="With --contact_sheet: show in red what speaks for the first answer."
    )
    overwrite: bool = setting(False, help="Replace the contact sheet if it exists.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.contact_sheet and not self.contact_sheet.endswith(".png"):
            raise UsageError(f"--contact_sheet {self.contact_sheet!r}: must end in .png")
        if self.activation_maps and (self.head or not self.contact_sheet):
            raise UsageError(
                "--activation_maps: needs --contact_sheet, and the model's own classes (no --head: "
                "the report of sqzkit teach has the maps of a head)"
            )
        if self.head and self.labels_file:
            raise UsageError("--labels_file with --head: the head has names of its own")
        if self.own_classes and not self.head:
            raise UsageError("--own_classes: without --head there are no others; name a .head file")


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Print the answers, and draw the contact sheet."""
    asked = assembly.build(ClassifySettings, given)
    if not arguments:
        raise UsageError("no photographs: name files or folders after the flags")
    if asked.contact_sheet:
        files.refuse_existing(asked.contact_sheet, asked.overwrite)
    paths = [path for argument in arguments for path in _photographs(argument)]
    # Imported here, so that --help and wrong flags answer at once.
    from sqzkit.reporting.contact_sheet import draw

    classifier = _open(asked)
    show = _map_painter(asked) if asked.activation_maps else None
    answered, unreadable = [], 0
    for path in paths:
        try:
            found = _ask(classifier, path, asked.top_k)
            answered.append(show(found) if show else found)
        except SqzkitError as error:
            # One bad photograph must not keep the answers for the others.
            print(f"error: {error}", file=sys.stderr)
            unreadable += 1
    if asked.contact_sheet and answered:
        with files.atomic_path(asked.contact_sheet) as temporary:
            draw(answered).save(temporary)
        print(f"wrote {asked.contact_sheet}")
    if unreadable:
        raise RunError(f"{unreadable} of {len(paths)} photographs could not be read")


def _photographs(argument: str) -> list[Path]:
    path = Path(argument).expanduser()
    if not path.is_dir():
        return [path]
    from sqzkit.data.tree import survey

    folder, account = survey(path)
    if account.left_out:
        print(f"{path}: {account.sentence()}", file=sys.stderr)
    if folder.is_empty:
        raise UsageError(f"{path}: no photographs in it")
    return list(folder.everything())


def _open(asked: ClassifySettings) -> "Classifier | TaughtClassifier":
    if asked.head:
        from sqzkit.teaching.classifier import TaughtClassifier

        return TaughtClassifier(
            asked.model, asked.head, asked.preprocessing, own_classes=asked.own_classes
        )
    from sqzkit.tflite import metadata
    from sqzkit.tflite.classifier import Classifier

    labels = metadata.read_labels(asked.labels_file) if asked.labels_file else None
    return Classifier(asked.model, preprocessing=asked.preprocessing, labels=labels)


def _map_painter(asked: ClassifySettings) -> "Callable[[Answered], Answered]":
    """Return what paints the class map of the first answer over a photograph."""
    from sqzkit.teaching.features import FeatureReader
    from sqzkit.teaching.page import overlay

    reader = FeatureReader(asked.model, preprocessing=asked.preprocessing)

    def paint(found: "Answered") -> "Answered":
        shares = reader.class_map(found.pixels)[..., found.predictions[0].index]
        return dataclasses.replace(found, pixels=np.asarray(overlay(found.pixels, shares)))

    return paint


def _ask(classifier: "Classifier | TaughtClassifier", path: Path, top_k: int) -> "Answered":
    from sqzkit.reporting.contact_sheet import Answered

    pixels = classifier.prepare(path)
    predictions, none = classifier.answer(pixels, top_k)
    print(f"{path}: none of these" if none else path)
    for item in predictions:
        print(f"  {item.probability:7.2%}  {item.label}")
    return Answered(path.name, pixels, predictions)


PROGRAM = cli.Program("classify", main, (ClassifySettings,), arguments="PHOTOGRAPH...")

if __name__ == "__main__":
    cli.run(PROGRAM)
