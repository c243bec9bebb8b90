"""How long the programs take to answer, and train.py to its first step."""

import shutil

from benchmarks import process
from benchmarks.settings import Result, Settings

_HELP_CODE = 1  # absl's, after it has printed the help


def help_pages(settings: Settings) -> Result:
    """Time --help of the two programs, and the imports that they put off."""
    python = settings.python
    commands = {
        "python train.py --help": [python, "train.py", "--help"],
        "python convert.py --help": [python, "convert.py", "--help"],
        "python -c pass": [python, "-c", "pass"],
        "import tensorflow": [python, "-c", "import tensorflow"],
        "import tensorflow, tf_keras": [python, "-c", "import tensorflow, tf_keras"],
        "import torch": [settings.peers_python, "-c", "import torch"],
    }
    codes = (0, _HELP_CODE)
    return {"answers": process.take_turns(commands, settings.rounds, settings.log, codes)}


def first_step(settings: Settings) -> Result:
    """Time from the start of the process to the end of the first training step."""
    folder = settings.work_dir / "first_step"
    python, module = settings.python, "benchmarks.peers.first_step"
    names = {
        "train.py, digits": [python, "-m", module, "sqzkit", f"--model_dir={folder}"],
        "TensorFlow alone": [python, "-m", module, "bare"],
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(-1, settings.rounds):
        for name, command in names.items():
            shutil.rmtree(folder, ignore_errors=True)
            usage = process.run(command, settings.log)
            if number >= 0:
                found[name].append(usage.figures())
    return {"answers": found}


TASKS = {"startup/help": help_pages, "startup/first_step": first_step}
