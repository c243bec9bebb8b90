"""Contender of sizes: the int8 file that ai-edge-quantizer makes of our float file."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

from benchmarks import contender


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Quantize by its recipe static_wi8_ai8.

    Args:
      settings: "float" and "output" (paths of `.tflite`), "pictures" (path,
        uint8 [N, S, S, 3], to calibrate on and to answer).
    """
    pictures = np.load(settings["pictures"])
    interpreter = Interpreter(model_path=settings["float"])
    (name,) = interpreter.get_signature_list()
    (argument,) = interpreter.get_signature_list()[name]["inputs"]
    made = quantizer.Quantizer(Path(settings["float"]), recipe.static_wi8_ai8())
    samples = [{argument: picture[None].astype(np.float32)} for picture in pictures]
    calibration = made.calibrate({name: samples}, num_threads=1)
    content = bytes(made.quantize(calibration).quantized_model)
    Path(settings["output"]).write_bytes(content)
    return {"bytes": len(content), "answers": _answers(content, pictures)}, dict


def _answers(content: bytes, pictures: np.ndarray) -> list[int]:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for picture in pictures:
        values = picture[None].astype(np.float32)
        if source["dtype"] != np.float32:
            scale, zero = source["quantization"]
            limits = np.iinfo(source["dtype"])
            values = np.clip(np.rint(values / scale + zero), limits.min, limits.max)
        interpreter.set_tensor(source["index"], values.astype(source["dtype"]))
        interpreter.invoke()
        answers.append(int(np.argmax(interpreter.get_tensor(result["index"]))))
    return answers


if __name__ == "__main__":
    contender.serve(prepare)
