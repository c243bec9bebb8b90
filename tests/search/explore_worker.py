"""One process of a shared study whose trials train nothing: FOLDER STORAGE TRIALS SECONDS."""

import sys
import time
from pathlib import Path

import explore_toys as toys

from sqzkit.errors import RunError
from sqzkit.search import explore_loop, explore_trial
from sqzkit.search.explore_study import Study


def main() -> None:
    folder, storage, trials, seconds = sys.argv[1:]

    def run_trial(bench, candidate, judge):
        started = Path(folder) / f"{candidate.values}.{time.time_ns()}"
        started.touch()
        time.sleep(float(seconds))
        return toys.results_of(candidate)

    explore_trial.run_trial = run_trial
    name = Path(folder).name
    config = toys.config(folder, storage=storage or None, trials=int(trials), study_name=name)
    print("ready", flush=True)
    try:
        explore_loop.work(Study(config, toys.DATA), toys.ToyBench())
    except RunError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
