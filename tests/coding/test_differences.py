import numpy as np

from sqzkit.coding import differences
from tests.coding.conftest import build_tflite, sparse_kernel


def test_values_that_differ_are_counted_by_tensor():
    kernel, bias = sparse_kernel((64, 1, 1, 64)), np.arange(99).astype(np.int32)
    old = build_tflite([kernel, bias])
    assert differences.changes(old, old) == []
    other = kernel.copy()
    other.flat[:3] += 1
    bias[7] = -5
    biases, kernels = differences.changes(build_tflite([other, bias]), old)
    assert (kernels.size, kernels.changed) == (4096, 3)
    assert (biases.size, biases.changed, biases.role) == (99, 1, "tensor")


def test_of_added_outputs_only_the_new_ones_count():
    kernel = sparse_kernel((10, 1, 1, 64))
    (found,) = differences.changes(build_tflite([kernel]), build_tflite([kernel[:9]]))
    assert (found.size, found.changed) == (640, 64)
    (found,) = differences.changes(build_tflite([kernel[[3, 9, 0]]]), build_tflite([kernel[:9]]))
    assert found.changed == 64
    assert differences.changes(build_tflite([kernel[[3, 0]]]), build_tflite([kernel])) == []


def test_what_is_not_a_model_has_no_tensors():
    assert differences.changes(b"new", b"old") == []
    kernel = sparse_kernel((10, 1, 1, 64))
    (found,) = differences.changes(build_tflite([kernel]), b"old")
    assert found.changed == 640
