"""`sqzkit publish` and `sqzkit fetch` from the command line."""

import subprocess
import sys

import pytest

from tests.serving import server


@pytest.fixture
def sqzkit(tmp_path):
    def call(*arguments):
        command = [sys.executable, "-m", "sqzkit", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    return call


def test_a_file_goes_through_a_server(sqzkit, versions, keys, pem, tmp_path):
    private, public = keys
    for number, content in enumerate(versions[:2]):
        (tmp_path / "model").write_bytes(content)
        flags = ["--folder=site", f"--key={private}", "--updates=1", "--valid_days=9"]
        if not number:
            (tmp_path / "mine").write_bytes(content)
            flags.append("--release=6")
        done = sqzkit("publish", "model", *flags)
        assert done.returncode == 0, done.stderr
    assert "index.signed: release 7\n" in done.stdout
    assert "bytes, from release 6" in done.stdout
    assert sqzkit("publish", "model", *flags).stdout.startswith("site/index.signed: release 7, as")
    flags = ["--output=mine", f"--key={public}", f"--ca_file={pem}", "--overwrite"]
    with server.serving(tmp_path / "site", pem) as (url, _, requests):
        done = sqzkit("fetch", url, *flags)
        again = sqzkit("fetch", url, *flags)
    assert done.returncode == 0, done.stderr
    assert "by way of 6-7.sqz" in done.stdout
    assert again.stdout == "mine: release 7, as before\n"
    assert (tmp_path / "mine").read_bytes() == versions[1]
    assert [name for name, _ in requests] == ["index.signed", "6-7.sqz", "index.signed"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["publish", "--folder=a"], "give one file"),
        (["publish", "missing", "--folder=a"], "missing"),
        (["fetch", "--output=a"], "give the https address"),
        (["fetch", "http://localhost/a", "--output=a"], "must be the https address"),
    ],
)
def test_a_wrong_call_is_told(sqzkit, arguments, told):
    done = sqzkit(*arguments)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
