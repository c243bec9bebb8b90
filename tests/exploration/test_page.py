import json

import pytest
from optuna.trial import TrialState

from sqzkit.exploration import page as explore_page
from sqzkit.exploration import space
from sqzkit.reporting import figures
from tests import approved
from tests.exploration import toys
from tests.reporting import pages


def trials(config, count=4):
    made = []
    for number, candidate in zip(range(count), config.space.points(), strict=False):
        results = {**toys.results_of(candidate), "sqz_bytes": 5000 + number, "latency": 0.5}
        values = [results[name] for name in config.objectives]
        made.append(toys.finished(number, values, key=candidate.key, **results))
    return made


def written(*arguments):
    path = explore_page.write_page(*arguments)
    return pages.read(path.read_text(encoding="utf-8"))


def test_the_page_shows_every_network_and_needs_nothing_else(tmp_path):
    folder = tmp_path / "a study"
    config = toys.config(folder, objectives=("accuracy", "sqz_bytes", "latency"), trials=5)
    made = trials(config)
    key = json.dumps({"base_e": 8, "incr_e": 0, "model": "tiny", "squeeze_ratio": 0.5})
    stopped = toys.finished(4, None, TrialState.PRUNED, key=key, accuracy=0.125, parameters=77)
    page = written([*made, stopped], [made[0], made[1], made[3]], made[1], config, "my <data>")
    assert page.outside == []
    assert page.headings[0] == "my <data>: 5 networks"
    assert page.paragraphs[0] == (
        "4 trained for 3 epochs, 1 stopped early, 3 on the Pareto front. Objectives: validation "
        "accuracy, % (more is better), .sqz, bytes (less is better), latency, ms (less is "
        "better); sampler random."
    )
    assert "trial 1: model tiny, base_e 8, incr_e 0, squeeze_ratio 0.5." in page.paragraphs[1]
    assert page.tiles == {
        "validation accuracy": "96.67 %",
        "test accuracy": "95.67 %",
        "parameters": "1,200",
        ".sqz, bytes": "5,001",
        "latency, ms": "0.5",
    }
    (rows,) = page.tables
    assert [row["trial"] for row in rows] == ["3", "1", "2", "0", "4"]  # by accuracy
    assert [row["note"] for row in rows] == [
        *("front", "winner, front", "", "front", "stopped early")
    ]
    assert list(rows[0].items()) == [
        ("trial", "3"),
        ("note", "front"),
        ("model", "tiny"),
        ("base_e", "8"),
        ("incr_e", "8"),
        ("squeeze_ratio", "0.5"),
        ("parameters", "1,208"),
        ("validation %", "96.69"),
        ("test %", "95.69"),
        (".sqz, bytes", "5,003"),
        ("latency, ms", "0.5"),
    ]
    assert list(rows[4].values())[6:] == ["77", "12.50", "", "", ""]
    assert page.commands == [f"sqzkit convert --model_dir='{folder}/winner' --archive"]


def test_the_front_is_drawn_apart_from_the_dominated(tmp_path):
    config = toys.config(tmp_path)
    results = ((0.9, 1000), (0.5, 2000), (0.8, 500))
    key = next(config.space.points()).key
    made = [
        toys.finished(number, [a, p], key=key, accuracy=a, parameters=p)
        for number, (a, p) in enumerate(results)
    ]
    page = written(made, [made[0], made[2]], made[0], config, "digits")
    (plot,) = page.drawings
    cheap, dear = sorted(pages.marks(plot, figures.BLUE))
    assert cheap[0] < dear[0] and cheap[1] > dear[1]  # the dear one is more accurate: higher
    assert [cheap, dear] in pages.lines(plot)
    # The ticks are grey marks, too, but lie on the axes: left of all points, or below.
    axis = max(y for _, y in pages.marks(plot, figures.GREY))
    (grey,) = [
        place for place in pages.marks(plot, figures.GREY) if dear[0] < place[0] and place[1] < axis
    ]
    assert grey[1] > cheap[1]
    words = [text for text, _, _ in pages.texts(plot)]
    assert {"parameters", "validation accuracy, %", "dominated", "Pareto front"} <= set(words)
    assert [row["note"] for row in page.tables[0]] == ["winner, front", "front", ""]


def test_one_objective_is_drawn_over_the_parameters(tmp_path):
    config = toys.config(tmp_path, objectives=("accuracy",))
    (plot,) = explore_page.plots(trials(config), {0}, config.objectives)
    assert "parameters" in plot
    assert explore_page.plots([], set(), config.objectives) == []


def test_without_a_winner_nothing_is_recommended(tmp_path):
    page = written([], [], None, toys.config(tmp_path), "digits")
    assert page.headings == ["digits: 0 networks"]
    assert page.tiles == {} and page.tables == page.drawings == page.commands == []


def test_the_papers_figures_stand_beside_ours(tmp_path):
    texts = space.PRESETS["bypass"]
    config = toys.config(tmp_path, texts, preset="bypass", sampler="grid")
    made = []
    for number, candidate in enumerate(config.space.points()):
        results = {"accuracy": 0.9, "parameters": 700_000, "test_top1": 0.8}
        made.append(toys.finished(number, [0.9, 7e5], key=candidate.key, **results))
    page = written(made, made[:1], made[0], config, "digits")
    # 1,248,424 and 1,589,672 parameters of four bytes at 1,000 classes; the paper's table 3.
    assert [
        tuple(
            row[f"{title}"] for title in row if title == "bypass" or "MB" in title or "top" in title
        )
        for row in page.tables[0]
    ] == [
        ("none", "4.8", "4.8", "57.5", "80.3"),
        ("simple", "4.8", "4.8", "60.4", "82.5"),
        ("complex", "6.1", "7.7", "58.8", "82"),
    ]
    assert "compare the trend" in page.paragraphs[-1]


@pytest.mark.parametrize(
    ("preset", "value", "top1", "top5", "megabytes"),
    [
        ("squeeze_ratio", 0.125, None, 80.3, 4.8),
        ("squeeze_ratio", 0.75, None, 86.0, 19.0),
        ("squeeze_ratio", 1.0, None, 86.0, None),
        ("squeeze_ratio", 0.3, None, None, None),
        ("pct3x3", 0.5, None, 85.6, None),
        ("bypass", "none", 57.5, 80.3, 4.8),
        ("default", "none", None, None, None),
    ],
)
def test_the_paper_is_quoted_by_value(preset, value, top1, top5, megabytes):
    quoted = explore_page.paper_figure(preset, {preset: value, "model": "v1_0"})
    assert quoted == (top1, top5, megabytes)


def test_the_plot_is_as_approved(tmp_path):
    config = toys.config(tmp_path, objectives=("accuracy", "parameters"))
    made = [
        toys.finished(number, [accuracy, size], accuracy=accuracy, parameters=size)
        for number, (accuracy, size) in enumerate(((0.9, 1000), (0.95, 3000), (0.8, 4000)))
    ]
    (plot,) = explore_page.plots(made, {0, 1}, config.objectives)
    approved.check_drawing("pareto_front", plot)


def test_latency_has_a_plain_scale_and_sizes_a_logarithmic_one(tmp_path):
    config = toys.config(tmp_path, objectives=("accuracy", "latency", "sqz_bytes"))
    made = []
    for number, (latency, size) in enumerate(((1.0, 1000), (2.0, 2000), (4.0, 4000))):
        results = {"accuracy": 0.9 + number / 100, "latency": latency, "sqz_bytes": size}
        made.append(toys.finished(number, list(results.values()), **results))
    plots = explore_page.plots(made, {0, 1, 2}, config.objectives)
    for plot, growth in zip(plots, (2, 1), strict=True):
        (first, _), (second, _), (third, _) = sorted(pages.marks(plot, figures.BLUE))
        assert third - second == pytest.approx(growth * (second - first), rel=0.01)
        # A front of three objectives is a surface: a line would join what does not follow.
        assert all(len(line) == 2 for line in pages.lines(plot))
