"""`make apk`: models are checked first, and a build is repeated only if something changed."""

import shutil
import subprocess
import sys

import pytest

from sqzkit.base.errors import FormatError, RunError
from sqzkit.tflite.flatbuffer import TFLiteFile

MODELS = "android_demo/app/src/test/resources/models"


@pytest.fixture
def make_apk(make_apk_program, tmp_path, monkeypatch):
    """The program, with a small app of its own."""
    app = tmp_path / "app"
    (app / "app/src/main").mkdir(parents=True)
    (app / "app/src/main/Main.java").write_text("class Main {}")
    (app / "app/src/test").mkdir()
    monkeypatch.setattr(make_apk_program, "APP", app)
    monkeypatch.setattr(make_apk_program, "APK", app / "target/sqzkit.apk")
    return make_apk_program


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("two_inputs", "2 inputs and 1 outputs"),
        ("two_outputs", "1 inputs and 2 outputs"),
        ("grey_input", r"its input is \[1, 32, 32, 1\]"),
        ("column_output", r"its output is \[3, 1\]"),
        ("int64_input", "is int64 instead of"),
        ("int32_output", "is int32 instead of"),
        ("four_labels", "4 labels for 3 classes"),
    ],
)
def test_a_model_that_the_app_refuses_is_refused_before_building(
    make_apk, repository, name, reason
):
    with pytest.raises(FormatError, match=reason):
        make_apk.check_model(TFLiteFile((repository / MODELS / f"{name}.tflite").read_bytes()))


@pytest.mark.parametrize(
    "name", ["colours_int8", "colours_uint8", "colours_float", "bare_float", "foreign", "planar"]
)
def test_a_model_that_the_app_opens_is_accepted(make_apk, repository, name):
    make_apk.check_model(TFLiteFile((repository / MODELS / f"{name}.tflite").read_bytes()))


def test_the_program_names_the_model_and_the_reason(repository):
    program = repository / "android_demo/tools/make_apk.py"
    model = repository / MODELS / "grey_input.tflite"
    done = subprocess.run(
        [sys.executable, str(program), f"--model={model}"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "grey_input.tflite" in done.stderr and "[1, 32, 32, 1]" in done.stderr
    assert "Traceback" not in done.stderr


def build(make_apk, models, abis="arm64-v8a", update_key=None):
    """Build as `main` does; return whether there was anything to do."""
    key = make_apk.fingerprint(models, abis, update_key)
    if make_apk.is_current(key):
        return False
    make_apk.APK.parent.mkdir(exist_ok=True)
    make_apk.APK.write_bytes(b"apk of " + key.encode())
    make_apk.write_stamp(key)
    return True


def test_an_unchanged_build_does_nothing(make_apk, tmp_path):
    model = tmp_path / "model.sqz"
    model.write_bytes(b"model")
    assert build(make_apk, [model])
    assert not build(make_apk, [model])
    (make_apk.APP / "app/src/test/Test.java").write_text("class Test {}")
    assert not build(make_apk, [model])


def test_whatever_is_in_the_apk_is_built_anew_when_it_changes(make_apk, tmp_path, monkeypatch):
    model = tmp_path / "model.sqz"
    model.write_bytes(b"model")
    assert build(make_apk, [model])
    model.write_bytes(b"other")
    assert build(make_apk, [model])
    (make_apk.APP / "app/src/main/Main.java").write_text("class Main { }")
    assert build(make_apk, [model])
    (make_apk.APP / "app/src/main/New.java").write_text("class New {}")
    assert build(make_apk, [model])
    assert build(make_apk, [model], "arm64-v8a,x86_64")
    public = tmp_path / "public.pem"
    public.write_bytes(b"key")
    assert build(make_apk, [model], "arm64-v8a,x86_64", public)
    public.write_bytes(b"other key")
    assert build(make_apk, [model], "arm64-v8a,x86_64", public)
    monkeypatch.setenv("SQZKIT_KEY_ALIAS", "other")
    assert build(make_apk, [model], "arm64-v8a,x86_64")
    make_apk.APK.write_bytes(b"from elsewhere")
    assert build(make_apk, [model], "arm64-v8a,x86_64")
    shutil.rmtree(make_apk.APK.parent)
    assert build(make_apk, [model], "arm64-v8a,x86_64")


def test_only_a_public_key_is_built_in(repository, tmp_path):
    pytest.importorskip("cryptography")
    program = repository / "android_demo/tools/make_apk.py"
    (tmp_path / "no.pem").write_text("no key")
    for name, told in (("no.pem", "public key of P-256"), ("missing.pem", "no such file")):
        done = subprocess.run(
            [sys.executable, str(program), f"--update_key={tmp_path / name}"],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert f"--update_key={tmp_path / name}: " in done.stderr and told in done.stderr
        assert "Traceback" not in done.stderr


def test_the_key_goes_to_maven(make_apk, tmp_path, monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(make_apk.shutil, "which", lambda _: "mvn")
    monkeypatch.setattr(make_apk, "LOG", tmp_path / "target" / "build.log")
    monkeypatch.setattr(make_apk.subprocess, "run", run)
    make_apk.build([], "arm64-v8a", tmp_path / "public.pem")
    make_apk.build([], "arm64-v8a")
    assert f"-DupdateKey={tmp_path / 'public.pem'}" in commands[0]
    assert not any("updateKey" in word for word in commands[1])


@pytest.mark.parametrize("status", [0, 1])
def test_a_build_prints_a_page_at_most(make_apk, tmp_path, monkeypatch, capfd, status):
    maven = tmp_path / "mvn"
    maven.write_text(f"#!/bin/sh\nseq 800\nseq 800 >&2\nexit {status}\n")
    maven.chmod(0o755)
    monkeypatch.setattr(make_apk.shutil, "which", lambda _: str(maven))
    monkeypatch.setattr(make_apk, "LOG", tmp_path / "target" / "build.log")
    if status:
        with pytest.raises(RunError, match="whole output is in"):
            make_apk.build([], "arm64-v8a")
    else:
        make_apk.build([], "arm64-v8a")
    printed = "".join(capfd.readouterr()).splitlines()
    assert len(printed) == (make_apk.SHOWN_LINES if status else 0)
    assert len(make_apk.LOG.read_text().splitlines()) == 1600
