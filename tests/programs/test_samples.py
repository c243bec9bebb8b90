import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.programs import samples
from sqzkit.runs import lock

RECORD = preprocessing.default(32)


@pytest.fixture(scope="module")
def digits():
    return open_dataset(DataSource())


def test_the_classes_come_in_turn_as_the_network_sees_them(digits, tmp_path):
    written = samples.write_samples(digits, RECORD, tmp_path, 20)
    assert [path.name[0] for path in written] == list("0123456789") * 2
    for path in written:
        index = int(path.stem.split("_")[1])
        expected = digits.split("test").examples[index].load(RECORD)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


def test_pictures_are_not_replaced_unasked(digits, tmp_path):
    samples.write_samples(digits, RECORD, tmp_path, 1)
    with pytest.raises(UsageError, match="--overwrite"):
        samples.write_samples(digits, RECORD, tmp_path, 1)
    samples.write_samples(digits, RECORD, tmp_path, 1, overwrite=True)


def test_no_more_pictures_than_there_are(digits, tmp_path):
    written = samples.write_samples(digits, RECORD, tmp_path, 10_000)
    assert len(written) == digits.split("test").num_examples


def test_names_are_safe_whatever_the_label(digits, tmp_path):
    import dataclasses

    odd = dataclasses.replace(digits, labels=("../../x", *digits.labels[1:]))
    (path,) = samples.write_samples(odd, RECORD, tmp_path / "inner", 1)
    assert path.parent == tmp_path / "inner"
    assert ".." not in path.name


def test_a_folder_that_another_process_writes_is_refused(digits, tmp_path, monkeypatch):
    run = types.SimpleNamespace(preprocessing=RECORD, open_data=lambda: digits)
    monkeypatch.setattr(samples.api, "load_run", lambda model_dir: run)
    given = {"model_dir": "run", "output_dir": str(tmp_path)}
    with lock.hold(tmp_path), pytest.raises(UsageError, match="--output_dir .*: in use by process"):
        samples.main(given, [])
    samples.main({**given, "count": 3}, [])
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count=0"], "--count 0: must be 1 or more"),
        (["--output_dir=pictures", "--overwrite"], "--model_dir nowhere: not a run folder"),
    ],
)
def test_wrong_calls(arguments, message):
    call = [sys.executable, "-m", "sqzkit.samples", "--model_dir=nowhere", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
