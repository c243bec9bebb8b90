"""Contender: ncnn on the CPU."""

from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from benchmarks import contender
from benchmarks.graph import Graph
from benchmarks.peers import ncnn_file
from benchmarks.peers.inference import Told, measuring


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Load the files of the precision."""
    told = Told(settings)
    graph = told.graph()
    stem = told.assets / f"ncnn_{told.side}_float_{told.threads}"
    paths = ncnn_file.write(ncnn_file.build(graph), stem)
    if told.precision == "int8":
        peaks = _peaks(_loaded(paths, 1), graph, told.pictures())
        stem = told.assets / f"ncnn_{told.side}_int8_{told.threads}"
        paths = ncnn_file.write(ncnn_file.build(graph, peaks), stem)
    network = _loaded(paths, told.threads)
    image = _mat(told.pictures()[0])

    def run(mat: ncnn.Mat) -> ncnn.Mat:
        extractor = network.create_extractor()
        extractor.input(ncnn_file.INPUT, mat)
        return extractor.extract(ncnn_file.OUTPUT)[1]

    def classify(picture: np.ndarray) -> np.ndarray:
        return np.array(run(_mat(picture[0])))[None]

    return measuring(told, classify, lambda: run(image), bytes=paths[1].stat().st_size)


def _loaded(paths: tuple[Path, Path], threads: int) -> ncnn.Net:
    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_vulkan_compute = False
    # The same arithmetic as all others: no half-precision storage.
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = False
    network.opt.use_fp16_arithmetic = network.opt.use_bf16_storage = False
    network.load_param(str(paths[0]))
    network.load_model(str(paths[1]))
    return network


def _mat(picture: np.ndarray) -> ncnn.Mat:
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
    return ncnn.Mat(planes).clone()  # a Mat of an array does not keep it alive


def _peaks(network: ncnn.Net, graph: Graph, pictures: np.ndarray) -> dict[str, float]:
    """Return the largest absolute value that each convolution reads."""
    readers = {
        node.name: ncnn_file.blob(graph, node.inputs[0])
        for node in graph.nodes
        if node.operator == "convolution"
    }
    peaks = dict.fromkeys(readers, 0.0)
    for picture in pictures:
        extractor = network.create_extractor()
        extractor.set_light_mode(False)
        extractor.input(ncnn_file.INPUT, _mat(picture))
        for name, source in readers.items():
            values = np.array(extractor.extract(source)[1])
            peaks[name] = max(peaks[name], float(np.abs(values).max()))
    return peaks


if __name__ == "__main__":
    contender.serve(prepare)
