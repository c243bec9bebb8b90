"""What lies in a folder of photographs: every file is used, or left out for a stated reason."""

import dataclasses
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import decoding

Reason = Literal[
    "unreadable",
    "unsupported format",
    "not a photograph",
    "hidden",
    "made by another program",
    "outside the class folders",
    "link to a folder that is read already",
    "copy",
    "in two classes",
    "in two splits",
]
Place = Literal["kept in one split", "in two splits", "in two classes"]
MAX_DEPTH = 64
MAX_NAMES = 10_000  # of each reason in a record
_SHOWN_NAMES = 3
# Folders of file managers, photo managers, network drives and archivers.
_MADE_BY_PROGRAMS = frozenset(
    "@eadir @__thumb @tmp @recycle #recycle #snapshot $recycle.bin recycler __macosx thumbnails"
    " lost+found lost.dir found.000 _vti_cnf __pycache__ folder.jpg albumartsmall.jpg".split()
) | {"system volume information", "network trash folder", "temporary items"}
# Libraries of photo managers: they hold a photograph in several sizes.
_LIBRARIES = (".lrdata", ".photoslibrary", ".photolibrary", ".aplibrary")
_SMALL = "thumbs?|thumbnails?|tn|th|previews?|small|mini|medium|resized|scaled|lowres|edited"
_PREVIEW = re.compile(
    rf"(?:{_SMALL})[-_ ](?P<first>.+)"
    rf"|(?P<last>.+?)(?:[-_.~ ](?:{_SMALL}|\d{{2,4}}x\d{{2,4}}|\d{{2,4}}px)|@[23]x)"
)
_EDITED_ON_IPHONE = re.compile(r"img_e(\d+)")
# Folders that hold photographs of the folder around them once more, under their names.
_AGAIN = "originals?|backups?|cache|sized|web|optimi[sz]ed|compressed|cropped"
_PREVIEW_FOLDER = re.compile(rf"[-_.]?(?:{_SMALL}|{_AGAIN})[-_]?")


@dataclasses.dataclass
class Account:
    """How many files a folder holds, and which of them are left out.

    Attributes:
      files: all files met, links to folders that are not followed included.
      left_out: by reason, names below the folder, escaped by `shown`.
      alike: photographs that are used and look like another one, by where the two are.
    """

    files: int = 0
    left_out: dict[Reason, list[str]] = dataclasses.field(default_factory=dict)
    alike: dict[Place, list[str]] = dataclasses.field(default_factory=dict)

    def leave_out(self, reason: Reason, name: str) -> None:
        """Note that a file is not used."""
        self.left_out.setdefault(reason, []).append(name)

    def sentence(self) -> str:
        """Return one line that counts what is left out; empty if every file is used."""
        if not self.left_out:
            return ""
        parts = _counted(self.left_out)
        total = sum(map(len, self.left_out.values()))
        unsupported = " ".join(self.left_out.get("unsupported format", ())).lower()
        hint = "".join(
            f"; to read {name}: pip install 'sqzkit[{extra}]'"
            for name, extra in (("HEIC", "heif"), ("JXL", "jxl"))
            if f".{name.lower()}" in unsupported
        )
        return f"left out {total:,} of {self.files:,} files: {parts}{hint}"

    def alike_sentence(self) -> str:
        """Return one line that counts photographs that look like another; empty if none does."""
        total = sum(map(len, self.alike.values()))
        return f"{total:,} look like another: {_counted(self.alike)}" if total else ""

    def to_json(self) -> dict[str, Any]:
        """Return the counts and names as JSON-ready values."""
        left_out, alike = (
            {
                reason: {"count": len(names), "names": names[:MAX_NAMES]}
                for reason, names in sorted(given.items())
            }
            for given in (self.left_out, self.alike)
        )
        return {"files": self.files, "left_out": left_out, **({"alike": alike} if alike else {})}


def _counted(names: Mapping[Any, list[str]]) -> str:
    return "; ".join(
        f"{len(found):,} {reason} ({some(found)})" for reason, found in sorted(names.items())
    )


def some(names: list[str]) -> str:
    """Return the first names in one line."""
    more = f", ... {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def shown(name: str) -> str:
    """Return a file name that can be printed and stored; different names stay different."""

    def escaped(letter: str) -> str:
        if letter == "\\" or not letter.isprintable():
            byte = ord(letter) - 0xDC00  # how Python holds a byte that is not UTF-8
            return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else repr(letter)[1:-1]
        return letter

    return "".join(map(escaped, name))


@dataclasses.dataclass
class Folder:
    """A folder with its photographs and subfolders, left-out ones excepted."""

    path: Path
    depth: int = 0
    photographs: list[Path] = dataclasses.field(default_factory=list)
    folders: dict[str, "Folder"] = dataclasses.field(default_factory=dict)

    def everything(self) -> Iterator[Path]:
        """Yield all photographs in name order, those of subfolders included."""
        entries: dict[str, Path | Folder] = {path.name: path for path in self.photographs}
        entries.update(self.folders)
        for _, entry in sorted(entries.items()):
            if isinstance(entry, Folder):
                yield from entry.everything()
            else:
                yield entry

    @property
    def is_empty(self) -> bool:
        """Whether there is no photograph, at any depth."""
        return next(self.everything(), None) is None


def survey(top: Path) -> tuple[Folder, Account]:
    """Return the photographs below a folder, and what is left out by its name or kind.

    Hidden files and folders, previews and folders of other programs, and files that do not end
    as a photograph does are left out. Links to folders are followed once each, after all
    real folders, and never to a folder that holds `top`. No file is opened.

    Raises:
      RunError: a folder cannot be read, or folders are nested deeper than `MAX_DEPTH`.
    """
    walk = _Walk(top)
    walk.visit(walk.top)
    while walk.links:
        walk.follow(*walk.links.pop(0))
    return walk.top, walk.account


class _Walk:
    def __init__(self, top: Path) -> None:
        self.top = Folder(top)
        self.account = Account()
        self.links: list[tuple[Folder, os.DirEntry[str]]] = []
        self._seen = {_identity(parent) for parent in (top, *top.resolve().parents)}

    def visit(self, folder: Folder) -> None:
        for entry in _entries(folder):
            reason = _reason_by_name(entry.name)
            if entry.is_symlink() and _is_folder(entry):
                if reason:
                    self._leave_out(reason, entry.path)
                else:
                    self.links.append((folder, entry))
            elif entry.is_dir(follow_symlinks=False):
                child = Folder(folder.path / entry.name, folder.depth + 1)
                if reason:
                    self._leave_out_all(reason, child)
                else:
                    self._descend(folder, child)
            elif reason := reason or _reason_by_kind(entry):
                self._leave_out(reason, entry.path)
            else:
                self.account.files += 1
                folder.photographs.append(folder.path / entry.name)
        self._leave_out_previews(folder, folder)
        for name, child in list(folder.folders.items()):
            if _PREVIEW_FOLDER.fullmatch(name.lower()) and not child.is_empty:
                self._leave_out_previews(child, folder)
                if child.is_empty:
                    del folder.folders[name]  # not a class without photographs

    def follow(self, folder: Folder, entry: os.DirEntry[str]) -> None:
        self._descend(folder, Folder(folder.path / entry.name, folder.depth + 1))

    def _descend(self, folder: Folder, child: Folder) -> None:
        identity = _identity(child.path)
        if identity in self._seen:
            self._leave_out("link to a folder that is read already", child.path)
            return
        self._seen.add(identity)
        folder.folders[child.path.name] = child
        self.visit(child)

    def _leave_out_previews(self, folder: Folder, originals: Folder) -> None:
        """Leave out small versions of `originals`, in their folder or in a tree like theirs."""
        previews = _previews(folder, originals)
        for path in sorted(previews):
            self.account.leave_out("made by another program", self._name(path))
        folder.photographs = [path for path in folder.photographs if path not in previews]
        if folder is not originals:
            for name in folder.folders.keys() & originals.folders.keys():
                self._leave_out_previews(folder.folders[name], originals.folders[name])

    def _leave_out(self, reason: Reason, path: Path | str) -> None:
        self.account.files += 1
        self.account.leave_out(reason, self._name(path))

    def _leave_out_all(self, reason: Reason, folder: Folder) -> None:
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                self._leave_out_all(reason, Folder(Path(entry.path), folder.depth + 1))
            else:
                self._leave_out(reason, entry.path)

    def _name(self, path: Path | str) -> str:
        return shown(Path(path).relative_to(self.top.path).as_posix())


def _entries(folder: Folder) -> list[os.DirEntry[str]]:
    if folder.depth > MAX_DEPTH:
        raise RunError(f"{shown(str(folder.path))}: folders are nested deeper than {MAX_DEPTH}")
    try:
        with os.scandir(folder.path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise RunError(
            f"{shown(str(folder.path))}: cannot be read: {error.strerror or error}; "
            "change its permissions or remove it"
        ) from error


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _reason_by_name(name: str) -> Reason | None:
    if name.startswith("."):
        return "hidden"
    name = name.lower()
    made = name in _MADE_BY_PROGRAMS or name.endswith(_LIBRARIES)
    return "made by another program" if made else None


def _reason_by_kind(entry: os.DirEntry[str]) -> Reason | None:
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix not in decoding.suffixes():
        return (
            "unsupported format" if suffix in decoding.UNSUPPORTED_SUFFIXES else "not a photograph"
        )
    try:
        return None if stat.S_ISREG(entry.stat().st_mode) else "not a photograph"
    except OSError:
        return None  # a link to nothing: reading it will say so


def _previews(folder: Folder, originals: Folder) -> set[Path]:
    """Return the photographs of `folder` that are named like small versions of `originals`."""
    known = {name.lower() for path in originals.photographs for name in (path.stem, path.name)}
    previews = set()
    for path in folder.photographs:
        stem = path.stem.lower()
        match = _PREVIEW.fullmatch(stem)
        named = {match["first"] or match["last"]} if match else set()
        named.add(_EDITED_ON_IPHONE.sub(r"img_\1", stem))
        named.discard(stem)
        if known & (named if folder is originals else {*named, stem}):
            previews.add(path)
    return previews
