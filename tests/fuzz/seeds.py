"""Whole files to be damaged: golden ones, and small ones made here without TensorFlow."""

import io
import json
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from sqzkit import preprocessing
from sqzkit.coding import han_net, sqz
from sqzkit.data.source import DataSource
from sqzkit.models import alexnet, spec
from sqzkit.runs.folder import RunFolder

TESTS = Path(__file__).resolve().parents[1]
GOLDEN = TESTS / "golden"
DIGITS = TESTS.parent / "android_demo/app/src/test/assets/models/digits.sqz"
LAYERS = (
    han_net.Convolution("a", (4, 3, 3, 3)),
    han_net.Convolution("b", (8, 4, 1, 1)),
    han_net.Convolution("c", (16, 8, 3, 3)),
)
LINEAGE_IDENTITY = {"seed": 1, "model_dir": "runs/digits"}


def json_text(value: object) -> bytes:
    """Return a record as a run folder holds it."""
    return json.dumps(value).encode()


def net() -> list[bytes]:
    """Return `.net` files of `LAYERS`, dense and sparse."""
    random = np.random.default_rng(0)
    found = []
    for density in (0.1, 0.5, 1.0):
        weights = {}
        for layer in LAYERS:
            outputs, inputs, height, width = layer.shape
            kernel = random.integers(-9, 10, (height, width, inputs, outputs)).astype(np.float32)
            kernel *= random.random(kernel.shape) < density
            weights[layer.name] = kernel, random.random(outputs).astype(np.float32)
        found.append(han_net.write(han_net.from_weights(weights)))
    return found


def archives() -> list[bytes]:
    """Return the golden archives of less than 1,000 bytes that are to be read."""
    paths = sorted((GOLDEN / "sqz").glob("[!b]*.sqz"))  # the others begin with bad_
    return [path.read_bytes() for path in paths if path.stat().st_size < 1000]


def updates() -> list[bytes]:
    """Return the golden updates of one base that are to be read."""
    listed = json.loads((GOLDEN / "sqz/updates/index.json").read_text())
    own = [entry["file"] for entry in listed if entry.get("base") == "base.sqz"]
    return [(GOLDEN / "sqz/updates" / name).read_bytes() for name in own if name[:4] != "bad_"]


def indexes() -> list[bytes]:
    """Return the index of published releases."""
    return [(GOLDEN / "serving/plain/index.json").read_bytes()]


def update_base() -> bytes:
    """Return the file that they start from."""
    return sqz.unpack((GOLDEN / "sqz/updates/base.sqz").read_bytes())


def tflite() -> list[bytes]:
    """Return a converted classifier with metadata and labels, and the head of one."""
    return [sqz.unpack(DIGITS.read_bytes()), *small_tflite()]


def small_tflite() -> list[bytes]:
    """Return models of a convolution and its DEQUANTIZE, with metadata and a zip."""
    from tests.fuzz.small_model import build

    return [build(channels) for channels in (2, 8)]


def zips() -> list[bytes]:
    """Return zips as they follow a model: stored, deflated, with odd names, and a bomb."""
    files = {
        "labels.txt": "ant\nbee\ncat\n" * 20,
        "../../outside.txt": "no path is made of this name",
        "preprocessing.json": json.dumps(preprocessing.default(32).to_json()),
    }
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    found = [b"before" * 5 + zipped(files, method) for method in methods]
    return [*found, bomb_zip()]


def zipped(files: dict[str, str | bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip that is the same whenever it is made."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def bomb_zip() -> bytes:
    """Return a zip whose one file announces 10 bytes and expands to 32 MiB."""
    content = zipped({"labels.txt": bytes(32 << 20)}, zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", 32 << 20)
    return content.replace(size, struct.pack("<I", 10))


def caffemodels() -> list[bytes]:
    """Return `.caffemodel` files of both layouts."""
    from sqzkit.models.caffemodel import message_class

    found = []
    for old in (False, True):
        network = message_class("NetParameter")()
        for name, shape in (("conv1", (4, 3, 2, 2)), ("fire2/squeeze1x1", (2, 4, 1, 1))):
            layer = (network.layers if old else network.layer).add(name=name.encode())
            for sides in (shape, shape[:1]):
                blob = layer.blobs.add(data=np.linspace(-1, 1, int(np.prod(sides))))
                if old:
                    padded = (1,) * (4 - len(sides)) + sides
                    blob.num, blob.channels, blob.height, blob.width = padded
                else:
                    blob.shape.dim.extend(sides)
        found.append(network.SerializeToString())
    return found


def onnx_files() -> list[bytes]:
    """Return `.onnx` files of two convolutions: float32 values, float16 bits, raw bytes."""
    from sqzkit.models.onnx_file import message_class

    found = []
    for kind in ("float", "half", "raw"):
        model = message_class("ModelProto")()
        for name, shape in (("conv1", (4, 3, 2, 2)), ("fire2/squeeze1x1", (2, 4, 1, 1))):
            parts = {f"{name}_w_0".encode(): shape, f"{name}_b_0".encode(): shape[:1]}
            model.graph.node.add(input=[b"image", *parts], op_type=b"Conv")
            for part, sides in parts.items():
                values = np.linspace(-1, 1, int(np.prod(sides)), dtype=np.float32)
                tensor = model.graph.initializer.add(name=part, dims=sides, data_type=1)
                if kind == "float":
                    tensor.float_data.extend(values)
                elif kind == "half":
                    tensor.data_type = 10
                    tensor.int32_data.extend(values.astype(np.float16).view(np.uint16))
                else:
                    tensor.raw_data = values.tobytes()
        found.append(model.SerializeToString())
    return found


def pth_files() -> list[bytes]:
    """Return `.pth` files of both formats, and a checkpoint whose tensors have strides."""
    from tests.models import pth

    kernel = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 3, 2, 1)
    tensors = {"features.0.weight": kernel, "features.0.bias": kernel[:, 0, 0, 0].copy()}
    storages = {str(i): pth.raw(array) for i, array in enumerate(tensors.values())}
    state = b"}" + pth.text("state_dict") + pth.state(tensors, transposed=True) + b"s"
    return [pth.written(tensors), pth.written(tensors, legacy=True), pth.as_zip(state, storages)]


def images() -> list[bytes]:
    """Return pictures of every format, the golden ones among them, and three bombs."""
    random = np.random.default_rng(1)
    golden = [*(GOLDEN / "preprocessing").iterdir()]
    suffixes = (".jpg", ".png", ".gif", ".bmp", ".webp")
    found = [path.read_bytes() for path in sorted(golden) if path.suffix in suffixes]
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"):
        noise = random.integers(0, 256, (20, 24, 3), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noise).save(stream, kind)
        found.append(stream.getvalue())
    return [*(content for content in found if len(content) < 6000), *bomb_pictures()]


def heads() -> list[bytes]:
    """Return the golden heads that are to be read."""
    paths = sorted((GOLDEN / "teaching").glob("*.head"))
    return [path.read_bytes() for path in paths if not path.name.startswith("bad_")]


def label_files() -> list[bytes]:
    """Return label files as different systems write them."""
    texts = ("cat\ndog\n", "café\r\nsnake case\r\n", "\ufeff0\n1\n2\n", "background\n" * 3)
    return [text.encode() for text in texts]


def bomb_pictures() -> list[bytes]:
    """Return a PNG, a GIF and a BMP of a few bytes that announce 100 to 400 megapixels."""
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(bytes(1 << 20))),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(content)) + kind + content
        png += struct.pack(">I", zlib.crc32(kind + content))
    stream = io.BytesIO()
    Image.new("P", (8, 8)).save(stream, "GIF")
    gif = bytearray(stream.getvalue())
    struct.pack_into("<HH", gif, 6, 20_000, 20_000)
    bmp = b"BM" + struct.pack("<IIIIiiHHI", 54, 0, 54, 40, 9000, 11_000, 1, 8, 1) + bytes(20)
    return [png, bytes(gif), bmp]


def run_folder(path: Path) -> RunFolder:
    """Write a small run with every record that is read, and return it."""
    folder = RunFolder(path)
    folder.write_spec(spec.tiny(3).to_json())
    folder.write_preprocessing(preprocessing.default(32))
    folder.write_labels(("cat", "dog <script>", "owl $x$"))
    for epoch in range(3):
        folder.append_metrics({"stage": "train", "epoch": epoch, "loss": 1.5, "accuracy": 0.5})
    for stage in ("train", "prune"):
        folder.weights_path(stage).write_text(stage)
        folder.finish_stage(stage, {"top1": 0.9}, {"epochs": 1})
    folder.write_spec(spec.tiny(3, normalization="none").to_json(), "prune")
    folder.write_record("data", DataSource().to_json())
    row = {"name": "conv1", "kind": "Conv2D", "output_shape": [15, 15, 8], "parameters": 224}
    folder.write_record("layers", [row])
    (folder.path / "mistakes").mkdir()
    Image.new("RGB", (32, 32)).save(folder.path / "mistakes" / "000.png")
    mistake = {"picture": "mistakes/000.png", "label": 1, "predicted": 0, "probability": 0.87}
    measured = {"split": "test", "examples": 6, "top1": 0.5, "top5": 1.0, "loss": 0.2}
    confusion = [[2, 0, 0], [1, 1, 0], [0, 0, 2]]
    folder.write_record("evaluation", {**measured, "confusion": confusion, "mistakes": [mistake]})
    folder.conversions_path.mkdir()
    verified = {"float_top1": 0.91, "converted_top1": 0.905, "agreement": 0.99}
    sidecar = {"quantization": "int8", "sizes": {"tflite": 4000, "sqz": 1234, "xz": 3000}}
    (folder.conversions_path / "int8.tflite").write_bytes(b"TFL3")
    sidecar_path = folder.conversions_path / "int8.tflite.json"
    sidecar_path.write_bytes(json_text({**sidecar, "verification": verified}))
    folder.write_record("compression", compression())
    folder.add_command("sqzkit train --model_dir=run")
    return folder


def compression() -> dict[str, object]:
    """Return a `compression.json` of two stages and two layers."""
    sizes = {"float32_bytes": 12_000, "int8_bytes": 4000, "archive_bytes": 2000}
    shares = {"sparsity": 0.1, "distinct": 99, "float_top1": 0.9, "int8_top1": 0.89}
    stages = [
        {"stage": stage, **shares, **sizes, "weights_sha256": "0" * 64}
        for stage in ("train", "prune")
    ]
    drawn = {"edges": [-1.0, 0.0, 1.0], "counts": [3, 4], "centroids": [-0.5, 0.5]}
    return {"stages": stages, "layers": [], "histograms": {"conv1": drawn, "conv10": drawn}}


def run_files() -> list[bytes]:
    """Return the files of `run_folder` as NAME NUL CONTENT."""
    with tempfile.TemporaryDirectory() as top:
        folder = run_folder(Path(top) / "run").path
        kept = (".json", ".txt", ".jsonl")
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix in kept]
        return [str(p.relative_to(folder)).encode() + b"\0" + p.read_bytes() for p in paths]


def drawn_files() -> list[bytes]:
    """Return those of `run_files` that the report draws."""
    drawn = (b"compression", b"conversions", b"evaluation", b"layers", b"metrics")
    return [content for content in run_files() if content.startswith(drawn)]


def specs() -> list[bytes]:
    """Return specifications of both architectures."""
    module = spec.FireModule("fire2", 4, 8, 8, "identity")
    cut = spec.tiny(3, conv1_filters=16, overrides=(module,), pool_after=("conv1",))
    records = [spec.v1_0(10), spec.v1_1(10, bypass="complex"), cut, alexnet.AlexNetSpec(10)]
    return [json_text(record.to_json()) for record in records]


def lineages() -> list[bytes]:
    """Return lineages of one and of three generations."""
    entry = {
        "name": "ancestor", "folder": "runs/digits", "parameters": 5000, "tflite_bytes": 9000,
        "latency_ms": 1.5, "validation_top1": 0.9, "top1": 0.9, "offspring": [],
    }  # fmt: skip
    child = {"folder": "nursery_1_0", "parameters": 4000, "validation_top1": 0.8}
    grown = {**entry, "name": "generation_01", "folder": "generation_01", "offspring": [child]}
    found = ([entry], [entry, grown, {**grown, "name": "final"}])
    return [json_text({"evolution": LINEAGE_IDENTITY, "generations": list(g)}) for g in found]


def checkpoints() -> list[bytes]:
    """Return a checkpoint of three groups of arrays."""
    from sqzkit.training import checkpoint

    random = np.random.default_rng(2)
    groups = {
        "model": [random.random((2, 3), np.float32), np.arange(3)],
        "optimizer": [np.array(7, np.int64)],
        "best": [],
    }
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "state.npz"
        record = {"config": {"epochs": 3}, "progress": {"epoch": 1, "lowest_loss": float("inf")}}
        checkpoint.save(path, record, groups)
        return [path.read_bytes()]


def weights() -> list[bytes]:
    """Return a weights file of two layers."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as store:
        store.attrs["layer_names"] = ["conv1", "fire2/squeeze1x1"]
        for layer in store.attrs["layer_names"]:
            group = store.create_group(layer)
            group.attrs["weight_names"] = ["kernel", "bias"]
            group.create_dataset("kernel", data=np.ones((2, 2, 3, 4), np.float32))
            group.create_dataset("bias", data=np.zeros(4, np.float32))
    return [stream.getvalue()]


def keras_files() -> list[bytes]:
    """Return `.keras` files: one that may be loaded, one with a Lambda layer."""
    dense = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}}
    code = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": "4wEAAA=="}}
    found = []
    for layer in (dense, code):
        config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}}
        parts = {"metadata.json": '{"keras_version": "2.21.0"}', "config.json": json.dumps(config)}
        found.append(zipped({**parts, "model.weights.h5": weights()[0]}))
    return found
