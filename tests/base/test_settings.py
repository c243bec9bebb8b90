"""Settings: what is refused, in which words, and how flat values become records."""

import dataclasses
import os
from pathlib import Path
from typing import Literal

import pytest

from sqzkit.base import assembly, settings
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, like, nested, setting


@dataclasses.dataclass(frozen=True)
class Inner(Settings):
    share: float = setting(0.5, minimum=0, maximum=1, help="A share.", group="Inside")
    rate: float = setting(0.1, above=0, below=1)
    secret: int = setting(7, minimum=0, hidden=True)


@dataclasses.dataclass(frozen=True)
class Outer(Settings):
    folder: str = setting(path=True, help="A folder.")
    count: int = setting(3, minimum=1, unit="pieces")
    level: float | None = setting(None, above=1, maximum=9)
    kind: Literal["a", "b"] = setting("a")
    kinds: tuple[Literal["a", "b"], ...] = setting(("a",))
    sizes: tuple[int, ...] = setting((1, 2), minimum=1)
    on: bool = setting(False)
    side: int | None = setting(None, minimum=2, none_word="auto")
    model: str | None = setting(None, path=True, exists=True)
    inner: Inner = nested(factory=lambda: Inner(share=0.25))


@dataclasses.dataclass(frozen=True)
class Optional(Settings):
    inner: Inner | None = nested(None, only=("rate",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "--count 0: must be 1 or more"),
        ({"count": 1.0}, "--count 1.0: must be a whole number"),
        ({"count": True}, "--count True: must be a whole number"),
        ({"count": None}, "--count None: must be a whole number"),
        ({"count": 10**400}, "--count is a number beyond 2^53: must be 1 or more"),
        ({"level": 10**400}, "--level is a number beyond 2^53: must be above 1 and at most 9"),
        ({"kind": -(10**5000)}, "--kind is a number beyond 2^53: must be one of a, b"),
        ({"level": 1.0}, "--level 1.0: must be above 1 and at most 9"),
        ({"level": float("nan")}, "--level nan: must be a finite number, above 1 and at most 9"),
        ({"level": "2"}, "--level '2': must be a number"),
        ({"kind": "c"}, "--kind 'c': must be one of a, b"),
        ({"kind": 3}, "--kind 3: must be one of a, b"),
        ({"kinds": ("a", "c")}, "--kinds 'c': must be one of a, b"),
        ({"kinds": "ab"}, "--kinds 'ab': must be a list"),
        ({"sizes": (1, 0)}, "--sizes 0: must be 1 or more"),
        ({"side": 1}, "--side 1: must be 2 or more, or auto"),
        ({"side": "all"}, "--side 'all': must be a whole number"),
        ({"on": 1}, "--on 1: must be true or false"),
        ({"folder": ""}, "--folder is empty: give a value or leave it out"),
        ({"kind": "x" * 1000}, "--kind 'xxx"),
        ({"model": "nowhere/a"}, "--model nowhere/a: no such file or folder"),
        ({"folder": "runs/" + "x" * 1000}, "--folder 'runs/xxx"),
    ],
)
def test_a_wrong_value_is_refused_by_its_flag(changes, message):
    with pytest.raises(UsageError) as refused:
        Outer(**{"folder": "f", **changes})
    assert str(refused.value).startswith(message)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 1.5}, "--share 1.5: must be 0..1"),
        ({"rate": 1.0}, "--rate 1.0: must be above 0 and below 1"),
        ({"rate": float("inf")}, "--rate inf: must be a finite number, above 0 and below 1"),
        ({"secret": -1}, "--secret -1: must be 0 or more"),
    ],
)
def test_bounds_are_checked_in_records_inside(changes, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        Inner(**changes)


def test_values_get_their_own_type(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    record = Outer(folder=Path("~/x"), level=2, sizes=[4, 5])
    assert (record.folder, record.level, record.sizes) == ("/home/somebody/x", 2.0, (4, 5))
    assert isinstance(record.level, float)


def test_a_word_may_stand_for_none():
    side = assembly.flat(Outer)["side"]
    assert [side.parsed(text) for text in ("auto", "7")] == ["auto", 7]
    assert Outer("f", side="auto").side is None
    with pytest.raises(UsageError, match="--side 'all': must be a whole number or auto"):
        side.parsed("all")


def test_flat_names_reach_the_records_inside():
    known = assembly.flat(Outer)
    assert list(known) == [
        "folder", "count", "level", "kind", "kinds", "sizes", "on", "side", "model",
        "share", "rate",
    ]  # fmt: skip
    assert known["share"].default == 0.25
    made = assembly.build(Outer, {"folder": "f", "rate": 0.5, "count": None})
    assert made == Outer("f", inner=Inner(share=0.25, rate=0.5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "--folder is missing: A folder."),
        ({"folder": "f", "cuont": 3}, "'cuont' is not a setting; did you mean count?"),
        ({"folder": "f", "secret": 3}, "'secret' is not a setting"),
        ({"folder": "f", "share": 2.0}, "--share 2.0: must be 0..1"),
    ],
)
def test_wrong_flat_values_are_refused(values, message):
    with pytest.raises(UsageError) as refused:
        assembly.build(Outer, values)
    assert str(refused.value) == message


def test_a_record_inside_may_be_absent():
    assert list(assembly.flat(Optional)) == ["rate"]
    assert assembly.flat(Optional)["rate"].default is None
    assert assembly.build(Optional, {}) == Optional(None)
    assert assembly.build(Optional, {"rate": 0.5}) == Optional(Inner(rate=0.5))


def test_what_differs_from_the_defaults_makes_the_record_again():
    record = Outer("f", count=4, on=True, kinds=("b", "a"), inner=Inner(share=0.25, rate=0.5))
    values = assembly.given(record)
    assert values == {"folder": "f", "count": 4, "kinds": ("b", "a"), "on": True, "rate": 0.5}
    assert assembly.build(Outer, values) == record


def test_a_command_holds_absolute_paths_and_is_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"folder": "a b", "kinds": ("a", "b"), "on": False, "level": None, "count": 2}
    words = assembly.command("try", assembly.flat(Outer), values)
    assert words.endswith(f"sqzkit try '--folder={tmp_path}/a b' --kinds=a,b --noon --count=2")


def test_stored_paths_are_absolute_addresses_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.to_json(Outer("x"))["folder"] == str(tmp_path / "x")
    assert settings.to_json(Outer("gs://bucket/x"))["folder"] == "gs://bucket/x"
    assert settings.to_json(Outer("x"))["inner"] == dataclasses.asdict(Inner(share=0.25))
    assert os.path.isabs(settings.to_json(Outer("x"))["folder"])


def test_a_setting_may_be_like_another():
    @dataclasses.dataclass(frozen=True)
    class Copy(Settings):
        part: float = like(Inner, "share", 1.0, flag="share_of_all")

    (item,) = settings.own(Copy)
    assert (item.default, item.legal, item.setting.help) == (1.0, "0..1", "A share.")
    with pytest.raises(UsageError, match=r"--share_of_all 3\.0: must be 0\.\.1"):
        Copy(part=3.0)


def test_the_settings_of_a_record_are_found_once():
    assert settings.own(Inner) is settings.own(Inner)
