"""Image classifiers as people make and save them, for Keras 2 and for Keras 3."""

import numpy as np

SIDE = 48
CLASSES = 5


def pictures(count, side=SIDE, seed=0):
    """uint8 [count, side, side, 3]: blocks of colour under noise, all different."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 6, 6, 3))
    blocks = coarse.repeat(side // 6 + 1, axis=1).repeat(side // 6 + 1, axis=2)[:, :side, :side]
    noise = random.normal(0, 12, (count, side, side, 3))
    return np.clip(blocks + noise, 0, 255).astype(np.uint8)


def functional(library, last):
    """Convolution, pooling, flattening, dense: the first network of every tutorial."""
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.MaxPooling2D(4)(layers.Conv2D(8, 3, activation="relu")(image))
    return library.Model(image, layers.Dense(CLASSES, activation=last)(layers.Flatten()(x)))


def sequential(library, last):
    """Two convolutions after each other: only the first reads the pixels."""
    layers = library.layers
    return library.Sequential(
        [
            library.Input((SIDE, SIDE, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(4),
            layers.Flatten(),
            layers.Dense(CLASSES, activation=last),
        ]
    )


def nested(library, last):
    """A backbone as one layer, with augmentation and preprocessing before it."""
    layers = library.layers
    image = library.Input((None, None, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2)(image)))
    x = layers.DepthwiseConv2D(3, padding="same")(layers.ZeroPadding2D(1)(x))
    backbone = library.Model(image, layers.LeakyReLU()(x), name="backbone")
    return library.Sequential(
        [
            library.Input((SIDE, SIDE, 3)),
            layers.RandomFlip("horizontal"),
            layers.Rescaling(1 / 127.5, offset=-1),
            backbone,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            library.Sequential([layers.Dense(CLASSES, activation=last)], name="head"),
        ]
    )


def residual(library, last):
    """Shortcuts, a gate, padded convolutions, and the activation as a layer before a reshape."""
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.Normalization(mean=[120.0, 115, 100], variance=[3600.0, 3500, 3400])(image)
    x = y = layers.Conv2D(8, 3, strides=2, padding="same", activation="swish")(x)
    for _ in range(2):
        y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False)(y))
        y = layers.Activation("relu")(y)
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y))
    y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    x = layers.GlobalMaxPooling2D()(layers.Add()([x, y]))
    x = layers.Reshape((1, CLASSES))(layers.Dense(CLASSES)(x))
    return library.Model(image, layers.Flatten()(layers.Activation(last)(x)))


def all_convolutional(library, last):
    """A padded 1x1 head averaged over the map, with its activation inside the convolution."""
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.SeparableConv2D(8, 3, strides=2)(image)
    x = layers.Conv2DTranspose(8, 3)(layers.AveragePooling2D(2)(x))
    x = layers.Conv2D(CLASSES, 1, activation="relu")(layers.ZeroPadding2D(2)(x))
    return library.Model(image, layers.Activation(last)(layers.GlobalAveragePooling2D()(x)))


def transposed(library, last):
    """A first layer whose kernel lies in another order than a convolution's."""
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=4)(layers.Conv2DTranspose(3, 2)(image))
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    return library.Model(image, layers.Dense(CLASSES, activation=last)(layers.Flatten()(x)))


# Each with the preprocessing that it expects.
KINDS = {
    functional: "unit",
    sequential: "caffe",
    nested: "raw",
    residual: "raw",
    all_convolutional: "default",
    transposed: "caffe",
}


def enliven(model, inputs, last):
    """Give a fresh network answers that differ between pictures.

    Batch normalizations get the statistics of `inputs`, and the last layer with
    weights a bias and a scale that spread its outputs about zero.
    """
    for layer in weighted(model):
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0
    model(inputs, training=True)
    head = [layer for layer in weighted(model) if layer.get_weights()[0].ndim > 1][-1]
    kernel, bias = head.get_weights()
    kernel *= 1e-3  # small logits do not saturate
    head.set_weights([kernel, 0 * bias])
    outputs = np.asarray(model(inputs, training=False), np.float64)
    if last is not None:
        outputs = np.log(outputs) - (np.log(1 - outputs) if last == "sigmoid" else 0)
    if last == "softmax":  # whose sum of exponentials is the same for all classes
        outputs -= outputs.mean(axis=1, keepdims=True)
    scale = 2 / (outputs - outputs.mean(axis=0)).std()
    middle = 0 if "conv" in head.name else outputs.mean(axis=0)
    head.set_weights([kernel * scale, bias - scale * middle])
    return model


def weighted(model):
    """The layers that have weights, also of models inside the model."""
    found = []
    for layer in model.layers:
        found += weighted(layer) if hasattr(layer, "layers") else [layer] * bool(layer.weights)
    return found
