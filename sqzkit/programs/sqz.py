"""Pack models into `.sqz` archives and back, bit for bit.

sqzkit sqz pack model.tflite            writes model.tflite.sqz
sqzkit sqz unpack model.tflite.sqz      writes model.tflite again
sqzkit sqz info model.tflite.sqz        prints what is inside

sqzkit sqz pack new.tflite --base=old.tflite               writes new.tflite.update.sqz
sqzkit sqz unpack new.tflite.update.sqz --base=old.tflite  writes new.tflite again
sqzkit sqz info new.tflite.update.sqz --base=old.tflite    prints which tensors changed too

sqzkit sqz sign new.sqz --key=private.pem --release=7      writes new.signed.sqz
sqzkit sqz verify new.signed.sqz --key=public.pem --output=new.sqz
"""

import dataclasses
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli


@dataclasses.dataclass(frozen=True)
class SqzSettings(Settings):
    """The flags of `sqzkit sqz`."""

    output: str | None = setting(
        None, path=True, help="File to write.", default_text="beside the input"
    )
    base: str | None = setting(
        None,
        path=True,
        help="Older version of the file, or its archive: what an update starts from.",
        default_text="a whole archive",
    )
    overwrite: bool = setting(False, help="Replace the output file if it exists.")
    key: str | None = setting(
        None, path=True, help="To sign and verify: private or public key of P-256, a PEM file."
    )
    release: int | None = setting(
        None,
        minimum=0,
        help="To sign: number of this release, larger for each newer one. To verify: refuse "
        "older ones.",
    )
    limit: int = setting(
        256 << 20, minimum=1, unit="bytes", help="Maximum size of the file that an archive holds."
    )


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Run the command that the arguments name."""
    asked = assembly.build(SqzSettings, given)
    if len(arguments) != 2 or arguments[0] not in COMMANDS:
        wrong = arguments and arguments[0] not in COMMANDS
        meant = assembly.nearest(arguments[0], COMMANDS) if wrong else ""
        raise UsageError(f"give one of {', '.join(COMMANDS)} and one file{meant} (--help)")
    COMMANDS[arguments[0]](arguments[1], asked)


def _pack(path: str, asked: SqzSettings) -> None:
    from sqzkit.coding import archive_files  # brings numba

    packed = archive_files.pack(path, asked.output, **_settings(asked))
    if not packed.written:
        print(f"{packed.path} already holds {path}")
        return
    share = f"{100 * packed.size / max(packed.source_size, 1):.{2 if asked.base else 1}f} %"
    print(f"{packed.path}: {packed.size:,} bytes, {share} of {packed.source_size:,}")
    if asked.base:
        print(f"to unpack it, give the same base: {asked.base}")
    if packed.plain:
        told = f"a part of {path} is not" if packed.tensors else f"{path} holds no tensors that are"
        print(f"{told} int8 or clustered; xz may make it smaller")


def _unpack(path: str, asked: SqzSettings) -> None:
    from sqzkit.coding import archive_files  # brings numba

    found = archive_files.unpack(path, asked.output, **_settings(asked))
    print(f"{found.path}: {found.size:,} bytes, SHA-256 as packed")


def _settings(asked: SqzSettings) -> dict[str, Any]:
    return {"base": asked.base, "overwrite": asked.overwrite, "limit": asked.limit}


def _info(path: str, asked: SqzSettings) -> None:
    from sqzkit.coding import archive_files  # brings numba

    found = archive_files.archive_info(path, asked.limit)
    changes = _changes(path, asked) if asked.base else []  # before a line, in case it is refused
    what = "an update" if found.base_sha256 else f"a {found.kind}"
    print(f"{path}: {found.archive_size:,} bytes for {what} of {found.size:,}")
    print(f"SHA-256 {found.sha256}")
    if found.base_sha256:
        print(f"base    {found.base_sha256}, {found.base_size:,} bytes, {found.copied:,} copied")
    print(f"{found.tensors} weight tensors with {found.weights:,} weights")
    print(f"header, lists: {found.lists:>21,}")
    for number, stream in enumerate(found.streams):
        print(f"stream {number}: {stream.size:>12,} -> {stream.coded:>10,}  {stream.method}")
    for line in changes:
        print(line)


def _changes(path: str, asked: SqzSettings) -> list[str]:
    """Return a line for each tensor of an update that differs from that of its base."""
    from sqzkit.coding import archive_files, differences

    pair = archive_files.read_pair(path, asked.base, asked.limit)
    return [
        f"changed: {change.changed:>9,} of {change.size:>9,} "
        f"{'scales' if change.role == 'scales' else 'values'}  {change.name[:60]}"
        for change in differences.changes(*pair)
    ]


def _sign(path: str, asked: SqzSettings) -> None:
    from sqzkit.coding import archive_files  # brings numba

    if asked.key is None or asked.release is None:
        raise UsageError("sign needs --key=PRIVATE.pem and --release=NUMBER")
    made = archive_files.sign(path, asked.output, release=asked.release, **_keyed(asked))
    print(f"{made}: release {asked.release}")


def _verify(path: str, asked: SqzSettings) -> None:
    from sqzkit.coding import archive_files  # brings numba

    if asked.key is None:
        raise UsageError("verify needs --key=PUBLIC.pem")
    oldest = asked.release or 0
    found = archive_files.verify(path, asked.output, min_release=oldest, **_keyed(asked))
    print(f"{path}: release {found.release}, signed with this key")


def _keyed(asked: SqzSettings) -> dict[str, Any]:
    return {"key": asked.key, "overwrite": asked.overwrite, "limit": asked.limit}


COMMANDS = {"pack": _pack, "unpack": _unpack, "info": _info, "sign": _sign, "verify": _verify}
PROGRAM = cli.Program("sqz", main, (SqzSettings,), arguments=f"{'|'.join(COMMANDS)} FILE")

if __name__ == "__main__":
    cli.run(PROGRAM)
