import html
import json
import re

import pytest
from optuna.trial import TrialState

from sqzkit.exploration import page as explore_page
from sqzkit.exploration import space
from tests.exploration import toys


def trials(config, count=4):
    made = []
    for number, candidate in zip(range(count), config.space.points(), strict=False):
        results = {**toys.results_of(candidate), "sqz_bytes": 5000 + number, "latency": 0.5}
        values = [results[name] for name in config.objectives]
        made.append(toys.finished(number, values, key=candidate.key, **results))
    return made


def test_the_page_shows_every_network_and_needs_nothing_else(tmp_path):
    folder = tmp_path / "a study"
    config = toys.config(folder, objectives=("accuracy", "sqz_bytes", "latency"))
    made = trials(config)
    key = json.dumps({"base_e": 8, "incr_e": 0, "model": "tiny", "squeeze_ratio": 0.5})
    stopped = toys.finished(4, None, TrialState.PRUNED, key=key, accuracy=0.125, parameters=77)
    path = explore_page.write_page([*made, stopped], made[1], config, "my <data>")
    page = path.read_text()
    assert path == folder / "explore.html"
    assert page.count("<tr>") == 1 + 5
    assert "my &lt;data&gt;: 5 networks" in page
    assert page.count("<svg") == 2
    assert "The winner is trial 1: model tiny, base_e 8, incr_e 0, squeeze_ratio 0.5." in page
    assert page.count('class="tile"') == 5
    assert f"convert.py --model_dir='{folder}/winner' --archive" in html.unescape(page)
    assert "stopped early" in page
    assert "12.50" in page
    assert ".sqz, bytes" in page
    assert "5,003" in page
    assert not re.search(r"(src|href)=.(http|//)|url\(.?http|@import|<script", page)


def test_one_objective_is_drawn_over_the_parameters(tmp_path):
    config = toys.config(tmp_path, objectives=("accuracy",))
    (plot,) = explore_page.plots(trials(config), {0}, config.objectives)
    assert "parameters" in plot
    assert explore_page.plots([], set(), config.objectives) == []


def test_without_a_winner_nothing_is_recommended(tmp_path):
    page = explore_page.write_page([], None, toys.config(tmp_path), "digits").read_text()
    assert "0 networks" in page
    assert "winner" not in page
    assert "convert.py" not in page


@pytest.mark.slow
def test_the_papers_figures_stand_beside_ours(tmp_path):
    texts = space.PRESETS["bypass"]
    config = toys.config(tmp_path, texts, preset="bypass", sampler="grid")
    made = []
    for number, candidate in enumerate(config.space.points()):
        results = {"accuracy": 0.9, "parameters": 700_000, "test_top1": 0.8}
        made.append(toys.finished(number, [0.9, 7e5], key=candidate.key, **results))
    page = explore_page.write_page(made, made[0], config, "digits").read_text()
    # 1,248,424 and 1,589,672 parameters of four bytes at 1,000 classes; the paper's top-1.
    for cell in ("4.8", "6.1", "57.5", "60.4", "58.8", "7.7"):
        assert f"<td>{cell}</td>" in page
    assert "compare the trend" in page


def test_the_paper_is_quoted_by_value():
    quoted = explore_page.paper_figure("squeeze_ratio", {"squeeze_ratio": 0.75, "pct3x3": 0.5})
    assert quoted == (None, 86.0, 19.0)
    nothing = (None, None, None)
    assert explore_page.paper_figure("squeeze_ratio", {"squeeze_ratio": 0.3}) == nothing
    assert explore_page.paper_figure("default", {"bypass": "none"}) == nothing
