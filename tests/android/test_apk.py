"""The APK as `make apk` builds it: twice the same bytes, small, signed, aligned."""

import os
import shutil
import subprocess
import zipfile

import pytest

from tests.android import apk_facts

MAX_BYTES = 4_000_000

pytestmark = pytest.mark.slow


def build(repository, folder, **environment):
    """Build an APK for arm64 alone in a copy of the app; return it."""
    if shutil.which("mvn") is None or shutil.which("javac") is None:
        pytest.skip("needs Maven and a JDK")
    without = shutil.ignore_patterns("target", "test")
    shutil.copytree(repository / "android_demo", folder, ignore=without)
    key = folder.parent / "debug.p12"
    command = ["mvn", "-B", "-q", "-ntp", "-f", str(folder), "package", "-DskipTests"]
    command += ["-Dabis=arm64-v8a", f"-DdebugKeystore={key}"]
    subprocess.run(command, check=True, env={**os.environ, **environment})
    return folder / "target/sqzkit.apk"


@pytest.fixture(scope="module")
def apks(repository, tmp_path_factory):
    """Two builds; the second has the first's key as a user's own, from the environment."""
    folder = tmp_path_factory.mktemp("apk")
    first = build(repository, folder / "first")
    own = {"SQZKIT_KEYSTORE": str(folder / "debug.p12"), "SQZKIT_KEYSTORE_PASSWORD": "android"}
    return [first, build(repository, folder / "second", **own)]


def test_is_signed_aligned_and_asks_for_no_network(apks):
    apk_facts.check(apks[0])


def test_has_the_same_bytes_when_built_twice(apks):
    assert apks[0].read_bytes() == apks[1].read_bytes()


def test_is_small_with_the_imagenet_model_inside(apks, repository):
    assert apks[0].stat().st_size < MAX_BYTES
    model = "models/ImageNet.sqz"
    with zipfile.ZipFile(apks[0]) as apk:
        inside = apk.read(f"assets/{model}")
    assert inside == (repository / "android_demo/app/src/main/assets" / model).read_bytes()


def test_facts_notice_another_entry(apks, tmp_path):
    assert apk_facts.different(*apks) == []
    changed = tmp_path / "changed.apk"
    shutil.copy(apks[0], changed)
    with zipfile.ZipFile(changed, "a") as apk:
        apk.writestr("assets/extra.txt", b"more")
    assert apk_facts.different(apks[0], changed) == ["assets/extra.txt"]


def test_facts_notice_a_missing_signature(apks, tmp_path):
    bare = tmp_path / "bare.apk"
    with zipfile.ZipFile(apks[0]) as signed, zipfile.ZipFile(bare, "w") as out:
        for entry in signed.infolist():
            out.writestr(entry, signed.read(entry))
    with pytest.raises((AssertionError, ValueError)):
        apk_facts.check(bare)
