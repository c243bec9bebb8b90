"""Make the app with a model inside: `make apk [MODEL=path] [UPDATE_KEY=public.pem]`.

    python android_demo/tools/make_apk.py [--model=FILE] [--abis=arm64-v8a] [--update_key=FILE]

The model is checked first. A build whose sources, model, and options are those
of the APK that is there already does nothing.

Without --model the app gets the model among its assets: ImageNet.sqz (Song
Han's compressed SqueezeNet, 1,000 classes).
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import script  # noqa: E402
from sqzkit.base.errors import FormatError, RunError, UsageError  # noqa: E402
from sqzkit.coding import signing  # noqa: E402
from sqzkit.tflite import flatbuffer, metadata  # noqa: E402
from sqzkit.tflite.flatbuffer import TFLiteFile  # noqa: E402

SUFFIXES = (".tflite", ".sqz")
APP = ROOT / "android_demo"
APK = APP / "target/sqzkit.apk"
LOG = APP / "target/build.log"
KEY_VARIABLES = (
    "SQZKIT_KEYSTORE",
    "SQZKIT_KEYSTORE_PASSWORD",
    "SQZKIT_KEY_ALIAS",
    "SQZKIT_KEY_PASSWORD",
)
SHOWN_LINES = 30
TYPES = ("float32", "uint8", "int8")

_MODEL = flags.DEFINE_list("model", [], "Bundle these .tflite or .sqz files, the first in use.")
_ABIS = flags.DEFINE_string(
    "abis",
    "arm64-v8a,armeabi-v7a",
    "Processors the APK is for, comma-separated; emulators need x86_64.",
)
_UPDATE_KEY = flags.DEFINE_string(
    "update_key", None, "Take only updates signed with the private half of this key (PEM, P-256)."
)


def main(argv: Sequence[str]) -> None:
    """Check the models, then build the APK if anything changed."""
    script.reject_arguments(argv)
    models = [_checked(Path(model)) for model in _MODEL.value]
    if not models:
        print(f"bundling the app's own model: {', '.join(path.name for path in bundled())}")
    update_key = _checked_key(_UPDATE_KEY.value)
    key = fingerprint(models, _ABIS.value, update_key)
    if is_current(key):
        print("nothing changed since the last build")
    else:
        build(models, _ABIS.value, update_key)
        write_stamp(key)
    print(f"{APK}: {APK.stat().st_size:,} bytes; `make install` puts it on a phone")


def bundled() -> list[Path]:
    """Return the models that the app has if none are given, the first in use."""
    return sorted((APP / "app/src/main/assets/models").iterdir())


def _checked(model: Path) -> Path:
    if model.suffix not in SUFFIXES or not model.is_file():
        raise UsageError(f"--model={model}: must be an existing {' or '.join(SUFFIXES)} file")
    try:
        check_model(TFLiteFile(flatbuffer.load(model)))
    except FormatError as error:
        raise UsageError(f"--model={model}: the app cannot use it: {error}") from error
    return model.resolve()


def _checked_key(path: str | None) -> Path | None:
    if not path:
        return None
    signing.read_key(path, "public", "--update_key")
    return Path(path).resolve()


def check_model(model: TFLiteFile) -> None:
    """Raise `FormatError` unless a model is an image classifier as the app takes them."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise FormatError(
            f"{len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "an image classifier has one of each"
        )
    image, scores = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    if len(image.shape) != 4 or image.shape[0] != 1 or 3 not in (image.shape[3], image.shape[1]):
        raise FormatError(
            f"its input is {list(image.shape)} instead of [1, height, width, 3] "
            "or [1, 3, height, width]"
        )
    if scores.shape[-1:] != (math.prod(scores.shape),) or scores.shape[-1] < 2:
        raise FormatError(f"its output is {list(scores.shape)} instead of [1, classes]")
    for tensor in (image, scores):
        if tensor.dtype not in TYPES:
            raise FormatError(f"{tensor.name!r} is {tensor.dtype} instead of {', '.join(TYPES)}")
    described = metadata.read(model)
    if described and described.labels and len(described.labels) != scores.shape[-1]:
        raise FormatError(f"{len(described.labels)} labels for {scores.shape[-1]} classes")


def fingerprint(models: Sequence[Path], abis: str, update_key: Path | None = None) -> str:
    """Return the SHA-256 of everything that decides what is in the APK."""
    digest = hashlib.sha256(abis.encode())
    for name in KEY_VARIABLES:
        digest.update(f"{name}={os.environ.get(name, '')}\0".encode())
    keystore = Path(os.environ.get("SQZKIT_KEYSTORE", ""))
    digest.update(f"update_key={update_key}\0".encode())
    own = [path for path in (keystore, update_key) if path and path.is_file()]
    for path in [*_sources(), *models, *own]:
        digest.update(f"{path}\0{_sha256(path)}\0".encode())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for folder, folders, files in os.walk(APP):
        folders[:] = sorted(set(folders) - {"target", "test", "__pycache__"})
        yield from (Path(folder, name) for name in sorted(files))


def is_current(key: str) -> bool:
    """Return whether the APK is there as it was built from what `key` stands for."""
    try:
        stamp = json.loads(APK.with_suffix(".json").read_text())
        return bool(stamp == {"inputs": key, "apk": _sha256(APK)})
    except (OSError, ValueError):
        return False


def write_stamp(key: str) -> None:
    """Write down what the APK was built from."""
    APK.with_suffix(".json").write_text(json.dumps({"inputs": key, "apk": _sha256(APK)}))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(models: Sequence[Path], abis: str, update_key: Path | None = None) -> None:
    """Run Maven; raise `RunError` if it is missing or fails."""
    maven = shutil.which("mvn")
    if maven is None:
        raise RunError("mvn is not installed: apt install maven openjdk-17-jdk-headless")
    command = [
        maven,
        "-B",
        "-q",
        "-ntp",
        "-f",
        str(APP),
        "package",
        "-DskipTests",
        f"-Dabis={abis}",
    ]
    if models:
        command.append(f"-Dmodel={','.join(map(str, models))}")
    if update_key:
        command.append(f"-DupdateKey={update_key}")
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        done = subprocess.run(command, check=False, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        lines = LOG.read_text(errors="replace").splitlines()
        print("\n".join(lines[-SHOWN_LINES:]), file=sys.stderr)
        raise RunError(f"Maven could not build the APK; its whole output is in {LOG}")


if __name__ == "__main__":
    script.run(main)
