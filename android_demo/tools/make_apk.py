"""Make the app with a model inside: `make apk [MODEL=path]`.

    python android_demo/tools/make_apk.py [--model=FILE] [--photographs=DIR] [--abis=arm64-v8a]

Without --model the app gets Song Han's compressed SqueezeNet (1,000 ImageNet
classes) as int8, where photographs to calibrate it on are at hand: --photographs
or the shared data folder. Without those it gets the small digits model that
lies among the app's assets.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import script  # noqa: E402
from sqzkit.base.errors import RunError, UsageError  # noqa: E402

SUFFIXES = (".tflite", ".sqz")
WEIGHTS = "deep_compression"
APK = ROOT / "android_demo/target/sqzkit.apk"

_MODEL = flags.DEFINE_list("model", [], "Bundle these .tflite or .sqz files, the first in use.")
_PHOTOGRAPHS = flags.DEFINE_string(
    "photographs", None, "Folder of photographs to calibrate the ImageNet model on."
)
_ABIS = flags.DEFINE_string(
    "abis", "arm64-v8a,armeabi-v7a,x86_64", "Processors the APK is for, comma-separated."
)


def main(argv: Sequence[str]) -> None:
    """Find or make the model, then build the APK."""
    script.reject_arguments(argv)
    models = [_checked(Path(model)) for model in _MODEL.value]
    if not models:
        made = imagenet_model(_photographs(_PHOTOGRAPHS.value))
        models = [made] if made else []
        print(f"bundling {models[0].name if models else 'the digits model of the assets'}")
    build(models, _ABIS.value)
    print(f"{APK}: {APK.stat().st_size:,} bytes; `make install` puts it on a phone")


def _checked(model: Path) -> Path:
    if model.suffix not in SUFFIXES or not model.is_file():
        raise UsageError(f"--model={model}: must be an existing {' or '.join(SUFFIXES)} file")
    return model.resolve()


def _photographs(given: str | None) -> Path | None:
    if given:
        if not Path(given).is_dir():
            raise UsageError(f"--photographs={given}: no such folder")
        return Path(given)
    folder = shared() / "data/imagenet_samples"
    return folder if folder.is_dir() else None


def shared() -> Path:
    """Return where the shared data would be; it need not be there."""
    return Path(os.environ.get("SQZKIT_SHARED", ROOT.parent / "shared"))


def imagenet_model(photographs: Path | None) -> Path | None:
    """Return the archive of the ImageNet model, or None where it cannot be made."""
    if photographs is None:
        return None
    output = ROOT / "build/apk/squeezenet_v1_0.tflite"
    archive = output.with_suffix(".sqz")
    if archive.exists():
        return archive
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        str(ROOT / "convert.py"),
        f"--weights={WEIGHTS}",
        f"--output_file={output}",
        f"--representative_dataset_dir={photographs}",
        "--archive",
        "--overwrite",
    ]
    if (shared() / "weights").is_dir():
        command.append(f"--weights_dir={shared() / 'weights'}")
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        print("the ImageNet model cannot be had here (see above)", file=sys.stderr)
        return None
    return archive


def build(models: list[Path], abis: str) -> None:
    """Run Maven; raise `RunError` if it is missing or fails."""
    maven = shutil.which("mvn")
    if maven is None:
        raise RunError("mvn is not installed: apt install maven openjdk-17-jdk-headless")
    command = [maven, "-B", "-q", "-ntp", "-f", str(ROOT / "android_demo"), "package"]
    command += ["-DskipTests", f"-Dabis={abis}"]
    if models:
        command.append(f"-Dmodel={','.join(map(str, models))}")
    if subprocess.run(command, check=False).returncode != 0:
        raise RunError("Maven could not build the APK; what it says is above")


if __name__ == "__main__":
    script.run(main)
