"""Contender: PyTorch: eager, compiled with frozen weights, or int8 by its own quantizer."""

from typing import Any

import numpy as np
import torch

from benchmarks import contender
from benchmarks.peers.inference import Told, measuring
from benchmarks.peers.torch_network import TorchNetwork


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Build the network; mode is "eager" or "compiled", and is ignored for int8."""
    told = Told(settings)
    torch.set_num_threads(told.threads)
    network = TorchNetwork(told.graph()).eval().to(memory_format=torch.channels_last)
    if told.precision == "int8":
        network = _quantized(network, [_tensor(picture[None]) for picture in told.pictures()])
    elif told.mode == "compiled":
        torch._inductor.config.freezing = True
        network = torch.compile(network)
    image = _tensor(told.pictures()[:1])

    def classify(picture: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(_tensor(picture)).numpy()

    def invoke() -> object:
        with torch.inference_mode():
            return network(image)

    return measuring(told, classify, invoke)


def _tensor(picture: np.ndarray) -> torch.Tensor:
    image = torch.tensor(picture.astype(np.float32)).permute(0, 3, 1, 2)
    return image.contiguous(memory_format=torch.channels_last)


def _quantized(network: torch.nn.Module, pictures: list[torch.Tensor]) -> torch.nn.Module:
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx

    torch.backends.quantized.engine = "x86"
    mapping = get_default_qconfig_mapping("x86")
    prepared = quantize_fx.prepare_fx(network, mapping, (pictures[0],))
    with torch.inference_mode():
        for picture in pictures:
            prepared(picture)
    return quantize_fx.convert_fx(prepared)


if __name__ == "__main__":
    contender.serve(prepare)
