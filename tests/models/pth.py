"""A writer of `.pth` files: PyTorch's two formats, from bytes written by hand."""

import io
import struct
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<f8": "DoubleStorage"}
ORDERED_DICT = b"ccollections\nOrderedDict\n"


def integer(value):
    return b"J" + struct.pack("<i", value)


def text(value):
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def numbers(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def pickled(body):
    return b"\x80\x02" + body + b"."


def long(value):
    encoded = value.to_bytes(10, "little")
    return b"\x8a" + bytes([len(encoded)]) + encoded


def storage(key, count, kind="FloatStorage"):
    parts = (text("storage"), b"ctorch\n" + kind.encode() + b"\n", text(key), text("cpu"))
    return b"(" + b"".join(parts) + integer(count) + b"tQ"


def tensor(array, key, transposed=False):
    """Return the opcodes of a tensor that has its storage for itself."""
    shape, order = array.shape, "F" if transposed else "C"
    strides = [n // array.itemsize for n in np.empty(shape, array.dtype, order).strides]
    body = storage(key, array.size, STORAGES[array.dtype.str]) + integer(0)
    body += numbers(shape) + numbers(strides) + b"\x89" + ORDERED_DICT + b")R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + body + b"tR"


def raw(array, transposed=False):
    return array.tobytes("F" if transposed else "C")


def state(tensors, **more):
    """Return the opcodes of a state dictionary, with memo and module versions as PyTorch's."""
    items = b"".join(
        text(k) + tensor(a, str(i), **more) for i, (k, a) in enumerate(tensors.items())
    )
    versions = b"}" + text("_metadata") + b"}s"
    return ORDERED_DICT + b"q\x00)R(" + items + b"u" + versions + b"b"


def as_zip(body, storages, method=zipfile.ZIP_STORED, zip64=True):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("top/data.pkl"), pickled(body), method)
        for key, content in storages.items():
            archive.writestr(zipfile.ZipInfo(f"top/data/{key}"), content, method)
    return with_zip64(stream.getvalue()) if zip64 else stream.getvalue()


def with_zip64(content):
    """Put Zip64 records before the end record, as PyTorch always does."""
    at = content.rfind(b"PK\x05\x06")
    _, _, _, _, count, size, offset, _ = struct.unpack("<4s4H2LH", content[at : at + 22])
    fields = (44, 45, 45, 0, 0, count, count, size, offset)
    record = b"PK\x06\x06" + struct.pack("<Q2H2L4Q", *fields)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, at, 1)
    return content[:at] + record + locator + content[at:]


def as_stream(body, storages, version=1001, little_endian=True, counts=None):
    machine = b"}" + text("little_endian") + (b"\x88" if little_endian else b"\x89") + b"s"
    keys = b"](" + b"".join(map(text, storages)) + b"e"
    counts = counts or {key: len(content) // 4 for key, content in storages.items()}
    tail = [struct.pack("<q", counts[key]) + storages[key] for key in storages]
    pickles = (long(MAGIC), integer(version), machine, body, keys)
    return b"".join([*map(pickled, pickles), *tail])


def written(tensors, legacy=False):
    """Return the `.pth` file of a state dictionary of float32 arrays."""
    storages = {str(i): raw(array) for i, array in enumerate(tensors.values())}
    return (as_stream if legacy else as_zip)(state(tensors), storages)


def torch_names(weights, fires):
    """Return torchvision's tensors of our layers; `fires` are the numbers of its Fire modules."""
    names = {"conv1": "features.0", "conv10": "classifier.1"}
    for layer in weights:
        if "/" in layer:
            fire, part = layer.split("/")
            number = fires[int(fire.removeprefix("fire")) - 2]
            names[layer] = f"features.{number}.{part.replace('squeeze1x1', 'squeeze')}"
    found = {}
    for layer, (kernel, bias) in weights.items():
        found[f"{names[layer]}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        found[f"{names[layer]}.bias"] = bias
    return found
