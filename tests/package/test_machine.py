"""One thread means one thread, in every library that computes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

from pointillist.system import available_cores, describe_machine, group_quota, single_threaded


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_one_thread_within_the_block_only() -> None:
    """A block within the block does not end it."""
    with single_threaded():
        with single_threaded():
            pass
        assert torch.get_num_threads() == 1
        told = torch.__config__.parallel_info()
        assert "mkl_get_max_threads() : 1" in told or not torch.backends.mkl.is_available()
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("_two_threads")
def test_threads_that_overlap_in_the_block_leave_the_limit_as_it_was() -> None:
    """The first one in is the first one out: two paintings at the same time."""
    inside, leave, found = threading.Event(), threading.Event(), []

    def second() -> None:
        with single_threaded():
            inside.set()
            leave.wait(10)
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=second)
    with single_threaded():
        thread.start()
        assert inside.wait(10)
    leave.set()
    thread.join(10)
    assert found == [2]
    assert torch.get_num_threads() == 2


def test_the_machine_is_described_without_names_and_paths() -> None:
    told = describe_machine()
    assert "core" in told
    assert "/" not in told


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "200000\n"}, math.inf),
        ({"cpu.max": "damaged"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path: Path, files: dict[str, str], cores: float) -> None:
    """Control groups of both versions; without a limit, or with files that say none, there is no quota."""
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert group_quota(tmp_path) == cores


def test_a_quota_counts_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a core is a core, and a large quota adds none."""
    free = available_cores()
    for quota, cores in ((0.5, 1), (1.0, 1), (1e9, free), (math.inf, free)):
        monkeypatch.setattr("pointillist.system.group_quota", lambda quota=quota: quota)
        assert available_cores() == cores
