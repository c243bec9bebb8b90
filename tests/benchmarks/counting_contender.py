"""A contender for the tests: counts, prints noise, and fails when told to."""

import itertools
import os

from benchmarks import contender


def prepare(settings):
    if settings.get("missing"):
        raise ModuleNotFoundError("No module named 'somebody'")
    print("a library's chatter")
    os.write(1, b"and a C library's\n")
    numbers = itertools.count(settings["start"])

    def measure():
        number = next(numbers)
        if number == settings.get("dies_at"):
            os._exit(3)
        return {"ms": float(number)}

    return {"start": settings["start"]}, measure


if __name__ == "__main__":
    contender.serve(prepare)
