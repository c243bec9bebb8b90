import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.conversion import verify as module
from sqzkit.conversion.verify import Reference, Verification, refuse_difference, refuse_drop


def compared(content, *reference):
    return Reference(*reference).compare(content)


def test_the_same_network_agrees_with_itself(small_network, record, converted, noise_images):
    labels = np.array([3, 1] * 6)
    found = compared(converted["none"], small_network, record, noise_images, labels, "noise")
    assert (found.examples, found.agreement, found.where) == (12, 1.0, "noise")
    assert found.mean_difference < 1e-4
    assert found.float_top1 == found.converted_top1
    assert found.float_top5 == 1.0
    assert found.drop == 0.0


def test_accuracies_are_those_of_the_labels(small_network, record, converted, noise_images):
    from sqzkit.tflite.classifier import Classifier

    answers = Classifier(converted["int8"]).predict(noise_images).argmax(axis=1)
    labels = answers.copy()
    labels[:3] = (labels[:3] + 1) % 5
    found = compared(converted["int8"], small_network, record, noise_images, labels, "noise")
    assert found.converted_top1 == 0.75
    # A file of other weights is told apart.
    head = small_network.get_layer("conv10")
    kept = head.get_weights()
    head.set_weights([kept[0][..., ::-1], kept[1][::-1]])
    try:
        other = compared(converted["int8"], small_network, record, noise_images, labels, "noise")
    finally:
        head.set_weights(kept)
    assert other.agreement < found.agreement


def test_without_labels_only_the_agreement_is_known(small_network, record, converted, noise_images):
    found = compared(converted["int8"], small_network, record, noise_images, None, "noise")
    assert found.float_top1 is None
    assert found.drop is None
    refuse_drop(found, 0.0, "do this")
    assert found.to_json()["drop"] is None


def test_no_photographs(small_network, record, converted, noise_images):
    with pytest.raises(RunError, match="no photographs in nowhere"):
        compared(converted["int8"], small_network, record, noise_images[:0], None, "nowhere")


def test_a_drop_beyond_the_limit_is_refused():
    found = Verification(800, 0.9, 0.1, 0.90, 1.0, 0.89, 1.0, "the test split", 0, 8, 0)
    assert found.drop == pytest.approx(1.0)
    assert refuse_drop(found, 1.01, "do this") == ""
    few = Verification(400, 0.9, 0.1, 0.9, 1.0, 0.895, 1.0, "the test split", 0, 2, 0)
    assert few.drop > 0.5 and refuse_drop(few, 0.5, "do this") == ""
    with pytest.raises(RunError, match=r"1\.00 points below.*--max_accuracy_drop=0\.5.*; do this$"):
        refuse_drop(found, 0.5, "do this")


class Fixed:
    """A converted file of which the answers are known."""

    def __init__(self, content):
        self.predict = lambda images: content


def ranked(*orders):
    """Probabilities of seven classes, the first class named the most probable."""
    rows = np.zeros((len(orders), 7), np.float32)
    for row, order in zip(rows, orders, strict=True):
        row[[int(digit) for digit in order]] = np.array([40, 20, 12, 10, 8, 6, 4]) / 100
    return rows


def compare(monkeypatch, reference, ours, labels):
    monkeypatch.setattr(module, "Classifier", Fixed)
    monkeypatch.setattr(module, "answerer", lambda *_: lambda images: reference)
    answers = Reference(None, None, np.zeros(len(ours)), np.array(labels), "made up")
    return answers.compare(ours)


def test_figures_by_hand(monkeypatch):
    """The label is at rank 1, 2, 5 and 6 for the float model, at 1, 1, 1 and 5 for the file."""
    reference = ranked("0123456", "1023456", "1234056", "1234506")
    ours = ranked("0123456", "0123456", "0123456", "1234056")
    found = compare(monkeypatch, reference, ours, [0, 0, 0, 0])
    assert (found.float_top1, found.float_top5) == (0.25, 0.75)
    assert (found.converted_top1, found.converted_top5) == (0.75, 1.0)
    assert found.agreement == 0.5
    assert found.drop == -50.0
    assert found.mean_difference == pytest.approx((0 + 0.2 + 0.2 + 0) / 4)
    assert found.max_difference == pytest.approx(0.32)
    assert (found.lost, found.gained) == (0, 2)
    assert not {"max_difference", "lost", "gained"} & set(found.to_json())


def test_a_gain_is_not_a_drop(monkeypatch):
    better = compare(monkeypatch, ranked("1023456"), ranked("0123456"), [0])
    assert refuse_drop(better, 0.0, "do this") == ""
    worse = compare(monkeypatch, ranked("0123456"), ranked("1023456"), [0])
    assert worse.drop == 100.0
    with pytest.raises(RunError, match=r"100\.00 points below"):
        refuse_drop(worse, 99.0, "do this")


@pytest.mark.parametrize(
    ("lost", "gained", "examples", "chance"),
    [
        *((3, 0, 359, 0.125), (4, 0, 359, 0.0625), (5, 0, 359, None), (5, 1, 359, 0.109375)),
        *((14, 6, 800, 0.0577), (15, 6, 800, None)),  # scipy.stats.binomtest's figures
        *((1, 0, 10, 0.5), (1, 0, 9, None)),  # more than ten points are never chance
    ],
)
def test_a_drop_that_chance_explains_is_told(lost, gained, examples, chance):
    right = 0.5 + lost / examples
    figures = (right, 1.0, right - (lost - gained) / examples, 1.0)
    found = Verification(examples, 0.9, 0.1, *figures, "x", 0, lost, gained)
    if chance is None:
        with pytest.raises(RunError, match=f"{lost} lost, {gained} gained"):
            refuse_drop(found, 0.5, "do this")
        return
    assert found.chance == pytest.approx(chance, abs=1e-4)
    told = refuse_drop(found, 0.5, "do this")
    assert f"{lost} lost, {gained} gained" in told and f"p = {chance:.2f}" in told


def verification(**figures):
    plain = {"agreement": 1.0, "mean_difference": 0.0, "max_difference": 0.0, "lost": 0}
    nothing = dict.fromkeys(("float_top1", "float_top5", "converted_top1", "converted_top5"))
    return Verification(examples=100, where="x", gained=0, **{**plain, **nothing, **figures})


@pytest.mark.parametrize(
    ("quantization", "foreign", "figures", "refused"),
    [
        ("none", False, {"max_difference": 0.0009}, False),
        ("none", False, {"max_difference": 0.0011}, True),
        ("none", True, {"max_difference": float("nan")}, True),
        ("float16", True, {"max_difference": 0.015}, False),
        ("float16", True, {"max_difference": 0.03}, True),
        ("int8", True, {"agreement": 0.985, "max_difference": 0.5}, False),
        ("int8", True, {"agreement": 0.975}, True),
        ("int8", True, {"mean_difference": 0.2}, True),
        ("dynamic", True, {"mean_difference": 0.2}, True),
        ("int8", False, {"agreement": 0.5, "mean_difference": 0.2}, False),
    ],
)
def test_other_probabilities_are_refused_whatever_the_first_answer(
    quantization, foreign, figures, refused
):
    found = verification(**figures)
    if not refused:
        refuse_difference(found, quantization, 0.5, foreign)
        return
    with pytest.raises(RunError, match="no file was written"):
        refuse_difference(found, quantization, 0.5, foreign)


def test_a_larger_drop_lets_more_answers_differ():
    refuse_difference(verification(agreement=0.9), "int8", 10.0, True)
    with pytest.raises(RunError, match=r"10\.00 % of the photographs.*at most 9 %"):
        refuse_difference(verification(agreement=0.9), "int8", 9.0, True)


def test_the_lead_of_one_file_over_another_is_in_points():
    better = verification(converted_top1=0.75, agreement=0.9)
    assert better.lead(verification(converted_top1=0.5)) == pytest.approx(25.0)
    unlabelled = verification(converted_top1=None, agreement=0.75)
    assert better.lead(unlabelled) == pytest.approx(15.0)
