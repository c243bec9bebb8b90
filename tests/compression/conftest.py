import pytest

from sqzkit.conversion import stage_summary
from tests.compression import small_chain


@pytest.fixture(scope="session")
def corners():
    """A data set of 4 classes that a small network learns in three epochs."""
    return small_chain.make_dataset()


@pytest.fixture
def small_model():
    """An untrained network of five convolutions, without batch normalization."""
    from sqzkit.base.keras import keras
    from sqzkit.models import registry

    keras.utils.set_random_seed(0)
    network = small_chain.small_spec(normalization="none")
    return registry.build_from_json(network.to_json(), small_chain.SIDE)


@pytest.fixture(scope="session")
def finished_chain(tmp_path_factory, corners):
    """A run folder after prune, cluster and quantize, with its options."""

    path = tmp_path_factory.mktemp("chain") / "run"
    folder, options = small_chain.make_run(path, small_chain.small_spec(), corners)
    done = stage_summary.compress(folder, small_chain.quick_config(), options, corners)
    assert done == ["prune", "cluster", "quantize"]
    return folder, options
