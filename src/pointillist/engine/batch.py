"""A batch that an engine samples: its images, its conditions, memory, and threads that share it. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import Array, ConditionInput, DType, FloatArray, IntArray, Program
from pointillist.errors import EngineError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.system import MemoryUse

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass
class SampleBatch:
    """Images that are being sampled.

    Attributes:
        levels: `[n, c, h, w]`; kept where `known`, filled elsewhere.
        known: sub-pixels that are given, of the same shape. They are not drawn and add no nats.
        uniforms: in [0, 1), `[n, c, h, w]`.
        nats: log-likelihood of each image `[n]` under the model at guidance 1 and temperature 1, to which draws add.
        params: `[n, h, w, p]`, filled with the parameters of every sub-pixel that is drawn, or None.
        mask: levels that each sub-pixel may have, from `LevelMask.begin_stage` on; None for all.
        sizes: for an integer program, `[n, c, h, w]`, filled with the frequency of the level of each sub-pixel.
    """

    levels: IntArray
    known: NDArray[np.bool_]
    uniforms: NDArray[np.float64]
    nats: NDArray[np.float64]
    params: FloatArray | None = None
    mask: LevelMask | None = None
    sizes: IntArray | None = None


def empty_batch(
    uniforms: Float[np.ndarray, "n c h w"],
    order: PixelOrder,
    known: tuple[Int[np.ndarray, "n c h w"], Bool[np.ndarray, "c h w"]] | None = None,
) -> SampleBatch:
    """Make a batch of images that are to be drawn, in the raster frame of an order.

    Args:
        uniforms: in [0, 1).
        known: levels of the images, and which of their sub-pixels are kept: they add no nats. None draws all.
    """
    nothing = np.zeros(uniforms.shape, np.int64), np.zeros(uniforms.shape[1:], bool)
    levels, certain = (order.array_to_raster(array) for array in (nothing if known is None else known))
    u = np.ascontiguousarray(order.array_to_raster(uniforms), np.float64)
    sites = np.array(np.broadcast_to(certain, u.shape), order="C")
    return SampleBatch(np.array(np.where(certain, levels, 0), np.int64, order="C"), sites, u, np.zeros(len(u)))


def row_report(
    levels: IntArray, shown: IntArray, order: PixelOrder, on_row: Callable[[int, IntArray], None]
) -> Callable[[int], None]:
    """Return what reports finished rows; the library draws on, so later ones are shown as they were."""

    def finished(rows: int) -> None:
        shown[:, :, :rows] = levels[:, :, :rows]
        on_row(rows, order.array_from_raster(shown))

    return finished


def prepare_inputs(
    program: Program, batch: int, inputs: Mapping[str, NDArray[Any]], size: tuple[int, int] | None = None
) -> dict[str, Array]:
    """Return each condition as `[b, 1, 1, c]` or `[b, h, w, c]`, in the type of the program.

    A condition that repeats one image without copies stays so.

    Args:
        inputs: conditions by key, `[b, c]` of a vector, `[b, h, w, c]` of a map, or of one image for all; the default
            is the tensor seen while recording.
        size: height and width of the images; None for the size of the program.

    Raises:
        EngineError: if the size does not fit.
    """
    size = size or (program.height, program.width)
    if program.size not in (None, size):
        raise EngineError(
            f"Images of {size[0]}x{size[1]} do not fit an integer program for {program.height}x{program.width}: "
            "resize them."
        )
    return {
        key: _condition(condition, inputs.get(key), (batch, *size), program.dtype)
        for key, condition in program.inputs.items()
    }


def _condition(expected: ConditionInput, value: NDArray[Any] | None, size: tuple[int, int, int], dtype: DType) -> Array:
    array = expected.default if value is None else value
    array = array if array.strides[0] else array[:1]
    sites, shape = (array[:, None, None], (size[0], 1, 1)) if expected.kind == "vector" else (array, size)
    return np.broadcast_to(np.ascontiguousarray(sites, dtype=dtype), (*shape, expected.channels))


def check_batch_memory(needed: int, batch: int, height: int, width: int, device: Any = None) -> None:
    """Check that the bytes of a batch are free, on a torch device or in the memory of the process.

    Raises:
        EngineError: naming both numbers, and what would fit.
    """
    use = MemoryUse(0.0, max(needed, 1) / (batch * height * width))
    use.check("Sampling", (batch, height, width), device=device, error=EngineError)


STOP, DONE = 0, 1
"""Indices of a signal: set STOP to stop before the next site; DONE counts finished rows, without domains."""
POLL_SECONDS, QUIET_SECONDS = 0.02, 0.1
"""Seconds between two looks at the finished rows, with reports and without: a look takes half a millisecond."""


def split_batch(count: int, threads: int) -> list[slice]:
    """Split images into one slice for each thread, of nearly equal sizes.

    ```python
    split_batch(5, 2)  # [slice(0, 2), slice(2, 5)]
    ```
    """
    parts = min(max(threads, 1), count)
    return [slice(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def run_slices(
    run: Callable[[int, slice, NDArray[np.int64]], None],
    slices: list[slice],
    on_row: Callable[[int], None] | None = None,
    *,
    is_short: bool = False,
) -> None:
    """Run each slice in its own thread, and report the rows that all of them have finished.

    The wait leaves the global interpreter lock, so that an interrupt arrives. An exception stops all threads.

    Args:
        run: called with the number of the slice, the slice, and its signal.
        on_row: called with the number of finished rows.
        is_short: whether a single slice runs in the calling thread: it takes so short a time that an interrupt and
            reports can wait for its end, and another thread would add a third of a millisecond.
    """
    signals = [np.zeros(3, np.int64) for _ in slices]
    if is_short and len(slices) == 1:
        run(0, slices[0], signals[0])
        _report(on_row, 0, int(signals[0][DONE]))
        return
    from concurrent.futures import ThreadPoolExecutor, wait  # late, as small batches need no threads

    with ThreadPoolExecutor(len(slices)) as pool:
        try:
            pending = {pool.submit(run, i, *each) for i, each in enumerate(zip(slices, signals, strict=True))}
            reported = 0
            while pending:
                done, pending = wait(pending, timeout=QUIET_SECONDS if on_row is None else POLL_SECONDS)
                for job in done:
                    job.result()
                reported = _report(on_row, reported, min(int(signal[DONE]) for signal in signals))
        finally:
            for signal in signals:
                signal[STOP] = 1


def _report(on_row: Callable[[int], None] | None, reported: int, finished: int) -> int:
    """Report the rows that are new; return the number of rows that are reported."""
    if on_row is not None:
        for rows in range(reported + 1, finished + 1):
            on_row(rows)
    return finished


A = TypeVar("A")
B = TypeVar("B")


def in_threads(function: Callable[[Sequence[A]], list[B]], items: Sequence[A], threads: int) -> Iterator[B]:
    """Yield a result for each item in order; each thread has a share of the items, and a single share needs none."""
    shares = [items[share] for share in split_batch(len(items), threads)]
    if len(shares) < 2:
        for share in shares:
            yield from function(share)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(shares)) as pool:
        for result in pool.map(function, shares):
            yield from result
