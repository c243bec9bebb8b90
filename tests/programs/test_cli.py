import signal
import subprocess
import sys
import time

PROGRAM = """
import sys
import dataclasses
from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli
@dataclasses.dataclass(frozen=True)
class Numbered(Settings):
    number: int = setting(1, help="A number.")
def main(given, arguments):
    number = given.get("number", 1)
    if number == 2:
        raise UsageError("--number 2: must be 1; try 1")
    if number == 3:
        raise RunError("disk.bin: full")
    if number == 4:
        raise ZeroDivisionError
    if number == 5:
        open("/nowhere/at/all")
    if number == 6:
        print("ready", flush=True)
        import time
        time.sleep(60)
    if number == 7:
        print("ready", flush=True)
        import hashlib
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # minutes inside one native call
    if number == 8:
        from sqzkit.base.quiet import quiet
        print("ready", flush=True)
        import time
        with quiet():
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                raise ValueError("as libraries do")
cli.run(cli.Program("test", main, (Numbered,), if_interrupted=cli.RESUMES))
"""


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def test_exit_codes_and_messages():
    assert call().returncode == 0
    wrong = call("--number=2")
    assert (wrong.returncode, wrong.stderr) == (2, "error: --number 2: must be 1; try 1\n")
    failed = call("--number=3")
    assert (failed.returncode, failed.stderr) == (1, "error: disk.bin: full\n")
    missing = call("--number=5")
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr


def test_a_defect_keeps_its_traceback():
    defect = call("--number=4")
    assert defect.returncode == 1
    assert "ZeroDivisionError" in defect.stderr


def test_bad_flags_exit_2():
    for arguments in (["--number=x"], ["--nmber=1"], ["stray"]):
        result = call(*arguments)
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr


def test_interrupts_end_with_one_line():
    for number, case in ((signal.SIGINT, 6), (signal.SIGTERM, 6), (signal.SIGINT, 8)):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, f"--number={case}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.send_signal(number)  # impatience changes nothing
        _, message = process.communicate(timeout=2)
        assert process.returncode == 130
        assert message == "interrupted; the same command resumes\n"


def test_a_hangup_of_nohup_stays_ignored():
    """`nohup` and shells that start background jobs leave signals ignored: they stay so."""
    quick = PROGRAM.replace("time.sleep(60)", "time.sleep(1)", 1)
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + quick
    process = subprocess.Popen(
        [sys.executable, "-c", ignoring, "--number=6"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_long_native_call_does_not_outlast_an_interrupt():
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--number=7"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - started < 10  # 1.5 s on a quiet machine
    assert process.returncode == 130
    assert error == "interrupted; the same command resumes\n"
