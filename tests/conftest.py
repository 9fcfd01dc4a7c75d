"""Settings that every test shares: seeds, one thread, and how many random cases Hypothesis draws.

`make test` draws few cases, always the same ones; `make test-slow` sets `POINTILLIST_EXAMPLES` and draws many.

`@pytest.mark.one_in(n)` is for a test of many long cases, such as all networks in all engines: of each n cases in a row
one is part of `make test`, at another position in each row, and the rest is slow.

Tests that were measured to take long are listed in `long_tests.txt`, by `make long-tests`: they are slow, and proofs.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach the network

# no database: a failure is found again by the same cases, and nothing is left in the folder
_QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_EXAMPLES = int(os.environ.get("POINTILLIST_EXAMPLES", "5"))
settings.register_profile("pointillist", max_examples=_EXAMPLES, derandomize=True, **_QUIET)
settings.load_profile("pointillist")

_LONG = frozenset(Path(__file__).with_name("long_tests.txt").read_text(encoding="utf-8").splitlines())

torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.laws")  # so that a property that fails shows its values


@pytest.hookimpl(tryfirst=True)  # before `-m "not slow"` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow: of each n cases in a row of a test with `one_in`, all but any one; and tests that take long."""
    cases: defaultdict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("one_in")
        if mark and not item.get_closest_marker("slow"):
            cases[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    for (test, n), found in cases.items():
        for start in range(0, len(found), n):
            row = found[start : start + n]
            kept = crc32(f"{test} {start}".encode()) % len(row)
            for item in row[:kept] + row[kept + 1 :]:
                item.add_marker(pytest.mark.slow)
    for item in items:
        if item.nodeid in _LONG and not item.get_closest_marker("slow"):
            for name in ("long", "slow", "proof"):
                item.add_marker(name)


@pytest.fixture(autouse=True, scope="module")
def imported_objects_stay() -> None:
    """Leave what is there before a file of tests out of garbage collections: each training ends with two, of 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let the system write files when it likes: only a failure of power would show the difference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def seed() -> int:
    """Start every test from the same random state."""
    torch.default_generator.manual_seed(0)  # `torch.manual_seed` asks for other devices first: a millisecond
    np.random.seed(0)
    return 0
