"""Whatever kills an update while it is applied leaves the old file or the new one, whole."""

import json
import subprocess
import sys

import pytest

from sqzkit.coding import sqz
from tests.serving import server
from tests.serving.test_fetching import publish_all

KILLS = 50


def kill(call, target, versions, tmp_path, repository):
    target.parent.mkdir()
    for name, content in (("old", versions[0]), ("new", versions[-1])):
        (tmp_path / name).write_bytes(content)
    places = {name: str(tmp_path / name) for name in ("old", "new", "told")}
    job = {"call": call, "target": str(target), "kills": KILLS, "seed": 1, **places}
    command = [sys.executable, "-m", "tests.serving.killed", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["kills"] >= KILLS
    assert counts["old"] >= KILLS // 2, counts
    return counts


@pytest.mark.slow
def test_a_killed_fetch_leaves_the_old_file_or_the_new(versions, pem, keys, tmp_path, repository):
    site = publish_all(tmp_path / "site", versions, tmp_path / "a", key=keys[0])
    target = tmp_path / "out" / "model.tflite"
    given = {"key": str(keys[1]), "ca_file": str(pem)}
    with server.serving(site, pem) as (url, faults, _):
        faults["1-3.sqz"] = {"stop": 200}  # several connections
        call = {"name": "fetch", "arguments": [url, str(target)], "given": given}
        counts = kill(call, target, versions, tmp_path, repository)
    assert counts["left"] == ["model.tflite.release.json"]


@pytest.mark.slow
def test_a_killed_unpack_leaves_the_old_file_or_the_new(versions, tmp_path, repository):
    (tmp_path / "update.sqz").write_bytes(sqz.pack(versions[-1], versions[0]))
    (tmp_path / "base").write_bytes(versions[0])
    target = tmp_path / "out" / "model.tflite"
    arguments = [str(tmp_path / "update.sqz"), str(target)]
    given = {"base": str(tmp_path / "base"), "overwrite": True}
    call = {"name": "unpack", "arguments": arguments, "given": given}
    assert kill(call, target, versions, tmp_path, repository)["left"] == []
