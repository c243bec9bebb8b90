import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base import records
from sqzkit.base.errors import RunError, UsageError


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    size: int = 1


@dataclasses.dataclass(frozen=True)
class Whole:
    count: int
    share: float
    title: str | None
    parts: tuple[Part, ...]
    three: tuple[float, float, float]
    more: Mapping[str, Any]
    on: bool = False

    def __post_init__(self):
        if self.count == 13:
            raise UsageError("count 13: brings bad luck")


GOOD = {
    "count": 2, "share": 1, "title": None, "parts": [{"name": "a", "size": 3}],
    "three": [1, 2.5, 3], "more": {"x": [1]}, "on": True,
}  # fmt: skip


def test_values_become_what_the_annotations_say():
    whole = records.build(Whole, GOOD, "a whole")
    expected = Whole(2, 1.0, None, (Part("a", 3),), (1.0, 2.5, 3.0), {"x": [1]}, True)
    assert whole == expected
    assert isinstance(whole.share, float)
    assert records.build(Whole, dataclasses.asdict(whole), "a whole") == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 2.0}, "count 2.0: must be a whole number"),
        ({"count": True}, "count True: must be a whole number"),
        ({"count": 10**400}, "count a number beyond .*53: must be a whole number"),
        ({"share": float("nan")}, "share nan: must be a number"),
        ({"share": float("inf")}, "share inf: must be a number"),
        ({"share": 10**400}, "must be a number"),
        ({"title": 3}, "title 3: must be"),
        ({"parts": {}}, "parts dict of 0: must be a list"),
        ({"parts": [{"size": 1}]}, "missing .* 'name'"),
        ({"parts": [3]}, "3 is not a JSON object"),
        ({"three": [1, 2]}, "must be a list of 3 items"),
        ({"parts": [{"name": "a"}] * 10_001}, "at most 10000"),
        ({"more": []}, "more list of 0: must be an object"),
        ({"on": 1}, "on 1: must be true or false"),
        ({"other": 1}, "it has no field 'other'"),
        ({"count": 13}, "brings bad luck"),
        ({"title": ["x" * 999]}, "title list of 1"),
        ({"count": "x" * 999}, r"count 'x{59}\.\.\.: must"),
    ],
)
def test_anything_else_is_refused_by_name(changes, message):
    with pytest.raises(RunError, match=f"^not a whole: .*{message}"):
        records.build(Whole, {**GOOD, **changes}, "a whole")


def test_a_missing_field_is_refused_unless_it_may_be_absent():
    short = {name: value for name, value in GOOD.items() if name != "on"}
    with pytest.raises(RunError, match="it lacks the field 'on'"):
        records.build(Whole, short, "a whole")
    assert records.build(Whole, short, "a whole", partial=True).on is False
    with pytest.raises(RunError, match="'count'"):
        records.build(Whole, {"share": 1}, "a whole", partial=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), json_values) | json_values)
def test_whatever_comes_is_a_record_or_a_run_error(values):
    try:
        assert isinstance(records.build(Whole, values, "a whole", partial=True), Whole)
    except RunError as error:
        assert len(str(error)) < 300
