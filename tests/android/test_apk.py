"""The app's package: small, signed, aligned; the same bytes when it is built twice.

`make test` builds it for the app's own tests and hands it over as SQZKIT_APK. Without that, two
are built with SQZKIT_THOROUGH=1: a build takes a minute.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests import thorough
from tests.android import apk_facts

MAX_BYTES = 4_000_000  # with the library for arm64 alone
GIVEN = os.environ.get("SQZKIT_APK")

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
def apk(repository, tmp_path_factory):
    if GIVEN:
        return Path(GIVEN)
    if not thorough.THOROUGH:
        pytest.skip("make test gives it as SQZKIT_APK; SQZKIT_THOROUGH=1 builds it")
    return build(repository, tmp_path_factory.mktemp("apk") / "first")


def test_is_signed_aligned_and_asks_for_no_network(apk):
    apk_facts.check(apk)


@pytest.mark.skipif(bool(GIVEN), reason="SQZKIT_APK was built once")
def test_has_the_same_bytes_when_built_twice(apk, repository):
    """The second has the first's key as a user's own, from the environment."""
    folder = apk.parents[2]
    own = {"SQZKIT_KEYSTORE": str(folder / "debug.p12"), "SQZKIT_KEYSTORE_PASSWORD": "android"}
    assert build(repository, folder / "second", **own).read_bytes() == apk.read_bytes()


def test_is_small_with_the_imagenet_model_inside(apk, repository):
    model = "models/ImageNet.sqz"
    with zipfile.ZipFile(apk) as entries:
        inside = entries.read(f"assets/{model}")
        others = [
            entry.compress_size
            for entry in entries.infolist()
            if entry.filename.startswith("lib/") and "arm64-v8a" not in entry.filename
        ]
    assert apk.stat().st_size - sum(others) < MAX_BYTES
    assert inside == (repository / "android_demo/app/src/main/assets" / model).read_bytes()


def test_facts_notice_another_entry(apk, tmp_path):
    changed = tmp_path / "changed.apk"
    shutil.copy(apk, changed)
    assert apk_facts.different(apk, changed) == []
    with zipfile.ZipFile(changed, "a") as entries:
        entries.writestr("assets/extra.txt", b"more")
    assert apk_facts.different(apk, changed) == ["assets/extra.txt"]


def test_facts_notice_a_missing_signature(apk, tmp_path):
    bare = tmp_path / "bare.apk"
    with zipfile.ZipFile(apk) as signed, zipfile.ZipFile(bare, "w") as out:
        for entry in signed.infolist():
            out.writestr(entry, signed.read(entry))
    with pytest.raises((AssertionError, ValueError)):
        apk_facts.check(bare)
