"""The network of `handwritten_gated.py`: weights as matrices, what changes while painting, the loops over both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from handwritten_kernels import Array, F, add_product, add_products, compiled, draw, gate


class Weights(NamedTuple):
    """The network, as matrices from features to features; taps and their channels are rows, `[tap * c, o]`."""

    first_rows: Array
    """`[k1 // 2 * k1, 2d]`: the strict first layer, rows above."""
    first_row: Array
    """`[k1 // 2, 2d]`: the strict first layer, sites to the left."""
    rows: Array
    """`[l - 1, taps * d, 2d]`: the vertical convolutions, their rows from the top."""
    row: Array
    """`[l - 1, taps * d, 2d]`: the horizontal convolutions, from the left."""
    rows_bias: Array
    """`[l, 2d]`, added where the vertical gate is computed."""
    link: Array
    """`[l, 2d, 2d]`."""
    row_bias: Array
    """`[l, 2d]`: of the horizontal convolution, of the link, and of what the link makes of `rows_bias`."""
    out: Array
    """`[l - 1, d, d + s]`: residual and skip outputs."""
    out_bias: Array
    last: Array
    """`[d, s]`: the last layer has no residual."""
    skip_bias: Array
    """`[s]`, of all skip outputs together."""
    head: Array
    head_bias: Array
    output: Array
    output_bias: Array
    values: Array
    """`[k]`: what a level is written as on the canvas."""


class Scratch(NamedTuple):
    """What changes while images are painted. Sites of a row are laid out `[column, image, channel]`."""

    canvas: Array
    """`[h + half, half + w + half, b]`: a margin of zeros above and on both sides."""
    above: Array
    """`[l - 1, reach, side + w + side, b, d]`: outputs of the vertical stack, row y in slot `y % reach`."""
    first_taps: Array
    taps: Array
    """`[w * b, taps * d]`: what a vertical convolution reads, and `first_taps` the first one."""
    pre: Array
    """`[w * b, 2d]`: what it makes."""
    linked: Array
    """`[l, w * b, 2d]`: what the row part hands to the pixel part."""
    beside: Array
    """`[l - 1, b, reach * d]`: the horizontal stack at the site and to its left, the site last."""
    site: Array
    """`[b, 2d]`: the gates of the site."""
    gated: Array
    streams: Array
    """`[b, d + s]`: the residual stream and the sum of skip outputs, side by side, as `Weights.out` makes them."""
    skip: Array
    hidden: Array
    logits: Array
    chance: Array


@compiled
def scratch(w: Weights, batch: int, height: int, width: int) -> Scratch:
    """Zeros for a batch of images."""
    layers, two = w.row_bias.shape
    d, half, s = two // 2, w.first_row.shape[0], w.skip_bias.size
    reach, sites = w.row.shape[1] // (two // 2), width * batch
    return Scratch(
        np.zeros((height + half, width + 2 * half, batch), F),
        np.zeros((layers - 1, reach, width + 2 * (reach - 1), batch, d), F),
        np.zeros((sites, w.first_rows.shape[0]), F),
        np.zeros((sites, w.rows.shape[1]), F),
        np.zeros((sites, two), F),
        np.zeros((layers, sites, two), F),
        np.zeros((layers - 1, batch, reach * d), F),
        np.zeros((batch, two), F),
        np.zeros((batch, d), F),
        np.zeros((batch, d + s), F),
        np.zeros((batch, s), F),
        np.zeros((batch, w.head.shape[1]), F),
        np.zeros((batch, w.output.shape[1]), F),
        np.zeros(w.values.size, F),
    )


@compiled
def gather_first(s: Scratch, y: int, half: int) -> None:
    """The taps of the first vertical convolution at every site of row `y`, from the canvas."""
    sites, across = s.first_taps.shape[0], 2 * half + 1
    batch = s.canvas.shape[2]
    for site in range(sites):
        x, b = site // batch, site % batch
        for i in range(half):
            for j in range(across):
                s.first_taps[site, i * across + j] = s.canvas[y + i, x + j, b]


@compiled
def gather(s: Scratch, layer: int, y: int) -> None:
    """The taps of a later one: rows `y - reach + 1` to `y` of the vertical stack below."""
    reach, _, batch, d = s.above.shape[1:]
    across = 2 * reach - 1
    for site in range(s.taps.shape[0]):
        x, b = site // batch, site % batch
        for i in range(reach):
            row = s.above[layer, (y + 1 + i) % reach]
            for j in range(across):
                first = (i * across + j) * d
                for c in range(d):
                    s.taps[site, first + c] = row[x + j, b, c]


@compiled
def row_part(w: Weights, s: Scratch, y: int) -> None:
    """The vertical stack and the link of every layer, for row `y` of all images."""
    layers, two = w.row_bias.shape
    d, side = two // 2, s.above.shape[1] - 1
    width = s.above.shape[2] - 2 * side
    for layer in range(layers):
        if layer == 0:
            gather_first(s, y, w.first_row.shape[0])
            np.dot(s.first_taps, w.first_rows, s.pre)
        else:
            gather(s, layer - 1, y)
            np.dot(s.taps, w.rows[layer - 1], s.pre)
        np.dot(s.pre, w.link[layer], s.linked[layer])
        if layer < layers - 1:
            inside = s.above[layer, y % (side + 1), side : side + width]
            gate(s.pre, w.rows_bias[layer], inside.reshape(len(s.pre), d))


@compiled
def site_part(w: Weights, s: Scratch, y: int, x: int) -> None:
    """The horizontal stack and the head at column `x`; leaves `s.logits`."""
    half, layers = w.first_row.shape[0], len(w.row_bias)
    batch, d = s.gated.shape
    for b in range(batch):
        for j in range(s.streams.shape[1]):
            s.streams[b, j] = F(0) if j < d else w.skip_bias[j - d]
    for layer in range(layers):
        for b in range(batch):
            for j in range(2 * d):
                s.site[b, j] = s.linked[layer, x * batch + b, j]
        if layer == 0:
            for b in range(batch):
                add_product(s.canvas[y + half, x : x + half, b], w.first_row, s.site[b])
        else:
            add_products(s.beside[layer - 1], w.row[layer - 1], s.site)
            shift(s.beside[layer - 1], d)
        gate(s.site, w.row_bias[layer], s.gated)
        if layer < layers - 1:
            add_products(s.gated, w.out[layer], s.streams)
            for b in range(batch):
                for j in range(d):
                    s.streams[b, j] += w.out_bias[layer, j]
                    s.beside[layer, b, s.beside.shape[2] - d + j] = s.streams[b, j]
    add_products(s.gated, w.last, s.streams[:, d:])
    head_part(w, s, d)


@compiled
def shift(beside: Array, d: int) -> None:
    """What is at the site becomes what is to the left of the next one."""
    for b in range(len(beside)):
        for j in range(beside.shape[1] - d):
            beside[b, j] = beside[b, j + d]


@compiled
def head_part(w: Weights, s: Scratch, d: int) -> None:
    """From the sum of skip outputs to the logits."""
    for b in range(len(s.skip)):
        for j in range(s.skip.shape[1]):
            s.skip[b, j] = max(s.streams[b, d + j], F(0))
        for j in range(s.hidden.shape[1]):
            s.hidden[b, j] = w.head_bias[j]
        for j in range(s.logits.shape[1]):
            s.logits[b, j] = w.output_bias[j]
    add_products(s.skip, w.head, s.hidden)
    for b in range(len(s.skip)):
        for j in range(s.hidden.shape[1]):
            s.hidden[b, j] = max(s.hidden[b, j], F(0))
    add_products(s.hidden, w.output, s.logits)


@compiled
def paint(w: Weights, uniforms: Any, levels: Any, logits: Array) -> None:
    """Fill `levels` `[b, h, w]` from `uniforms`; and `logits` `[b, h, w, p]`, unless that is empty."""
    batch, height, width = uniforms.shape
    half = w.first_row.shape[0]
    s = scratch(w, batch, height, width)
    for y in range(height):
        row_part(w, s, y)
        s.beside[:] = 0
        for x in range(width):
            site_part(w, s, y, x)
            for b in range(batch):
                level = draw(s.logits[b], uniforms[b, y, x], s.chance)
                levels[b, y, x] = level
                s.canvas[y + half, x + half, b] = w.values[level]
                if logits.size:
                    logits[b, y, x] = s.logits[b]
