"""Draw whole rows of an integer program by rules: compiled code calls the library in C at each site.

The library is called by the addresses of its functions, so that no step of a pixel passes through Python.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pointillist.engine.batch import STOP
from pointillist.engine.constraints.domains import COLUMN_STEP, ORIGIN, ROW_STEP
from pointillist.engine.constraints.integer_draw import IS_GUIDED, IntegerTransform, draw_integer_in_domain
from pointillist.engine.cpu.jit import entry, inner

Array = Any  # numba finds the types
# `library`: addresses of a run and its program, of functions, and the level of the kernels
RUN, PROGRAM, ON_ROW, ON_SITE, ON_PARAMS, ON_FREQUENCIES, ON_WRITE, ON_POST, KERNELS = range(9)
# `layout`: sub-steps of a site, canvas channels of a sub-step, and whether odd rows run from right to left
SUB_STEPS, CANVAS_WIDTH, S_CURVE = range(3)


class IntegerImages(NamedTuple):
    """A batch of images of an integer program while it is sampled; under guidance the run has each of them twice.

    Attributes:
        levels: `[n, c, h, w]`, filled where not `known` (of the same shape).
        uniforms: in [0, 1), `[n, c, h, w]`.
        sizes: frequency of each level that is drawn, `[n, c, h, w]`, filled.
        params: parameters of a site, int32 `[batch, p]`.
        pixels: levels of a site, `[batch, c]`.
        frequencies: of a sub-pixel, `[batch, k]`.
        canvas: what the levels of a sub-step write, int8 `[batch, width]`.
        values: what each level writes, int8 `[k, e]`.
        scratch: what the library computes mixtures in.
    """

    levels: Array
    known: Array
    uniforms: Array
    sizes: Array
    params: Array
    pixels: Array
    frequencies: Array
    canvas: Array
    values: Array
    scratch: Array


@intrinsic  # type: ignore[untyped-decorator]  # numba is not annotated
def call(context: Any, address: Any, arguments: Any) -> Any:
    """Call a function in C, which returns nothing, by its address, with a tuple of integers and addresses."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        numbers = [builder.extract_value(values[1], i) for i in range(len(signature.args[1]))]
        function = ir.FunctionType(ir.VoidType(), [number.type for number in numbers])
        builder.call(builder.inttoptr(values[0], function.as_pointer()), numbers)
        return context.get_dummy_value()

    return types.void(address, arguments), generate


@inner
def draw_sub_pixel(
    library: Array,
    images: IntegerImages,
    row: int,
    column: int,
    channel: int,
    how: IntegerTransform,
    domains: Any,
) -> None:
    """Draw a channel of every image in which it is not known."""
    count, batch, layout = images.levels.shape[0], images.pixels.shape[0], domains.layout
    site = layout[ORIGIN] + row * layout[ROW_STEP] + column * layout[COLUMN_STEP]
    frequencies = images.frequencies
    call(
        library[ON_FREQUENCIES],
        (
            library[PROGRAM],
            images.params.ctypes.data,
            images.pixels.ctypes.data,
            batch,
            channel,
            frequencies.ctypes.data,
            images.scratch.ctypes.data,
            np.int32(library[KERNELS]),
        ),
    )
    for b in range(count):
        if not images.known[b, channel, row, column]:
            reference = frequencies[b + batch - count]
            uniform = images.uniforms[b, channel, row, column]
            level = draw_integer_in_domain(domains, b, channel, site, frequencies[b], reference, uniform, how)
            images.levels[b, channel, row, column] = level
            images.sizes[b, channel, row, column] = frequencies[b, level]


@inner
def is_known(images: IntegerImages, row: int, column: int, first: int, last: int) -> Any:
    """Return whether some channels of a site are known in every image."""
    for b in range(images.levels.shape[0]):
        for channel in range(first, last):
            if not images.known[b, channel, row, column]:
                return False
    return True


@inner
def observe(library: Array, images: IntegerImages, row: int, column: int, first: int, last: int, at: int) -> None:
    """Write the levels of some channels of a site to the canvas, from its channel `at` on."""
    count, each = images.levels.shape[0], images.values.shape[1]
    for b in range(images.pixels.shape[0]):
        for channel in range(first, last):
            for j in range(each):
                level = images.levels[b % count, channel, row, column]
                images.canvas[b, (channel - first) * each + j] = images.values[level, j]
    call(library[ON_WRITE], (library[RUN], column, at, images.canvas.shape[1], images.canvas.ctypes.data))


@entry(typed_by=0)
def sample_rows(
    library: Array, layout: Array, images: IntegerImages, transform: Array, domains: Any, rows: Array, signal: Array
) -> None:
    """Sample some rows of images within their domains.

    Args:
        library: addresses, int64 `[9]`.
        layout: SUB_STEPS, CANVAS_WIDTH and S_CURVE.
        images: the batch, filled.
        transform: numbers of an `IntegerTransform`.
        domains: levels that each sub-pixel may have (`Domains`).
        rows: the first row, and the one after the last.
        signal: STOP is read.
    """
    count, channels, width = images.levels.shape[0], images.levels.shape[1], images.levels.shape[3]
    how = IntegerTransform(transform, np.empty((4, images.values.shape[0]), np.int64))
    run, each = library[RUN], channels // layout[SUB_STEPS]
    assert images.pixels.shape[0] == count * (1 + transform[IS_GUIDED])
    for row in range(rows[0], rows[1]):
        call(library[ON_ROW], (run, row))
        for i in range(width):
            column = width - 1 - i if layout[S_CURVE] and row & 1 else i
            if signal[STOP]:
                return
            for step in range(layout[SUB_STEPS]):
                first, last = step * each, (step + 1) * each
                call(library[ON_SITE], (run, row, column))
                if not is_known(images, row, column, first, last):
                    call(library[ON_PARAMS], (run, column, images.params.ctypes.data))
                    for channel in range(first, last):
                        for b in range(images.pixels.shape[0]):
                            for before in range(channel):
                                images.pixels[b, before] = images.levels[b % count, before, row, column]
                        draw_sub_pixel(library, images, row, column, channel, how, domains)
                observe(library, images, row, column, first, last, step * layout[CANVAS_WIDTH])
            call(library[ON_POST], (run, row, column))
