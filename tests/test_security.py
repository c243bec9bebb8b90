"""What SECURITY.md promises of the source itself."""

import ast
import re
from pathlib import Path

import pytest

from sqzkit.base import files
from sqzkit.coding import container
from sqzkit.models import caffemodel, download, keras_file, onnx_file, published, spec, torch_file
from sqzkit.preprocessing import decoding
from sqzkit.runs import weights
from sqzkit.tflite import flatbuffer, metadata

TOP = Path(__file__).resolve().parents[1]
SOURCES = [*(TOP / "sqzkit").rglob("*.py"), TOP / "train.py", TOP / "convert.py"]
CODE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
NETWORK_MODULES = {"urllib", "http", "requests", "ftplib", "httpx", "aiohttp"}
FETCHING = {"models/download.py", "serving/fetching.py"}  # as SECURITY.md says
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TOP)))
def test_nothing_is_unpickled_evaluated_or_fetched(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set(imported(tree))
    assert not modules & CODE_MODULES
    fetches = any(path == TOP / "sqzkit" / name for name in FETCHING)
    assert fetches or not modules & NETWORK_MODULES
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            owner = getattr(node.func, "value", None)
            if isinstance(owner, ast.Name) and owner.id == "os":
                called = node.func.attr
            assert called not in CALLS, f"line {node.lineno} calls {called}"
            words = {word.arg: word.value for word in node.keywords}
            for word, safe in (("allow_pickle", False), ("safe_mode", True), ("shell", False)):
                if word in words:
                    assert ast.literal_eval(words[word]) is safe, f"line {node.lineno}: {word}"
            if getattr(node.func, "attr", "") == "load_model":
                assert "safe_mode" in words


def test_what_may_be_fetched_is_pinned():
    commit = r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/.+"
    # PyTorch names the beginning of the SHA-256 in the file's name, and nothing more.
    torch = r"https://download\.pytorch\.org/models/[\w]+-([0-9a-f]{8})\.pth"
    for record in published.PUBLISHED.values():
        remote = record.file
        if match := re.fullmatch(torch, remote.url):
            assert remote.checksum == download.Checksum("sha256", match[1])
            continue
        assert re.fullmatch(commit, remote.url)
        digits = {"sha256": 64, "git_blob": 40}[remote.checksum.kind]
        assert re.fullmatch(rf"[0-9a-f]{{{digits}}}", remote.checksum.value)
    assert published.PUBLISHED["deep_compression"].file.checksum.kind == "sha256"


def test_the_page_states_the_bounds_of_the_code():
    page = (TOP / "SECURITY.md").read_text(encoding="utf-8")
    for bound, text in (
        (flatbuffer.MAX_BYTES, "| `.tflite` | 512 MiB |"),
        (container.DEFAULT_LIMIT, "| 256 MiB (`--limit`)"),
        (metadata.MAX_BYTES, "64 files, 16 MiB together"),
        (caffemodel.MAX_BYTES, "download | 16 MiB |"),
        (onnx_file.MAX_BYTES, "download | 16 MiB |"),
        (torch_file.MAX_BYTES, "download | 16 MiB |"),
        (download.MAX_BYTES, "download | 16 MiB |"),
        (weights.MAX_BYTES, "1 GiB (a checkpoint"),
        (keras_file.MAX_BYTES, "1 GiB (a checkpoint"),
        (files.MAX_TEXT_BYTES, "metrics | 32 MiB |"),
        (decoding.MAX_BYTES, "photograph | 512 MiB;"),
    ):
        assert text in page
        number, unit = re.search(r"(\d+) ([MG])iB", text).groups()
        assert bound == int(number) << {"M": 20, "G": 30}[unit], text
    assert f"JPEG {decoding.MAX_PIXELS // 10**6} million pixels" in page
    assert f"others {decoding.MAX_WHOLE_PIXELS // 10**6} million" in page
    assert f"{decoding.MAX_PIXELS_PER_BYTE:,} pixels for each byte" in page
    assert f"{spec.MAX_PARAMETERS:,} weights" in page
    assert f"{spec.MAX_MODULES} Fire modules, {spec.MAX_CLASSES:,} classes" in page
