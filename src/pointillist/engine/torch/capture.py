"""Capture work on static buffers as CUDA graphs, and replay it. Only this file needs a GPU.

A key names a piece of work; the same key must mean the same work. It runs directly the first time, is captured the
second time, and replayed from then on. On other devices it always runs directly: the same function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pointillist.engine.torch.device import full_float32

Work = Callable[[], None]
Capture = Callable[[Work], Work]
"""A function that captures work, perhaps does it, and returns a function that repeats it."""

_ONE_CAPTURE = threading.Lock()
"""A lock, because CUDA lets a process capture one graph at a time."""


class GraphCache:
    """Run pieces of work, replayed where possible.

    Args:
        device: the device of the buffers.
        capture: captures a piece of work; None for CUDA graphs on a GPU, and for no capture elsewhere.
    """

    def __init__(self, device: torch.device, capture: Capture | None = None) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._capture = CudaGraphs(self._stream) if capture is None and self._stream is not None else capture
        self._seen: set[Hashable] = set()
        self._kept: dict[Hashable, Work] = {}

    def run(self, key: Hashable, work: Work) -> None:
        """Run a piece of work; call it within `active`."""
        if self._capture is None or key not in self._seen:
            self._seen.add(key)
            work()
            return
        if key not in self._kept:
            self._kept[key] = self._capture(work)
        self._kept[key]()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Compute without gradients, in full float32, and on the stream of the captures, within the block."""
        with torch.inference_mode(), full_float32():
            if self._stream is None:
                yield
                return
            outside = torch.cuda.current_stream(self.device)
            self._stream.wait_stream(outside)
            with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
                yield
            outside.wait_stream(self._stream)


class CudaGraphs:
    """Capture on a stream. All graphs share one memory pool, because each reads only its own results in it."""

    def __init__(self, stream: Any) -> None:  # a `torch.cuda.Stream`; tests without a GPU fake it
        self._stream = stream
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Work) -> Work:
        """Capture the work; nothing is computed before the first replay.

        `torch.cuda.graph` is not used, because it synchronises the device and collects garbage before every capture.
        """
        graph = torch.cuda.CUDAGraph()
        with _ONE_CAPTURE, torch.cuda.stream(self._stream):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
        return graph.replay
