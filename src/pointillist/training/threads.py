"""The number of threads of a training step: one or all, whichever took less time when both were measured.

Threads of torch wait for each other after every operation. Where another program uses a core, the thread that is not
running holds up the others for milliseconds, hundreds of times in a step: a step of all threads may take forty times as
long as one of a single thread (docs/decisions, 0081). One thread is therefore timed first, and all of them only after
a few short operations have shown that they do not stall.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator

from pointillist.errors import counted

SLOW = 2.0
"""Ratio of a step to the usual one, or of all threads to one thread, from which it is slow."""
TIMED_STEPS = 2
"""Steps that are timed of each number of threads. The faster counts: the first of a run also allocates memory."""
FIRST_PAUSE, LAST_PAUSE = 20, 500
"""Steps before a slow step leads to another measurement: twice as many after each that changed nothing. After
`LAST_PAUSE` steps there is one anyway, as an idle core makes no step slow."""
_ELEMENTS, _OPERATIONS = 2**18, 400
"""Size of an operation, which torch shares among threads, and their number: 20 ms, several time slices of a system."""


def threads_stall(threads: int) -> bool:
    """Return True if short operations take all threads at least twice as long as one, within a tenth of a second."""
    x, seconds = torch.ones(_ELEMENTS), []
    torch.set_num_threads(1)
    for _ in range(_OPERATIONS // 4):
        started = time.perf_counter()
        x.mul_(1.0)
        seconds.append(time.perf_counter() - started)
    limit = SLOW * _OPERATIONS * statistics.median(seconds)
    torch.set_num_threads(threads)
    started = time.perf_counter()
    for _ in range(_OPERATIONS):
        x.mul_(1.0)
        if time.perf_counter() - started > limit:
            return True
    return False


class ThreadChoice:
    """A choice between one thread and all of them, by the time of steps.

    ```python
    choice = ThreadChoice([1, 8])
    torch.set_num_threads(choice.threads)  # before a step, whose time `choice.record(seconds)` takes after it
    ```

    Args:
        numbers: numbers of threads to choose from, the lowest first; with one number there is nothing to choose.
        chosen: an earlier choice, such as the one of a checkpoint; 0 measures in the first steps.
        stalls: whether a number of threads stalls.

    Attributes:
        chosen: the last choice; 0 before the first.
        threads: number for the next step, which differs from `chosen` while steps are timed.
    """

    def __init__(self, numbers: Sequence[int], chosen: int = 0, stalls: Callable[[int], bool] = threads_stall) -> None:
        self.numbers: Sequence[int] = numbers
        self.chosen: int = numbers[0] if len(numbers) == 1 else chosen * (chosen in numbers)
        self.threads: int = self.chosen or numbers[0]
        self._seconds: dict[int, float] = {}
        self._queue: list[int] = [] if self.chosen else self._timed()
        self._steps, self._pause, self._stalls = 0, FIRST_PAUSE, stalls

    def _timed(self) -> list[int]:
        return [number for number in self.numbers for _ in range(TIMED_STEPS)]

    def record(self, seconds: float) -> str | None:
        """Take the time of a step, and set the threads of the next one.

        Returns:
            A line for the log where the choice is another; else None.
        """
        if not self._queue:
            self._watch(seconds)
            return None
        number, *self._queue = self._queue
        self._seconds[number] = min(seconds, self._seconds.get(number, math.inf))
        slow = number > self.numbers[0] and seconds > SLOW * self._seconds[self.numbers[0]]
        if self._queue and not (slow or (self._queue[0] > number and self._stalls(self._queue[0]))):
            self.threads = self._queue[0]
            return None
        return self._choose()

    def _watch(self, seconds: float) -> None:
        """Start another measurement after a slow step, or after many steps."""
        self._steps += 1
        slow = seconds > SLOW * self._seconds.setdefault(self.threads, seconds)
        if len(self.numbers) > 1 and ((slow and self._steps >= self._pause) or self._steps >= LAST_PAUSE):
            self._seconds, self._queue, self.threads = {}, self._timed(), self.numbers[0]

    def _choose(self) -> str | None:
        """Choose the number of threads with the shorter step."""
        before, self.chosen = self.chosen, min(self._seconds, key=self._seconds.__getitem__)
        self.threads, self._steps, self._queue = self.chosen, 0, []
        if self.chosen == before:
            self._pause = min(2 * self._pause, LAST_PAUSE)
            return None
        self._pause = FIRST_PAUSE
        times = [f"{counted(number, 'thread')} {seconds:.3f} s" for number, seconds in self._seconds.items()]
        stall = [f"{number} stall, as other programs use the cores" for number in self.numbers[len(times) :]]
        return f"threads    {self.chosen} of {self.numbers[-1]}; a step: {', '.join([*times, *stall])}"


def thread_numbers(is_set: bool, accelerator: Accelerator) -> list[int]:
    """List the numbers of threads that a run may choose from.

    A number that is set is the only one. So is torch's for several processes, which wait for each other, and on a GPU.
    A compiled network is compiled for a number.
    """
    threads = torch.get_num_threads()
    alone = accelerator.num_processes == 1 and accelerator.device.type == "cpu"
    return [1, threads] if alone and threads > 1 and not is_set else [threads]
