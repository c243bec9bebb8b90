"""What the tests of the app's build share."""

import importlib.util
import sys

import pytest


@pytest.fixture(scope="session")
def make_apk_program(repository):
    """`make_apk.py` as a module; loaded once, since it defines flags."""
    if "make_apk" not in sys.modules:
        path = repository / "android_demo/tools/make_apk.py"
        spec = importlib.util.spec_from_file_location("make_apk", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["make_apk"] = module
        spec.loader.exec_module(module)
    return sys.modules["make_apk"]
