"""Time SqueezeNet v1.1's int8 layers on this machine, for docs/notes/x86.md.

    python -m benchmarks.int8_layers 227 96

LiteRT's Python interpreter has no profiler, so the network is cut after each layer and every piece
is timed whole; a layer's time is the difference of two pieces, its concatenation's what is left of
the Fire module. All pieces run in turns, and the fastest run of each counts. Weights are random:
int8 kernels take as long whatever they hold.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.arm_models import convert
from sqzkit.base.keras import keras
from sqzkit.models import squeezenet
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.tflite.latency import machine

KINDS = ("conv1", "squeeze", "expand 1x1", "expand 3x3", "concatenation", "pooling", "head")
ROUNDS = 10
ROUND_S = 0.1  # that each piece runs in a round


def main() -> None:
    """Print a table for each size and number of threads of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("sizes", type=int, nargs="+", metavar="SIZE", help="of the input, pixels")
    print(machine())
    for size in parser.parse_args().sizes:
        spec = SqueezeNetSpec(classes=1000, normalization="none")
        model = squeezenet.build(spec, size)
        contents = {name: convert(cut(model, name), False) for name in cuts(spec)}
        for threads in (1, 2):
            print_times(f"{size} px, threads: {threads}", times(contents, threads), spec)


def cuts(spec: SqueezeNetSpec) -> list[str]:
    """Return the layers after which the network is cut, in its order; "logits" is all of it."""
    names = ["relu_conv1", "pool1"]
    for module in spec.modules():
        fire = module.name
        names += [f"{fire}/relu_squeeze1x1", f"{fire}/relu_expand1x1", f"{fire}/relu_expand3x3"]
        names.append(f"{fire}/concat")
        names += [squeezenet.pool_name(fire)] * (fire in spec.pool_after)
    return [*names, "logits"]


def cut(model: Any, name: str) -> Any:
    """Return the model from its input to the end of the layer `name`."""
    output = model.output if name == "logits" else model.get_layer(name).output
    return keras.Model(model.input, output)


def times(contents: Mapping[str, bytes], threads: int) -> dict[str, float]:
    """Return the fastest inference of each `.tflite`, ms."""
    runners = {name: runner(content, threads) for name, content in contents.items()}
    fastest = dict.fromkeys(contents, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runners.items():
            end = time.perf_counter() + ROUND_S
            while (start := time.perf_counter()) < end:
                run()
                fastest[name] = min(fastest[name], (time.perf_counter() - start) * 1000)
    return fastest


def runner(content: bytes, threads: int) -> Callable[[], None]:
    """Return what runs the `.tflite` once, on noise."""
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    noise = np.random.default_rng(0).integers(-128, 128, given["shape"], np.int8)
    interpreter.set_tensor(given["index"], noise)
    run: Callable[[], None] = interpreter.invoke
    run()
    return run


def layer_times(fastest: Mapping[str, float], spec: SqueezeNetSpec) -> list[tuple[str, str, float]]:
    """Return (kind, module, ms) of each layer, in order, of the pieces' times."""
    rows = [("conv1", "conv1", fastest["relu_conv1"])]
    rows.append(("pooling", "conv1", fastest["pool1"] - fastest["relu_conv1"]))
    before = "pool1"
    for module in spec.modules():
        fire = module.name
        squeezed = fastest[f"{fire}/relu_squeeze1x1"]
        expands = [fastest[f"{fire}/relu_expand{side}"] - squeezed for side in ("1x1", "3x3")]
        whole = fastest[f"{fire}/concat"]
        rows += [
            ("squeeze", fire, squeezed - fastest[before]),
            ("expand 1x1", fire, expands[0]),
            ("expand 3x3", fire, expands[1]),
            ("concatenation", fire, whole - squeezed - sum(expands)),
        ]
        before = f"{fire}/concat"
        if fire in spec.pool_after:
            before = squeezenet.pool_name(fire)
            rows.append(("pooling", fire, fastest[before] - whole))
    return [*rows, ("head", "head", fastest["logits"] - fastest[before])]


def print_times(title: str, fastest: Mapping[str, float], spec: SqueezeNetSpec) -> None:
    """Print the time of each kind of layer with its share, and of each module by kind."""
    rows, whole = layer_times(fastest, spec), fastest["logits"]
    print(f"\n{title}: {whole:.3f} ms")
    for kind in KINDS:
        total = sum(ms for other, _, ms in rows if other == kind)
        print(f"  {kind:14} {total:7.3f} ms {total / whole:6.1%}")
    for name in dict.fromkeys(module for _, module, _ in rows):
        parts = [f"{kind} {ms:.3f}" for kind, module, ms in rows if module == name]
        print(f"  {name:6} {', '.join(parts)}")


if __name__ == "__main__":
    main()
