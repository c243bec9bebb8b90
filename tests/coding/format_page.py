"""What docs/sqz.md holds besides words: its decoder runs, its example and lists are written here.

python -m tests.coding.format_page     writes the example and the lists anew
"""

import json
import re
from pathlib import Path
from typing import Any

from sqzkit.coding import container, streams, varint

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "sqz.md"
GOLDEN = TOP / "tests" / "golden" / "sqz"
EXAMPLE = "example.sqz"
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
METHODS = ("stored", "deflate", "mixed bytes", "byte planes", "weights")


def decoder() -> dict[str, Any]:
    """Return the names that the page's code defines."""
    names: dict[str, Any] = {}
    exec(compile("\n".join(_CODE.findall(PAGE.read_text())), str(PAGE), "exec"), names)
    return names


def replaced(page: str, part: str, text: str) -> str:
    """Return `page` with `text` between the marks of `part`."""
    pattern = re.compile(rf"(<!-- {part}: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
    assert pattern.search(page), part
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page, count=1)


def written() -> str:
    """Return the page as it ought to be."""
    page = replaced(PAGE.read_text(), "example", example())
    return replaced(page, "conformance", conformance())


def table(titles: tuple[str, ...], rows: list[tuple[object, ...]], left: int = 1) -> str:
    """Return a Markdown table; columns from `left` on are aligned to the right."""
    marks = ["---" if n < left else "---:" for n in range(len(titles))]
    lines = [titles, tuple(marks), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def hexadecimal(content: bytes) -> str:
    return f"`{content.hex(' ').upper()}`" if content else "(none)"


def example() -> str:
    """Return the example, traced byte by byte."""
    archive = (GOLDEN / EXAMPLE).read_bytes()
    traced = Trace(archive)
    return "\n\n".join(
        [
            f"`{(GOLDEN / EXAMPLE).relative_to(TOP)}` has {len(archive)} bytes. Its file has "
            f"{len(traced.content)} bytes: {hexadecimal(traced.content)}.",
            table(("offset", "bytes", "field", "value"), layout(archive), 4),
            "The directory inflates to " + hexadecimal(traced.directory) + ":",
            table(("bytes", "fields", "values"), directory(traced.directory), 3),
            "**Stream 0** is coded as mixed bytes. Its first four bytes are the first `code`. Each "
            "row is a bit: its p, its value, then `range`, `code` and the bytes read after it.",
            table(TITLES, traced.mixed, 1),
            f"So the first two bytes are {hexadecimal(traced.plain[0][:2])}, and all of the stream "
            f"is {hexadecimal(traced.plain[0])}.",
            "**Stream 2** begins with the values that occur. The last row of each sign stands for "
            "the magnitudes that are left.",
            table(TITLES, traced.used, 1),
            "Then the six weights follow. Magnitude bits that follow from the tree take no row.",
            table(TITLES, traced.weights, 1),
            f"The symbols are {traced.symbols}. `Center` is {traced.center}, so the bytes are "
            f"{hexadecimal(traced.plain[2])}. The piece puts them behind {traced.gap} bytes of "
            "stream 0.",
        ]
    )


TITLES = ("bit", "p", "bit is", "`range` after", "`code` after", "read")


def layout(archive: bytes) -> list[tuple[object, ...]]:
    """Return a row for each field of the archive."""
    parts = container.read(archive)
    reader = varint.Reader(archive, "", container.HEADER.size)
    plain, coded = reader.number(), reader.number()
    start = container.HEADER.size + len(varint.write(plain)) + len(varint.write(coded))
    named = [
        (0, 4, "`Magic`", ""),
        (4, 1, "`Version`", 1),
        (5, 1, "`Kind`", parts.kind),
        (6, 2, "`Reserved`", 0),
        (8, 8, "`File_Size`", parts.size),
        (16, 32, "`File_SHA256`", ""),
        (48, 4, "`CRC32`", ""),
        (52, len(varint.write(plain)), "`Directory_Size`", plain),
        (52 + len(varint.write(plain)), len(varint.write(coded)), "`Directory_Coded_Size`", coded),
        (start, coded, "`Directory`", "below"),
    ]
    start += coded
    for number, stream in enumerate(parts.streams):
        length = len(stream.content)
        named.append((start, length, f"stream {number}", METHODS[stream.method]))
        start += length
    return [
        (at, hexadecimal(archive[at : at + length]), name, value)
        for at, length, name, value in named
    ]


def directory(content: bytes) -> list[tuple[object, ...]]:
    """Return a row for each entry of the directory."""
    reader = varint.Reader(content, "the directory")
    rows: list[tuple[object, ...]] = []

    def row(names: str, count: int = 0) -> list[int]:
        numbers = [reader.number() for _ in range(count or len(names.split(", ")))]
        fields = ", ".join(f"`{name}`" for name in names.split(", "))
        rows.append((hexadecimal(varint.write(*numbers)), fields, ", ".join(map(str, numbers))))
        return numbers

    for _ in range(row("Stream_Count")[0]):
        row("Method, Stride, Plain_Size, Coded_Size")
    for _ in range(row("Tensor_Count")[0]):
        row("Outputs, Height, Width, Inputs, Element_Width, Center, Entry_Count")
    for _ in range(row("Piece_Count")[0]):
        row("Gap, Length, Piece_Stream")
    reader.end()
    return rows


class Trace:
    """The page's decoder at work on the example, every bit noted."""

    def __init__(self, archive: bytes) -> None:
        names = decoder()
        parts = names["read_archive"](archive)
        self.directory = container.varint.Reader(archive, "", container.HEADER.size)
        plain, coded = self.directory.number(), self.directory.number()
        self.directory = streams.inflate(self.directory.bytes(coded), plain)
        self.content = names["decode"](archive)
        self.gap, self.center = parts.pieces[0].gap, parts.tensors[0].center
        bits = self._note_bits(names)
        self.plain = [names["decode_stream"](parts.streams[0]), b""]
        self.mixed = [(f"byte {n // 8}, bit {7 - n % 8}", *bit) for n, bit in enumerate(bits[:16])]
        bits.clear()
        names["check"](parts)
        weight_ends = self._note_weights(names, bits)
        self.plain.append(names["decode_weights_stream"](parts.streams[2], parts, b"", b""))
        self.symbols = ", ".join(str(value) for value, _ in weight_ends)
        self.used = list(_used_rows(bits[:256]))
        self.weights = list(_weight_rows(bits, weight_ends))

    @staticmethod
    def _note_bits(names: dict[str, Any]) -> list[tuple[object, ...]]:
        noted: list[tuple[object, ...]] = []
        range_decoder = names["RangeDecoder"]
        decode_bit = range_decoder.bit

        def bit(self: Any, p: int) -> int:
            found = decode_bit(self, p)
            noted.append((p, found, f"`{self.range:08X}`", f"`{self.code:08X}`", self.read))
            return found

        range_decoder.bit = bit
        return noted

    @staticmethod
    def _note_weights(names: dict[str, Any], bits: list[Any]) -> list[tuple[int, int]]:
        ends: list[tuple[int, int]] = []
        decode_weight = names["decode_weight"]

        def noting(*arguments: Any) -> int:
            value = decode_weight(*arguments)
            ends.append((value, len(bits)))
            return value

        names["decode_weight"] = noting
        return ends


def _used_rows(bits: list[tuple[object, ...]]) -> Any:
    for sign, name in enumerate(("+", "-")):
        own = bits[128 * sign : 128 * sign + 128]
        last = max(m for m, bit in enumerate(own) if bit[1])
        for m, bit in enumerate(own[: last + 2]):
            yield (f"{name}{m + sign} occurs", *bit)
        yield (f"{name}{last + sign + 2}..{name}{127 + sign}", "", "all 0", *own[-1][2:])


def _weight_rows(bits: list[Any], ends: list[tuple[int, int]]) -> Any:
    start = 256
    for number, (value, end) in enumerate(ends):
        labels = ["not zero", "sign", *["magnitude"] * 8]
        for label, bit in zip(labels, bits[start:end], strict=False):
            yield (f"weight {number} ({value}): {label}", *bit)
        start = end


def conformance() -> str:
    """Return the lists of archives to be read, and to be refused."""
    listed = json.loads((GOLDEN / "index.json").read_text())
    good = [entry for entry in listed if "error" not in entry]
    bad = [entry for entry in listed if "error" in entry]
    updates = json.loads((GOLDEN / "updates" / "index.json").read_text())
    new = [entry for entry in updates if "error" not in entry]
    refused = [entry for entry in updates if "error" in entry]
    breaks = "Each breaks one rule; most break no other:"
    return "\n\n".join(
        [
            f"{len(good)} archives are to be read:",
            read_table(good),
            f"{len(bad)} archives are to be refused. {breaks}",
            refused_table(bad),
            f"In the folder `updates`, {len(new)} archives are to be read, with their bases:",
            read_table(new),
            f"{len(refused)} archives there are to be refused. {breaks}",
            refused_table(refused),
        ]
    )


def read_table(entries: list[dict[str, Any]]) -> str:
    """Return the list of archives to be read."""
    rows = [(f"`{e['file']}`", e["about"], f"{e['size']:,}") for e in entries]
    return table(("archive", "what it holds", "bytes of the file"), list(rows), 2)


def refused_table(entries: list[dict[str, Any]]) -> str:
    """Return the list of archives to be refused."""
    rows = [(f"`{e['file']}`", e["rule"]) for e in entries]
    return table(("archive", "rule that it breaks"), list(rows), 2)


if __name__ == "__main__":
    PAGE.write_text(written())
