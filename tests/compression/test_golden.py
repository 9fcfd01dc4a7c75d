"""Golden archives, which must decode for ever: on any processor, with any release. `golden/make.py` made them once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pointillist.compression import decompress
from pointillist.portable import load

from .golden.make import ARCHIVES, HERE, MODELS, archive_of

pytestmark = pytest.mark.proof

ENVIRONMENTS = {
    "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
    "blas": {"NUMBA_DISABLE_JIT": "0", "OPENBLAS_CORETYPE": "Prescott", "MKL_CBWR": "COMPATIBLE"},
}
"""Instructions of other processors, and other kernels of BLAS."""


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_decodes(name: str) -> None:
    """To the images that it was made of, which code to its bytes."""
    archive, integer_model = (HERE / f"{name}.pxl").read_bytes(), load(MODELS / ARCHIVES[name][0])
    with np.load(HERE / "images.npz") as images:
        expected = images[name].astype(np.int64)
    assert np.array_equal(decompress(archive, integer_model), expected)
    assert archive_of(name, expected) == archive


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.slow
def test_archives_decode_on_other_processors(environment: str, tmp_path: Path) -> None:
    """In compiled code for other instructions, whatever BLAS does."""
    code = "\n".join(
        [
            "import sys, numpy as np",
            f"sys.path.insert(0, {str(HERE.parents[2])!r})",
            "from tests.compression.test_golden import *",
            "for name in ARCHIVES:",
            "    test_an_archive_decodes(name)",
        ]
    )
    own = {**os.environ, **ENVIRONMENTS[environment], "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=own, check=True, timeout=1200)
