"""Contender: ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import onnxruntime

from benchmarks import contender
from benchmarks.peers import onnx_file
from benchmarks.peers.inference import Told, measuring


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Open a session on the file of the precision."""
    told = Told(settings)
    path = onnx_file.prepared(told.graph(), told.assets, told.precision, told.pictures())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = told.threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    image = {name: onnx_file.to_onnx(told.pictures()[:1])}

    def classify(picture: np.ndarray) -> np.ndarray:
        return session.run(None, {name: onnx_file.to_onnx(picture)})[0]

    return measuring(told, classify, lambda: session.run(None, image), bytes=path.stat().st_size)


if __name__ == "__main__":
    contender.serve(prepare)
