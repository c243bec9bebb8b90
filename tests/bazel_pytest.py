"""Run pytest on the folders given, inside a Bazel test: without the slow tests, in one process."""

import os
import sys

PYTHON = os.environ.get("SQZKIT_PYTHON", sys.executable)
OPTIONS = ["-m", "not slow", "-p", "no:cacheprovider", "-q", "-rs"]

if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)  # Bazel's, which knows nothing of the environment's packages
    os.execv(PYTHON, [PYTHON, "-B", "-m", "pytest", *OPTIONS, *sys.argv[1:]])
