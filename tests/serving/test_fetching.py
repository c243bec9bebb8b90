"""Releases fetched over https: by the fewest bytes, resumed, and nothing that is not right."""

import hashlib
import json
import shutil
import time

import pytest

from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.coding import signing, sqz
from sqzkit.serving import fetching, publishing
from tests.serving import server

WHOLE, UPDATE = "4.sqz", "3-4.sqz"


def publish_all(folder, versions, source, **given):
    for content in versions:
        source.write_bytes(content)
        publishing.publish(source, folder, updates=2, **given)
    return folder


@pytest.fixture(scope="module")
def sites(tmp_path_factory, versions, keys):
    """Return two published folders: plain, and signed."""
    folder = tmp_path_factory.mktemp("sites")
    plain = publish_all(folder / "plain", versions, folder / "a")
    return plain, publish_all(folder / "signed", versions, folder / "a", key=keys[0])


@pytest.fixture
def site(sites, pem, tmp_path):
    """A copy of the plain folder, served: (folder, url, faults, requests)."""
    folder = shutil.copytree(sites[0], tmp_path / "site")
    with server.serving(folder, pem) as served:
        yield folder, *served


@pytest.fixture
def signed(sites, pem, tmp_path):
    folder = shutil.copytree(sites[1], tmp_path / "signed")
    with server.serving(folder, pem) as served:
        yield folder, *served


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out" / "model.tflite"


@pytest.fixture
def fetch(pem, target):
    def call(url, **given):
        return fetching.fetch(url, target, ca_file=pem, **given)

    return call


def put(target, content):
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)


def left(target):
    return sorted(path.name for path in target.parent.iterdir() if path.name != target.name)


def test_from_nothing_the_whole_archive_is_fetched(site, fetch, target, versions):
    done = fetch(site[1])
    assert target.read_bytes() == versions[-1]
    assert (done.release, done.archives) == (4, (WHOLE,))
    assert done.size == (site[0] / WHOLE).stat().st_size
    assert left(target) == ["model.tflite.release.json"]


@pytest.mark.parametrize(
    ("have", "names"), [(1, ["1-3.sqz", "3-4.sqz"]), (2, ["2-4.sqz"]), (3, ["3-4.sqz"]), (4, [])]
)
def test_from_a_release_updates_are_fetched(site, fetch, target, versions, have, names):
    put(target, versions[have - 1])
    assert list(fetch(site[1]).archives) == names
    assert target.read_bytes() == versions[-1]
    assert [name for name, _ in site[3]] == ["index.json", *names]


def test_signed_releases_are_fetched_with_their_key(signed, fetch, target, versions, keys):
    put(target, versions[1])
    assert fetch(signed[1], key=keys[1]).archives == ("2-4.sqz",)
    assert target.read_bytes() == versions[-1]


def test_a_file_of_ones_own_is_not_replaced_unless_asked(site, fetch, target, versions):
    put(target, b"my own")
    with pytest.raises(UsageError, match="not one of the releases; give --overwrite"):
        fetch(site[1])
    assert target.read_bytes() == b"my own"
    target.with_name("model.tflite.release.json").unlink()
    fetch(site[1], overwrite=True)
    assert target.read_bytes() == versions[-1]


def test_a_damaged_base_is_replaced_by_the_whole_archive(site, fetch, target, versions):
    fetch(site[1])
    target.write_bytes(versions[2][:-1] + b"?")
    assert fetch(site[1]).archives == (WHOLE,)
    assert target.read_bytes() == versions[-1]


def test_a_server_that_stops_in_the_middle_is_asked_for_the_rest(site, fetch, target, versions):
    folder, url, faults, requests = site
    faults[WHOLE] = {"stop": 4000}
    fetch(url)
    assert target.read_bytes() == versions[-1]
    size = (folder / WHOLE).stat().st_size
    ranges = [None, *(f"bytes={start}-" for start in range(4000, size, 4000))]
    assert [asked for name, asked in requests if name == WHOLE] == ranges


def test_the_next_call_resumes(site, fetch, target, versions, monkeypatch):
    _, url, faults, requests = site
    put(target, versions[0])
    faults["1-3.sqz"] = faults["3-4.sqz"] = {"stop": 0}
    with pytest.raises(RunError, match="stopped in the middle; the same command resumes"):
        fetch(url)
    faults["1-3.sqz"] = {"stop": 30}
    with monkeypatch.context() as patch, pytest.raises(RunError, match="1 connections were not"):
        patch.setattr(fetching, "MAX_CONNECTIONS", 1)
        fetch(url)
    assert target.read_bytes() == versions[0]
    faults.clear()
    requests.clear()
    fetch(url)
    assert requests[1:] == [("1-3.sqz", "bytes=30-"), ("3-4.sqz", None)]
    assert target.read_bytes() == versions[-1]
    assert left(target) == ["model.tflite.release.json"]


def test_a_server_without_ranges_sends_all_again(site, fetch, target, versions, monkeypatch):
    _, url, faults, _ = site
    faults[WHOLE] = {"stop": 4000}
    with monkeypatch.context() as patch, pytest.raises(RunError, match="not enough"):
        patch.setattr(fetching, "MAX_CONNECTIONS", 1)
        fetch(url)
    faults[WHOLE] = {"ranges": False}
    fetch(url)
    assert target.read_bytes() == versions[-1]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"more": b"!"}, "instead of"),
        ({"more": b"!", "silent": True}, "sends more bytes"),
        ({"stop": 100, "length": 100}, "sends 100 bytes"),
        ({"content": b"?" * 500}, "sends 500 bytes"),
        ({"redirect": "http://127.0.0.1:1/4.sqz"}, "not https"),
        ({"redirect": "file:///etc/passwd"}, "not allowed"),
        ({"stop": 0}, "stopped in the middle"),
        ({"stop": 0, "silent": True}, "stopped in the middle"),
    ],
)
def test_another_answer_than_the_index_says_is_refused(site, fetch, target, versions, fault, told):
    put(target, versions[2])
    site[2][UPDATE] = fault
    with pytest.raises(RunError, match=told):
        fetch(site[1])
    assert target.read_bytes() == versions[2]
    site[2].clear()
    fetch(site[1])
    assert target.read_bytes() == versions[-1]


def test_another_range_than_asked_for_is_refused(site, fetch, target):
    site[2][WHOLE] = {"stop": 4000, "shift": 7}
    with pytest.raises(FormatError, match="bytes 4007-"):
        fetch(site[1])
    assert not target.exists()


def test_another_content_is_refused_and_not_kept(site, fetch, target, versions):
    folder, url, faults, _ = site
    faults[WHOLE] = {"content": bytes((folder / WHOLE).stat().st_size)}
    with pytest.raises(FormatError, match=r"4\.sqz is not the file that the index names"):
        fetch(url)
    assert left(target) == ["model.tflite.release.json"]
    faults.clear()
    fetch(url)
    assert target.read_bytes() == versions[-1]


def change(folder, work):
    path = folder / "index.json"
    index = json.loads(path.read_bytes())
    work(index)
    path.write_text(json.dumps(index))


def replace(folder, name, content):
    """Put another archive into a plain folder, and its index right."""

    def work(index):
        (entry,) = (one for one in index["archives"] if one["name"] == name)
        entry.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    (folder / name).write_bytes(content)
    change(folder, work)


def test_an_index_that_lies_gives_no_file(site, fetch, target, versions):
    folder, url, *_ = site
    put(target, versions[2])
    other = sqz.pack(b"another file")
    replace(folder, UPDATE, other)
    with pytest.raises(FormatError, match=r"3-4\.sqz: gives another file than release 4"):
        fetch(url)
    replace(folder, UPDATE, other[:4] + b"\x02" + other[5:])
    with pytest.raises(FormatError, match="newer"):
        fetch(url)
    assert target.read_bytes() == versions[2]


def test_an_update_of_another_base_gives_no_file(site, fetch, target, versions):
    folder, url, *_ = site
    put(target, versions[2])
    replace(folder, UPDATE, (folder / "2-4.sqz").read_bytes())
    with pytest.raises(FormatError, match=hashlib.sha256(versions[1]).hexdigest()):
        fetch(url)
    assert target.read_bytes() == versions[2]


def test_a_rolled_back_index_is_refused(site, sites, fetch, target, versions):
    folder, url, *_ = site
    fetch(url)
    change(folder, lambda index: index["releases"].pop())
    change(folder, lambda index: index.update(
        archives=[one for one in index["archives"] if one["release"] < 4]))  # fmt: skip
    with pytest.raises(FormatError, match="newest release is 3, but 4 was seen"):
        fetch(url)
    target.unlink()  # not remembered by the file alone
    with pytest.raises(FormatError, match="rolled back"):
        fetch(url)
    target.with_name("model.tflite.release.json").write_text('{"release": "4"}')
    with pytest.raises(RunError, match=r"release\.json"):
        fetch(url)


def test_publishing_the_last_good_file_again_withdraws_a_release(
    signed, fetch, target, versions, keys, tmp_path
):
    folder, url, *_ = signed
    fetch(url, key=keys[1])
    assert target.read_bytes() == versions[3]
    (tmp_path / "good").write_bytes(versions[2])
    publishing.publish(tmp_path / "good", folder, updates=2, key=keys[0])
    done = fetch(url, key=keys[1])
    assert (done.release, done.archives) == (5, ("4-5.sqz",))
    assert target.read_bytes() == versions[2]
    assert fetch(url, key=keys[1]).archives == ()
    target.with_name("model.tflite.release.json").unlink()  # who skipped the bad one has it too
    assert fetch(url, key=keys[1]).archives == ()


def test_a_stale_index_is_refused(site, fetch, target, monkeypatch):
    folder, url, *_ = site
    now = int(time.time())
    change(folder, lambda index: index.update(expires=now + 1000))
    fetch(url)
    monkeypatch.setattr(time, "time", lambda: now + 1001)
    with pytest.raises(FormatError, match="stale, it expired on 20"):
        fetch(url)


def test_names_outside_the_folder_are_refused(site, fetch, target):
    folder, url, *_ = site
    change(folder, lambda index: index["archives"][0].update(name="../1.sqz"))
    with pytest.raises(FormatError, match=r"index\.json.*'\.\./1\.sqz' is not a name"):
        fetch(url)
    assert not target.exists()


def test_an_index_of_another_key_is_refused(signed, fetch, target, keys, tmp_path):
    folder, url, *_ = signed
    from tests.coding.test_signing import pair

    private, public = pair()
    (tmp_path / "other.pem").write_bytes(public)
    with pytest.raises(FormatError, match="not signed with this key"):
        fetch(url, key=tmp_path / "other.pem")
    index = signing.verify((folder / "index.signed").read_bytes(), keys[1].read_bytes())
    (folder / "index.signed").write_bytes(signing.sign(index.archive, private, 4))
    with pytest.raises(FormatError, match=r"index\.signed.*not signed with this key"):
        fetch(url, key=keys[1])
    (folder / "index.signed").write_bytes(index.archive)
    with pytest.raises(FormatError, match="not a signed archive"):
        fetch(url, key=keys[1])
    assert not target.parent.exists()


def test_a_signed_index_of_another_release_is_refused(signed, fetch, keys):
    folder, url, *_ = signed
    index = signing.verify((folder / "index.signed").read_bytes(), keys[1].read_bytes())
    signature = signing.sign(index.archive, keys[0].read_bytes(), 5)
    (folder / "index.signed").write_bytes(signature)
    with pytest.raises(FormatError, match="signed as another release"):
        fetch(url, key=keys[1])


def test_an_archive_signed_as_another_release_is_refused(signed, fetch, target, versions, keys):
    folder, url, *_ = signed
    private, public = (path.read_bytes() for path in keys)
    archive = signing.verify((folder / WHOLE).read_bytes(), public).archive
    other = signing.sign(archive, private, 5)
    (folder / WHOLE).write_bytes(other)
    index = json.loads(signing.verify((folder / "index.signed").read_bytes(), public).archive)
    for one in index["archives"]:
        if one["name"] == WHOLE:
            one.update(size=len(other), sha256=hashlib.sha256(other).hexdigest())
    text = json.dumps(index).encode()
    (folder / "index.signed").write_bytes(signing.sign(text, private, 4))
    with pytest.raises(FormatError, match=r"4\.sqz: signed as another release"):
        fetch(url, key=keys[1])
    assert not target.exists()


def test_the_kind_of_folder_is_said_if_the_index_is_missing(site, signed, fetch, keys):
    with pytest.raises(RunError, match=r"index\.signed, for --key"):
        fetch(signed[1])
    with pytest.raises(RunError, match=r"others have index\.json"):
        fetch(site[1], key=keys[1])


def test_an_endless_index_is_refused(site, fetch):
    site[2]["index.json"] = {"content": b" " * (2 << 20)}
    with pytest.raises(FormatError, match="larger than"):
        fetch(site[1])


def test_only_https_addresses_are_taken(fetch, target):
    for url in ("http://a.org/b", "ftp://a.org", "file:///etc", "a.org", "https://", "",
                "https://a.org/b?c=d", "https://a.org/b#c", "https://a.org/ b",
                "https://[a", "https://ä.org", "https://me:secret@a.org/b", "https://a.org:99999/b",
                "https://a.org:x/b", "https://a.org:0/b"):  # fmt: skip
        with pytest.raises(UsageError, match="must be the https address"):
            fetch(url)


def test_an_unknown_certificate_is_refused(site, target):
    with pytest.raises(
        RunError, match=r"certificate; --ca_file names other certificates to trust$"
    ):
        fetching.fetch(site[1], target)
    with pytest.raises(UsageError, match="--ca_file"):
        fetching.fetch(site[1], target, ca_file=target)


def test_a_wrong_key_is_told_before_anything_is_fetched(site, fetch, keys):
    with pytest.raises(UsageError, match=r"--key=.*not an unencrypted public key.*openssl"):
        fetch(site[1], key=keys[0])
    assert site[3] == []


def test_a_full_disk_leaves_the_old_file(site, fetch, target, versions, monkeypatch):
    import builtins
    import errno

    put(target, versions[2])
    real = open

    def full(path, mode="r", *rest, **more):
        if mode == "r+b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, *rest, **more)

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(RunError, match="No space left on device; free space"):
        fetch(site[1])
    assert target.read_bytes() == versions[2]
