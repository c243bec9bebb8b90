"""What must be true of any APK that the build makes; run as a program it checks one.

    python tests/android/apk_facts.py FILE.apk [OTHER.apk]

With a second APK, the two must hold the same except for models, signature, and processors that
only one is for: that is how Bazel's build is compared with Maven's.

Only the standard library is used, so that Bazel can run it with any Python.
"""

import struct
import sys
import zipfile

PAGE = 16384
# How the LOAD segments of 64-bit libraries are aligned; docs/android.md says why.
SEGMENTS = {"arm64-v8a": PAGE, "x86_64": 4096}
STORED = (".so", ".tflite", ".sqz", ".arsc")
SIGNATURE_BLOCK = b"APK Sig Block 42"
V2, V3 = 0x7109871A, 0xF05368C0


def offsets(path):
    """Return {name: where its content starts} of a zip's entries."""
    with open(path, "rb") as file, zipfile.ZipFile(file) as apk:
        found = {}
        for entry in apk.infolist():
            file.seek(entry.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            found[entry.filename] = entry.header_offset + 30 + name + extra
        return found


def signature_schemes(path):
    """Return the identifiers of the blocks in the APK signing block (v2, v3, padding)."""
    content = open(path, "rb").read()
    end = content.index(SIGNATURE_BLOCK)
    size = struct.unpack_from("<Q", content, end - 8)[0]
    at, last, found = end + 16 - size, end - 8, set()
    while at < last:
        length, kind = struct.unpack_from("<QI", content, at)
        found.add(kind)
        at += 8 + length
    return found


def load_alignments(elf):
    """Return the alignments of a 64-bit library's LOAD segments."""
    table, count = struct.unpack_from("<Q", elf, 32)[0], struct.unpack_from("<H", elf, 56)[0]
    found = []
    for i in range(count):
        kind, _, offset, address, _, _, _, align = struct.unpack_from(
            "<IIQQQQQQ", elf, table + 56 * i
        )
        if kind == 1:
            assert (address - offset) % align == 0, "a segment that no loader can map"
            found.append(align)
    return found


def manifest_strings(apk):
    """Return the texts in the binary manifest: names of permissions among them."""
    content = apk.read("AndroidManifest.xml")
    count, _, flags, start = struct.unpack_from("<IIII", content, 16)
    texts = []
    for i in range(count):
        at = 8 + start + struct.unpack_from("<I", content, 36 + 4 * i)[0]
        if flags & 0x100:
            at += 1 if content[at] < 0x80 else 2
            length = content[at]
            texts.append(content[at + 1 : at + 1 + length].decode("utf-8", "replace"))
        else:
            length = struct.unpack_from("<H", content, at)[0]
            texts.append(content[at + 2 : at + 2 + 2 * length].decode("utf-16-le", "replace"))
    return texts


def check(path):
    """Raise AssertionError if something about the APK is not as it must be."""
    starts = offsets(path)
    with zipfile.ZipFile(path) as apk:
        for entry in apk.infolist():
            if entry.filename.endswith(STORED):
                assert entry.compress_type == 0, f"{entry.filename} is compressed"
                step = PAGE if entry.filename.endswith(".so") else 4
                assert starts[entry.filename] % step == 0, f"{entry.filename} is not aligned"
        permissions = {t for t in manifest_strings(apk) if t.startswith("android.permission.")}
        assert permissions == {"android.permission.CAMERA"}, permissions
        models = [n for n in starts if n.startswith("assets/models/")]
        assert models, "no model is bundled"
        assert apk.read("classes.dex")[:4] == b"dex\n"
        for abi, expected in SEGMENTS.items():
            library = f"lib/{abi}/libtensorflowlite_jni.so"
            if library in starts:
                aligned = min(load_alignments(apk.read(library)))
                assert aligned == expected, f"{abi} segments are aligned to {aligned}"
        assert not any(name.startswith("META-INF/") for name in starts), "a v1 signature"
    assert {V2, V3} <= signature_schemes(path), "no v2 and v3 signature"


def different(first, second):
    """Return the names of entries that two APKs do not share, byte for byte; see above."""

    def contents(path):
        with zipfile.ZipFile(path) as apk:
            names = apk.namelist()
            own = [n for n in names if not n.startswith("assets/models/")]
            return {name: apk.read(name) for name in own}

    one, other = contents(first), contents(second)
    shared = processors(one) & processors(other)
    names = [n for n in one | other if not n.startswith("lib/") or n.split("/")[1] in shared]
    return sorted(name for name in names if one.get(name) != other.get(name))


def processors(names):
    """Return the ABIs that an APK has libraries for."""
    return {name.split("/")[1] for name in names if name.startswith("lib/")}


if __name__ == "__main__":
    check(sys.argv[1])
    if len(sys.argv) > 2:
        differ = different(sys.argv[1], sys.argv[2])
        assert not differ, f"{sys.argv[1]} and {sys.argv[2]} differ in {differ}"
    print(f"{sys.argv[1]}: as it must be")
