import math

import pytest

from sqzkit.coding import sqz
from sqzkit.conversion import smallest as subject
from sqzkit.conversion.verify import Verification

PRICE = 1e-6


def verification(where, drop):
    figures = (0.9, 1.0, 0.9 - drop / 100, 1.0)
    return Verification(400, 1.0, 0.0, *figures, where, 0.0, round(4 * drop), 0)


@pytest.fixture
def search(monkeypatch):
    """Search where a file loses `drop(exponent)` points on each split; return it and the looks."""
    monkeypatch.setattr(sqz, "pack", lambda content: bytes(2000 - round(100 * float(content))))

    def run(*drops, smaller=True, max_drop=0.5):
        looked = []

        def judge(number, content):
            looked.append((number, float(content)))
            return verification(f"split {number}", drops[number](float(content)))

        tried = subject.search(
            lambda price: str(math.log(price / PRICE, 4)).encode(),
            [lambda content, n=n: judge(n, content) for n in range(len(drops))],
            PRICE,
            max_drop,
            smaller,
        )
        return tried, looked

    return run


def threshold(limit):
    """A network that bears the prices up to 4**limit."""
    return lambda exponent: 0.0 if exponent <= limit + 1e-9 else 3.0


@pytest.mark.parametrize("limit", [-3.3, -1.0, -0.1, 0.0, 0.6, 2.2, 3.9])
def test_the_cheapest_price_that_passes_is_found(search, limit):
    tried, _ = search(threshold(limit))
    passed = [math.log(item.price / PRICE, 4) for item in tried if item.passed]
    assert limit - 0.5**subject.HALVINGS < max(passed) <= limit + 1e-9
    assert len(tried) <= subject.MAX_STEPS + subject.HALVINGS + 1


def test_where_every_price_or_none_passes_the_search_ends(search):
    assert [item.passed for item in search(threshold(99))[0]] == [True] * 5
    assert [item.passed for item in search(threshold(-99))[0]] == [False] * 5


def test_a_target_of_accuracy_stops_at_its_own_price_if_that_passes(search):
    assert len(search(threshold(2), smaller=False)[0]) == 1
    tried, _ = search(threshold(-0.4), smaller=False)
    assert min(item.archive_bytes for item in tried if item.passed) in range(2040, 2054)


def test_every_split_judges_and_the_second_only_what_the_first_lets_pass(search):
    tried, looked = search(threshold(2), threshold(-0.5))
    best = min((item for item in tried if item.passed), key=lambda item: item.archive_bytes)
    assert best.drops == {"split 0": 0.0, "split 1": 0.0}
    _, looked = search(threshold(-0.5), threshold(2))
    assert all(exponent <= -0.5 for number, exponent in looked if number == 1)


@pytest.mark.parametrize(
    ("lost", "gained", "passes"), [(1, 0, True), (2, 0, False), (3, 2, True), (4, 2, False)]
)
def test_more_than_the_limit_passes_only_if_it_is_as_likely_as_not(converted, lost, gained, passes):
    figures = (0.9, 1.0, 0.9 - (lost - gained) / 40, 1.0)
    found = Verification(40, 1.0, 0.0, *figures, "few", 0.0, lost, gained)
    tried = subject.search(
        lambda price: converted["int8"], [lambda content: found], PRICE, 0.5, smaller=False
    )
    assert tried[0].passed == passes


def test_a_drop_of_exactly_the_limit_passes_and_each_file_is_told(search, capsys):
    tried, _ = search(lambda exponent: 0.5 if exponent <= 0 else 0.75)
    assert tried[0].passed and not tried[1].passed
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(tried)
    assert "price 1.00e-06: 2,000 bytes, drop in points +0.50 on split 0: passes" in lines[0]
    assert "+0.75 on split 0: too much" in lines[1] and "left" in lines[1]
    assert lines[-1].endswith("0:00:00 left")
    assert tried[0].to_json() == {
        **{"price": PRICE, "archive_bytes": 2000, "passed": True},
        "drops": {"split 0": 0.5},
    }
