"""Say what is on photographs, with a converted model.

python -m sqzkit.classify --model=runs/digits/conversions/int8_per_channel.tflite a.jpg b.png
python -m sqzkit.classify --model=model.sqz --contact_sheet=sheet.png photographs/
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from sqzkit.base import files
from sqzkit.base.errors import RunError, SqzkitError, UsageError
from sqzkit.programs import cli

if TYPE_CHECKING:
    from sqzkit.reporting.contact_sheet import Answered
    from sqzkit.tflite.classifier import Classifier

_MODEL = flags.DEFINE_string("model", None, "The .tflite or .sqz file to ask.")
_LABELS_FILE = flags.DEFINE_string(
    "labels_file", None, "Class names, one a line, instead of the model's own."
)
_PREPROCESSING = flags.DEFINE_string(
    "preprocessing",
    None,
    "Instead of what the model says: a preprocessing.json, or default (-1..1), unit (0..1), "
    "raw (0..255), caffe. Needed for a float model without metadata.",
)
_TOP_K = flags.DEFINE_integer("top_k", 5, "How many answers to print for each photograph.")
_CONTACT_SHEET = flags.DEFINE_string(
    "contact_sheet", None, "Draw the photographs with their answers into this .png."
)
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace the contact sheet if it exists.")


def main(argv: Sequence[str]) -> None:
    """Print the best answers for each photograph; a folder stands for all in it."""
    paths = _checked(argv[1:])
    # Imported here, so that --help and wrong flags answer at once.
    from sqzkit.reporting.contact_sheet import draw
    from sqzkit.tflite import metadata
    from sqzkit.tflite.classifier import Classifier

    labels = metadata.read_labels(_LABELS_FILE.value) if _LABELS_FILE.value else None
    classifier = Classifier(str(_MODEL.value), preprocessing=_PREPROCESSING.value, labels=labels)
    answered, unreadable = [], 0
    for path in paths:
        try:
            answered.append(_ask(classifier, path))
        except SqzkitError as error:
            # One bad photograph must not keep the answers for the others.
            print(f"error: {error}", file=sys.stderr)
            unreadable += 1
    if _CONTACT_SHEET.value and answered:
        with files.atomic_path(_CONTACT_SHEET.value) as temporary:
            draw(answered).save(temporary)
        print(f"wrote {_CONTACT_SHEET.value}")
    if unreadable:
        raise RunError(f"{unreadable} of {len(paths)} photographs could not be read")


def _checked(arguments: Sequence[str]) -> list[Path]:
    if not _MODEL.value:
        raise UsageError("--model is missing: give a .tflite or .sqz file")
    if not arguments:
        raise UsageError("no photographs: name files or folders after the flags")
    if _TOP_K.value < 1:
        raise UsageError(f"--top_k={_TOP_K.value}: must be 1 or more")
    sheet = _CONTACT_SHEET.value
    if sheet and not sheet.endswith(".png"):
        raise UsageError(f"--contact_sheet={sheet}: must end in .png")
    if sheet:
        files.refuse_existing(sheet, _OVERWRITE.value)
    return [path for argument in arguments for path in _photographs(Path(argument))]


def _photographs(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    from sqzkit.data.folder import photographs_in

    found = list(photographs_in(path))
    if not found:
        raise UsageError(f"{path}: no photographs in it")
    return found


def _ask(classifier: "Classifier", path: Path) -> "Answered":
    from sqzkit.reporting.contact_sheet import Answered

    pixels = classifier.prepare(path)
    predictions = classifier.rank(classifier.predict(pixels[None])[0], _TOP_K.value)
    print(path)
    for item in predictions:
        print(f"  {item.probability:7.2%}  {item.label}")
    return Answered(path.name, pixels, predictions)


if __name__ == "__main__":
    cli.run(main)
