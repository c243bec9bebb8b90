"""Measure sqzkit and other programs side by side, and write RESULTS.md.

    make benchmark
    python -m benchmarks.run --only=training,inference/int8 --weights_dir=DIR --photographs=DIR

Each part's figures are kept in --work_dir: a call that was interrupted goes on
with the parts that are missing. Give the machine's cores to nothing else.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from benchmarks import measuring, report, script
from benchmarks.settings import Settings
from sqzkit.base.errors import UsageError

_ONLY = flags.DEFINE_list("only", None, "Parts to measure, by the beginnings of their names.")
_AGAIN = flags.DEFINE_boolean("again", False, "Measure parts anew whose figures are there.")
_WORK_DIR = flags.DEFINE_string("work_dir", "build/benchmarks", "Folder for what is kept.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "benchmarks", "Folder of RESULTS.md, plots.")
_PEERS_PYTHON = flags.DEFINE_string(
    "peers_python", "benchmarks/.venv/bin/python", "Interpreter that has requirements.txt."
)
_WEIGHTS_DIR = flags.DEFINE_string("weights_dir", None, "Folder that may hold the weights.")
_PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder to calibrate on; else made up.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "How often each contender is measured.", 1)
_QUICK = flags.DEFINE_boolean("quick", False, "Measure once, to see that everything runs.")


def main(argv: Sequence[str]) -> None:
    """Measure, and write the report of all that was ever measured in the folder."""
    script.reject_arguments(argv)
    names = measuring.chosen(_ONLY.value)
    python = shutil.which(_PEERS_PYTHON.value)
    if python is None:
        raise UsageError(f"--peers_python {_PEERS_PYTHON.value}: is not there; run make benchmark")
    settings = Settings(
        work_dir=Path(_WORK_DIR.value).resolve(),
        peers_python=str(Path(python).absolute()),  # resolved, it would leave its environment
        weights_dir=_WEIGHTS_DIR.value,
        photographs=_PHOTOGRAPHS.value,
        rounds=1 if _QUICK.value else _ROUNDS.value,
        quick=_QUICK.value,
    )
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    measuring.make_assets(settings)
    measuring.measure(settings, names, _AGAIN.value)
    print(f"wrote {report.write(measuring.collected(settings), Path(_RESULTS_DIR.value))}")


if __name__ == "__main__":
    script.run(main)
