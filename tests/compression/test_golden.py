"""Golden archives, which must decode for ever: on any processor, with any release. `golden/make.py` made them once."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from pointillist.compression import decompress
from pointillist.errors import EngineError
from pointillist.model.portable import load

from .golden.make import ARCHIVES, HERE, MODELS, archive_of, stored_images

pytestmark = pytest.mark.proof

ENVIRONMENTS = {
    "plain": {"POINTILLIST_KERNELS": "plain"},
    "blas": {"POINTILLIST_KERNELS": "none", "OPENBLAS_CORETYPE": "Prescott", "MKL_CBWR": "COMPATIBLE"},
}
"""Kernels of other processors, and numpy with other kernels of BLAS."""
REJECTED = pytest.raises(EngineError, match="by a stage that learns, which the library in C alone decodes")


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_decodes(name: str) -> None:
    """To the images that it was made of, which code to its bytes; another liblzma may pack them into others."""
    archive, integer_model = (HERE / f"{name}.pxl").read_bytes(), load(MODELS / ARCHIVES[name][0])
    expected = stored_images(name)
    assert np.array_equal(decompress(archive, integer_model), expected)
    assert name == "packed" or archive_of(name, expected) == archive


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.slow
def test_archives_decode_on_other_processors(environment: str) -> None:
    """By other kernels, whatever BLAS does; numpy has no stage that learns, and says so."""
    code = "\n".join(
        [
            f"import sys; sys.path.insert(0, {str(HERE.parents[2])!r}); from contextlib import nullcontext",
            "from tests.compression.test_golden import *",
            "for name in ARCHIVES:",
            f"    with REJECTED if ARCHIVES[name][1].get('learn') and {environment == 'blas'} else nullcontext():",
            "        test_an_archive_decodes(name)",
        ]
    )
    own = {**os.environ, **ENVIRONMENTS[environment]}
    subprocess.run([sys.executable, "-c", code], env=own, check=True, timeout=1200)
