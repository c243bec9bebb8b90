import tensorflow as tf
from sqzkit.training.tensorboard import EpochScalars


def test_each_epoch_is_a_point(tmp_path):
    callback = EpochScalars(tmp_path / "logs")
    for epoch, loss in enumerate((2.0, 1.0)):
        callback.on_epoch_end(epoch, {"loss": loss, "accuracy": 0.5})
    points = {}
    for path in (tmp_path / "logs").iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                points[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert points == {
        ("loss", 1): 2.0,
        ("loss", 2): 1.0,
        ("accuracy", 1): 0.5,
        ("accuracy", 2): 0.5,
    }
