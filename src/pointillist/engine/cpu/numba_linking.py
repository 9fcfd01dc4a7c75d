"""Functions that only compiled functions call are linked into them, not made into machine code of their own.

numba optimises every function and turns it into machine code as if Python called it, and does it all once more in each
function that calls it: of the seconds that the machine takes to compile, two fifths are for code that nobody runs. Here
the code of an inner function stays as it came from numba, and is optimised where it is linked in. This reaches into
numba; releases that nobody has tried it with compile as they always do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

import numba
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen

Method = Callable[..., None]
TRIED = ((0, 64), (0, 68))
"""The first and the last release of numba."""
_ONE = Lock()


def known_numba(version: str = numba.__version__) -> bool:
    """Whether this is a release in which functions can be linked only."""
    release = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return TRIED[0] <= release <= TRIED[1]


@contextmanager
def link_only(entry: str) -> Iterator[None]:
    """While it is open, this thread makes machine code of the function called `entry` only.

    Another one that wants the same waits; functions that other threads compile are left alone.
    """
    if not known_numba():
        yield
        return
    with _ONE:
        kept = CPUCodeLibrary._optimize_final_module, CPUCodeLibrary._finalize_final_module, JITCPUCodegen.set_env
        _put(*_for_entry(entry, get_ident(), *kept))
        try:
            yield
        finally:
            _put(*kept)


def _for_entry(entry: str, thread: int, optimise: Method, finish: Method, set_env: Method) -> tuple[Method, ...]:
    """The same three methods, which in a thread do nothing for functions that are not the entry."""

    def inner(self: Any) -> bool:
        return get_ident() == thread and self.name != entry

    def optimise_entry(self: Any) -> None:
        if not inner(self):
            optimise(self)

    def finish_entry(self: Any) -> None:
        if inner(self):
            self._finalized = True
        else:
            finish(self)

    def set_known(self: Any, name: str, environment: Any) -> None:
        # what is only linked has no place for it, and no errors to tell
        if self._engine.get_global_value_address(name):
            set_env(self, name, environment)

    return optimise_entry, finish_entry, set_known


def _put(optimise: Method, finish: Method, set_env: Method) -> None:
    CPUCodeLibrary._optimize_final_module = optimise
    CPUCodeLibrary._finalize_final_module = finish
    JITCPUCodegen.set_env = set_env
