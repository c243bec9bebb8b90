"""Contender: training in PyTorch, in the mode that the settings name."""

import time
from typing import Any

import numpy as np
import torch

from benchmarks import contender, graph
from benchmarks.peers.torch_network import TorchNetwork

MODES = ("eager", "channels_last", "compiled", "compiled_channels_last")
RATE, DECAY = 1e-3, 0.01


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Build the network and take one epoch to warm up.

    Args:
      settings: "graph" and "data" (paths), "mode" (of MODES), "batch", "threads".
    """
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(1)
    images, labels = _data(settings["data"])
    network = TorchNetwork(graph.load(settings["graph"]))
    batch = settings["batch"]
    network.eval()
    with torch.no_grad():
        logits = network(images[:batch])
    answer = {"loss": float(torch.nn.functional.cross_entropy(logits, labels[:batch]))}
    network.train()
    layout = torch.contiguous_format
    if settings["mode"].endswith("channels_last"):
        layout = torch.channels_last
    network, images = network.to(memory_format=layout), images.to(memory_format=layout)
    # One kernel for all variables: the fastest that PyTorch has.
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
    forward = torch.compile(network) if settings["mode"].startswith("compiled") else network
    criterion = torch.nn.CrossEntropyLoss()

    clock = contender.clock(settings["threads"])

    def measure() -> contender.Answer:
        started = clock()
        order = torch.randperm(len(labels))
        total = 0.0
        for chosen in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(forward(images[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            total += loss.item()
        seconds = clock() - started
        return {"images_per_second": len(labels) / seconds, "loss": total * batch / len(labels)}

    started = time.monotonic()
    measure()
    return {**answer, "first_epoch_s": time.monotonic() - started}, measure


def _data(path: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return normalized images [N, 3, S, S] and labels [N]."""
    with np.load(path) as stored:
        images = torch.tensor(stored["normalized"]).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor(stored["labels"], dtype=torch.int64)


if __name__ == "__main__":
    contender.serve(prepare)
