"""Folders of releases: what is in them, and that they are whole at any moment."""

import json
import time

import pytest

from sqzkit.base import files
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import signing, sqz
from sqzkit.runs import lock
from sqzkit.serving import index as indexes
from sqzkit.serving import publishing


@pytest.fixture
def publish(tmp_path):
    def call(content, **given):
        (tmp_path / "model").write_bytes(content)
        return publishing.publish(tmp_path / "model", tmp_path / "site", **given)

    return call


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_release_brings_a_whole_archive_and_updates(publish, versions, tmp_path):
    for content in versions:
        done = publish(content, updates=2)
    assert [one.name for one in done.archives] == ["4.sqz", "3-4.sqz", "2-4.sqz"]
    index = indexes.parse(done.index.read_bytes())
    assert [one.release for one in index.releases] == [1, 2, 3, 4]
    assert {one.name for one in index.archives} | {"index.json"} == set(snapshot(tmp_path / "site"))
    for one in index.archives:
        archive = (tmp_path / "site" / one.name).read_bytes()
        base = None if one.base is None else versions[one.base - 1]
        assert sqz.unpack(archive, base=base) == versions[one.release - 1]
        assert len(archive) == one.size


def test_the_same_again_changes_nothing(publish, versions, tmp_path):
    publish(versions[0])
    before = publish(versions[1])
    files_before = snapshot(tmp_path / "site")
    again = publish(versions[1])
    assert (before.written, again.written) == (True, False)
    assert again.archives == before.archives
    assert snapshot(tmp_path / "site") == files_before


def test_one_publishes_at_a_time(publish, versions, tmp_path):
    """Two would give one number to two releases."""
    publish(versions[0])
    before = snapshot(tmp_path / "site")
    refused = pytest.raises(UsageError, match=r"--folder .*site: in use by process \d+")
    with lock.hold(tmp_path / "site", "--folder"), refused:
        publish(versions[1])
    assert snapshot(tmp_path / "site") == before


def test_an_archive_may_be_published(publish, versions):
    publish(versions[0])
    assert not publish(sqz.pack(versions[0])).written


def test_a_signed_archive_is_not_published_as_a_model(publish, versions, keys, tmp_path):
    signed = signing.sign(sqz.pack(versions[0]), keys[0].read_bytes(), 1)
    with pytest.raises(FormatError, match="model: a signed archive: check it first"):
        publish(signed)
    assert not (tmp_path / "site").exists()


def test_a_former_version_is_a_new_release(publish, versions):
    for content in (versions[0], versions[1], versions[0]):
        done = publish(content)
    assert done.release == 3


def test_an_update_that_saves_nothing_is_not_offered(publish):
    publish(b"a" * 100)
    assert [one.name for one in publish(bytes(range(200))).archives] == ["2.sqz"]


@pytest.mark.parametrize("step", range(5))
def test_a_killed_publish_leaves_the_old_index(publish, versions, tmp_path, monkeypatch, step):
    publish(versions[0])
    publish(versions[1])
    old = (tmp_path / "site" / "index.json").read_bytes()
    write, count = files.write_bytes, [0]

    def dies(path, content):
        count[0] += 1
        if count[0] > step:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", dies)
    if step < 4:  # two updates, the whole archive, the index
        with pytest.raises(KeyboardInterrupt):
            publish(versions[2])
        assert (tmp_path / "site" / "index.json").read_bytes() == old
    monkeypatch.setattr(files, "write_bytes", write)
    assert publish(versions[2]).release == 3
    index = indexes.parse((tmp_path / "site" / "index.json").read_bytes())
    for one in index.archives:
        assert files.sha256(tmp_path / "site" / one.name) == one.sha256


def test_signed_folders_stay_signed(publish, versions, keys, tmp_path):
    done = publish(versions[0], key=keys[0])
    assert done.index.name == "index.signed"
    publish(versions[1], key=keys[0])
    public = keys[1].read_bytes()
    index = signing.verify((tmp_path / "site" / "index.signed").read_bytes(), public)
    assert index.release == indexes.parse(index.archive).newest.release == 2
    for one in indexes.parse(index.archive).archives:
        assert signing.verify((tmp_path / "site" / one.name).read_bytes(), public).release == (
            one.release
        )
    with pytest.raises(UsageError, match="is signed: give its --key"):
        publish(versions[2])


def test_plain_folders_stay_plain(publish, versions, keys):
    publish(versions[0])
    with pytest.raises(UsageError, match="is not signed: leave --key out"):
        publish(versions[1], key=keys[0])


def test_another_key_cannot_go_on(publish, versions, keys, tmp_path):
    from tests.coding.test_signing import pair

    publish(versions[0], key=keys[0])
    (tmp_path / "other.pem").write_bytes(pair()[0])
    with pytest.raises(FormatError, match=r"index\.signed: .*not signed with this key"):
        publish(versions[1], key=tmp_path / "other.pem")


def test_numbers_only_rise(publish, versions):
    assert publish(versions[0], release=7).release == 7
    with pytest.raises(UsageError, match="--release=7: must be more than 7"):
        publish(versions[1], release=7)
    assert not publish(versions[0], release=7).written
    assert publish(versions[1]).release == 8


def test_the_last_day_is_moved_by_publishing_again(publish, versions, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1000)
    done = publish(versions[0], valid_days=2)
    assert json.loads(done.index.read_bytes())["expires"] == 1000 + 2 * 24 * 60 * 60
    monkeypatch.setattr(time, "time", lambda: 5000)
    publish(versions[0])
    assert json.loads(done.index.read_bytes())["expires"] == 1000 + 2 * 24 * 60 * 60
    publish(versions[0], valid_days=1)
    assert json.loads(done.index.read_bytes())["expires"] == 5000 + 24 * 60 * 60


def test_a_damaged_folder_is_told(publish, versions, tmp_path):
    done = publish(versions[0])
    archive = tmp_path / "site" / "1.sqz"
    content = archive.read_bytes()
    for damage in (b"damaged", content + b"x", content[:-1] + b"x"):
        archive.write_bytes(damage)
        with pytest.raises(FormatError, match=r"1\.sqz is not the file that the index names"):
            publish(versions[1])
    archive.unlink()
    with pytest.raises(FormatError, match=r"1\.sqz .*is missing: bring that file back"):
        publish(versions[1])
    done.index.write_text('{"version": 2}')
    with pytest.raises(FormatError, match=r"index\.json: index of version 2, newer than version 1"):
        publish(versions[1])
    done.index.write_text("{}")
    with pytest.raises(FormatError, match=r"index\.json: the index is damaged"):
        publish(versions[1])
