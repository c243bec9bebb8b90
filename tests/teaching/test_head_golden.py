"""The golden vectors that the Java twin reads: files and JSON say the same as the code."""

import hashlib
import json
import math

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError
from sqzkit.teaching import head_file
from tests.teaching import golden

INDEX = json.loads((golden.FOLDER / "index.json").read_text(encoding="utf-8"))
EXACT = ("labels", "counts", "sums", "gram_lower", "strength", "coefficients", "biases", "mean")


@pytest.mark.parametrize("name", golden.CASES)
def test_answers_are_the_golden_ones(name):
    case = INDEX["cases"][name]
    head = head_file.read(golden.FOLDER / f"{name}_untaught.head")
    assert head.choice is None
    found = golden.expected(head, np.array(case["queries"], np.int16))
    assert found.keys() == case.keys()
    for field in found:
        if field in EXACT:
            assert found[field] == case[field], field
        else:
            np.testing.assert_allclose(
                *(np.array(side[field], float) for side in (found, case)), rtol=1e-6, atol=1e-9
            )
    (first,) = np.array(found["probabilities"])[:1]
    assert first.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", golden.CASES)
@pytest.mark.parametrize("form", ["_untaught", "", "_sums"])
def test_files_are_written_as_they_were_read(name, form):
    path = golden.FOLDER / f"{name}{form}.head"
    head = head_file.read(path)
    assert head_file.to_bytes(head) == path.read_bytes()
    expected = np.array(INDEX["cases"][name]["coefficients"])
    assert np.array_equal(head.teach().discriminant.coefficients, expected)


def test_what_was_chosen_is_in_the_file():
    case = INDEX["cases"]["three_classes"]
    for form in ("", "_sums"):
        choice = head_file.read(golden.FOLDER / f"three_classes{form}.head").choice
        assert choice.strength == case["strength"]
        assert choice.temperature == case["temperature"]
        assert choice.threshold == pytest.approx(case["threshold"], rel=1e-9)
        assert math.isfinite(choice.threshold)


def test_what_the_former_version_chose_is_void():
    former = golden.FOLDER / "former.head"
    head = head_file.read(former)
    assert former.read_bytes()[7:8] == b"1"
    untaught = (golden.FOLDER / "three_classes_untaught.head").read_bytes()
    assert head_file.to_bytes(head) == untaught  # version 2, not chosen
    choice = head.teach().choice
    assert choice.strength == INDEX["cases"]["three_classes"]["strength"]


def test_former_sums_without_a_choice_can_be_read():
    head = head_file.read(golden.FOLDER / "three_classes_sums.head")
    head.choice = None
    content = golden.of_version(head_file.to_bytes(head), b"1")
    assert head_file.from_bytes(content).choice is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("newer", "version 3: this sqzkit reads versions 1 and 2; use a newer sqzkit"),
        ("former_sums", "version 1 that holds sums alone.*teach the photographs again"),
    ],
)
def test_other_versions_say_what_to_do(name, message):
    with pytest.raises(FormatError, match=rf"bad_{name}\.head: .*{message}"):
        head_file.read(golden.FOLDER / f"bad_{name}.head")


@pytest.mark.parametrize("name", INDEX["bad"])
def test_damaged_files_are_refused(name):
    with pytest.raises(FormatError, match=rf"{name}: .*\.head file"):
        head_file.read(golden.FOLDER / name)


def test_every_bad_file_is_listed():
    assert sorted(path.name for path in golden.FOLDER.glob("bad_*")) == INDEX["bad"]


def test_every_flipped_byte_is_noticed():
    content = (golden.FOLDER / "three_classes.head").read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0x10
        with pytest.raises(FormatError):
            head_file.from_bytes(bytes(changed))


@pytest.mark.parametrize("name", ["three_classes", "three_classes_sums", "one_of_each"])
def test_changed_files_with_a_right_checksum_are_heads_or_refused(name):
    body = (golden.FOLDER / f"{name}.head").read_bytes()[:-32]
    random, read = np.random.default_rng(0), 0
    for _ in range(300):
        changed = bytearray(
            body[: random.integers(40, len(body))] if random.random() < 0.1 else body
        )
        for position in random.integers(0, len(changed), 2):
            changed[position] = random.integers(0, 256)
        content = bytes(changed) + hashlib.sha256(changed).digest()
        try:
            assert head_file.to_bytes(head_file.from_bytes(content)) == content
            read += 1
        except FormatError:
            continue
    assert 0 < read < 300


def test_missing_file(tmp_path):
    with pytest.raises(RunError, match="is missing"):
        head_file.read(tmp_path / "none.head")


def test_sums_that_are_not_positive_definite_are_refused():
    """Within the bounds of the format, but of no photographs."""
    head = head_file.read(golden.FOLDER / "three_classes_sums.head")
    head.absent_gram = -head.absent_gram
    with pytest.raises(FormatError, match="not positive definite"):
        head.teach()
