"""The bare TFLite converter on a Keras file: what one writes without sqzkit, and no more.

python -m benchmarks.peers.convert_bare MODEL.keras RECORD.json PHOTOGRAPHS COUNT OUTPUT.tflite

COUNT 0 converts to float32; more calibrates int8 on so many photographs.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from PIL import Image

import sqzkit.models.inference  # noqa: F401 - the file may hold its one own layer


def photographs(record: dict, folder: Path, count: int) -> Iterator[list[np.ndarray]]:
    """Yield one prepared photograph after the other."""
    side, size = record["image_size"], record["resize_size"]
    left = (size - side) // 2
    for path in sorted(folder.iterdir())[:count]:
        image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        pixels = np.asarray(image.crop((left, left, left + side, left + side)), np.float32)
        pixels = (pixels[..., ::-1] - record["mean"]) * record["scale"]
        yield [pixels[None].astype(np.float32)]


def main(model_file: str, record_file: str, folder: str, count: str, output: str) -> None:
    """Convert."""
    record = json.loads(Path(record_file).read_text(encoding="utf-8"))
    model = tf_keras.models.load_model(model_file, compile=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int(count):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: photographs(record, Path(folder), int(count))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    Path(output).write_bytes(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
