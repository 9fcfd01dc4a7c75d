"""A program as the library in C reads it, and the workspace of a run."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import check_batch_memory
from pointillist.engine.c.blob import aligned
from pointillist.engine.c.library import KERNELS, chosen_level, load_library
from pointillist.engine.c.lower import lower
from pointillist.engine.program import IntArray, Program
from pointillist.errors import EngineError

_LOWERING = Lock()
"""Held while a program is lowered: several threads decode with one."""


class Lowered:
    """A program as the library reads it, and the library.

    Raises:
        EngineError: if this platform lacks the library, or it cannot run the program.
    """

    def __init__(self, program: Program) -> None:
        library = load_library()
        if library is None:
            raise EngineError("This platform lacks the library in C: the numpy executor runs, more slowly.")
        self.library, self.data = library, lower(program)
        self.address = self.data.ctypes.data
        problem = library.pt_check(self.address, self.data.size)
        if problem:
            raise EngineError(
                f"The library in C cannot run the integer program (rule {problem}): use the numpy executor."
            )
        self.by_rows = bool(library.pt_by_rows(self.address))


def lowered(program: Program) -> Lowered:
    """Return a program as the library reads it, which is kept with the program; see `Lowered`."""
    with _LOWERING:
        if "c" not in program.kept:
            try:
                program.kept["c"] = Lowered(program)
            except EngineError as error:
                program.kept["c"] = str(error)
        result = program.kept["c"]
    if isinstance(result, str):
        raise EngineError(result)
    lowered: Lowered = result
    return lowered


def reason_against(program: Program) -> str | None:
    """Return the sentence that says why the library does not run a program; None if it does."""
    if load_library() is not None and chosen_level() is None:
        return f"{KERNELS} is 'none': the numpy executor runs, more slowly."
    try:
        lowered(program)
    except EngineError as error:
        return str(error)
    return None


class Run:
    """The workspace of images at the first pixel.

    Args:
        inputs: conditions as `prepare_inputs` returns them; they are read until the run ends.
        by_rows: whether whole rows of known images are computed at once.

    Raises:
        EngineError: if the memory does not suffice, or the images are too large.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        size: tuple[int, int],
        inputs: Mapping[str, IntArray],
        *,
        by_rows: bool = False,
    ) -> None:
        self.lowered, self.batch, level = lowered(program), batch, chosen_level()
        self.library, address = self.lowered.library, self.lowered.address
        bytes_needed = self.library.pt_workspace(address, batch, *size, by_rows)
        if bytes_needed < 0:
            raise EngineError(
                f"{batch} images of {size[0]}x{size[1]} are too large for the integer program: use smaller ones."
            )
        check_batch_memory(bytes_needed, batch, *size)
        self.workspace = aligned(bytes_needed)
        self._inputs = [np.ascontiguousarray(inputs[name], np.int32) for name in program.inputs]
        pointers = (ctypes.c_void_p * max(1, len(self._inputs)))(*(array.ctypes.data for array in self._inputs))
        self.address = self.library.pt_begin(
            address, batch, *size, by_rows, pointers, self.workspace.ctypes.data, -1 if level is None else level
        )

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the blocks that hold the state of the images, `[slots, b, bytes]`."""
        block = (ctypes.c_int64 * 3)()
        for index in range(self.library.pt_block(self.address, -1, block)):
            self.library.pt_block(self.address, index, block)
            start, slots, size = block
            yield self.workspace[start : start + slots * self.batch * size].reshape(slots, self.batch, size)

    def save(self) -> list[NDArray[np.uint8]]:
        """Copy the state of all images, at the beginning of a row."""
        return [block.copy() for block in self.blocks()]

    def restore(self, saved: Sequence[NDArray[np.uint8]]) -> None:
        """Return to a state that was saved."""
        for block, before in zip(self.blocks(), saved, strict=True):
            block[...] = before
