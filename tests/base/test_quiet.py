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
