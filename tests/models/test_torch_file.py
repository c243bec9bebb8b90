import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError
from sqzkit.models import torch_file
from tests.models import pth
from tests.models.test_caffemodel import arrays

KERNEL, BIAS = arrays((4, 3, 2, 5), (4,))
TENSORS = {"features.0.bias": BIAS, "features.0.weight": KERNEL}
STORAGES = {"0": pth.raw(BIAS), "1": pth.raw(KERNEL)}
BODY = pth.state(TENSORS)


def check(content, tolerance=0.0):
    result = torch_file.read(content, "a.pth")
    assert list(result) == ["features.0"]
    for found, expected in zip(result["features.0"], (KERNEL, BIAS), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=tolerance)


@pytest.mark.parametrize("legacy", [False, True])
def test_both_formats_are_read(legacy):
    check(pth.written(TENSORS, legacy))


@pytest.mark.parametrize("wrapper", ["module.", "module.module.", "_orig_mod.", "model.net."])
def test_names_are_read_without_what_wrappers_put_before_them(wrapper):
    check(pth.written({wrapper + name: array for name, array in TENSORS.items()}))


@pytest.mark.parametrize("name", ["features.0.running_mean", "features.0.weight_orig", "scale"])
def test_tensors_that_are_no_weight_or_bias_are_named(name):
    """Of a layer without a bias, any of them would be taken for it."""
    tensors = {"features.0.weight": KERNEL, name: BIAS}
    with pytest.raises(FormatError, match=f"'{name}' is neither the weight nor the bias"):
        torch_file.read(pth.written(tensors), "a.pth")


def test_a_zip_without_zip64_records_or_with_deflate_is_read():
    check(pth.as_zip(BODY, STORAGES, zip64=False))
    check(pth.as_zip(BODY, STORAGES, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(("kind", "tolerance"), [("<f2", 1e-3), ("<f8", 1e-7)])
def test_other_floats_are_read(kind, tolerance):
    tensors = {name: array.astype(kind) for name, array in TENSORS.items()}
    storages = {
        "0": tensors["features.0.bias"].tobytes(),
        "1": tensors["features.0.weight"].tobytes(),
    }
    check(pth.as_zip(pth.state(tensors), storages), tolerance)


def test_strides_are_followed():
    """Channels-last kernels are saved so."""
    storages = {"0": pth.raw(BIAS), "1": pth.raw(KERNEL, transposed=True)}
    check(pth.as_zip(pth.state(TENSORS, transposed=True), storages))


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "net"])
def test_a_checkpoint_gives_its_state_dictionary(key):
    """Beside what training scripts keep: the epoch, the loss, the optimizer's numbered state."""
    loss = pth.text("loss") + b"G" + struct.pack(">d", 0.5)
    step = tensor(kind="LongStorage", key="2")
    optimizer = pth.text("optimizer") + b"}" + pth.integer(0) + step + b"s"
    body = b"}(" + optimizer + loss + pth.text(key) + BODY + b"u"
    check(pth.as_zip(body, {**STORAGES, "2": bytes(32)}))


def test_parameters_are_read_as_the_tensors_they_hold():
    """As `dict(model.named_parameters())` has them."""
    call = b"ctorch._utils\n_rebuild_parameter\n("
    items = b"".join(
        pth.text(name) + call + pth.tensor(array, str(i)) + b"\x88" + pth.ORDERED_DICT + b")RtR"
        for i, (name, array) in enumerate(TENSORS.items())
    )
    check(pth.as_zip(b"}(" + items + b"u", STORAGES))


def test_a_pickle_of_python_2_is_read():
    pairs = b"".join(
        b"](U" + bytes([len(name)]) + name.encode() + pth.tensor(array, str(i)) + b"e"
        for i, (name, array) in enumerate(TENSORS.items())
    )
    check(pth.as_zip(pth.ORDERED_DICT + b"](" + pairs + b"e\x85R", STORAGES))


def test_protocol_4_is_read():
    """As `torch.save(..., pickle_protocol=4)` writes it: frames, memo and globals differ."""

    def short(value):
        return b"\x8c" + bytes([len(value)]) + value.encode() + b"\x94"

    body = BODY.replace(
        pth.ORDERED_DICT + b"q\x00", short("collections") + short("OrderedDict") + b"\x93\x94"
    )
    body = body.replace(
        b"ctorch\nFloatStorage\n", short("torch") + short("FloatStorage") + b"\x93\x94"
    )
    content = pth.as_zip(b"\x95" + len(body).to_bytes(8, "little") + body, STORAGES)
    check(content)


class Attack:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_in_a_pickle_is_executed(protocol, capsys):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("top/data.pkl", pickle.dumps({"a": Attack()}, protocol))
    with pytest.raises(FormatError, match=r"^a.pth: its pickle (names '_*builtin|uses)"):
        torch_file.read(stream.getvalue(), "a.pth")
    assert capsys.readouterr().out == ""


def tensor(shape=(4,), strides=(1,), offset=0, key="0", count=4, kind="FloatStorage", more=b""):
    """Return a state dictionary of one tensor of any numbers."""
    body = pth.storage(key, count, kind) + pth.integer(offset)
    body += pth.numbers(shape) + pth.numbers(strides) + more
    return b"}" + pth.text("a.bias") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + body + b"tRs"


NESTED = b")" + b"q\x00h\x00\x86" * 60  # a tuple of itself, 60 times: hashing it takes years


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"}", "has no tensors"),
        (pth.integer(1), "damaged pickle"),
        (
            b"}" + pth.text("epoch") + pth.integer(3) + b"s",
            "'epoch' is not a tensor; save",
        ),
        (tensor(kind="LongStorage"), "a.bias: integers; only float32"),
        (tensor(kind="BFloat16Storage"), "names 'torch BFloat16Storage'; only tensors of float32"),
        (b"}" + pth.integer(3) + pth.integer(3) + b"s", "'3' is not a tensor; save"),
        (b"cos\nsystem\n(" + pth.text("ls") + b"tR", "names 'os system'"),
        (tensor(shape=(5,)), r"a.bias: shape \(5,\) does not fit its 4 values"),
        (tensor(offset=1), "does not fit its 4 values"),
        (tensor(strides=(2,)), "does not fit its 4 values"),
        (tensor(shape=(0,)), "does not fit its 4 values"),
        (tensor(count=5), "does not fit its 4 values"),
        (tensor(shape=(4, 1)), r"damaged pickle \(zip"),
        (tensor(shape=(-4,)), "a negative size"),
        (tensor(offset=-4), "a negative size"),
        (tensor(shape=(1,) * 9, strides=(1,) * 9), "9 dimensions"),
        (tensor(shape=(2**30,), strides=(0,)), "more values than the file"),
        (tensor(key="5"), "damaged pickle"),
        (tensor(shape=(1,), strides=(2**31 - 1,)), None),
        (b"}(" + NESTED + b"Nu", "damaged pickle .tuple where str is due"),
        (b"0" * 10, "uses POP"),
        (b"]" * (torch_file.MAX_OPCODES + 1), "more than 100000 opcodes"),
        (b"r\xff\xff\xff\x7f", "damaged pickle"),  # a memo that an array would make 16 GiB
        (b"X\xff\xff\xff\xff", "damaged pickle"),
        (b"]]", "damaged pickle"),
        (b"t", "damaged pickle"),
        (b"\x86", "damaged pickle"),
    ],
)
def test_other_pickles_are_refused(body, message):
    content = pth.as_zip(body, {"0": pth.raw(BIAS)})
    if message is None:
        assert torch_file.read(content, "a.pth")["a"][0].shape == (1,)
        return
    with pytest.raises(FormatError, match=f"^a.pth: .*{message}") as error:
        torch_file.read(content, "a.pth")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither of PyTorch's formats"),
        (bytes(torch_file.MAX_BYTES + 1), "more than 16777216"),
        (pth.as_zip(BODY, STORAGES).replace(b"data.pkl", b"data.bin"), "not a PyTorch zip"),
        (pth.as_zip(BODY, {**STORAGES, "0": b""}), "features.0.bias: .*does not fit its 0 values"),
        (pth.as_zip(BODY, {**STORAGES, "0": pth.raw(BIAS * np.nan)}), "not finite"),
        (pth.as_stream(BODY, STORAGES, version=1002), "not PyTorch's legacy format"),
        (pth.as_stream(BODY, STORAGES, little_endian=False), "little-endian"),
        (pth.as_stream(BODY, STORAGES, counts={"0": 5, "1": 120}), "storage '0': 5 values, not 4"),
        (pth.as_stream(BODY, STORAGES, counts={"0": -1, "1": 120}), "storage '0': "),
        (pth.as_stream(BODY, {**STORAGES, "9": b""}), "damaged pickle"),
        (pth.as_stream(BODY, STORAGES)[:-1], "damaged pickle"),
    ],
)
def test_damaged_files_are_refused(content, message):
    with pytest.raises(FormatError, match=f"^a.pth: .*{message}"):
        torch_file.read(content, "a.pth")


def test_a_big_endian_zip_is_refused():
    stream = io.BytesIO(pth.as_zip(BODY, STORAGES, zip64=False))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("top/byteorder", "big")
    with pytest.raises(FormatError, match="little-endian"):
        torch_file.read(stream.getvalue(), "a.pth")


@given(st.booleans(), st.data(), st.binary(max_size=4))
def test_changed_files_are_read_or_refused(legacy, data, change):
    content = pth.written(TENSORS, legacy)
    at = data.draw(st.integers(0, len(content) - 1))
    for damaged in (content[:at], content[:at] + change + content[at + len(change) :]):
        try:
            torch_file.read(damaged, "a.pth")
        except FormatError as error:
            assert str(error).startswith("a.pth: ")
