"""Compile functions with numba; what is compiled is kept on disk where that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function with numba's `options`.

    Without a writable folder beside the module or in the home, the function is
    compiled again in each process.
    """

    def compile_one(function: Function) -> Function:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # numba finds no folder for its cache
            return numba.njit(**options)(function)

    return compile_one
