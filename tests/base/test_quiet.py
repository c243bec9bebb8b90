import os
import subprocess
import sys
import warnings

import pytest

from sqzkit.base.quiet import quiet


def test_only_what_is_written_inside_is_lost():
    code = (
        "import os, sys\nfrom sqzkit.base.quiet import quiet\n"
        "print('before', file=sys.stderr)\n"
        "with quiet():\n    os.write(2, b'lost')\n    print('lost too', file=sys.stderr)\n"
        "os.write(2, b'after')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stderr == b"before\nafter"


def test_errors_come_through_and_standard_error_is_restored():
    before = os.fstat(2).st_ino
    with pytest.raises(ValueError, match="heard"), quiet():
        warnings.warn("not heard", stacklevel=1)
        raise ValueError("heard")
    assert os.fstat(2).st_ino == before


def test_tensorflow_starts_without_a_word():
    code = (
        "from sqzkit.base import quiet; quiet.load_tensorflow(); import tensorflow\n"
        "tensorflow.get_logger().warning('5 out of the last 13 calls triggered retracing')"
    )
    assert _said(code) == ""


def test_a_call_of_python_is_as_quiet_as_the_program(tmp_path):
    """TensorFlow warns of crops of unknown size, a thousand characters in every epoch."""
    code = (
        "import sqzkit, sys; sys.stdout = sys.stderr\n"
        f"sqzkit.train(model_dir={str(tmp_path / 'run')!r}, model='tiny', train_epochs=1, "
        "augmentation='standard')"
    )
    said = _said(code)
    assert "top-1" in said
    assert "op_level_cost_estimator" not in said


def _said(code: str) -> str:
    """Return what a process says on both streams if nothing chose a level for its libraries."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("MIN_LOG_LEVEL")}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return result.stdout + result.stderr
