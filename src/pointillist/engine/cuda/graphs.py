"""The one part that needs a GPU: pieces of work on static buffers are captured as CUDA graphs, and replayed.

A piece is named by a key; with the same key it must be the same work. It runs directly the first time, is captured the
second time, and replayed from then on. Elsewhere than on a GPU it runs directly, always: the same function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

Work = Callable[[], None]
Capture = Callable[[Work], Work]
"""Does the work once, perhaps later, and returns what repeats it."""

_ONE_CAPTURE = threading.Lock()
"""CUDA lets a process capture one graph at a time."""


class GraphCache:
    """Pieces of work, replayed where that can be done.

    Args:
        device: where the buffers are.
        capture: how a piece is captured; None for CUDA graphs on a GPU, and not at all elsewhere.
    """

    def __init__(self, device: torch.device, capture: Capture | None = None) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._capture = CudaGraphs(self._stream) if capture is None and self._stream is not None else capture
        self._seen: set[Hashable] = set()
        self._kept: dict[Hashable, Work] = {}

    def run(self, key: Hashable, work: Work) -> None:
        """Do a piece of work; call it within `here`."""
        if self._capture is None or key not in self._seen:
            self._seen.add(key)
            work()
            return
        if key not in self._kept:
            self._kept[key] = self._capture(work)
        self._kept[key]()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block torch computes without gradients, in full float32, and on the stream of the captures."""
        with torch.inference_mode(), full_float32():
            if self._stream is None:
                yield
                return
            outside = torch.cuda.current_stream(self.device)
            self._stream.wait_stream(outside)
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                yield
            outside.wait_stream(self._stream)


@contextmanager
def full_float32() -> Iterator[None]:
    """Within the block products on a GPU are not rounded to TF32, whatever was queries of torch."""
    products = torch.backends.cuda.matmul
    name, full = ("fp32_precision", "ieee") if hasattr(products, "fp32_precision") else ("allow_tf32", False)
    before = getattr(products, name)
    setattr(products, name, full)
    try:
        yield
    finally:
        setattr(products, name, before)


class CudaGraphs:
    """Captures on a stream. All graphs share one pool: what they leave in it is read by themselves only."""

    def __init__(self, stream: Any) -> None:  # a `torch.cuda.Stream`, of which there is none to test with without a GPU
        self._stream = stream
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Work) -> Work:
        """Capture the work; nothing is computed before the first graphs.

        Not by `torch.cuda.graph`, which waits for the device and collects garbage before every capture.
        """
        graph = torch.cuda.CUDAGraph()
        with _ONE_CAPTURE, torch.cuda.stream(self._stream):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
        return graph.replay
