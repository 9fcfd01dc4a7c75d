"""One thread or all of them, by the time of steps on a clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import pointillist as pt
from pointillist.training.state import load_state
from pointillist.training.threads import FIRST_PAUSE, LAST_PAUSE, ThreadChoice

from .helpers import tiny_config, tiny_data, tiny_model


def run(choice: ThreadChoice, seconds: Callable[[int], float], steps: int) -> tuple[list[int], list[str]]:
    """Take steps that last `seconds(threads)`; return the threads of each, and the lines of the log."""
    threads, lines = [], []
    for _ in range(steps):
        threads.append(choice.threads)
        lines.append(choice.record(seconds(choice.threads)))
    return threads, [line for line in lines if line is not None]


def free(threads: int) -> bool:
    return False


def test_all_threads_where_they_are_faster() -> None:
    choice = ThreadChoice([1, 8], stalls=free)
    threads, lines = run(choice, lambda n: 1 / n, 10)
    assert threads == [1, 1, 8, 8, 8, 8, 8, 8, 8, 8]
    assert lines == ["threads    8 of 8; a step: 1 thread 1.000 s, 8 threads 0.125 s"]


def test_stalled_threads_take_no_step() -> None:
    choice = ThreadChoice([1, 8], stalls=lambda threads: threads == 8)
    threads, lines = run(choice, lambda n: 1.0, LAST_PAUSE)
    assert set(threads) == {1}
    assert lines == ["threads    1 of 8; a step: 1 thread 1.000 s, 8 stall, as other programs use the cores"]


def test_one_slow_step_of_all_threads_is_enough() -> None:
    threads, lines = run(ThreadChoice([1, 2], stalls=free), lambda n: 1.0 if n == 1 else 30.0, 10)
    assert threads == [1, 1, 2, 1, 1, 1, 1, 1, 1, 1]
    assert lines == ["threads    1 of 2; a step: 1 thread 1.000 s, 2 threads 30.000 s"]


def test_a_slow_step_is_measured_again() -> None:
    """A core is taken, so the next steps are of one thread; steps that are all slower are measured once."""
    choice = ThreadChoice([1, 2], stalls=free)
    assert set(run(choice, lambda n: 1 / n, 4 + FIRST_PAUSE)[0][4:]) == {2}
    taken, lines = run(choice, lambda n: 1.0 if n == 1 else 30.0, 20)
    assert taken[:4] == [2, 1, 1, 2]
    assert set(taken[4:]) == {1}
    assert len(lines) == 1
    slower, _ = run(choice, lambda n: 5.0 if n == 1 else 30.0, 3 * FIRST_PAUSE)
    assert slower.count(2) == 1


def test_freed_cores_are_noticed() -> None:
    """No step becomes slow, so it takes the last pause."""
    choice = ThreadChoice([1, 2], stalls=lambda threads: True)
    run(choice, lambda n: 1 / n, 10)
    choice._stalls = free
    threads, lines = run(choice, lambda n: 1 / n, LAST_PAUSE)
    assert threads[-1] == 2
    assert lines == ["threads    2 of 2; a step: 1 thread 1.000 s, 2 threads 0.500 s"]


def test_a_choice_of_before_is_not_measured_again() -> None:
    assert set(run(ThreadChoice([1, 2], chosen=2, stalls=free), lambda n: 1.0, 50)[0]) == {2}
    assert run(ThreadChoice([1, 4], chosen=2, stalls=free), lambda n: 1.0, 3)[0] == [1, 1, 4], "of another machine"
    assert run(ThreadChoice([6]), lambda n: 1.0, 50) == ([6] * 50, [])


def test_a_checkpoint_holds_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run takes it, and the threads of before the run are back after it."""
    monkeypatch.setattr("pointillist.training.trainer.thread_numbers", lambda *_: [1, 2])
    starts: list[int] = []

    class Choice(ThreadChoice):
        def __init__(self, numbers: list[int], chosen: int) -> None:
            starts.append(chosen)
            super().__init__(numbers, chosen, stalls=lambda threads: True)

    monkeypatch.setattr("pointillist.training.trainer.ThreadChoice", Choice)
    data, before = tiny_data(), torch.get_num_threads()
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "run"))
    assert load_state(tmp_path / "run" / "state").record["threads"] == 1
    pt.train(tiny_model(data.train), data, tiny_config(tmp_path / "run", steps=12), resume=True)
    assert starts == [0, 1]
    assert torch.get_num_threads() == before
