"""What is fuzzed: every reader of files, and the flags of every program.

A reader gets damaged bytes and must return, or raise one of `sqzkit.base.errors`.
"""

import dataclasses
import functools
import hashlib
import importlib
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import mutators, seeds
from tests.fuzz.mutators import Mutator

Reader = Callable[[bytes], None]
ARCHIVE_LIMIT = 1 << 20


@dataclasses.dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
      seeds: makes whole inputs.
      reader: makes the reader, in a folder of its own.
      mutate: damages an input.
      share: of all inputs, relative to the others'.
      memory_mib: what reading an input of 64 KiB may take at most.
      seconds: of processor time that an input may take at most.
    """

    seeds: Callable[[], list[bytes]]
    reader: Callable[[Path], Reader]
    mutate: Mutator
    share: float
    memory_mib: int = 64
    seconds: float = 1.0


def _light(name: str, read: Callable[..., Any]) -> Callable[[Path], Reader]:
    """Return the maker of a reader of bytes that needs no folder."""
    return lambda folder: functools.partial(read)


def _read_net(content: bytes) -> None:
    from sqzkit.coding import han_net

    net = han_net.read(content, seeds.LAYERS)
    assert han_net.write(net) == content


def _read_sqz(content: bytes) -> None:
    from sqzkit.coding import sqz

    sqz.info(content, ARCHIVE_LIMIT)
    sqz.unpack(content, ARCHIVE_LIMIT)


def _read_update(content: bytes) -> None:
    from sqzkit.coding import sqz

    sqz.info(content, ARCHIVE_LIMIT)
    sqz.unpack(content, ARCHIVE_LIMIT, seeds.update_base())


def _read_index(content: bytes) -> None:
    from sqzkit.serving import index

    found = index.parse(content)
    for have in (None, found.releases[0].release):
        index.plan(found, have)


def _pack_update(content: bytes) -> None:
    from sqzkit.coding import sqz

    base = seeds.small_tflite()[0]
    assert sqz.unpack(sqz.pack(content, base), base=base) == content
    assert sqz.unpack(sqz.pack(base, content), base=content) == base


def _pack(content: bytes) -> None:
    from sqzkit.coding import planning

    found = planning.find_spans(content)
    for before, after in itertools.pairwise(found):
        assert before.offset + before.length <= after.offset
    planning.plan(content)


def _read_tflite(content: bytes) -> None:
    from sqzkit.tflite import classifier, flatbuffer, metadata
    from sqzkit.tflite.flatbuffer import TFLiteFile

    model = TFLiteFile(flatbuffer.expand(content))
    for tensor in model.tensors:
        if model.is_constant(tensor):
            model.data(tensor)
    model.convolutions()
    model.operator_counts()
    found = metadata.read(model)
    source, _ = classifier._ends(model)
    classifier._preprocessing(source, found)
    classifier._finish(model)


def _read_zip(content: bytes) -> None:
    from sqzkit.tflite import metadata

    files = metadata.read_files(content)
    assert sum(map(len, files.values())) <= metadata.MAX_BYTES


def _read_caffemodel(content: bytes) -> None:
    from sqzkit.models import caffemodel

    caffemodel.convolutions(caffemodel.read(content, "fuzzed"), "fuzzed")


def _read_onnx(content: bytes) -> None:
    from sqzkit.models import caffemodel, onnx_file

    caffemodel.convolutions(onnx_file.read(content, "fuzzed"), "fuzzed")


def _read_torch(content: bytes) -> None:
    from sqzkit.models import torch_file

    torch_file.read(content, "fuzzed")


def _read_image(content: bytes) -> None:
    from sqzkit import preprocessing
    from sqzkit.data import folder, picture
    from sqzkit.preprocessing import photograph

    folder.looks_whole(content)
    picture.digests(content)
    square = photograph.load_photograph(content, preprocessing.caffe(32))
    assert square.shape == (32, 32, 3)


def _read_head(content: bytes) -> None:
    from sqzkit.teaching import head_file

    # With a valid checksum: else nothing behind it would be reached.
    body = content[: -hashlib.sha256().digest_size]
    head = head_file.from_bytes(body + hashlib.sha256(body).digest())
    assert head_file.from_bytes(head_file.to_bytes(head)).labels == head.labels


def _read_labels(path: Path) -> None:
    from sqzkit.tflite import metadata

    metadata.read_labels(str(path))


def _read_spec(content: bytes) -> None:
    from sqzkit.base import files
    from sqzkit.base.errors import RunError
    from sqzkit.models import alexnet, spec

    record = files.parse_json(content, "fuzzed")
    if not isinstance(record, dict):
        raise RunError("not an object")
    kind: Any = spec.SqueezeNetSpec if "base_e" in record else alexnet.AlexNetSpec
    assert kind.from_json(record).to_json()


def _by_path(name: str, read: Callable[[Path], None]) -> Callable[[Path], Reader]:
    """Return the maker of a reader that finds the input in a file of that name."""

    def make(folder: Path) -> Reader:
        path = folder / name

        def reader(content: bytes) -> None:
            path.write_bytes(content)
            read(path)

        return reader

    return make


def _read_lineage(path: Path) -> None:
    from sqzkit.evolution import lineage

    read = lineage.Lineage(path.parent, seeds.LINEAGE_IDENTITY)
    if read.generations:
        lineage.format_table(read.generations)


def _read_checkpoint(path: Path) -> None:
    from sqzkit.training import checkpoint

    checkpoint.load(path)


def _read_weights(path: Path) -> None:
    from sqzkit.runs import weights

    weights.read_weights(path)


def _read_keras(path: Path) -> None:
    from sqzkit.models import keras_file

    keras_file.check(path.read_bytes(), path)


def _run_folder(report: bool) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        run = seeds.run_folder(folder / "run")

        def reader(content: bytes) -> None:
            name, _, damaged = content.partition(b"\0")
            path = run.path / name.decode()
            whole = path.read_bytes()
            path.write_bytes(damaged)
            try:
                _draw(run) if report else _read_run(run)
            finally:
                path.write_bytes(whole)

        return reader

    return make


def _read_run(run: Any) -> None:
    from sqzkit.models.spec import SqueezeNetSpec
    from sqzkit.reporting import page
    from sqzkit.runs import loading
    from sqzkit.runs.folder import RunFolder

    folder = RunFolder.existing(run.path)
    for stage in (None, "prune"):
        SqueezeNetSpec.from_json(folder.read_spec(stage))
    assert folder.preprocessing
    assert isinstance(folder.labels, tuple)
    loading.read_data(folder)
    for entry in folder.finished_stages():
        assert folder.weights_path(entry["stage"]).parent == folder.path
    folder.metrics()
    folder.finished_weights()
    for name in ("layers", "evaluation", "compression", "commands", "stages"):
        folder.read_record(name)
    page.conversions(folder)


def _draw(run: Any) -> None:
    from sqzkit.reporting import page

    page.write_report(run)


def _flags(name: str) -> Callable[[Path], Reader]:
    """Return the maker of a reader of one program's flags."""

    def make(folder: Path) -> Reader:
        from sqzkit.base import assembly
        from sqzkit.programs import flags

        program = importlib.import_module(f"sqzkit.programs.{name}").PROGRAM
        known = program.flags()

        def reader(content: bytes) -> None:
            arguments = content.decode("utf-8", "replace").split("\n")
            given, _ = flags.parse(["program", *arguments], known)
            for record in program.records:
                own = assembly.flat(record)
                assembly.build(record, {key: given[key] for key in given if key in own})

        return reader

    return make


def _lines(*arguments: str) -> Callable[[], list[bytes]]:
    return lambda: ["\n".join(arguments).encode()]


def _bytes(seed: Callable[[], list[bytes]], read: Reader, share: float, **more: Any) -> Target:
    mutate = more.pop("mutate", mutators.damage_bytes)
    return Target(seed, lambda folder: read, mutate, share, **more)


_RUN_MUTATOR = mutators.named(mutators.damage_json, mutators.damage_bytes)

TARGETS = {
    "net": _bytes(seeds.net, _read_net, 1.0),
    "sqz": _bytes(seeds.archives, _read_sqz, 1.5, mutate=mutators.damage_archive),
    "update": _bytes(seeds.updates, _read_update, 1.0, mutate=mutators.damage_archive),
    "index": _bytes(seeds.indexes, _read_index, 0.5, mutate=mutators.damage_json),
    "pack_update": _bytes(seeds.small_tflite, _pack_update, 0.05, seconds=5.0),
    "pack": _bytes(seeds.small_tflite, _pack, 0.5),
    "tflite": _bytes(seeds.small_tflite, _read_tflite, 1.5),
    "tflite_large": _bytes(seeds.tflite, _read_tflite, 0.1),
    "zip": _bytes(seeds.zips, _read_zip, 0.5),
    "caffemodel": _bytes(seeds.caffemodels, _read_caffemodel, 1.0),
    "onnx": _bytes(seeds.onnx_files, _read_onnx, 1.0),
    "pth": _bytes(seeds.pth_files, _read_torch, 1.0),
    "image": _bytes(seeds.images, _read_image, 1.0, mutate=mutators.damage_image, memory_mib=2048),
    "head": _bytes(seeds.heads, _read_head, 1.0),
    "labels": Target(
        seeds.label_files, _by_path("labels.txt", _read_labels), mutators.damage_bytes, 0.2
    ),
    "spec": _bytes(seeds.specs, _read_spec, 1.0, mutate=mutators.damage_json),
    "run_folder": Target(seeds.run_files, _run_folder(False), _RUN_MUTATOR, 0.5),
    # Drawing takes its time; what is read is what run_folder reads.
    "report": Target(seeds.drawn_files, _run_folder(True), _RUN_MUTATOR, 0.002, 512, 10.0),
    "lineage": Target(
        seeds.lineages, _by_path("lineage.json", _read_lineage), mutators.damage_json, 0.5
    ),
    "checkpoint": Target(
        seeds.checkpoints, _by_path("state.npz", _read_checkpoint), mutators.damage_bytes, 0.5
    ),
    "weights": Target(
        seeds.weights, _by_path("a.weights.h5", _read_weights), mutators.damage_bytes, 0.5
    ),
    "keras": Target(
        seeds.keras_files, _by_path("a.keras", _read_keras), mutators.damage_bytes, 0.2
    ),
    "train_flags": Target(
        _lines(
            *("--model_dir=runs/a", "--base_e=64", "--pct3x3=0.5", "--pool_after=conv1,fire3"),
            *("--train_epochs=3", "--base_learning_rate=0.1", "--dropout=0.2", "--seed=1"),
            *("--target_sparsity=0.6,fire*/expand3x3=0.9", "--number_of_clusters=16,conv1=64"),
            *("--stages=train,prune", "--distillation=0.5", "--label_smoothing=0.1"),
            *("--image_size=64", "--warmup_epochs=1", "--max_broken_share=0.1", "--momentum=0.9"),
        ),
        _flags("train"),
        mutators.damage_lines,
        0.2,
    ),
    "convert_flags": Target(
        _lines(
            *("--model_dir=runs/a", "--quantization=int8", "--granularity=per_tensor"),
            *("--calibration_steps=10", "--max_accuracy_drop=1", "--archive", "--seed=3"),
            *("--optimize_for=size", "--archive_budget_bytes=400000", "--stage=train"),
        ),
        _flags("convert"),
        mutators.damage_lines,
        0.1,
    ),
    "explore_flags": Target(
        _lines(
            *("--study_dir=study", "--base_e=32:128:32", "--pct3x3=0.25,0.5", "--trials=5"),
            *("--objectives=accuracy,parameters", "--squeeze_ratio=0.125:0.5:0.125"),
            *("--pool_after=conv1+fire3+fire5", "--winner_drop=0.01", "--train_epochs=2"),
        ),
        _flags("explore"),
        mutators.damage_lines,
        0.1,
    ),
    "evolve_flags": Target(
        _lines(
            *("--model_dir=runs/a", "--output_dir=b", "--generations=3", "--environment=0.9"),
            *("--population=2", "--train_epochs=1", "--distillation=0.5", "--seed=1"),
        ),
        _flags("evolve"),
        mutators.damage_lines,
        0.1,
    ),
}


def own_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a new folder, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
