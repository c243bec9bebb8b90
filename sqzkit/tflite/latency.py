"""How long one inference takes on this machine, and how much memory the model needs."""

import contextlib
import dataclasses
import multiprocessing
import os
import resource
import signal
import sys
import time
from typing import Any

import numpy as np

from sqzkit.base.errors import UnfitNetworkError
from sqzkit.tflite.classifier import Classifier

_WAIT_S = 600.0


@dataclasses.dataclass(frozen=True)
class Latency:
    """Times of one model with one number of threads.

    Attributes:
      threads: of the interpreter.
      runs: inferences measured, after warm-up.
      median_ms, p90_ms, minimum_ms: of one inference alone, without the photograph.
      memory_mib: growth of the process's peak resident memory from before the
        model was loaded.
    """

    threads: int
    runs: int
    median_ms: float
    p90_ms: float
    minimum_ms: float
    memory_mib: float


def measure(content: bytes, threads: int, runs: int, warmup: int) -> Latency:
    """Measure in a fresh process, so that no other model's memory is counted.

    Args:
      content: a `.tflite`.
      threads: of the interpreter, 1 or more.
      runs: inferences to measure, 1 or more.
      warmup: inferences before that.

    Raises:
      UnfitNetworkError: the process did not answer, or the model does not run.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, threads, runs, warmup))
    # The child never sees Ctrl-C: this process prints the one line and ends it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    try:
        # Through the pipe, not as an argument: if the child died while it read its arguments,
        # this process would block forever.
        ours.send_bytes(content)
        if not ours.poll(_WAIT_S):
            raise UnfitNetworkError(f"no result after {_WAIT_S:g} s; give fewer --runs")
        answer: Latency | str = ours.recv()
    except (EOFError, ConnectionError):
        raise UnfitNetworkError(
            "the measuring process died: the model crashes the interpreter"
        ) from None
    finally:
        process.terminate()
        process.join()
    if isinstance(answer, str):
        raise UnfitNetworkError(answer)
    return answer


def _child(asker: Any, threads: int, runs: int, warmup: int) -> None:
    answer: Latency | str
    with contextlib.suppress(EOFError, ConnectionError):  # who asked was killed
        content = asker.recv_bytes()
        try:
            answer = _measured(content, threads, runs, warmup)
        except Exception as error:
            answer = str(error)
        asker.send(answer)


def _measured(content: bytes, threads: int, runs: int, warmup: int) -> Latency:
    from ai_edge_litert.interpreter import Interpreter  # noqa: F401 - its memory is not the model's

    before = _peak_mib()
    classifier = Classifier(content, num_threads=threads)
    side = classifier.preprocessing.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    classifier.predict(pixels)
    for _ in range(warmup):
        classifier.invoke()
    times = np.empty(runs)
    for i in range(runs):
        start = time.perf_counter()
        classifier.invoke()
        times[i] = time.perf_counter() - start
    median, p90 = np.percentile(times, (50, 90)) * 1000
    return Latency(
        threads=threads,
        runs=runs,
        median_ms=float(median),
        p90_ms=float(p90),
        minimum_ms=float(times.min() * 1000),
        memory_mib=_peak_mib() - before,
    )


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def machine() -> str:
    """Return the processor's name and number of cores, as far as the system tells."""
    name = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            named = [line for line in stream if line.startswith("model name")]
            name = named[0].split(":", 1)[1].strip() if named else ""
    except OSError:
        pass
    return f"{name or os.uname().machine}, {os.cpu_count()} cores"
