import random

import pytest

from tests.coding.test_signing import pair
from tests.serving import server

VERSIONS = 4


@pytest.fixture(scope="session")
def versions():
    """Versions of a file: each changes a few bytes of the one before."""
    content = bytearray(random.Random(3).randbytes(9000))
    made = []
    for number in range(VERSIONS):
        content[number * 500] ^= 0xFF
        made.append(bytes(content))
    return made


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    return server.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Return the paths of a private and a public key."""
    folder = tmp_path_factory.mktemp("keys")
    for name, content in zip(("private.pem", "public.pem"), pair(), strict=True):
        (folder / name).write_bytes(content)
    return folder / "private.pem", folder / "public.pem"
