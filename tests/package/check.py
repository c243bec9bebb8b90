"""Build the wheel, install it into clean environments, and use it as a stranger would.

    python tests/package/check.py [--python=3.12 ...]

Every Python from 3.10 to 3.13 that uv or pyenv knows is tried, at the versions
that requirements.txt pins. The newest installs only `sqzkit` as well, without
TensorFlow, and classifies with an archive that another environment made.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
UV = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
ARCHIVE = "run/conversions/int8_per_channel.sqz"
# One epoch of a tiny network on the embedded digits: what matters is that it runs.
MAIN_JOB = (
    "train --model_dir=run --model=tiny --train_epochs=1",
    "convert --model_dir=run --archive --max_accuracy_drop=100",
    "samples --model_dir=run",
    f"classify --model={ARCHIVE} --contact_sheet=sheet.png run/samples",
)
OTHER_JOBS = (
    f"benchmark --model={ARCHIVE} --runs=3 --warmup=1",
    f"sqz unpack {ARCHIVE} --output=again.tflite",
    "sqz pack again.tflite",
    "report --model_dir=run",
    "evolve --model_dir=run --output_dir=bred --generations=1 --population=1 --train_epochs=1 "
    "--final_epochs=0",
    "explore --study_dir=study --model=tiny --pool_after=conv1 --trials=1 --train_epochs=1",
    "compare --help",
    "net --help",
)
WITHOUT_TENSORFLOW = (
    "--help",
    "train --help",
    "teach --help",
    f"classify --model={ARCHIVE} run/samples",
    f"benchmark --model={ARCHIVE} --runs=3 --warmup=1",
    f"sqz unpack {ARCHIVE} --output=light.tflite",
    "sqz pack light.tflite",
)


def interpreters(wanted: list[str]) -> dict[str, str]:
    """Return the Python interpreters of this machine by version, oldest first."""
    found = {}
    for version in wanted:
        call = [UV, "python", "find", "--no-python-downloads", "--system", version]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
        others = sorted(pyenv.glob(f"{version}.*/bin/python"))
        if done.returncode == 0:
            found[version] = done.stdout.strip()
        elif others:
            found[version] = str(others[-1])
    return found


def run(call: list[str], folder: Path, environment: Path | None = None, code: int = 0) -> str:
    """Run `call` in `folder`; end the check with its output unless it exits with `code`."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if environment is not None:
        variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"
    done = subprocess.run(
        call, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode != code or "Traceback" in done.stderr:
        print(done.stdout, done.stderr, sep="\n")
        sys.exit(f"{' '.join(call)}: exit code {done.returncode}, expected {code}")
    return done.stdout + done.stderr


def install(python: str, environment: Path, what: str) -> None:
    """Install `what`, the wheel with its extras, into a new environment."""
    run([UV, "venv", "--quiet", "--python", python, str(environment)], TOP)
    pinned = str(TOP / "requirements.txt")
    place = ["--python", str(environment / "bin" / "python")]
    run([UV, "pip", "install", "--quiet", *place, "--constraint", pinned, what], TOP)


def use(jobs: tuple[str, ...], environment: Path, folder: Path) -> None:
    """Run the `sqzkit` jobs of an environment in `folder`."""
    program = str(environment / "bin" / "sqzkit")
    for job in jobs:
        run([program, *job.split()], folder, environment)
        print(f"  {environment.name}: sqzkit {job.split(' --')[0]}", flush=True)


def check_light(python: str, wheel: Path, folder: Path, environment: Path) -> None:
    """Check that `sqzkit` without extras classifies, and says what training needs."""
    install(python, environment, str(wheel))
    listed = run([UV, "pip", "list", "--python", str(environment / "bin" / "python")], folder)
    if "tensorflow" in listed or "keras" in listed:
        sys.exit(f"sqzkit without extras installs TensorFlow:\n{listed}")
    use(WITHOUT_TENSORFLOW, environment, folder)
    program = str(environment / "bin" / "sqzkit")
    told = run([program, "train", "--model_dir=new"], folder, environment, code=2)
    if "sqzkit[train]" not in told:
        sys.exit(f"train without its extra does not say what to install:\n{told}")


def check_full(version: str, python: str, wheel: Path, place: Path, jobs: tuple[str, ...]) -> None:
    """Check that the wheel with all extras does `jobs` on one Python."""
    folder = place / f"work-{version}"
    folder.mkdir()
    install(python, place / version, f"{wheel}[explore]")
    print(f"  {version}: installed sqzkit[explore]", flush=True)
    use(jobs, place / version, folder)


def main() -> None:
    """Check the wheel with every interpreter, two at a time: one installs while one computes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", action="append", help="only this version, such as 3.12")
    found = interpreters(parser.parse_args().python or list(VERSIONS))
    if not found:
        sys.exit("no Python from 3.10 to 3.13 was found")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run([UV, "build", "--quiet", "--out-dir", str(place / "dist"), str(TOP)], TOP)
        (wheel,) = (place / "dist").glob("*.whl")
        last = list(found)[-1]
        with ThreadPoolExecutor(2) as pool:
            checks = [
                pool.submit(
                    check_full,
                    version,
                    python,
                    wheel,
                    place,
                    MAIN_JOB + (OTHER_JOBS if version == last else ()),
                )
                for version, python in reversed(found.items())
            ]
            for check in checks:
                check.result()
        check_light(found[last], wheel, place / f"work-{last}", place / "light")
    print(f"the wheel works on Python {', '.join(found)}")


if __name__ == "__main__":
    main()
