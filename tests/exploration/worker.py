"""One process of a shared study whose trials train nothing: FOLDER STORAGE TRIALS SECONDS."""

import sys
import time
from pathlib import Path

from sqzkit.base.errors import RunError
from sqzkit.exploration import loop, trial
from sqzkit.exploration.study import Study
from tests.exploration import toys


def main() -> None:
    folder, storage, trials, seconds = sys.argv[1:]

    def run_trial(experiment, candidate, judge):
        started = Path(folder) / f"{candidate.values}.{time.time_ns()}"
        started.touch()
        time.sleep(float(seconds))
        return toys.results_of(candidate)

    trial.run_trial = run_trial
    name = Path(folder).name
    config = toys.config(folder, storage=storage or None, trials=int(trials), study_name=name)
    print("ready", flush=True)
    try:
        loop.work(Study(config, toys.DATA), toys.ToyExperiment())
    except RunError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
