"""`make install` with a made adb: what is done, and what is said when it cannot be."""

import importlib.util
import os
import stat

import pytest


@pytest.fixture
def install(repository, monkeypatch):
    path = repository / "android_demo/tools/install.py"
    spec = importlib.util.spec_from_file_location("android_install", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT", "ANDROID_SERIAL"):
        monkeypatch.delenv(name, raising=False)
    return module


@pytest.fixture
def apk(tmp_path):
    path = tmp_path / "sqzkit.apk"
    path.write_bytes(b"apk")
    return path


def make_adb(tmp_path, monkeypatch, phones, status=0):
    folder = tmp_path / "bin"
    folder.mkdir()
    rows = "".join(f"{serial}\\t{state}\\n" for serial, state in phones)
    adb = folder / "adb"
    adb.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = devices ]; then printf "List of devices attached\\n{rows}\\n"; exit 0; fi\n'
        f'echo "$@" > {tmp_path}/called\nexit {status}\n'
    )
    adb.chmod(adb.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_installs_on_the_one_phone(install, apk, tmp_path, monkeypatch):
    make_adb(tmp_path, monkeypatch, [("R58M", "device")])
    install.install(apk)
    assert (tmp_path / "called").read_text() == f"install -r {apk}\n"


def test_says_to_build_first(install, tmp_path):
    with pytest.raises(install.InstallError, match="make apk"):
        install.install(tmp_path / "nothing.apk")


def test_says_how_to_get_adb(install, apk, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(install.InstallError, match="adb is not installed"):
        install.install(apk)


@pytest.mark.parametrize("state", [None, "unauthorized", "offline"])
def test_says_how_to_connect_a_phone(install, apk, tmp_path, monkeypatch, state):
    make_adb(tmp_path, monkeypatch, [("R58M", state)] if state else [])
    with pytest.raises(install.InstallError, match="USB debugging"):
        install.install(apk)
    assert not (tmp_path / "called").exists()


def test_asks_which_of_several_phones(install, apk, tmp_path, monkeypatch):
    make_adb(tmp_path, monkeypatch, [("A", "device"), ("B", "device")])
    with pytest.raises(install.InstallError, match="ANDROID_SERIAL=A"):
        install.install(apk)
    monkeypatch.setenv("ANDROID_SERIAL", "B")
    install.install(apk)
    assert (tmp_path / "called").exists()


def test_explains_a_failed_installation(install, apk, tmp_path, monkeypatch):
    make_adb(tmp_path, monkeypatch, [("A", "device")], status=1)
    with pytest.raises(install.InstallError, match="adb uninstall"):
        install.install(apk)


def test_finds_adb_in_an_android_sdk(install, tmp_path, monkeypatch):
    adb = tmp_path / "sdk/platform-tools/adb"
    adb.parent.mkdir(parents=True)
    adb.touch()
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert install.find_adb() == str(adb)
