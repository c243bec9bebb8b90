"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Fixtures of several packages' tests; a session-wide one is made once for all of them.
pytest_plugins = ["tests.fixtures.converted", "tests.fixtures.chain"]

# A busy machine is no defect: no example has a deadline (tests as a whole have one).
settings.register_profile("sqzkit", deadline=None)
settings.load_profile("sqzkit")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, so that the workers end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real data and weights; tests that need it skip where it is absent."""
    path = Path(os.environ.get("SQZKIT_SHARED", REPOSITORY.parent / "shared"))
    if not path.is_dir():
        pytest.skip("needs the shared data folder: set SQZKIT_SHARED to it")
    return path.resolve()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the checkout."""
    return REPOSITORY


@pytest.fixture
def any_kernel():
    """Let XLA take any kernel: it has no deterministic one for the gradient of a pooling.

    A training in the same process, of an earlier test, may have asked for those alone.
    """
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if before:
        config.enable_op_determinism()


@pytest.fixture(autouse=True, scope="session")
def _children_find_the_package() -> None:
    """Let programs that the tests start import the checkout's `sqzkit`."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
