"""Declared context of each network, worked out again from its settings alone, by recursion over kernel taps.

A network that is not listed here is held to the complete context: every earlier sub-pixel, given enough layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import (
    DiagonalBiLSTMConfig,
    GatedPixelCNNConfig,
    LocallyMaskedPixelCNNConfig,
    MultiscalePixelRNNConfig,
    ParallelMultiscaleConfig,
    PixelCNNConfig,
    RowLSTMConfig,
)
from pointillist.networks.pixel_rnn import PixelRNNConfig

from . import textbook_pixelcnn_pp
from .causal import dependencies, sub_pixels

Position = tuple[int, int, int]
Rule = Callable[[int, int, int, int], bool]
Sees = np.ndarray  # bool [place, place]: which feature group of a site reads which


def complete(model: PixelModel, height: int, width: int) -> Sees:
    """Every earlier sub-pixel that a network may see: none of another pixel of a stage whose pixels are independent."""
    count, groups = len(sub_pixels(model, height, width)), model.dims.groups
    seen = np.tril(np.ones((count, count), bool), -1)
    known, first = np.zeros((height, width), bool), 0
    for stage in model.stages(height, width):
        grid = known[:: stage.step[0], :: stage.step[1]]
        new = int((~grid).sum())
        if stage.independent:
            own = slice(first, first + new * groups)
            seen[own, own] &= np.kron(np.eye(new, dtype=bool), np.ones((groups, groups), bool))
        grid[:] = True
        first += new * groups
    assert first == count
    return seen


def taps(model: PixelModel, height: int, width: int, rule: Rule) -> Sees:
    """`rule(dy, dx, own group, other group)` as a table over all pairs of sub-pixels of a canvas in raster order."""
    return table(raster(model, height, width), rule)


def raster(model: PixelModel, height: int, width: int) -> list[Position]:
    """Every (row, column, group) of a canvas, row by row."""
    return [(y, x, g) for y in range(height) for x in range(width) for g in range(model.dims.groups)]


def table(order: list[Position], rule: Rule) -> Sees:
    """Tabulate a rule over any list of sub-pixels."""
    return np.array([[rule(b[0] - a[0], b[1] - a[1], a[2], b[2]) for b in order] for a in order], bool)


def then(outer: Sees, inner: Sees) -> Sees:
    """A layer after another."""
    return (outer.astype(int) @ inner.astype(int)) > 0


def pixelcnn(model: PixelModel, height: int, width: int) -> Sees:
    """A mask A kernel, then one mask B kernel a block: a wedge to the upper right stays unseen."""
    config = model.config.backbone
    assert isinstance(config, PixelCNNConfig)

    def kernel(size: int, *, strict: bool) -> Sees:
        half = size // 2

        def rule(dy: int, dx: int, own: int, other: int) -> bool:
            if dy == dx == 0:
                return other < own if strict else other <= own
            return -half <= dy <= 0 and abs(dx) <= half and (dy < 0 or dx < 0)

        return taps(model, height, width, rule)

    seen = kernel(config.first_kernel, strict=True)
    for _ in range(config.layers):
        seen = seen | then(kernel(config.kernel, strict=False), seen)  # the block and the residual around it
    return seen


def gated_pixelcnn(model: PixelModel, height: int, width: int) -> Sees:
    """Compute the context of a Gated PixelCNN by itself."""
    config = model.config.backbone
    assert isinstance(config, GatedPixelCNNConfig)
    return gated_over(raster(model, height, width), config)


def gated_over(order: list[Position], config: GatedPixelCNNConfig) -> Sees:
    """Rows above through the vertical stack, the row so far through the horizontal one."""

    def reach(size: int, step: int) -> Iterator[int]:
        return iter(range(-(size // 2) * step, size // 2 * step + 1, step))

    def above(size: int, step: int, *, strict: bool) -> Sees:
        rows, columns = [d for d in reach(size, step) if d < 0 or (d == 0 and not strict)], list(reach(size, step))
        return table(order, lambda dy, dx, own, other: dy in rows and dx in columns)

    def before(size: int, step: int, *, strict: bool) -> Sees:
        columns = [d for d in reach(size, step) if d < 0]

        def rule(dy: int, dx: int, own: int, other: int) -> bool:
            if dy == dx == 0:
                return other < own if strict else other <= own
            return dy == 0 and dx in columns

        return table(order, rule)

    vertical = above(config.first_kernel, 1, strict=True)
    horizontal = before(config.first_kernel, 1, strict=True) | vertical
    mix = table(order, lambda dy, dx, own, other: dy == dx == 0 and other <= own)
    horizontal = total = then(mix, horizontal)
    for layer in range(config.layers - 1):
        step = config.dilations[layer % len(config.dilations)]
        vertical = then(above(config.kernel, step, strict=False), vertical)  # a residual adds nothing to the set
        row = then(before(config.kernel, step, strict=False), horizontal) | vertical
        horizontal = horizontal | row
        total = total | row
    return total


def always(inner: Sees, step: Sees) -> Sees:
    """A recurrence: what is seen at a site is seen at every site that `step` leads from, and so on."""
    seen = inner
    while True:
        more = seen | then(step, seen)
        if (more == seen).all():
            return seen
        seen = more


def pixel_rnn(model: PixelModel, height: int, width: int) -> Sees:
    """Compute the context of a Row LSTM or Diagonal BiLSTM by itself."""
    config = model.config.backbone
    assert isinstance(config, PixelRNNConfig)
    return pixel_rnn_over(raster(model, height, width), config)


def pixel_rnn_over(order: list[Position], config: PixelRNNConfig, conditioned: Sees | None = None) -> Sees:
    """A mask A kernel, then in each layer the input of the site and the states of its neighbours.

    `conditioned` is the context of the map of a condition at each site; it enters the gates of every layer.
    """
    half = config.first_kernel // 2

    def sites(*reach: tuple[int, int]) -> Sees:
        return table(order, lambda dy, dx, own, other: (dy, dx) in reach)

    def first(dy: int, dx: int, own: int, other: int) -> bool:
        if dy == dx == 0:
            return other < own
        return -half <= dy <= 0 and abs(dx) <= half and (dy < 0 or dx < 0)

    mix = table(order, lambda dy, dx, own, other: dy == dx == 0 and other <= own)
    seen = table(order, first)
    total = np.zeros_like(seen)
    conditioned = total if conditioned is None else conditioned
    for layer in range(config.layers):
        if isinstance(config, RowLSTMConfig):
            reach = range(-(config.kernel // 2), config.kernel // 2 + 1)
            left = [(0, dx) for dx in reach if dx < 0]
            state = always(then(mix | sites(*left), seen) | conditioned, sites(*((-1, dx) for dx in reach)))
        else:
            assert isinstance(config, DiagonalBiLSTMConfig)
            whole = then(sites((0, 0)), seen) | conditioned
            if config.border and layer == 0:
                whole = whole | sites((0, 0))
            right = then(sites((-1, 0)), always(whole, sites((-1, 0), (0, 1))))
            state = always(then(mix, seen) | conditioned, sites((-1, 0), (0, -1))) | right
        out = then(mix, state)
        seen = seen | out if config.residual else out
        total = total | out if config.skip else total
    return total | then(mix, seen)


def locally_masked(model: PixelModel, height: int, width: int) -> Sees:
    """Combine kernels over the sites around a site that come before it on the curve."""
    config, order = model.config.backbone, model.order()
    assert isinstance(config, LocallyMaskedPixelCNNConfig)
    sites = [(y, x, g) for y in range(height) for x in order.row(y, width) for g in range(model.dims.groups)]

    def kernel(size: int, step: int, *, strict: bool) -> Sees:
        seen = np.zeros((len(sites), len(sites)), bool)
        for (i, (y, x, own)), (j, (v, u, other)) in product(enumerate(sites), repeat=2):
            if (y, x) == (v, u):
                seen[i, j] = other < own if strict else other <= own
            else:
                near = max(abs(v - y), abs(u - x)) <= size // 2 * step
                seen[i, j] = j < i and near and (v - y) % step == 0 and (u - x) % step == 0
        return seen

    mix = then(np.eye(len(sites), dtype=bool), kernel(1, 1, strict=False))
    seen = total = then(mix, kernel(config.first_kernel, 1, strict=True))
    for layer in range(config.layers - 1):
        step = config.dilations[layer % len(config.dilations)]
        new = then(kernel(config.kernel, step, strict=False), seen)
        seen, total = seen | new, total | new
    return total


def multiscale(model: PixelModel, height: int, width: int) -> Sees:
    """Combine the small network on its own grid with the large one, whose map reads some small pixels."""
    config = model.config.backbone
    assert isinstance(config, MultiscalePixelRNNConfig)
    s, sites = config.factor, raster(model, height, width)
    coarse = [(y // s, x // s, g) for y, x, g in sites if y % s == x % s == 0]
    order = sorted(sites, key=lambda site: (site[0] % s > 0 or site[1] % s > 0, site))  # the small image first
    rows, columns = (upsampler_reach(s, config.dilations, -(-n // s)) for n in (height, width))
    conditioned = np.array(
        [[b[0] % s == b[1] % s == 0 and b[0] // s in rows(a[0]) and b[1] // s in columns(a[1]) for b in order]
         for a in order], bool,
    )  # fmt: skip
    seen = pixel_rnn_over(order, config.large, conditioned)
    seen[: len(coarse)] = False
    seen[: len(coarse), : len(coarse)] = pixel_rnn_over(coarse, config.small)
    return seen


def parallel_multiscale(model: PixelModel, height: int, width: int) -> Sees:
    """Combine the base network on its own grid with the groups, whose maps read pixels of the grid before."""
    config, sites = model.config.backbone, raster(model, height, width)
    assert isinstance(config, ParallelMultiscaleConfig)
    down = right = 2**config.scales
    order = [site for site in sites if site[0] % down == site[1] % right == 0]
    whole = np.zeros((len(sites), len(sites)), bool)
    whole[: len(order), : len(order)] = gated_over([(y // down, x // right, g) for y, x, g in order], config.base)
    while (down, right) != (1, 1):
        before, (down, right) = (down, right), (down, right // 2) if down == right else (down // 2, right)
        known = set(order)
        new = [site for site in sites if site[0] % down == site[1] % right == 0 and site not in known]
        reach = [
            upsampler_reach(was // now, config.dilations, -(-n // was))
            for was, now, n in zip(before, (down, right), (height, width), strict=True)
        ]
        for i, (y, x, own) in enumerate(new, len(order)):
            rows, columns = reach[0](y // down), reach[1](x // right)
            for j, (v, u, other) in enumerate([*order, *new]):
                dy, dx = (v - y) // down, (u - x) // right
                near = (dy, dx) < (0, 0) and max(abs(dy), abs(dx)) <= config.context // 2
                whole[i, j] = near or ((v, u) == (y, x) and other < own)
                if j < len(order):
                    whole[i, j] |= v // before[0] in rows and u // before[1] in columns
        order += new
    return whole


def upsampler_reach(factor: int, dilations: Sequence[int], count: int) -> Callable[[int], set[int]]:
    """Find which of `count` small rows (or columns) the map reads at a large one: kernel after kernel, from the end."""

    def rows(large: int) -> set[int]:
        found = {i for i in range(count) if abs(large - factor * i) < factor}
        for step in (*reversed(dilations), 1):
            found = {i + d for i in found for d in (-step, 0, step) if 0 <= i + d < count}
        return found

    return rows


DECLARED: dict[str, Callable[[PixelModel, int, int], Sees]] = {
    "pixelcnn": pixelcnn,
    "gated-pixelcnn": gated_pixelcnn,
    "row-lstm": pixel_rnn,
    "diagonal-bilstm": pixel_rnn,
    "locally-masked-pixelcnn": locally_masked,
    "multiscale-pixelrnn": multiscale,
    "parallel-multiscale": parallel_multiscale,
    "pixelcnn-pp": textbook_pixelcnn_pp.sees,
}


def declared(model: PixelModel, height: int, width: int) -> Bool[Tensor, "s s"]:
    """The declared context of each sub-pixel, in order: settings describe the turned canvas."""
    rule = DECLARED.get(model.config.model_type, complete)
    return torch.from_numpy(rule(model, *model.order().raster_size(height, width)))


def check_context(model: PixelModel, height: int, width: int, expected: Bool[Tensor, "s s"] | None = None) -> None:
    """Each sub-pixel can see exactly what is declared: nothing more, and nothing less."""
    expected = declared(model, height, width) if expected is None else expected
    found = dependencies(model, height, width)
    order = sub_pixels(model, height, width)
    missing = [f"{order[i]} of {order[j]}" for i, j in (expected & ~found).nonzero().tolist()]
    extra = [f"{order[i]} of {order[j]}" for i, j in (found & ~expected).nonzero().tolist()]
    assert not missing, f"{len(missing)} dependencies are missing: {missing[:4]}"
    assert not extra, f"{len(extra)} dependencies are not declared: {extra[:4]}"
