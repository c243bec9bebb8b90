"""One process for each thing that is measured, asked in turns.

All contenders of a comparison are alive at once and take turns, so that a
machine that slows down slows all of them; each is a process, so that none has
another's threads, allocator or memory. They speak JSON, a line each way: the
settings and then "go" to the contender, its answers back.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Measure = Callable[[], Answer]
Prepare = Callable[[dict[str, Any]], tuple[Answer, Measure]]

REPOSITORY = Path(__file__).resolve().parent.parent
Clock = Callable[[], float]
_MESSAGE = 400  # characters of an error that are kept


class ContenderError(Exception):
    """A contender cannot be measured: its library is missing, refuses, or crashed."""


class Contender:
    """A running process, seen from outside.

    Attributes:
      name: what the tables call it.
      ready: what it answered when it was prepared.
    """

    def __init__(
        self, name: str, python: str, module: str, settings: Mapping[str, Any], log: Path
    ) -> None:
        """Start it and wait until it is prepared.

        Args:
          name: what the tables call it.
          python: the interpreter of the environment that it needs.
          module: to run, such as "benchmarks.peers.train_torch".
          settings: what the module's `prepare` takes; JSON-ready.
          log: file that its other output is added to.

        Raises:
          ContenderError: it cannot be prepared.
        """
        self.name = name
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        with open(log, "a", encoding="utf-8") as messages:
            self._process = subprocess.Popen(
                [python, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                env=environment,
                text=True,
            )
        self.ready = self._ask(json.dumps(settings))

    def measure(self) -> Answer:
        """Let it run once more; raise `ContenderError` if it cannot."""
        return self._ask("go")

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, line: str) -> Answer:
        try:
            self._process.stdin.write(line + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError:
            pass
        text = self._process.stdout.readline()  # type: ignore[union-attr]
        answer = json.loads(text) if text else {"error": "the process ended"}
        if "error" in answer:
            self.close()
            raise ContenderError(f"{self.name}: {answer['error']}")
        return answer


def clock(threads: int) -> Clock:
    """Return the clock to measure with, in seconds.

    One thread is measured by the processor time of the whole process: that is
    the time on the wall where nothing else runs, and other work on the machine
    does not count. Several threads may wait for each other, which counts.
    """
    return time.process_time if threads == 1 else time.perf_counter


def serve(prepare: Prepare) -> None:
    """Be a contender: prepare as told, then measure once for each "go".

    What libraries print goes to standard error: standard output is the line
    to the parent.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(what: Answer) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        ready, measure = prepare(json.loads(sys.stdin.readline()))
        answer(ready)
        for _ in sys.stdin:
            answer(measure())
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"[:_MESSAGE]})
        raise
