"""How much the tests try: the usual share, or all of it with SQZKIT_THOROUGH=1.

Some tests repeat what others show, or show it over more networks, mutants or random trees
than forty minutes of CI allow: `make test-thorough` runs those, too.
"""

import os
from typing import TypeVar

T = TypeVar("T")
THOROUGH = os.environ.get("SQZKIT_THOROUGH", "0") != "0"


def pick(usual: T, thorough: T) -> T:
    """Return `thorough` if SQZKIT_THOROUGH asks for it, else `usual`."""
    return thorough if THOROUGH else usual
