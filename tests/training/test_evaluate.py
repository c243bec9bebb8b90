import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models import spec, squeezenet
from sqzkit.runs.folder import RunFolder
from sqzkit.training.evaluate import evaluate_model, record_evaluation, score


def test_score_of_answers_worked_out_by_hand():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]))
    metrics = score(logits, np.array([0, 2, 0]))
    assert metrics.top1 == pytest.approx(2 / 3)
    assert metrics.top5 == 1.0
    assert metrics.loss == pytest.approx(-np.log([0.7, 0.3, 0.6]).mean())
    assert metrics.confusion.tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(metrics.probabilities, np.exp(logits), rtol=1e-6)


def test_top5_looks_at_five_answers():
    logits = -np.arange(10.0)[None].repeat(10, axis=0)
    metrics = score(logits, np.arange(10))
    assert (metrics.top1, metrics.top5) == (0.1, 0.5)


def test_huge_logits_do_not_overflow():
    metrics = score(np.array([[1e6, 0.0], [0.0, -1e6]]), np.array([0, 0]))
    assert metrics.loss == 0.0


def test_evaluation_does_not_depend_on_the_batch_size(colours, record):
    model = squeezenet.build(spec.tiny(4), 32)
    results = [evaluate_model(model, colours, "test", record, size) for size in (1, 7, 64)]
    assert results[0].examples == 18
    for other in results[1:]:
        np.testing.assert_allclose(other.probabilities, results[0].probabilities, atol=1e-5)
        assert other.labels.tolist() == results[0].labels.tolist()


def test_another_number_of_classes_is_refused(colours, record):
    model = squeezenet.build(spec.tiny(3), 32)
    with pytest.raises(UsageError, match="answers 3 classes, colours has 4"):
        evaluate_model(model, colours, "test", record, 8)


def test_the_worst_mistakes_are_stored_as_pictures(colours, record, tmp_path):
    inputs = keras.Input((32, 32, 3))
    blue = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4, kernel_initializer="ones")(blue))
    folder = RunFolder(tmp_path / "run")
    folder.write_preprocessing(record)
    metrics = evaluate_model(model, colours, "test", record, 8)
    record_evaluation(folder, colours, "test", metrics)
    stored = folder.read_record("evaluation")
    wrong = 18 - round(metrics.top1 * 18)
    assert stored["split"] == "test"
    assert len(stored["mistakes"]) == wrong
    assert sum(map(sum, stored["confusion"])) == 18
    for mistake in stored["mistakes"]:
        assert mistake["label"] != mistake["predicted"]
        assert (folder.path / mistake["picture"]).read_bytes().startswith(b"\x89PNG")
    pictures = {mistake["picture"] for mistake in stored["mistakes"]}
    metrics = evaluate_model(model, colours, "validation", record, 8)
    record_evaluation(folder, colours, "validation", metrics)
    names = {f"mistakes/{path.name}" for path in (folder.path / "mistakes").iterdir()}
    assert names == {m["picture"] for m in folder.read_record("evaluation")["mistakes"]}
    assert not names & pictures
