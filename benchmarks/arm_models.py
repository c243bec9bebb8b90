"""Write the int8 models whose instructions docs/notes/arm.md counts on an emulated ARM processor.

    python -m benchmarks.arm_models FOLDER

Layers and Fire modules alone, behind a 1x1 convolution that gives them their channels, and
SqueezeNet v1.1 at 64 px with 0.92^g of its channels, as `sqzkit evolve` leaves in generation g, and
with the nearest multiples of 16. Weights are random: the instructions do not depend on them.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.base.quiet import quiet
from sqzkit.models import squeezenet
from sqzkit.models.spec import FireModule, SqueezeNetSpec

ENVIRONMENT = 0.92  # of `sqzkit evolve`
TILE = 16
GENERATIONS = (2, 4, 6, 8, 10, 15)
layers = keras.layers
Body = Callable[[Any], Any]


def main() -> None:
    """Write all models into the folder that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write them")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in (*single_layers(), *fire_modules(), *first_layers(), *generations()):
        per_tensor = name.endswith("per_tensor")
        (folder / f"{name}.tflite").write_bytes(convert(model, per_tensor))
        print(name, f"{model.count_params():,} parameters", flush=True)


def convert(model: Any, per_tensor: bool) -> bytes:
    """Return the model as int8, calibrated on noise."""
    shape = (1, *model.input_shape[1:])
    serve = tf.function(lambda image: model(image, training=False), autograph=False)
    concrete = serve.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    noise = np.random.default_rng(0).random(shape, np.float32)
    converter.representative_dataset = lambda: ([noise] for _ in range(2))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel = per_tensor
    with quiet():
        return bytes(converter.convert())


def single_layers() -> Iterator[tuple[str, Any]]:
    """Yield layers of 14x14 pixels, and what stands before each alone (`_alone`)."""
    for inputs in (8, 12, 13, 15, 16, 17, 20, 24, 28, 32, 64):
        yield f"c{inputs}_alone", network(14, inputs, lambda x: x)
    for filters in (15, 16, 17, 24, 32, 33, 48, 60, 62, 64, 66, 80):
        yield f"c64_1x1_n{filters}", network(14, 64, convolution(filters, 1))
    for inputs in (8, 12, 13, 15, 16, 17, 20, 24, 28, 32):
        yield f"c{inputs}_1x1_n64", network(14, inputs, convolution(64, 1))
        yield f"c{inputs}_3x3_n64", network(14, inputs, convolution(64, 3))
    yield "c16_3x3_n128", network(14, 16, convolution(128, 3))
    for activation in (None, "relu6"):
        yield f"c16_3x3_n64_{activation}", network(14, 16, convolution(64, 3, activation))
    yield "c64_1x1_n16_per_tensor", network(14, 64, convolution(16, 1))


def fire_modules() -> Iterator[tuple[str, Any]]:
    """Yield Fire modules by their channels, and with the pooling on either side of the concat."""
    for squeeze in (15, 16, 17, 24, 32):
        for expand in (60, 62, 64, 66):
            yield f"fire_s{squeeze}_e{expand}", network(14, 128, fire(squeeze, expand))
    for side, squeeze, expand in ((23, 16, 64), (55, 16, 64)):
        for pooled in ("after", "before"):
            body = fire(squeeze, expand, pooled)
            yield f"fire_{side}px_pooled_{pooled}", network(side, 2 * expand, body)


def first_layers() -> Iterator[tuple[str, Any]]:
    """Yield conv1 at 96 px, and as a 2x2 convolution of 2x2 blocks of pixels."""
    image = keras.Input((96, 96, 3))
    yield "conv1", keras.Model(image, layers.Conv2D(64, 3, 2, activation="relu")(image))
    blocks = layers.Lambda(lambda x: tf.nn.space_to_depth(x, 2))(image)
    yield "conv1_blocks", keras.Model(image, layers.Conv2D(64, 2, activation="relu")(blocks))


def generations() -> Iterator[tuple[str, Any]]:
    """Yield v1.1 with fewer channels in all layers: any number of them, or multiples of 16."""
    whole = SqueezeNetSpec(classes=10).modules()
    for generation in GENERATIONS:
        for tile in (1, TILE):

            def rest(count: int, tile: int = tile, share: float = ENVIRONMENT**generation) -> int:
                return max(tile, round(count * share / tile) * tile)

            modules = (
                FireModule(m.name, rest(m.squeeze1x1), rest(m.expand1x1), rest(m.expand3x3))
                for m in whole
            )
            spec = SqueezeNetSpec(
                classes=10, normalization="none", conv1_filters=rest(64), overrides=tuple(modules)
            )
            yield f"generation_{generation}_multiples_of_{tile}", squeezenet.build(spec, 64)


def network(side: int, inputs: int, body: Body) -> Any:
    """Return `body` behind a 1x1 convolution of a picture to `inputs` channels."""
    image = keras.Input((side, side, 3))
    return keras.Model(image, body(layers.Conv2D(inputs, 1, activation="relu")(image)))


def convolution(filters: int, kernel: int, activation: str | None = "relu") -> Body:
    """Return a convolution that keeps the size."""
    return layers.Conv2D(filters, kernel, padding="same", activation=activation)


def fire(squeeze: int, expand: int, pooled: str = "") -> Body:
    """Return a Fire module with `expand` filters of each kind; `pooled` is where: before, after."""
    pool = layers.MaxPooling2D(3, 2)

    def body(inputs: Any) -> Any:
        squeezed = convolution(squeeze, 1)(inputs)
        expands = [convolution(expand, kernel)(squeezed) for kernel in (1, 3)]
        if pooled == "before":
            expands = [pool(maps) for maps in expands]
        outputs = layers.Concatenate()(expands)
        return pool(outputs) if pooled == "after" else outputs

    return body


if __name__ == "__main__":
    main()
