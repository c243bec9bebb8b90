import subprocess
import sys
import threading

import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.exploration import objectives


def test_objectives_are_chosen_by_name():
    chosen = objectives.select(["latency", "accuracy", "sqz_bytes"])
    assert [objective.name for objective in chosen] == ["latency", "accuracy", "sqz_bytes"]
    assert [objective.maximize for objective in chosen] == [False, True, False]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "one, two or three"),
        (["accuracy", "accuracy"], "different"),
        (["accuracy", "parameters", "latency", "sqz_bytes"], "one, two or three"),
        (["speed"], "'speed': must be among accuracy, parameters, sqz_bytes, latency"),
    ],
)
def test_other_choices_are_refused(names, message):
    with pytest.raises(UsageError, match=message):
        objectives.select(names)


def test_latency_without_an_interpreter_is_refused(monkeypatch):
    def find_spec(name):
        return None if name == "ai_edge_litert" else "found"

    monkeypatch.setattr(objectives.importlib.util, "find_spec", find_spec)
    with pytest.raises(UsageError, match=r"latency: .* needs ai-edge-litert; pip install"):
        objectives.select(["accuracy", "latency"])
    objectives.select(["accuracy", "parameters"])


def test_multiplications_are_counted_by_hand():
    from sqzkit.models import squeezenet
    from sqzkit.models.spec import tiny

    model = squeezenet.build(tiny(10), 32)
    total = 0
    for layer in model.layers:
        if layer.__class__.__name__ == "Conv2D":
            kernel = layer.get_weights()[0]
            total += kernel.size * layer.output_shape[1] * layer.output_shape[2]
    assert objectives.multiply_accumulates(model) == total > 10_000


@pytest.mark.slow
def test_the_converted_file_is_measured(tmp_path):
    from sqzkit.base.keras import keras
    from sqzkit.models import squeezenet
    from sqzkit.models.spec import tiny
    from sqzkit.preprocessing import default

    # One untrained network of 150 is none that LiteRT takes.
    keras.utils.set_random_seed(1)
    model = squeezenet.build(tiny(3), 32)
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    arguments = (model, default(32), ("a", "b", "c"), images)
    measured = objectives.measure_converted(*arguments, True, tmp_path / "lock")
    assert 1000 < measured.sqz_bytes < measured.tflite_bytes
    assert measured.latency > 0
    again = objectives.measure_converted(*arguments, False, tmp_path / "lock")
    assert again.latency is None
    assert (again.tflite_bytes, again.sqz_bytes) == (measured.tflite_bytes, measured.sqz_bytes)


HOLDER = """
import sys, time
from pathlib import Path
from sqzkit.exploration.objectives import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    path = tmp_path / "new" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        got = threading.Event()

        def take():
            with objectives.locked(path):
                got.set()

        taker = threading.Thread(target=take)
        taker.start()
        assert not got.wait(0.3)
        holder.kill()
        taker.join()
    assert got.is_set()
