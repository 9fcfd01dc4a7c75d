"""The presets of the papers: number of weights, derived by hand from the tables of the papers, and receptive field."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.networks import entry, names

pytestmark = pytest.mark.proof

SIZE = 32


def conv(inputs: int, outputs: int, taps: int = 1, *, bias: bool = True, gain: bool = False) -> int:
    """Weights of a convolution whose kernel has so many taps; `gain` for weight normalisation."""
    return inputs * outputs * taps + outputs * (bias + gain)


def head(inputs: int, h: int, params: int) -> int:
    """Two 1x1 layers and the output (table 1 of the PixelRNN paper)."""
    return conv(inputs, h) + conv(h, h) + conv(h, params)


def pixelcnn(layers: int, h: int, top: int, c: int, params: int) -> int:
    """7x7 mask A to 2h (4 of its 7 rows are sliced to), blocks 2h - h - 3x3 - 2h, a skip of each block to the head."""
    block = conv(2 * h, h) + conv(h, h, 2 * 3) + conv(h, 2 * h) + conv(2 * h, top, bias=False)
    return conv(c, 2 * h, 4 * 7) + layers * block + head(2 * h, top, params)


def row_lstm(layers: int, h: int, top: int, c: int, params: int) -> int:
    """1x3 mask B from 2h to 4 gates (2 taps are left), 1x3 from state to gates, learned initial states."""
    block = conv(2 * h, 4 * h, 2) + conv(h, 4 * h, 3, bias=False) + 2 * h + conv(h, 2 * h) + conv(h, top, bias=False)
    return conv(c, 2 * h, 4 * 7) + layers * block + head(2 * h, top, params)


def diagonal_bilstm(layers: int, h: int, top: int, c: int, params: int) -> int:
    """Two directions of a 1x1 from 2h to 4 gates and two taps from state to gates."""
    direction = conv(2 * h, 4 * h) + conv(h, 4 * h, 2, bias=False) + 2 * h
    block = 2 * direction + conv(h, 2 * h) + conv(h, top, bias=False)
    return conv(c, 2 * h, 4 * 7) + layers * block + head(2 * h, top, params)


def multiscale(layers: int, h: int, top: int, c: int, params: int) -> int:
    """Two Row LSTMs, six convolutions of 3x3 taps between them, and a 1x1 from their map to the gates of each layer."""
    upsampling = conv(c, h, 9) + 5 * conv(h, h, 9)
    return 2 * row_lstm(layers, h, top, c, params) + upsampling + layers * conv(h, 4 * h, bias=False)


def gated_pixelcnn(layers: int, d: int, kernel: int, top: int, c: int, params: int) -> int:
    """Both stacks of `layers` layers, the first one strict and 7x7, the last one without a residual."""
    half = kernel // 2
    own = 3 if c == 1 else 4  # to the left of the pixel, and, if channels are sampled in turn, of the pixel itself
    first = conv(c, 2 * d, 3 * 7) + conv(c, 2 * d, own)
    later = conv(d, 2 * d, (half + 1) * kernel) + conv(d, 2 * d, half + 1)
    after = conv(2 * d, 2 * d) + conv(d, d + top)
    return first + (layers - 1) * later + layers * after - d * (d + 1) + conv(top, top) + conv(top, params)


def pixelcnn_pp(layers: int, d: int, c: int, params: int) -> int:
    """Streams of 2x3 and of 2x2 kernels on 3 grids; on the way up every layer has shortcuts, two blocks one more."""

    def wn(inputs: int, outputs: int, taps: int = 1) -> int:
        return conv(inputs, outputs, taps, gain=True)

    def pair(shortcut_above: int, shortcut_before: int) -> int:
        both = [wn(2 * d, d, taps) + wn(2 * d, 2 * d, taps) for taps in (6, 4)]
        links = [wn(2 * width, d) for width in (shortcut_above, shortcut_before) if width]
        return sum(both) + sum(links)

    first = wn(c, d, 2 * 3) + wn(c, d, 3) + wn(c, d, 2)
    resample = 4 * (wn(d, d, 6) + wn(d, d, 4))  # twice down, twice up
    return first + 3 * layers * pair(0, d) + (3 * layers + 2) * pair(d, 2 * d) + resample + wn(d, params)


def pixelsnail(layers: int, d: int, blocks: int, key: int, value: int, c: int, params: int) -> int:
    """`blocks` times `layers` gated 2x2 convolutions, then attention between gated 1x1 layers, with two positions."""

    def gated(width: int, taps: int = 1) -> int:
        return conv(width, width, taps) + conv(width, 2 * width, taps)

    told, asked = c + d + 2, d + 2
    attention = gated(told) + conv(told, key + value) + gated(asked) + conv(asked, key) + gated(d) + conv(value, d)
    return conv(c, d, 3) + conv(c, d) + blocks * (layers * gated(d, 4) + attention) + conv(d, params)


RGB, BINARY = (3, 3 * 256), (1, 1)
WANTED = {
    ("pixelcnn", "paper-cifar10"): pixelcnn(15, 128, 1024, *RGB),
    ("row-lstm", "paper-cifar10"): row_lstm(12, 128, 1024, *RGB),
    ("row-lstm", "paper-imagenet32"): row_lstm(12, 384, 1024, *RGB),
    ("diagonal-bilstm", "paper-mnist"): diagonal_bilstm(7, 16, 32, *BINARY),
    ("diagonal-bilstm", "paper-cifar10"): diagonal_bilstm(12, 128, 1024, *RGB),
    ("multiscale-pixelrnn", "paper-imagenet32"): multiscale(12, 384, 1024, *RGB),
    ("multiscale-pixelrnn", "paper-imagenet64"): multiscale(4, 512, 1024, *RGB),
    ("gated-pixelcnn", "paper-cifar10"): gated_pixelcnn(20, 384, 5, 1024, *RGB),
    ("gated-pixelcnn", "paper-imagenet32"): gated_pixelcnn(20, 384, 5, 1024, *RGB),
    ("pixelcnn-pp", "paper-cifar10"): pixelcnn_pp(5, 160, 3, 100),
    ("pixelsnail", "paper-cifar10"): pixelsnail(4, 256, 12, 16, 128, 3, 100),
    ("pixelsnail", "paper-imagenet32"): pixelsnail(4, 256, 12, 16, 128, 3, 320),
}
PAPERS = [(name, preset) for name in names() for preset in entry(name).papers]


@pytest.mark.parametrize(("name", "preset"), PAPERS)
def test_the_number_of_weights_is_that_of_the_paper(name: str, preset: str) -> None:
    paper = entry(name).papers[preset]
    with torch.device("meta"):
        model = pt.build(name, shape=paper.shape, levels=paper.levels, preset=preset)
    assert model.num_parameters() == WANTED[name, preset]


def test_the_sizes_of_released_models() -> None:
    """53,659,080: a PyTorch port of PixelCNN++ at its defaults, counted; it joins a channel of ones to the image."""
    assert WANTED["pixelcnn-pp", "paper-cifar10"] + 11 * 160 == 53_659_080


def complete(up: int, right: int) -> bool:
    """Every earlier pixel."""
    return up > 0 or right < 0


def wedge(up: int, right: int) -> bool:
    """PixelCNN: 3 sites by the first kernel and one a block, and the blind spot: a row up for each step to the right,
    of which the first kernel alone takes 3 for one row."""
    reach = 3 + 15
    return complete(up, right) and up <= reach and -reach <= right <= min(up + 2, reach)


def triangle(up: int, right: int) -> bool:
    """Row LSTM: one column further to each side for each row up, beside the 3 sites of the first kernel and, to the
    left, the one of each layer's input."""
    return complete(up, right) and -(3 + 12 + up) <= right <= up + 2


def but_the_border(up: int, right: int) -> bool:
    """Diagonal BiLSTM in the layout of the paper (`border` off): all but the last pixel of the row above."""
    return complete(up, right) and (up, right) != (1, SIZE - 1 - COLUMN)


ROW, COLUMN = 29, 20
CONTEXT: dict[str, Callable[[int, int], bool]] = {
    "pixelcnn": wedge,
    "row-lstm": triangle,
    "diagonal-bilstm": but_the_border,
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", sorted({name for name, preset in PAPERS if preset == "paper-cifar10"}))
def test_the_receptive_field_is_that_of_the_paper(name: str) -> None:
    """Measured with the layers and kernels of the paper, and few features, at one site of a 32 x 32 image."""
    few = dict.fromkeys(("channels", "head_channels", "value_channels"), 6)
    known = entry(name).backbone.Config.model_fields
    model = pt.build(name, shape=(1, SIZE, SIZE), levels=4, preset="paper-cifar10",
                     **{key: value for key, value in few.items() if key in known})  # fmt: skip
    rule = CONTEXT.get(name, complete)
    wanted = [[rule(ROW - row, column - COLUMN) for column in range(SIZE)] for row in range(SIZE)]
    wanted[ROW + 1 :] = [[False] * SIZE] * (SIZE - ROW - 1)
    assert np.array_equal(pt.receptive_field(model, ROW, COLUMN).depends[0], np.array(wanted))


def test_the_large_network_of_the_multiscale_model_reads_the_small_image_and_a_triangle() -> None:
    """All of the small image, before and after the pixel, and the rest of the triangle of a Row LSTM with 12 layers."""
    few = {"channels": 6, "head_channels": 6, "small_channels": 6, "map_channels": 6}
    model = pt.build("multiscale-pixelrnn", shape=(1, SIZE, SIZE), levels=4, preset="paper-imagenet32", **few)
    with torch.no_grad():
        found = pt.receptive_field(model, ROW, COLUMN)
    rows, columns = np.indices((SIZE, SIZE))
    small = (rows % 2 == 0) & (columns % 2 == 0)
    wanted = [[row <= ROW and triangle(ROW - row, column - COLUMN) for column in range(SIZE)] for row in range(SIZE)]
    assert np.array_equal(found.depends[0], small | np.array(wanted))
    assert np.array_equal(found.earlier[0], small | (rows * SIZE + columns < ROW * SIZE + COLUMN))
