"""Settings that every test shares: seeds, one thread, and how many random cases Hypothesis draws.

`make test` draws few cases, always the same ones; `make test-slow` sets `POINTILLIST_EXAMPLES` and draws many.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach the network

# no database: a failure is found again by the same cases, and nothing is left in the folder
_QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_EXAMPLES = int(os.environ.get("POINTILLIST_EXAMPLES", "8"))
settings.register_profile("pointillist", max_examples=_EXAMPLES, derandomize=True, **_QUIET)
settings.load_profile("pointillist")

torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.laws")  # so that a property that fails shows its values


@pytest.fixture(autouse=True)
def seed() -> int:
    """Start every test from the same random state."""
    torch.manual_seed(0)
    np.random.seed(0)
    return 0


@pytest.fixture(autouse=True)
def no_gpu_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run engine `cuda` on the processor where there is no GPU: the same functions, and nothing is captured."""
    if not torch.cuda.is_available():
        monkeypatch.setattr("pointillist.engine.selection.select_device", lambda name, device=None: torch.device("cpu"))
