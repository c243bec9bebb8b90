"""Contender: OpenVINO on the CPU, from the same ONNX files."""

from typing import Any

import numpy as np
import openvino

from benchmarks import contender
from benchmarks.peers import onnx_file
from benchmarks.peers.inference import Told, measuring


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Compile the file of the precision."""
    told = Told(settings)
    path = onnx_file.prepared(told.graph(), told.assets, told.precision, told.pictures())
    options = {
        "INFERENCE_NUM_THREADS": told.threads,
        "PERFORMANCE_HINT": "LATENCY",
        # By itself it would compute in bfloat16 where the processor can: not the same weights.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(str(path), "CPU", options).create_infer_request()
    request.set_input_tensor(openvino.Tensor(onnx_file.to_onnx(told.pictures()[:1])))

    def classify(picture: np.ndarray) -> np.ndarray:
        return next(iter(request.infer([onnx_file.to_onnx(picture)]).values()))

    return measuring(told, classify, request.infer, bytes=path.stat().st_size)


if __name__ == "__main__":
    contender.serve(prepare)
