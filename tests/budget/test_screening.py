"""Which networks are not tried, and what is said of budgets that nothing keeps."""

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.budget import networks, predict, screening
from sqzkit.budget.config import FitConfig
from sqzkit.budget.predict import Prediction
from tests import approved
from tests.compression import small_chain

LEAST = Prediction(1000, ((0.0, 900), (0.3, 500), (0.96, 200)), 5000, 6000, 3.5)


def test_settings_are_as_approved():
    approved.check_settings(FitConfig)


def config(**changes):
    return assembly.build(FitConfig, {"max_archive_bytes": 9000, **changes})


def test_every_limit_that_cannot_be_kept_is_named_with_the_least_possible():
    screening.refuse_impossible(LEAST, config(max_latency_ms=3.5, max_ram_bytes=6000))
    impossible = config(max_archive_bytes=1199, max_latency_ms=3, max_ram_bytes=5999)
    with pytest.raises(UsageError) as refused:
        screening.refuse_impossible(LEAST, impossible)
    message = str(refused.value)
    assert "--max_archive_bytes 1,199: the least possible is 1,200" in message
    assert "--max_ram_bytes 5,999: the least possible is 6,000" in message
    assert "--max_latency_ms 3.0: the least possible is 3.5" in message
    assert "a smaller --image_size takes less" in message


def test_a_network_is_left_out_for_the_limit_that_it_exceeds(monkeypatch):
    monkeypatch.setattr(predict, "predict", lambda *_: LEAST)
    (*_, network) = networks.ladder(config(), small_chain.make_dataset())
    fits = screening.screen(network, config(), "ab")
    assert fits.refused == "" and fits.prediction == LEAST
    over = screening.screen(network, config(max_ram_bytes=5999), "ab")
    assert over.refused == "too much for max_ram_bytes 6,000"


def test_a_network_far_too_wide_is_not_converted(monkeypatch):
    monkeypatch.setattr(networks, "SCRATCH", (("v1_2", 8, 0.125, 8),))
    (network,) = networks.ladder(config(), small_chain.make_dataset())
    asked = []
    monkeypatch.setattr(predict, "predict", lambda *_: asked.append(1) or LEAST)
    wide = screening.screen(network, config(), "ab")
    assert "weights would be left after pruning" in wide.refused and not asked
    assert screening.screen(network, config(max_archive_bytes=50_000), "ab").refused == "" and asked
