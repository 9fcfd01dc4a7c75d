"""Record a convolution, split by the phase in which its taps are known.

Taps on finished rows (and, for a value of the row phase, on its own row) become one matrix product over the whole row.
The rest of the current row becomes a product at each site that starts from it. Taps whose weights are all zero, as
masks make them, are dropped.

Of a locally masked convolution the current row becomes two pairs of GATHER and LINEAR that make the same value, one for
even and one for odd rows (`Instruction.row_parity`), each with the taps that are known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.program import Phase, Tap, View
from pointillist.engine.recording.builder import Builder
from pointillist.engine.recording.symbols import Recorded, Symbol, Window, symbol_of

Kernel = NDArray[Any]


def to_numpy(parameter: Tensor) -> Kernel:
    """Copy a parameter to numpy, from any device and precision."""
    values = parameter.detach().cpu()
    known = values.dtype in (torch.float32, torch.float64)  # numpy has no bfloat16
    return (values if known else values.float()).numpy()


def convolve(
    x: Symbol | Window, weight: Tensor, bias: Tensor | None, dilation: tuple[int, int], stride: int = 1
) -> View:
    """Record a VALID convolution of a window, or a 1x1 convolution of a value.

    With a stride, taps still count sites of the grid that is read, and the result lies on the coarser grid.

    Args:
        weight: `o i kh kw`.
        bias: `o`.
        dilation: rows and columns.

    Raises:
        CausalityError: if the kernel does not fit, or reads a site that is not known yet.
    """
    if isinstance(weight, Recorded) or isinstance(bias, Recorded):
        x.builder.reject("The weight of a convolution is a recorded value", "Weights must be parameters.")
    kernel = to_numpy(weight)
    offset = None if bias is None else to_numpy(bias)
    if isinstance(x, Symbol):
        _check_channels(x.builder, kernel, x.content.channels)
        if kernel.shape[2:] != (1, 1):
            x.builder.reject(
                f"A {kernel.shape[2]}x{kernel.shape[3]} convolution is applied to a plain value, which is one site",
                "Reach its neighbours through `ctx.window`.",
            )
        return linear(x.builder, x.content, kernel[:, :, 0, 0].T, offset)
    _check_channels(x.builder, kernel, x.map.channels)
    span = tuple((k - 1) * step + 1 for k, step in zip(kernel.shape[2:], dilation, strict=True))
    if span != x.extent:
        x.builder.reject(
            f"A kernel that spans {span[0]}x{span[1]} sites reads the window `{x.key}` of {x.extent[0]}x{x.extent[1]}",
            "The window must fit the kernel: up + down = dilation * (kernel - 1), and so for left + right.",
        )
    scale = x.map.scale * stride
    late = _taps(x, kernel, dilation)
    early = {tap: late.pop(tap) for tap in list(late) if _is_early(x, tap)}
    for dy, dx in late:
        if dy > 0 or dx > 0:
            x.builder.reject(
                f"The window `{x.key}` reads an unknown site: tap ({dy}, {dx}) (rows down, columns right)",
                "Shrink the window (`right=0` or -1, `down=0` or -1), or mask these weights.",
            )
        if dx < 0 and x.builder.s_curve:
            x.builder.reject(
                f"The window `{x.key}` reads the left neighbour, which an S-curve does not know in odd rows",
                "Use `ctx.neighbours`.",
            )
    partial = None
    if early:
        partial = linear(x.builder, gather(x, early, Phase.ROW, scale), np.concatenate(list(early.values())), offset)
    if late:
        matrix = np.concatenate(list(late.values()))
        gathered = gather(x, late, Phase.SITE, scale)
        return linear(x.builder, gathered, matrix, offset if partial is None else None, start=partial)
    if partial is not None:
        return partial
    # every weight is zero, as in a layer initialised to be the identity: only the bias is left
    constant = np.zeros(len(kernel)) if offset is None else offset
    return x.builder.emit(
        "CONSTANT", channels=len(kernel), phase=Phase.ROW, scale=scale, constants={"constant": constant}
    )


def linear(
    builder: Builder, x: View, matrix: Kernel, bias: NDArray[Any] | None = None, start: View | None = None
) -> View:
    inputs = (x,) if start is None else (x, start)
    constants = {"matrix": matrix} if bias is None else {"matrix": matrix, "bias": bias}
    return builder.emit("LINEAR", *inputs, channels=matrix.shape[1], constants=constants)


def _check_channels(builder: Builder, kernel: Kernel, channels: int) -> None:
    if kernel.shape[1] != channels:
        builder.reject(
            f"A convolution of {kernel.shape[1]} input channels reads {channels} channels", "Make the counts equal."
        )


def _taps(x: Window, kernel: Kernel, dilation: tuple[int, int]) -> dict[Tap, Kernel]:
    """Return the matrix `[input channels, output channels]` of each tap that has a non-zero weight."""
    return {
        (x.top + i * dilation[0], x.leftmost + j * dilation[1]): kernel[:, :, i, j].T
        for i in range(kernel.shape[2])
        for j in range(kernel.shape[3])
        if kernel[:, :, i, j].any()
    }


def _is_early(x: Window, tap: Tap) -> bool:
    return x.builder.is_grid or tap[0] < 0 or (tap[0] == 0 and x.phase <= Phase.ROW)


def gather(x: Window, taps: dict[Tap, Kernel], phase: Phase, scale: int | None = None) -> View:
    """Read the channels of the map of a window at each tap."""
    scale = x.map.scale if scale is None else scale
    channels = len(taps) * x.map.channels
    return x.builder.emit("GATHER", channels=channels, phase=phase, scale=scale, map=x.map, taps=tuple(taps), key=x.key)


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
