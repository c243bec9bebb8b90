"""Ways to damage a file: bytes, length fields, JSON values, flags, checksums made right again."""

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, streams, varint
from sqzkit.coding.archive import UPDATE

Mutator = Callable[[Sequence[bytes], random.Random], bytes]

EXTREMES = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
LARGEST_INPUT = 1 << 16
NASTY_TEXTS = (
    *("", " ", "\0", "\n", "a" * 3000, "é\u202e", "../../secret", "/etc/passwd", "..", "a/b"),
    *("nan", "inf", "-inf", "1e999", "1e-999", "-1", "0", "0x10", "1_0", "9" * 5000, "1:2:3"),
    *("0:1e9:1e-9", "1:9999999999:1", ",", "=", "a=b", "*=0.5", "true", "None", "--", "[", "${x}"),
)
NASTY_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.5, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], {"": None}),
)


def damage_bytes(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Damage a seed's bytes in one to four ways."""
    content = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        chance.choice(_BYTE_WAYS)(content, seeds, chance)
    return bytes(content[:LARGEST_INPUT])


def _flip(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _set(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 3, 6))):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)


def _cut(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _grow(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    content += chance.randbytes(chance.randrange(1, 64))


def _delete(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    start = chance.randrange(len(content) + 1)
    del content[start : start + chance.randrange(1, 32)]


def _double(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    start = chance.randrange(len(content) + 1)
    part = content[start : start + chance.randrange(1, 200)]
    content[start:start] = part * chance.choice((1, 1, 2, 50))


def _splice(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    other = chance.choice(seeds)
    content[chance.randrange(len(content) + 1) :] = other[chance.randrange(len(other) + 1) :]


def _length(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    """Set a field of 1 to 8 bytes to an extreme, or one off what it was."""
    layout = chance.choice(("B", "<H", ">H", "<I", ">I", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(layout)
    if len(content) < size:
        return
    at = chance.randrange(len(content) - size + 1)
    at -= at % 4 if chance.random() < 0.5 else 0
    old = struct.unpack_from(layout, content, at)[0]
    values = (*EXTREMES, len(content), len(content) - at, old + 1, old - 1, 2 * old, old // 2)
    struct.pack_into(layout, content, at, chance.choice(values) & ((1 << 8 * size) - 1))


def _redirect(content: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    """Let a flatbuffer's offset point to another place of the file."""
    if len(content) >= 8:
        at = 4 * chance.randrange(len(content) // 4)
        target = 4 * chance.randrange(len(content) // 4)
        struct.pack_into("<I", content, at, (target - at) & 0xFFFFFFFF)


_BYTE_WAYS = (
    _flip,
    _set,
    _set,
    _cut,
    _grow,
    _delete,
    _double,
    _splice,
    _length,
    _length,
    _redirect,
)


def damage_json(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Change values, names and shape of a JSON text; now and then its bytes."""
    if chance.random() < 0.2:
        return damage_bytes(seeds, chance)
    if chance.random() < 0.01:
        return chance.choice((b"[", b'{"a":')) * 30_000
    value = json.loads(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3))):
        value = _damage_value(value, chance)
    try:
        return json.dumps(value).encode()[: 4 * LARGEST_INPUT]
    except ValueError:  # a number of more digits than Python writes
        return damage_bytes(seeds, chance)


def _damage_value(value: Any, chance: random.Random) -> Any:
    deeper = isinstance(value, dict | list) and value and chance.random() < 0.85
    if not deeper:
        return _nasty(value, chance)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    way = chance.random()
    if way < 0.08:
        del value[key]
    elif way < 0.16:
        _add(value, key, chance)
    else:
        value[key] = _damage_value(value[key], chance)
    return value


def _add(value: Any, key: Any, chance: random.Random) -> None:
    if isinstance(value, dict):
        value[chance.choice(NASTY_TEXTS)] = copy.deepcopy(value[chance.choice((key, *value))])
    else:
        count = chance.choice((1, 2, 300))
        value.extend(copy.deepcopy(value[key]) for _ in range(count))


def _nasty(value: Any, chance: random.Random) -> Any:
    way = chance.random()
    if way < 0.1:
        return [value]
    if way < 0.2 and isinstance(value, str):
        return value + chance.choice(NASTY_TEXTS)
    if way < 0.3 and isinstance(value, int | float):
        return value * chance.choice((-1, 2, 1000, 10**6, 10**12))
    return copy.deepcopy(chance.choice((*NASTY_VALUES, *NASTY_TEXTS)))


def damage_lines(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Change the values of flags, one `--name=value` a line."""
    lines = chance.choice(seeds).decode().splitlines()
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(lines))
        name, _, value = lines[place].partition("=")
        way = chance.random()
        if way < 0.6:
            lines[place] = f"{name}={chance.choice(NASTY_TEXTS)}"
        elif way < 0.8:
            damaged = damage_bytes([value.encode()], chance).decode("utf-8", "replace")
            lines[place] = f"{name}={damaged}"
        elif way < 0.9:
            lines[place] = f"{name}={value}{chance.choice(NASTY_TEXTS)}"
        else:
            lines.insert(place, chance.choice(NASTY_TEXTS))
    return "\n".join(lines).encode()


def named(mutate_json: Mutator, mutate_bytes: Mutator) -> Mutator:
    """Return a mutator of inputs `NAME NUL CONTENT`: JSON by one, all else by the other."""

    def mutate(seeds: Sequence[bytes], chance: random.Random) -> bytes:
        name, _, content = chance.choice(seeds).partition(b"\0")
        kind = mutate_json if name.endswith(b".json") else mutate_bytes
        return name + b"\0" + kind([content], chance)

    return mutate


def damage_archive(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Damage a `.sqz`: its bytes or its directory as plain text; mostly with a right CRC-32."""
    if chance.random() < 0.4:
        damaged = _damage_directory(chance.choice(seeds), chance)
    else:
        damaged = damage_bytes(seeds, chance)
    return _checked(damaged) if chance.random() < 0.9 else damaged


def _damage_directory(archive: bytes, chance: random.Random) -> bytes:
    start = container.HEADER.size
    reader = varint.Reader(archive, "", start)
    try:
        if archive[5] == UPDATE:
            reader.bytes(container.DIGEST)
            start += container.DIGEST + len(varint.write(reader.number()))
        plain = reader.number(1 << 16)
        packed = reader.bytes(reader.number(len(archive)))
        directory = streams.inflate(packed, plain)
    except FormatError:
        return archive
    rest = archive[start + len(varint.write(plain, len(packed))) + len(packed) :]
    changed = damage_bytes([directory], chance)
    again = streams.deflate(changed)
    size = bytearray(archive[:start])
    if chance.random() < 0.3:
        struct.pack_into("<Q", size, 8, chance.choice((0, 1, 1 << 16, 1 << 20, 1 << 40)))
    return bytes(size) + varint.write(len(changed), len(again)) + again + rest


def _checked(archive: bytes) -> bytes:
    if len(archive) < container.HEADER.size:
        return archive
    head, body = archive[: container.CHECKED], archive[container.HEADER.size :]
    return head + zlib.crc32(body, zlib.crc32(head)).to_bytes(4, "little") + body


def damage_image(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Damage an image; of a PNG mostly make the chunks' CRC-32 right again."""
    damaged = damage_bytes(seeds, chance)
    if damaged[:4] == b"\x89PNG" and chance.random() < 0.9:
        return _png_checked(damaged)
    return damaged


def _png_checked(content: bytes) -> bytes:
    made, at = bytearray(content), 8
    while at + 12 <= len(made):
        length = int.from_bytes(made[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)
