"""Run all tests of the app: `make android-test`.

    python android_demo/tools/run_tests.py

Where the shared data folder is (SQZKIT_SHARED, or ../shared), the ImageNet
model's answers on 100 photographs are compared with Python's; elsewhere that
comparison is left out.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parents[1]
sys.path[:0] = [str(TOOLS), str(ROOT)]

import make_apk  # noqa: E402

from benchmarks import script  # noqa: E402
from sqzkit.base.errors import RunError  # noqa: E402


def main(argv: Sequence[str]) -> None:
    """Make model and answers, then let Maven build and test everything."""
    script.reject_arguments(argv)
    command = ["mvn", "-B", "-ntp", "-f", str(ROOT / "android_demo"), "package"]
    shared = Path(os.environ.get("SQZKIT_SHARED", ROOT.parent / "shared"))
    photographs = shared / "data/imagenet_samples"
    if photographs.is_dir():
        answers = ROOT / "build/apk/answers"
        write_answers(make_apk.bundled()[0], photographs, answers)
        command.append(f"-Dsqzkit.expected={answers}")
    if subprocess.run(command, check=False).returncode != 0:
        raise RunError("tests of the app fail; android_demo/*/target/surefire-reports says which")


def write_answers(model: Path, photographs: Path, out: Path) -> None:
    """Write down what Python's LiteRT says about the photographs."""
    program = ROOT / "tests/android/expected_answers.py"
    command = [sys.executable, str(program), str(model), str(photographs), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise RunError("Python's answers could not be written; what went wrong is above")


if __name__ == "__main__":
    script.run(main)
