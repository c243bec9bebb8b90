"""Write tests/golden/serving/plain and signed: `python -m tests.serving.make_golden_sites`.

Folders that `publish` made, for Java's tests. The private key is thrown away.
"""

import random
import tempfile
from pathlib import Path

from sqzkit.serving import publishing
from tests.coding.test_signing import pair
from tests.serving.make_golden_plans import GOLDEN

RELEASES = 4


def versions():
    content = bytearray(random.Random(3).randbytes(900))
    for number in range(RELEASES):
        content[number * 200] ^= 0xFF
        yield bytes(content)


def main():
    private, public = pair()
    with tempfile.TemporaryDirectory() as name:
        key, model = Path(name, "key"), Path(name, "model")
        key.write_bytes(private)
        for folder, given in (("plain", {}), ("signed", {"key": key})):
            for content in versions():
                model.write_bytes(content)
                publishing.publish(model, GOLDEN.parent / folder, updates=2, **given)
    (GOLDEN.parent / "public.pem").write_bytes(public)


if __name__ == "__main__":
    main()
