"""One thread means one thread, in every library that computes."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_info

from pointillist.machine import describe_machine, one_thread


def test_one_thread_within_the_block_only() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
            told = torch.__config__.parallel_info()
            assert "mkl_get_max_threads() : 1" in told or not torch.backends.mkl.is_available()
            assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_machine_is_described_without_names_and_paths() -> None:
    told = describe_machine()
    assert "core" in told
    assert "/" not in told
