"""The report page of a run: one HTML file that needs nothing else."""

from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.reporting import compression, figures, records, templates
from sqzkit.runs.folder import RunFolder

TEMPLATE = Path(__file__).with_name("page.html")
# How Python, NumPy, Matplotlib and the template answer values that are not what they should be.
_ODD_VALUES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def write_report(folder: RunFolder) -> Path:
    """Write `report.html` of the run from what its folder holds; return its path.

    Whatever a run does not have yet (conversions, compression) is left out.
    Raises:
      RunError: the folder's records are damaged.
    """
    try:
        page = render(folder)
    except _ODD_VALUES as error:
        raise RunError(f"{folder.path}: a record does not hold what it should: {error}") from error
    files.write_text(folder.report_path, page)
    return folder.report_path


def render(folder: RunFolder) -> str:
    """Return the report page as HTML text."""
    return templates.render(TEMPLATE, **_context(folder))


def _context(folder: RunFolder) -> dict[str, Any]:
    spec = folder.read_spec()
    evaluation = folder.read_record("evaluation")
    lines = folder.metrics()
    layers = folder.read_record("layers") or []
    converted = records.conversions(folder)
    return {
        "name": folder.path.resolve().name,
        "spec": spec,
        "preprocessing": folder.preprocessing,
        "labels": folder.labels,
        "stages": folder.finished_stages(),
        "layers": layers,
        "parameters": sum(layer["parameters"] for layer in layers),
        "evaluation": evaluation,
        "curves": [figures.curve(lines, name) for name in ("loss", "accuracy")] if lines else [],
        "confusion": evaluation and figures.confusion(evaluation["confusion"], folder.labels),
        "mistakes": records.mistakes(folder, evaluation) if evaluation else [],
        "conversions": converted,
        "sizes": figures.sizes(_size_rows(converted)) if converted else None,
        "compression": compression.render(folder),
        "commands": folder.read_record("commands") or [],
    }


def _size_rows(converted: list[records.Conversion]) -> list[tuple[str, int]]:
    rows = []
    for conversion in converted:
        rows.append((conversion.name, conversion.bytes))
        archive = conversion.record["sizes"].get("sqz")
        if archive:
            rows.append((f"{conversion.name} as .sqz", archive))
    return rows
