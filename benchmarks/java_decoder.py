"""The Java decoder and encoder of `.sqz`, compiled with the JDK that is there."""

import dataclasses
import itertools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

REPOSITORY = Path(__file__).resolve().parent.parent
MODULE = REPOSITORY / "android_demo/sqz/src"
PACKAGE = "org.sqzkit.sqz"
PROGRAMS = ("DecodeArchives", "EncodeFiles")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the decoder said of an archive, or the encoder of a file.

    Attributes:
      sha256: of the file or archive that came out, None if the archive was refused.
      seconds: of processor time.
      reason: why the archive was refused.
    """

    sha256: str | None
    seconds: float
    reason: str = ""


def is_available() -> bool:
    """Return whether this machine has a JDK."""
    return shutil.which("javac") is not None


def _compile(folder: str) -> None:
    sources = sorted(MODULE.glob("main/java/org/sqzkit/sqz/*.java"))
    sources += [MODULE / f"test/java/org/sqzkit/sqz/{program}.java" for program in PROGRAMS]
    subprocess.run(
        ["javac", "--release", "11", "-nowarn", "-d", folder, *map(str, sources)], check=True
    )


def pack(
    contents: Sequence[bytes], bases: Sequence[bytes | None] = (), heap: str = "256m"
) -> list[Answer]:
    """Return of each file what the encoder made: the SHA-256 of the archive, and its time.

    With `bases`, one for each file, the archive is an update where there is one.
    """
    with tempfile.TemporaryDirectory() as folder:
        _compile(folder)
        pairs = itertools.zip_longest(contents, bases)
        given = b"".join(_sent(content) + _sent(base) for content, base in pairs)
        command = ["java", f"-Xmx{heap}", "-cp", folder, f"{PACKAGE}.EncodeFiles"]
        done = subprocess.run(command, input=given, capture_output=True, check=True)
    lines = (line.split() for line in done.stdout.decode().splitlines())
    return [Answer(sha256, int(took) / 1e6) for sha256, took in lines]


def _sent(content: bytes | None) -> bytes:
    """Return what a program is sent: the content behind its length, or -1 without one."""
    return struct.pack(">i", -1) if content is None else struct.pack(">i", len(content)) + content


class JavaDecoder:
    """A process that decodes archives.

    Args:
      limit: largest legal size of a decoded file.
      heap: of the virtual machine.
    """

    def __init__(self, limit: int, heap: str = "256m") -> None:
        self._folder = tempfile.TemporaryDirectory()
        _compile(self._folder.name)
        program = f"{PACKAGE}.DecodeArchives"
        command = ["java", f"-Xmx{heap}", "-cp", self._folder.name, program, str(limit)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def __enter__(self) -> "JavaDecoder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def decode(self, archive: bytes, base: bytes | None = None) -> Answer:
        """Return what the decoder says of `archive`, with the base of an update.

        Raises:
          ChildProcessError: it died.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(_sent(archive) + _sent(base))
        self._process.stdin.flush()
        line = self._process.stdout.readline().decode().rstrip("\n")
        word, _, rest = line.partition(" ")
        first, _, last = rest.partition(" ")
        if word == "accepted":
            return Answer(first, int(last) / 1e6)
        if word == "refused":
            return Answer(None, int(first) / 1e6, last)
        raise ChildProcessError(f"the Java decoder died: {line!r}")
