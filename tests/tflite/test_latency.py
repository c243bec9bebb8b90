import os
from types import SimpleNamespace

import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.tflite import latency


def test_a_measurement_is_of_the_model(converted):
    found = latency.measure(converted["int8"], threads=1, runs=5, warmup=1)
    assert (found.threads, found.runs) == (1, 5)
    assert 0 < found.minimum_ms <= found.median_ms <= found.p90_ms


def test_a_model_that_does_not_run_is_an_error_here():
    with pytest.raises(RunError, match="neither a .tflite model nor a .sqz"):
        latency.measure(b"no model at all", threads=1, runs=1, warmup=0)


def test_a_process_that_never_answers_is_given_up(converted, monkeypatch):
    monkeypatch.setattr(latency, "_WAIT_S", 0.01)
    with pytest.raises(RunError, match=r"no result after 0\.01 s"):
        latency.measure(converted["int8"], threads=1, runs=1, warmup=0)


def _die(*arguments):
    os._exit(1)


def test_a_process_that_dies_before_it_reads_a_large_model_is_an_error(monkeypatch):
    monkeypatch.setattr(latency, "_child", _die)
    with pytest.raises(RunError, match="the measuring process died"):
        latency.measure(bytes(10_000_000), threads=1, runs=1, warmup=0)


def test_the_machine_has_cores():
    assert latency.machine().endswith(" cores")


def test_the_warm_up_is_not_measured(monkeypatch):
    """Of an interpreter whose first three runs are slow, on a clock of its own."""
    clock, calls = [0.0], []

    class Slow:
        preprocessing = SimpleNamespace(image_size=32)

        def __init__(self, content, num_threads):
            assert (content, num_threads) == (b"model", 2)

        def predict(self, pixels):
            assert pixels.shape == (1, 32, 32, 3)
            self.invoke()

        def invoke(self):
            calls.append(1)
            clock[0] += 1.0 if len(calls) <= 3 else 0.002

    monkeypatch.setattr(latency, "Classifier", Slow)
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])
    found = latency._measured(b"model", 2, 10, 2)
    assert len(calls) == 1 + 2 + 10
    np.testing.assert_allclose([found.minimum_ms, found.median_ms, found.p90_ms], 2.0)
    del calls[:]
    assert latency._measured(b"model", 2, 10, 1).p90_ms > 2.1
