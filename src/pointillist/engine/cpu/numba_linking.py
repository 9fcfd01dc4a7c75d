"""Link inner functions into their callers, and read compiled code without loading the compiler.

numba optimises every function and compiles it to machine code as if Python called it, and does so once more in each
function that calls it. Two fifths of the compile time of the virtual machine go to code that never runs. Here the code
of an inner function stays as numba made it, and is optimised where it is linked.

Before numba reads compiled code from disk, it imports all that it could compile, and SciPy if it is there, which takes
a third of a second. Machine code needs none of it.

This reaches into numba's internals; with an untested release of numba everything compiles and loads as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

import numba
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.runtime import rtsys

Method = Callable[..., None]
TRIED = ((0, 64), (0, 68))
"""The first and the last tested release of numba."""
_ONE = Lock()


def known_numba(version: str = numba.__version__) -> bool:
    """Return True for a tested release of numba."""
    release = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return TRIED[0] <= release <= TRIED[1]


def load_as_it_is(compiled: Any) -> None:
    """Let a function that numba keeps on disk be read without loading the compiler."""
    cache = getattr(compiled, "_cache", None)
    if cache is None or not known_numba():  # numba may be switched off by its environment variable
        return

    def load(signature: Any, context: Any) -> Any:
        rtsys.initialize(context)
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, context)

    cache.load_overload = load


@contextmanager
def link_only(entry: str) -> Iterator[None]:
    """Compile only the function called `entry` to machine code in this thread, within the block.

    Another thread that enters the block waits. Functions that other threads compile are not affected.
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
    """Return the three methods, changed to skip functions other than the entry in this thread."""

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
        # a linked function has no such variable, and reports no errors
        if self._engine.get_global_value_address(name):
            set_env(self, name, environment)

    return optimise_entry, finish_entry, set_known


def _put(optimise: Method, finish: Method, set_env: Method) -> None:
    CPUCodeLibrary._optimize_final_module = optimise
    CPUCodeLibrary._finalize_final_module = finish
    JITCPUCodegen.set_env = set_env
