import io
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from sqzkit.base import archives
from sqzkit.base.errors import FormatError

BOMB = 64 << 20


def zipped(method=zipfile.ZIP_DEFLATED, **files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def hdf5(fill):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as store:
        fill(store)
    return stream.getvalue()


def check(content):
    with h5py.File(io.BytesIO(content), "r") as store:
        archives.check_hdf5(store, len(content))


def peak(call):
    tracemalloc.start()
    try:
        call()
    finally:
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return highest


def test_files_come_back_whatever_stands_before():
    content = b"a model" + zipped(one=b"1" * 5000, two=b"")
    assert archives.read_zip(content, 2, 5000) == {"one": b"1" * 5000, "two": b""}


def test_names_are_only_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"../up.txt": b"a", "/etc/x": b"b", "a/../../b": b"c"}
    assert archives.read_zip(zipped(**names), 9, 99) == names
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent / "up.txt").exists()


def test_more_files_or_bytes_than_allowed_are_refused():
    content = zipped(one=b"1" * 50, two=b"2")
    for most in ((1, 100), (2, 50)):
        with pytest.raises(FormatError, match="2 files and 51 bytes: at most"):
            archives.read_zip(content, *most)


def test_a_bomb_that_announces_ten_bytes_never_expands():
    size = struct.pack("<I", BOMB)
    content = zipped(labels=bytes(BOMB)).replace(size, struct.pack("<I", 10))

    def read():
        with pytest.raises(FormatError, match="damaged zip|not as long as announced"):
            archives.read_zip(content, 9, 1 << 20)

    assert peak(read) < 4 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_member_larger_than_announced_is_not_cut_off(method):
    """Its checksum is that of its beginning, so that only the length tells."""
    plain = b"0123456789" * 2
    content = bytearray(zipped(method, labels=plain))
    start = zlib.crc32(plain[:10]).to_bytes(4, "little")
    for mark, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        at = content.index(mark) + place
        content[at : at + 4] = start
        content[at + 8 : at + 12] = struct.pack("<I", 10)
    with pytest.raises(FormatError, match="damaged zip|not as long as announced"):
        archives.read_zip(bytes(content), 9, 99)


def test_a_directory_of_a_million_files_is_not_listed():
    head = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *([0] * 18))
    directory = head[:46] * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 99, 99, len(directory), 0, 0)
    content = directory + end

    def read():
        with pytest.raises(FormatError, match="whose list of files has 46000000 bytes"):
            archives.read_zip(content, 9, 9)

    assert peak(read) < 1 << 20


def test_zip64_and_other_compressions_are_refused():
    with pytest.raises(FormatError, match="unknown compression"):
        archives.read_zip(zipped(zipfile.ZIP_BZIP2, a=b"x"), 9, 99)
    content = zipped(a=b"x")
    at = content.rfind(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(16)
    with pytest.raises(FormatError, match="Zip64"):
        archives.read_zip(content[:at] + locator + content[at:], 9, 99)


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x40])  # encrypted, patched, strongly encrypted
def test_what_zipfile_cannot_read_is_refused(bit):
    content = bytearray(zipped(a=b"x"))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= bit
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        with pytest.raises(FormatError, match="cannot be read"):
            archives.read_member(archive, archive.infolist()[0])


def test_plain_numbers_pass():
    def fill(store):
        store.create_group("a").create_dataset("kernel", data=np.ones((3, 4), np.float32))
        store["a"].create_dataset("count", data=np.int64(3))
        store["a"].create_dataset("none", data=np.zeros((0, 3), np.float16))

    check(hdf5(fill))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda s: s.create_dataset("x", (1 << 40,), np.float32), "announces"),
        (lambda s: s.create_dataset("x", (1 << 20,), np.float32, compression="gzip"), "announces"),
        (lambda s: s.create_dataset("x", data=["text"]), "not numbers"),
        (lambda s: s.create_dataset("x", data=h5py.Empty("f")), "holds nothing"),
        (lambda s: s.create_dataset("x", (4,), "f", external=[("out", 0, 16)]), "in another file"),
        (lambda s: s.__setitem__("x", h5py.SoftLink("/y")), "'x' is a link to somewhere else"),
        (lambda s: s.__setitem__("x", h5py.ExternalLink("other.h5", "/y")), "'x' is a link"),
        (lambda s: s.create_group("x").__setitem__("x", s["x"]), "nested too deeply"),
    ],
)
def test_hdf5_that_leaves_its_file_or_fills_the_memory_is_refused(fill, message):
    with pytest.raises(FormatError, match=message):
        check(hdf5(fill))


def test_one_dataset_under_many_names_counts_each_time():
    def fill(store):
        store["first"] = np.ones(1000, np.float32)
        for number in range(100):
            store[f"again{number}"] = store["first"]

    with pytest.raises(FormatError, match="the file does not hold"):
        check(hdf5(fill))
