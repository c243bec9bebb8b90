"""Contender: our `.tflite` in LiteRT."""

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks import contender
from benchmarks.peers.inference import Told, measuring


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Load the file of the precision."""
    told = Told(settings)
    path = told.path(f"_{told.precision}.tflite")
    interpreter = Interpreter(model_path=str(path), num_threads=told.threads)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def classify(picture: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], picture.astype(source["dtype"]))
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])

    return measuring(told, classify, interpreter.invoke, bytes=path.stat().st_size)


if __name__ == "__main__":
    contender.serve(prepare)
