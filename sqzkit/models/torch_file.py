"""Read the tensors of a PyTorch `.pth` file, without PyTorch.

A state dictionary is a pickle, and unpickling runs code. Here the few opcodes and globals
that such a pickle needs are interpreted as data, and all others are refused. Both of
PyTorch's formats are read: the zip (one file for each storage), and the older stream of
five pickles (magic number, version, machine, state dictionary, storage keys) that the
storages follow, each after its number of elements.
"""

import dataclasses
import io
import math
import pickletools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sqzkit.base import archives
from sqzkit.base.errors import FormatError

MAX_BYTES = 16 << 20  # SqueezeNet has 5 MB
MAX_OPCODES = 100_000  # SqueezeNet's pickle has some 2,000
MAX_FILES = 4096
MAX_DIMENSIONS = 8
_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_LEGACY_VERSION = 1001
_ZIP_END, _ZIP64_LOCATOR, _ZIP64_BYTES = b"PK\x05\x06", b"PK\x06\x07", 20 + 56
# What wrappers put before a name: parallel training, torch.compile, Lightning.
_WRAPPED = re.compile(r"^(?:(?:module|model|net|network|backbone|_orig_mod)\.)*")
# Where a checkpoint has the state dictionary, beside the optimizer's.
_CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "net")
_SHOWN = 80  # characters of a name from the file that a message has at most


@dataclasses.dataclass(frozen=True, eq=False)
class _Global:
    """What a global stands for: "dict", "tensor", or the dtype of a storage."""

    role: str


@dataclasses.dataclass(frozen=True, eq=False)
class _Storage:
    dtype: np.dtype
    key: str
    count: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_GLOBALS = {
    "collections OrderedDict": _Global("dict"),
    "torch._utils _rebuild_tensor": _Global("tensor"),
    "torch._utils _rebuild_tensor_v2": _Global("tensor"),
    "torch._utils _rebuild_parameter": _Global("parameter"),
    "torch FloatStorage": _Global("<f4"),
    "torch HalfStorage": _Global("<f2"),
    "torch DoubleStorage": _Global("<f8"),
    "torch LongStorage": _Global("<i8"),  # a checkpoint's count of steps
}
_ARGUMENTS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"),
    "BINFLOAT",
    *("BINSTRING", "SHORT_BINSTRING"),  # text that Python 2 saved
}
_NEW: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_COLLECTED = {
    **{f"TUPLE{count}": ("TUPLE", count) for count in (1, 2, 3)},
    "SETITEM": ("SETITEMS", 2),
    "APPEND": ("APPENDS", 1),
}


def read(content: bytes, source: str) -> dict[str, list[np.ndarray]]:
    """Return weight and bias of each layer by the layer's name, such as "features.0".

    Args:
      content: the file: a state dictionary, or a checkpoint that has one, as "state_dict".
      source: its name, for messages.

    Returns:
      float32 arrays in PyTorch's layout (a kernel is OIHW).

    Raises:
      FormatError: the file is damaged, too large, or holds anything else.
    """
    if len(content) > MAX_BYTES:
        raise FormatError(f"{source}: {len(content)} bytes, more than {MAX_BYTES}")
    try:
        stream = content.startswith(_LEGACY_MAGIC)
        state, raw = _read_stream(content) if stream else _read_zip(content)
        if isinstance(state, dict):
            found = (state[key] for key in _CHECKPOINT_KEYS if isinstance(state.get(key), dict))
            state = next(found, state)
        return _layers(state, raw, len(content) // 2)
    except FormatError as error:
        raise FormatError(f"{source}: {error}") from None
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{source}: damaged pickle ({error})"[:300]) from error


def _read_zip(content: bytes) -> tuple[Any, dict[str, bytes]]:
    """Return the value in a zip, and the bytes of its storages by their keys."""
    # PyTorch always adds Zip64 records. They repeat the end record, and are left out here.
    end = content.rfind(_ZIP_END)
    if content[max(end - 20, 0) : end].startswith(_ZIP64_LOCATOR):
        content = content[: end - _ZIP64_BYTES] + content[end:]
    if not archives.has_zip(content):
        raise FormatError(
            "damaged, or neither of PyTorch's formats (a zip, or a stream of pickles)"
        )
    files = archives.read_zip(content, MAX_FILES, len(content))
    tops = [name.removesuffix("data.pkl") for name in files if name.endswith("/data.pkl")]
    if len(tops) != 1 or files.get(f"{tops[0]}byteorder", b"little") != b"little":
        raise FormatError("not a PyTorch zip (one data.pkl, little-endian numbers)")
    prefix = f"{tops[0]}data/"
    raw = {name.removeprefix(prefix): files[name] for name in files if name.startswith(prefix)}
    return _Pickle(io.BytesIO(files[f"{tops[0]}data.pkl"])).value, raw


def _read_stream(content: bytes) -> tuple[Any, dict[str, bytes]]:
    """Return the value in a legacy stream, and the bytes of its storages by their keys."""
    stream = io.BytesIO(content)
    stream.seek(len(_LEGACY_MAGIC))
    version, machine, state, keys = (_Pickle(stream) for _ in range(4))
    if version.value != _LEGACY_VERSION or machine.value.get("little_endian") is not True:
        raise FormatError("not PyTorch's legacy format 1001 with little-endian numbers")
    raw = {}
    for key in keys.value:
        storage = state.storages[key]
        count = int.from_bytes(stream.read(8), "little")
        if count != storage.count:
            raise FormatError(f"storage {key[:_SHOWN]!r}: {count} values, not {storage.count}")
        raw[key] = stream.read(count * storage.dtype.itemsize)
    return state.value, raw


def _layers(state: Any, raw: Mapping[str, bytes], limit: int) -> dict[str, list[np.ndarray]]:
    layers: dict[str, list[np.ndarray]] = {}
    for name, tensor in state.items():
        if not isinstance(tensor, _Tensor):
            raise FormatError(
                f"{name[:_SHOWN]!r} is not a tensor; save model.state_dict() and nothing else"
            )
        limit -= math.prod(tensor.shape)
        if limit < 0:
            raise FormatError("its tensors have more values than the file")
        layer, _, part = _WRAPPED.sub("", name).rpartition(".")
        if part not in ("weight", "bias"):
            raise FormatError(
                f"{name[:_SHOWN]!r} is neither the weight nor the bias of a convolution; batch "
                "normalization must be folded, and pruning made permanent, before saving"
            )
        arrays = layers.setdefault(layer, [])
        arrays.insert(0 if part == "weight" else len(arrays), _array(tensor, raw, name[:_SHOWN]))
    if not layers:
        raise FormatError("has no tensors")
    return layers


def _array(tensor: _Tensor, raw: Mapping[str, bytes], name: str) -> np.ndarray:
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    if storage.dtype.kind != "f":
        raise FormatError(f"{name}: integers; only float32, float16 and float64 are read")
    values = np.frombuffer(raw[storage.key], storage.dtype)
    # The step of a dimension of one is any number.
    steps = [step if n > 1 else 0 for n, step in zip(shape, strides, strict=True)]
    last = tensor.offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if len(values) != storage.count or min(shape, default=1) < 1 or last >= storage.count:
        raise FormatError(f"{name}: shape {shape} does not fit its {len(values)} values")
    steps = [step * storage.dtype.itemsize for step in steps]
    array = np.lib.stride_tricks.as_strided(values[tensor.offset :], shape, steps)
    if not np.isfinite(array).all():
        raise FormatError(f"{name}: has values that are not finite")
    return array.astype(np.float32)


class _Pickle:
    """Interprets one pickle.

    Attributes:
      value: its result, of dictionaries, lists, tuples, text, numbers and tensors.
      storages: those that its tensors use, by their keys.
    """

    def __init__(self, stream: io.BytesIO) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list[Any] = []
        self._below_mark: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        for number, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if number > MAX_OPCODES:
                raise FormatError(f"a pickle of more than {MAX_OPCODES} opcodes")
            self._step(opcode.name, argument)
        (self.value,) = self._stack

    def _step(self, name: str, argument: Any) -> None:
        if name in _ARGUMENTS:
            self._stack.append(argument)
        elif name in _NEW:
            self._stack.append(_NEW[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name == "MARK":
            self._below_mark.append(self._stack)
            self._stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            items, self._stack = self._stack, self._below_mark.pop()
            self._collect(name, items)
        elif name in _COLLECTED:
            collection, count = _COLLECTED[name]
            self._collect(collection, self._pop(count))
        else:
            self._call(name, argument)

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("too few values")
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _collect(self, kind: str, items: list[Any]) -> None:
        if kind == "TUPLE":
            self._stack.append(tuple(items))
        elif kind == "APPENDS":
            self._stack[-1].extend(items)
        else:
            for key, value in zip(items[::2], items[1::2], strict=True):
                # Other keys would be hashed, for which hostile tuples take years.
                name = str(key) if isinstance(key, int) else _require(key, str)
                self._stack[-1][name] = value

    def _call(self, name: str, argument: Any) -> None:
        if name in ("GLOBAL", "STACK_GLOBAL"):
            self._stack.append(_global(argument or " ".join(self._pop(2))))
        elif name == "REDUCE":
            self._stack.append(_reduce(*self._pop(2)))
        elif name == "BINPERSID":
            self._stack.append(self._storage(*self._pop(1)[0]))
        elif name == "BUILD":  # of a state dictionary: the versions of its modules
            self._pop(1)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise FormatError(f"its pickle uses {name}, which a state dictionary does not")

    def _storage(self, kind: Any, dtype: Any, key: Any, place: Any, count: Any, *view: Any) -> Any:
        if kind != "storage" or any(part is not None for part in view):
            raise ValueError("not a storage")
        role, count = _require(dtype, _Global).role, _require(count, int)
        storage = _Storage(np.dtype(role), _require(key, str), count)
        return self.storages.setdefault(storage.key, storage)


def _global(name: str) -> _Global:
    if name not in _GLOBALS:
        raise FormatError(
            f"its pickle names {name[:_SHOWN]!r}; only tensors of float32, float16 and float64 "
            "are read: fold batch normalization, and save model.state_dict()"
        )
    return _GLOBALS[name]


def _reduce(function: Any, arguments: Any) -> Any:
    role = _require(function, _Global).role
    if role == "dict":  # Python 2 gives the items here
        return {_require(key, str): value for key, value in (arguments[0] if arguments else ())}
    if role == "parameter":
        return _require(arguments[0], _Tensor)
    if role != "tensor":
        raise ValueError("a storage is called")
    storage, offset, shape, strides = arguments[:4]
    for numbers in (shape, strides, (offset,)):
        if len(_require(numbers, tuple)) > MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {len(numbers)} dimensions")
        if any(_require(number, int) < 0 for number in numbers):
            raise ValueError("a negative size")
    return _Tensor(_require(storage, _Storage), offset, shape, strides)


def _require(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is due")
    return value
