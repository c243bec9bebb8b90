"""What must hold of every file that a program leaves, whenever it was ended."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import optuna
from PIL import Image

from sqzkit.base import files
from sqzkit.coding import sqz
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.study import make_storage
from sqzkit.tflite.flatbuffer import TFLiteFile

# Times, and who measured them: what two undisturbed runs do not share either.
VOLATILE = {"seconds", "train_seconds", "images_per_second", "latency_ms", "worker", "alive"}
HTML_END = "</html>"


def check(folder: Path) -> None:
    """Raise AssertionError naming the first artefact that is not whole."""
    for path in _artefacts(folder):
        try:
            _READERS.get(path.suffix, _ignore)(path)
        except Exception as error:
            raise AssertionError(f"{path.relative_to(folder)} is not whole: {error!r}") from error
        if path.name == "stages.json":
            _check_stages(path)
        if path.name.endswith(".tflite.json"):
            _check_conversion(path)
        if path.name == "evaluation.json":
            for mistake in json.loads(path.read_text())["mistakes"]:
                assert (path.parent / mistake["picture"]).exists(), mistake


def snapshot(folder: Path) -> dict[str, Any]:
    """Return what the program made, comparable with `==`: content by relative path.

    Weights are compared bit for bit, records without their times; pages and plots
    that show times, only by being there.
    """
    return {
        str(path.relative_to(folder)): _READERS.get(path.suffix, _ignore)(path)
        for path in _artefacts(folder)
    }


def unfinished(folder: Path) -> list[str]:
    """Return the hidden files and folders: temporary ones that were left."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".*")]


def finished_trials(journal: Path) -> dict[str, Any]:
    """Return the lasting results of a study's finished trials by their network."""
    storage = make_storage(ExploreConfig(study_dir=str(journal.parent)))
    found: dict[str, Any] = {}
    for study in optuna.get_all_study_names(storage):
        for trial in optuna.load_study(study_name=study, storage=storage).trials:
            if trial.state == optuna.trial.TrialState.COMPLETE:
                key = trial.user_attrs["key"]
                assert key not in found, f"{key} was finished twice"
                found[key] = _lasting(trial.user_attrs)
    return found


def _artefacts(folder: Path) -> list[Path]:
    """Return the files that are no temporary ones: no part of their path is hidden."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [p for p in paths if not any(n.startswith(".") for n in p.relative_to(folder).parts)]


def _check_stages(path: Path) -> None:
    for entry in json.loads(path.read_text()):
        weights = path.parent / f"{entry['stage']}.weights.h5"
        assert files.sha256(weights) == entry["weights_sha256"], weights


def _check_conversion(path: Path) -> None:
    model = path.with_suffix("")
    if not model.exists():  # put in place after its record
        return
    record = json.loads(path.read_text())
    assert files.sha256(model) == record["sha256"], model
    if "sqz" in record["sizes"]:
        assert sqz.unpack(model.with_suffix(".sqz").read_bytes()) == model.read_bytes()


def _json(path: Path) -> Any:
    return _lasting(json.loads(path.read_text()))


def _json_lines(path: Path) -> list[Any]:
    lines = path.read_text().split("\n")
    return [_lasting(json.loads(line)) for line in lines[:-1]]  # a torn last one is allowed


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _hdf5(path: Path) -> dict[str, str]:
    arrays: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = hashlib.sha256(item[()].tobytes()).hexdigest()

    with h5py.File(path) as store:
        store.visititems(visit)
    assert arrays
    return arrays


def _checkpoint(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    with np.load(path, allow_pickle=False) as arrays:
        json.loads(arrays["record"].tobytes())
    return names


def _picture(path: Path) -> Any:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.load()
        return hashlib.sha256(image.tobytes()).hexdigest() if image.width < 100 else "plot"


def _page(path: Path) -> str:
    assert path.read_text().rstrip().endswith(HTML_END)
    return "page"


def _text(path: Path) -> str:
    text = path.read_text()
    assert text.endswith("\n")
    return text


def _tflite(path: Path) -> str:
    TFLiteFile(path.read_bytes()).operator_counts()
    return files.sha256(path)


def _archive(path: Path) -> str:
    sqz.unpack(path.read_bytes())
    return files.sha256(path)


def _ignore(path: Path) -> str:
    return "there"


_READERS = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".h5": _hdf5,
    ".npz": _checkpoint,
    ".png": _picture,
    ".html": _page,
    ".csv": _text,
    ".md": _text,
    ".txt": _text,
    ".tflite": _tflite,
    ".sqz": _archive,
    ".journal": finished_trials,
}
