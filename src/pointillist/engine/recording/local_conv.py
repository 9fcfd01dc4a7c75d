"""Record a locally masked convolution.

Rows above become one product over the row, as in any convolution. The current row becomes two pairs of GATHER and
LINEAR that make the same value, one for even and one for odd rows (`Instruction.row_parity`), each with the taps that
are known.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from pointillist.engine.program import Phase, Tap, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.convolution import Kernel, gather, linear, to_numpy
from pointillist.engine.recording.symbols import Symbol, Window, symbol_of


def record_local_convolution(window: Window, weight: Tensor, bias: Tensor | None, dilation: int) -> Symbol:
    """Record a convolution in the raster frame of an S-curve.

    Args:
        window: the rows above and the current row.
        weight: `o i k k`, in the raster frame.
        bias: `o`.
    """
    builder, kernel, half = window.builder, to_numpy(weight), weight.shape[2] // 2
    taps: dict[Tap, Kernel] = {
        ((i - half) * dilation, (j - half) * dilation): kernel[:, :, i, j].T
        for i in range(half + 1)
        for j in range(2 * half + 1)
        if kernel[:, :, i, j].any()
    }
    above = {tap: matrix for tap, matrix in taps.items() if tap[0] < 0}
    offset = None if bias is None else to_numpy(bias)
    start = None
    if above:
        start = linear(builder, gather(window, above, Phase.ROW), np.concatenate(list(above.values())), offset)
    phase = window.phase if start is None else max(window.phase, start.phase)
    output = builder.value(len(kernel), phase, window.map.scale)
    for parity, side in ((0, -1), (1, 1)):
        known = {tap: matrix for tap, matrix in taps.items() if tap[0] == 0 and tap[1] * side >= 0}
        known = known or {(0, 0): np.zeros((kernel.shape[1], kernel.shape[0]))}
        with builder.for_row_parity(parity):
            read = gather(window, known, window.phase)
            matrix = np.concatenate(list(known.values()))
            _add(builder, output, read, matrix, offset if start is None else None, start)
    return symbol_of(builder, output)


def _add(builder: Builder, output: View, read: View, matrix: Kernel, offset: Kernel | None, start: View | None) -> None:
    """Emit one of the LINEARs that make `output`."""
    inputs = (read,) if start is None else (read, start)
    constants = {"matrix": matrix} if offset is None else {"matrix": matrix, "bias": offset}
    builder.write("LINEAR", output, inputs, constants)
