"""The one door to TensorFlow Model Optimization: every other module imports it from here.

The library is no longer developed and takes only Keras 2 models, so that one
day the stages need another one. Some of what they use is not public.
"""

from tensorflow_model_optimization.clustering.keras import (
    CentroidInitialization,
    strip_clustering,
)
from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
    cluster_weights,
)
from tensorflow_model_optimization.python.core.quantization.keras.quant_ops import (
    LastValueQuantize,
)
from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
    collect_prunable_layers,
)
from tensorflow_model_optimization.quantization.keras import QuantizeConfig, QuantizeWrapperV2
from tensorflow_model_optimization.quantization.keras.quantizers import (
    AllValuesQuantizer,
    LastValueQuantizer,
)
from tensorflow_model_optimization.sparsity.keras import (
    PolynomialDecay,
    prune_low_magnitude,
    strip_pruning,
)

__all__ = [
    "AllValuesQuantizer",
    "CentroidInitialization",
    "LastValueQuantize",
    "LastValueQuantizer",
    "PolynomialDecay",
    "QuantizeConfig",
    "QuantizeWrapperV2",
    "cluster_weights",
    "collect_prunable_layers",
    "prune_low_magnitude",
    "strip_clustering",
    "strip_pruning",
]
