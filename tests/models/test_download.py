import email.message
import hashlib
import http.client
import io
import subprocess
import urllib.error
import urllib.request

import pytest

from sqzkit.base.errors import RunError
from sqzkit.models import download
from sqzkit.models.download import Checksum, RemoteFile, obtain

CONTENT = bytes(range(256)) * 40
URL = "https://example.org/commit/file.bin"
GOOD = RemoteFile(URL, Checksum("sha256", hashlib.sha256(CONTENT).hexdigest()))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SQZKIT_CACHE", str(folder))
    return folder


class Response(io.BytesIO):
    """What urllib gives: a stream with status and headers."""

    def __init__(self, content, status=200, length=None):
        super().__init__(content)
        self.status = status
        self.headers = email.message.Message()
        self.headers["Content-Length"] = str(len(content) if length is None else length)


class Torn(Response):
    """A connection closed early, as http.client reports it."""

    def read(self, *_):
        raise http.client.IncompleteRead(self.getvalue())


class Server:
    """Answers each request by the next of its answers, and remembers the ranges asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.ranges = []

    def __call__(self, request):
        assert request.full_url == URL
        self.ranges.append(request.get_header("Range"))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_a_file_is_fetched_once_and_kept(cache):
    server = Server(Response(CONTENT))
    assert obtain(GOOD, None, server) == CONTENT
    assert obtain(GOOD, None, server) == CONTENT
    assert server.ranges == [None]
    assert left_in(cache) == ["file.bin"]


def test_the_folder_is_looked_at_first(tmp_path, cache):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert obtain(GOOD, tmp_path, Server()) == CONTENT
    assert left_in(cache) == []


def test_a_file_of_another_name_is_found_by_its_checksum(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[1:])
    (tmp_path / "folder.bin").mkdir()
    (tmp_path / "renamed.bin").write_bytes(CONTENT)
    assert obtain(GOOD, tmp_path, Server()) == CONTENT


def test_a_folder_without_the_file_is_passed_over(tmp_path):
    assert obtain(GOOD, tmp_path, Server(Response(CONTENT))) == CONTENT


def test_a_wrong_file_in_the_folder_is_refused_and_left(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"other")
    with pytest.raises(RunError) as error:
        obtain(GOOD, tmp_path, Server())
    assert GOOD.checksum.value in str(error.value)
    assert hashlib.sha256(b"other").hexdigest() in str(error.value)
    assert str(tmp_path / "file.bin") in str(error.value)
    assert (tmp_path / "file.bin").read_bytes() == b"other"


def test_a_wrong_download_is_refused_and_nothing_is_left(cache):
    with pytest.raises(RunError) as error:
        obtain(GOOD, None, Server(Response(b"other")))
    assert GOOD.checksum.value in str(error.value)
    assert hashlib.sha256(b"other").hexdigest() in str(error.value)
    assert left_in(cache) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(cache):
    cache.mkdir()
    (cache / "file.bin").write_bytes(CONTENT[:-1])
    assert obtain(GOOD, None, Server(Response(CONTENT))) == CONTENT
    assert (cache / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "first",
    [Torn(CONTENT[:100], length=len(CONTENT)), Response(CONTENT[:100], length=len(CONTENT))],
)
def test_an_interrupted_download_goes_on_where_it_was(first):
    first.seek(0)
    server = Server(first, Response(CONTENT[100:], status=206))
    assert obtain(GOOD, None, server) == CONTENT
    assert server.ranges == [None, "bytes=100-"]


def test_a_server_that_cannot_go_on_starts_again():
    server = Server(Torn(CONTENT[:100], length=len(CONTENT)), Response(CONTENT))
    assert obtain(GOOD, None, server) == CONTENT


@pytest.mark.parametrize(
    "failure",
    [urllib.error.URLError("no route"), TimeoutError("timed out"), ConnectionResetError()],
)
def test_a_connection_that_keeps_failing_is_reported(cache, failure):
    with pytest.raises(RunError, match=f"cannot fetch {URL}.*--weights_dir"):
        obtain(GOOD, None, Server(failure, failure, failure))
    assert left_in(cache) == []


def test_an_endless_answer_is_cut_off(cache):
    with pytest.raises(RunError, match="larger than"):
        obtain(GOOD, None, Server(Response(bytes(download.MAX_BYTES + 2))))
    assert left_in(cache) == []


def test_a_huge_file_in_the_folder_is_not_read(tmp_path):
    with open(tmp_path / "file.bin", "wb") as stream:
        stream.truncate(download.MAX_BYTES + 1)
    with pytest.raises(RunError, match="larger than"):
        obtain(GOOD, tmp_path, Server())


def test_a_cache_that_cannot_be_written_is_reported(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(RunError, match=r"cannot write .*\$SQZKIT_CACHE names the cache"):
        obtain(GOOD, None, Server(Response(CONTENT)))


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "file:///etc/hostname", "ftp://example.org/a"]
)
def test_only_https_is_spoken(url):
    with pytest.raises(urllib.error.URLError, match="not https"):
        download.open_https(urllib.request.Request(url))


def test_a_redirection_away_from_https_is_refused():
    handler = download._HttpsRedirects()
    request = urllib.request.Request(URL)
    headers = email.message.Message()
    followed = handler.redirect_request(request, None, 302, "", headers, "https://example.org/b")
    assert followed.full_url == "https://example.org/b"
    with pytest.raises(urllib.error.URLError, match="not https"):
        handler.redirect_request(request, None, 302, "", headers, "http://example.org/b")


def test_a_git_blob_id_is_gits(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    git = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True)
    assert Checksum("git_blob", "").of(CONTENT) == git.stdout.strip()


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    assert download.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SQZKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / "sqzkit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / ".cache" / "sqzkit"
