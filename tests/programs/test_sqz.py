import hashlib
import lzma
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import archive_files
from sqzkit.programs import sqz as program
from tests.coding.conftest import build_tflite, sparse_kernel


def run(repository, *arguments):
    command = [sys.executable, "-m", "sqzkit.sqz", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.fixture
def packed(repository, tmp_path):
    source = tmp_path / "model.tflite"
    source.write_bytes(b"any bytes at all " * 99)
    assert run(repository, "pack", source).returncode == 0
    return source


def test_pack_info_unpack(repository, packed):
    archive = packed.with_name("model.tflite.sqz")
    told = run(repository, "info", archive)
    assert told.returncode == 0
    assert "file of 1,683" in told.stdout
    assert "0 weight tensors" in told.stdout
    content = packed.read_bytes()
    packed.unlink()
    archive = archive.rename(archive.with_suffix(".SQZ"))  # as FAT and Windows may have it
    assert run(repository, "unpack", archive).returncode == 0
    assert packed.read_bytes() == content


def test_info_says_nothing_before_it_refuses_a_base(packed, tmp_path, capsys):
    update = archive_files.pack(packed, tmp_path / "u.sqz", base=packed)
    (tmp_path / "other").write_bytes(b"another file")
    with pytest.raises(FormatError, match="the given base has 12 bytes"):
        program.main({"base": str(tmp_path / "other")}, ["info", str(update.path)])
    assert not capsys.readouterr().out


def test_nothing_is_overwritten_unasked(repository, packed):
    archive = packed.with_name("model.tflite.sqz")
    before = archive.stat().st_mtime_ns
    again = run(repository, "pack", packed)
    assert (again.returncode, again.stdout) == (0, f"{archive} already holds {packed}\n")
    assert archive.stat().st_mtime_ns == before
    other = packed.with_name("other.tflite")
    other.write_bytes(packed.read_bytes() + b"more")
    result = run(repository, "pack", other, "--output", archive)
    assert result.returncode == 2
    assert "--overwrite" in result.stderr
    assert run(repository, "pack", packed, "--overwrite").returncode == 0
    assert run(repository, "unpack", archive, "--output", packed.with_name("b")).returncode == 0
    assert packed.with_name("b").read_bytes() == packed.read_bytes()


def test_mistakes_are_one_line_and_name_the_file(repository, packed, tmp_path):
    archive = packed.with_name("model.tflite.sqz")
    damaged = tmp_path / "damaged.sqz"
    damaged.write_bytes(archive.read_bytes()[:-3])
    for arguments, code, word in (
        (["pack"], 2, "one of pack, unpack, info"),
        (["squash", packed], 2, "one of pack, unpack, info"),
        (["pack", tmp_path / "absent"], 2, "absent"),
        (["unpack", packed], 2, "--output"),
        (["unpack", damaged], 1, f"{damaged}: the archive is damaged or cut off"),
        (["unpack", archive, "--limit=9", "--overwrite"], 1, "--limit"),
        (["info", packed], 1, "not a .sqz archive"),
        (["info", "a" * 256], 2, "names have at most 255 bytes"),
    ):
        result = run(repository, *arguments)
        assert result.returncode == code, arguments
        assert word in result.stderr
        assert "Traceback" not in result.stderr
    assert not damaged.with_suffix("").exists()


def test_files_without_tensors_are_named_in_one_line(repository, packed):
    plain = run(repository, "pack", packed, "--overwrite")
    assert plain.stdout.splitlines()[1:] == [
        f"{packed} holds no tensors that are int8 or clustered; xz may make it smaller"
    ]
    mixed = packed.with_name("mixed.tflite")
    floats = np.random.default_rng(0).normal(0, 1, (300, 300)).astype(np.float32)
    mixed.write_bytes(build_tflite([sparse_kernel((64, 1, 1, 64)), floats]))
    assert run(repository, "pack", mixed).stdout.splitlines()[1:] == [
        f"a part of {mixed} is not int8 or clustered; xz may make it smaller"
    ]
    words = " ".join(map(str, range(60_000))).encode()  # xz needs a third less than deflate
    kernels = [sparse_kernel((64, 3, 3, 64)) for _ in range(8)]
    mixed.write_bytes(build_tflite(kernels) + words)
    assert len(lzma.compress(words, preset=9)) < 0.8 * len(zlib.compress(words, 9))
    told = run(repository, "pack", mixed, "--overwrite").stdout.splitlines()[1:]
    assert told == [f"a part of {mixed} is not int8 or clustered; xz may make it smaller"]
    model = packed.with_name("int8.tflite")
    model.write_bytes(build_tflite([sparse_kernel((64, 1, 1, 64))]))
    assert len(run(repository, "pack", model).stdout.splitlines()) == 1


@pytest.mark.parametrize("command", ["pack", "unpack"])
def test_links_devices_folders_and_pipes_are_never_replaced(repository, packed, command):
    folder = packed.parent
    source = packed if command == "pack" else packed.with_name("model.tflite.sqz")
    (folder / "target").write_bytes(b"precious")
    (folder / "link").symlink_to("target")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    os.link(source, folder / "again")
    for name, word in (
        (folder / "again", f"is the input {source}"),
        (folder / "link", "is a link to 'target'"),
        (folder / "dangling", "is a link to 'nowhere'"),
        (folder / "folder", "is not a file but a folder"),
        (folder / "pipe", "is not a file but a pipe"),
        ("/dev/null", "is not a file but a device"),
    ):
        done = run(repository, command, source, f"--output={name}", "--overwrite")
        assert (done.returncode, done.stdout) == (2, ""), name
        assert len(done.stderr.splitlines()) == 1
        assert word in done.stderr
    assert (folder / "target").read_bytes() == b"precious"
    assert (folder / "link").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_endless_and_huge_inputs_are_refused(repository, tmp_path):
    with open(tmp_path / "sparse", "wb") as sparse:
        sparse.truncate(40 << 30)
    for source in (tmp_path / "sparse", "/dev/zero"):
        done = run(repository, "pack", source, f"--output={tmp_path / 'out'}", "--limit=9999999")
        assert done.returncode == 1
        assert "larger than the 9,999,999 bytes" in done.stderr
        assert "raise --limit" in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_folder_for_compiled_functions_is_optional(repository, packed):
    """Neither beside the modules nor in the home does numba find a place for its cache."""
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    code = (
        "import sqzkit.ptq.rounding\n"
        "from sqzkit.coding.kernels import binary\n"
        "assert binary.code_bit(*binary.decoder(bytes(4)), 0, 9) == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_update_is_packed_against_a_base_and_needs_it(repository, packed, tmp_path):
    new, archive = tmp_path / "new.tflite", tmp_path / "new.tflite.update.sqz"
    new.write_bytes(packed.read_bytes().replace(b"any", b"ANY", 1))
    told = run(repository, "pack", new, f"--base={packed}.sqz")  # a base may be an archive
    assert told.returncode == 0, told.stderr
    assert archive.stat().st_size < 200
    again = run(repository, "pack", new, f"--base={packed}")
    assert (again.returncode, again.stdout) == (0, f"{archive} already holds {new}\n")
    content = new.read_bytes()
    found = run(repository, "info", archive).stdout
    assert "for an update of 1,683" in found
    assert f"{hashlib.sha256(packed.read_bytes()).hexdigest()}, 1,683 bytes" in found
    told = run(repository, "info", archive, f"--base={packed}")
    assert told.stdout == found  # no tensor changed
    assert run(repository, "unpack", archive, f"--base={packed}").returncode == 2  # new is there
    for base, word in ((new, "that the update gives"), (None, "--base"), ("absent", "absent")):
        flags = [f"--base={base}"] if base else []
        refused = run(repository, "unpack", archive, "--output", tmp_path / "no", *flags)
        assert refused.returncode == (2 if base == "absent" else 1)
        assert word in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not (tmp_path / "no").exists()
    new.unlink()
    assert run(repository, "unpack", archive, f"--base={packed}").returncode == 0
    assert new.read_bytes() == content


def test_an_archive_of_another_base_is_not_kept(repository, packed, tmp_path):
    new, archive = tmp_path / "new", tmp_path / "new.update.sqz"
    new.write_bytes(b"new")
    assert run(repository, "pack", new, f"--base={packed}").returncode == 0
    refused = run(repository, "pack", new, f"--base={new}")
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert run(repository, "pack", new, f"--base={new}", "--overwrite").returncode == 0
    assert hashlib.sha256(b"new").hexdigest() in run(repository, "info", archive).stdout


def test_signing_says_what_it_needs(repository, packed):
    archive = packed.with_name("model.tflite.sqz")
    for arguments, word in (
        (["sign", archive, "--release=3"], "--key=PRIVATE.pem"),
        (["sign", archive, "--key=private.pem"], "--release=NUMBER"),
        (["verify", archive], "--key=PUBLIC.pem"),
    ):
        refused = run(repository, *arguments)
        assert refused.returncode == 2
        assert word in refused.stderr


def test_an_archive_is_signed_and_verified(repository, packed, tmp_path):
    from tests.coding.test_signing import pair

    archive, signed = packed.with_name("model.tflite.sqz"), tmp_path / "model.tflite.signed.sqz"
    names = [tmp_path / "private.pem", tmp_path / "public.pem"]
    for name, content in zip(names, pair(), strict=True):
        name.write_bytes(content)
    made = run(repository, "sign", archive, f"--key={names[0]}", "--release=3")
    assert (made.returncode, made.stdout) == (0, f"{signed}: release 3\n")
    old = run(repository, "verify", signed, f"--key={names[1]}", "--release=4")
    assert old.returncode == 1
    assert "older than 4" in old.stderr
    output = tmp_path / "out.sqz"
    right = run(repository, "verify", signed, f"--key={names[1]}", f"--output={output}")
    assert right.returncode == 0
    assert output.read_bytes() == archive.read_bytes()
