import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.conversion.verify import Verification, refuse_drop, verify


def test_the_same_network_agrees_with_itself(small_network, record, converted, noise_images):
    labels = np.array([3, 1] * 6)
    found = verify(small_network, record, converted["none"], noise_images, labels, "noise")
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
    found = verify(small_network, record, converted["int8"], noise_images, labels, "noise")
    assert found.converted_top1 == 0.75
    # A file of other weights is told apart.
    head = small_network.get_layer("conv10")
    kept = head.get_weights()
    head.set_weights([kept[0][..., ::-1], kept[1][::-1]])
    try:
        other = verify(small_network, record, converted["int8"], noise_images, labels, "noise")
    finally:
        head.set_weights(kept)
    assert other.agreement < found.agreement


def test_without_labels_only_the_agreement_is_known(small_network, record, converted, noise_images):
    found = verify(small_network, record, converted["int8"], noise_images, None, "noise")
    assert found.float_top1 is None
    assert found.drop is None
    refuse_drop(found, 0.0)
    assert found.to_json()["drop"] is None


def test_no_photographs(small_network, record, converted, noise_images):
    with pytest.raises(RunError, match="no photographs in nowhere"):
        verify(small_network, record, converted["int8"], noise_images[:0], None, "nowhere")


def test_a_drop_beyond_the_limit_is_refused():
    found = Verification(200, 0.9, 0.1, 0.90, 1.0, 0.89, 1.0, "the test split")
    assert found.drop == pytest.approx(1.0)
    refuse_drop(found, 1.01)
    with pytest.raises(RunError, match=r"1\.00 points below.*--max_accuracy_drop=0\.5"):
        refuse_drop(found, 0.5)
