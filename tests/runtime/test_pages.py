"""The library for pages, in two engines of WebAssembly, draws the pictures of the library of this platform."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

from . import matrix

NODE = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run pages in it")
WASMTIME = pytest.mark.skipif(find_spec("wasmtime") is None, reason="wasmtime (the extra `dev`) is not installed")


@pytest.mark.parametrize("engine", [pytest.param("wasmtime", marks=WASMTIME), pytest.param("node", marks=NODE)])
@pytest.mark.one_in(2)
def test_engines_of_webassembly_agree(engine: str) -> None:
    """Twelve pictures of `tests.runtime.matrix`: of every bundled model, half of them under guidance."""
    assert matrix.digest_of(engine, 12) == matrix.digest_of("auto", 12)
