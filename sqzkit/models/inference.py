"""The network as it is converted: nothing in it that only training needs.

Batch normalization goes into the convolution before it, dropout goes away,
and the padding of 1 around conv10 (published v1.0 family) becomes arithmetic:
conv10 is 1x1, so each padded pixel is relu(bias) whatever the image, and with
a map of H x W pixels

    mean over (H+2)(W+2) = r * mean over HW + (1 - r) * relu(bias),
    r = HW / ((H+2)(W+2))

Since relu(r x) = r relu(x), scaling kernel and bias by r and adding the
constant (1 - r) * relu(bias) after the pooling is exact: 169/225 and 56/225
at 13x13. What is left converts to CONV_2D, MAX_POOL_2D, CONCATENATION, ADD,
MEAN and SOFTMAX only.
"""

import dataclasses
from typing import Any, TypeVar

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import registry

ACTIVATION_NAME = "prob"
Tensor = Any  # a symbolic Keras tensor: Keras 2 does not export its type
SpecT = TypeVar("SpecT", bound=Any)

layers = keras.layers


@keras.utils.register_keras_serializable(package="sqzkit")
class AddConstant(keras.layers.Layer):  # type: ignore[misc]
    """Add one constant per channel, not trained: what a padded border contributes."""

    def build(self, input_shape: Any) -> None:
        """Create the constant, float32 [channels]."""
        self.constant = self.add_weight("constant", (input_shape[-1],), trainable=False)
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Return `inputs` [..., channels] plus the constant."""
        return inputs + self.constant


def to_inference(model: keras.Model, classifier_activation: str | None = None) -> keras.Model:
    """Return a network of the same function without normalization, dropout and padding.

    All weights are copied; `model` stays as it is. The result computes in
    float32, whatever precision `model` was trained in.

    Args:
      model: a flat functional model with one input and one output, as
        `squeezenet.build` and `alexnet.build` make them.
      classifier_activation: "softmax" to end in probabilities where `model`
        ends in logits; None leaves the end as it is.

    Raises:
      RunError: the model is nested, or has a batch normalization or padding
        that cannot be folded exactly.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise RunError(f"model {model.name}: needs one input and one output to be converted")
    rewriting = _Rewriting(model)
    outputs = rewriting.outputs
    if classifier_activation == "softmax" and not _ends_in_softmax(model):
        outputs = layers.Softmax(name=ACTIVATION_NAME)(outputs)
    rewritten = keras.Model(rewriting.inputs, outputs, name=model.name)
    for name, weights in rewriting.weights.items():
        rewritten.get_layer(name).set_weights(weights)
    return rewritten


def fold(
    kernel: np.ndarray, bias: np.ndarray | None, normalization: keras.layers.BatchNormalization
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias that compute a convolution and its normalization at once.

    Args:
      kernel: float32 [..., filters].
      bias: float32 [filters], or None.
      normalization: the batch normalization that follows, in inference mode.

    Returns:
      float32 arrays of the kernel's shape and of shape [filters].
    """
    # In float64, so that the only rounding is the last one.
    variance = normalization.moving_variance.numpy().astype(np.float64)
    factor = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        factor = factor * normalization.gamma.numpy()
    offset = normalization.beta.numpy() if normalization.center else 0.0
    shifted = (0.0 if bias is None else bias) - normalization.moving_mean.numpy().astype(np.float64)
    return (kernel * factor).astype(np.float32), (shifted * factor + offset).astype(np.float32)


def fold_batch_normalization(model: keras.Model, spec: SpecT) -> tuple[SpecT, keras.Model]:
    """Return the specification without normalization and its model, of the same function.

    Args:
      model: as `build(spec, ...)` made it; left as it is.
      spec: the model's `SqueezeNetSpec` or `AlexNetSpec`.

    Raises:
      RunError: the model is not the one the specification describes.
    """
    folded_spec = dataclasses.replace(spec, normalization="none")
    activation = "softmax" if isinstance(model.layers[-1], keras.layers.Softmax) else None
    folded = registry.build(folded_spec, model.input_shape[1], activation)
    sources = {layer.name: layer for layer in model.layers}
    for layer in folded.layers:
        if not layer.weights:
            continue
        if layer.name not in sources:
            raise RunError(f"{layer.name}: the model lacks this layer of its specification")
        layer.set_weights(_folded_weights(sources, layer.name))
    return folded_spec, folded


def _folded_weights(sources: dict[str, keras.layers.Layer], name: str) -> list[np.ndarray]:
    weights: list[np.ndarray] = sources[name].get_weights()
    normalization = sources.get(f"{name}/bn")
    if normalization is None:
        return weights
    return list(fold(weights[0], weights[1] if len(weights) > 1 else None, normalization))


class _Rewriting:
    """Walks a model from input to output and builds it again without what folds away.

    Attributes:
      inputs, outputs: symbolic tensors of the new graph.
      weights: arrays to set, by layer name.
    """

    def __init__(self, model: keras.Model) -> None:
        self._consumers: dict[int, list[keras.layers.Layer]] = {}
        for layer in model.layers:
            for tensor in _node(layer).keras_inputs:
                self._consumers.setdefault(id(tensor), []).append(layer)
        self.weights: dict[str, list[np.ndarray]] = {}
        self._borders: dict[str, np.ndarray] = {}
        self._tensors: dict[int, Tensor] = {}
        for layer in model.layers:
            self._tensors[id(_output(layer))] = self._rebuild(layer)
        self.inputs = self._tensors[id(model.inputs[0])]
        self.outputs = self._source(model.layers[-1], model.outputs[0])

    def _rebuild(self, layer: keras.layers.Layer) -> Tensor:
        if isinstance(layer, layers.InputLayer):
            return keras.Input(layer.input_shape[0][1:], name=layer.name)
        if isinstance(layer, keras.Model):
            raise RunError(f"{layer.name}: a model inside the model; make it flat to convert it")
        if isinstance(_output(layer), (list, tuple, dict)) or _has_arguments(layer):
            raise RunError(f"{layer.name}: only layers from tensor to tensor can be rebuilt")
        sources = [self._source(layer, tensor) for tensor in _node(layer).keras_inputs]
        inputs = sources[0] if len(sources) == 1 else sources
        if isinstance(layer, layers.Dropout):
            return inputs
        if isinstance(layer, layers.BatchNormalization):
            return self._skip_normalization(layer, inputs)
        if isinstance(layer, layers.ZeroPadding2D):
            self._plan_border(layer, inputs)
            return inputs
        outputs = self._clone(layer)(inputs)
        if layer.name in self._borders:
            name = f"{layer.name}/border"
            self.weights[name] = [self._borders[layer.name]]
            outputs = AddConstant(name=name)(outputs)
        return outputs

    def _source(self, layer: keras.layers.Layer, tensor: Tensor) -> Tensor:
        if id(tensor) not in self._tensors:
            raise RunError(f"{layer.name}: reads a layer that is used more than once")
        return self._tensors[id(tensor)]

    def _clone(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        config = {**layer.get_config(), "dtype": "float32"}
        weights = layer.get_weights()
        normalization = self._normalization_of(layer)
        if normalization is not None:
            config["use_bias"] = True
            weights = list(fold(weights[0], weights[1] if layer.use_bias else None, normalization))
        if layer.name in self.weights:  # planned by the padding before it
            weights = self.weights[layer.name]
        self.weights[layer.name] = weights
        return type(layer).from_config(config)

    def _only_consumer(self, layer: keras.layers.Layer) -> keras.layers.Layer | None:
        consumers = self._consumers.get(id(_output(layer)), [])
        return consumers[0] if len(consumers) == 1 else None

    def _normalization_of(
        self, layer: keras.layers.Layer
    ) -> keras.layers.BatchNormalization | None:
        consumer = self._only_consumer(layer)
        # Subclasses (transposed convolutions) keep their filters in another axis.
        if type(layer) not in (layers.Conv2D, layers.Dense):
            return None
        if layer.activation is not keras.activations.linear:
            return None
        if not isinstance(consumer, layers.BatchNormalization):
            return None
        return consumer if list(consumer.axis) == [len(_output(layer).shape) - 1] else None

    def _skip_normalization(self, layer: keras.layers.Layer, inputs: Tensor) -> Tensor:
        producer = _node(layer).inbound_layers
        if isinstance(producer, list) or self._normalization_of(producer) is not layer:
            raise RunError(
                f"{layer.name}: a batch normalization folds only into a convolution or dense "
                "layer right before it that nothing else reads"
            )
        return inputs

    def _plan_border(self, padding: keras.layers.ZeroPadding2D, inputs: Tensor) -> None:
        head = self._only_consumer(padding)
        if not isinstance(head, layers.Conv2D) or not head.kernel_size == head.strides == (1, 1):
            raise _not_a_padded_head(padding)
        pooling = rectified = self._only_consumer(head)
        if isinstance(rectified, layers.ReLU):
            pooling = self._only_consumer(rectified)
        if not isinstance(pooling, layers.GlobalAveragePooling2D):
            raise _not_a_padded_head(padding)
        share = np.prod(inputs.shape[1:3]) / np.prod(_output(padding).shape[1:3])
        kernel, bias = (weight.astype(np.float64) for weight in head.get_weights())
        border = np.maximum(bias, 0) if rectified is not pooling else bias
        self._borders[pooling.name] = ((1 - share) * border).astype(np.float32)
        self.weights[head.name] = [(share * w).astype(np.float32) for w in (kernel, bias)]


def _node(layer: keras.layers.Layer) -> Any:
    """Return the node by which the model calls `layer`: in a flat model the first."""
    return layer.inbound_nodes[0]


def _output(layer: keras.layers.Layer) -> Tensor:
    return _node(layer).outputs


def _not_a_padded_head(padding: keras.layers.Layer) -> RunError:
    return RunError(
        f"{padding.name}: padding can be folded only before a 1x1 convolution that is averaged "
        "over the whole map; convert a model without it"
    )


def _has_arguments(layer: keras.layers.Layer) -> bool:
    """Return whether the layer is a bare operation, or called with more than its inputs."""
    bare = type(layer).__name__ in ("TFOpLambda", "SlicingOpLambda")
    node = _node(layer)
    return bare or len(node.call_args) != 1 or bool({*node.call_kwargs} - {"training", "mask"})


def _ends_in_softmax(model: keras.Model) -> bool:
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    return isinstance(last, layers.Softmax) or activation is keras.activations.softmax
