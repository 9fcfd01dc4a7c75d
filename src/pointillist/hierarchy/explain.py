"""An image by scales: its codes, the deterministic reconstruction, and where its bits are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from pointillist.hierarchy.chain import Chain
from pointillist.hierarchy.config import PIXELS
from pointillist.hierarchy.data import Pyramid
from pointillist.images import to_picture
from pointillist.model.batches import BatchReader
from pointillist.visualization import image_grid
from pointillist.visualization.heatmap import heat_map
from pointillist.visualization.pixels import PAPER

_SIDE = 256
"""Least side of a panel in pixels."""
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class LevelsOfImage:
    """An image by scales.

    Attributes:
        picture: the image, its codes in colours, its reconstruction, and the bits of each number of each scale.
        bits: bits of each scale given the scales before it, coarse to fine; their sum is a bound.
        bits_per_number: the same for each code, or each sub-pixel.
    """

    picture: Image.Image
    bits: Mapping[str, float]
    bits_per_number: Mapping[str, float]


def explain_chain(chain: Chain, pyramid: Pyramid) -> LevelsOfImage:
    """Explain the first image of a pyramid.

    Raises:
        ConfigError, DataError: if its annotations do not fit the models.
    """
    totals, numbers, panels = {}, {}, []
    x = None if pyramid.images is None else pyramid.images.batch([0]).levels
    if x is not None and pyramid.images is not None:
        panels.append(_panel("image", to_picture(pyramid.images.spec, x[0])))
    if chain.tokenizers:
        decoded = chain.tokenizers[0].decode(torch.from_numpy(pyramid.codes[0].batch([0]).levels)).cpu()
        panels.append(_panel("decoded, deterministic", to_picture(chain.image, decoded[0].numpy())))
    for name, model in chain.models.items():
        data = pyramid.of_stage(name, model.config.conditions)
        levels, inputs = BatchReader(model, data).read(0, 1)
        bits = -model.scorer("torch").unchecked_log_prob_map(levels, inputs, model.order())[0].sum(0) / math.log(2)
        totals[name], numbers[name] = float(bits.sum()), float(bits.sum()) / levels[0].size
        if name != PIXELS:
            panels.append(_panel(f"{name}, a colour each", code_colours(levels[0, 0], model.image.levels)))
        panels.append(_map(f"{name}: bits", bits))
    return LevelsOfImage(_side_by_side(panels), totals, numbers)


def code_colours(codes: np.ndarray, count: int) -> np.ndarray:
    """Give each code its own colour, uint8 `h w 3`: hues by the golden ratio, in three lightnesses.

    ```python
    code_colours(torch.arange(4).reshape(2, 2), 4).shape  # (2, 2, 3)
    ```

    Args:
        codes: ids `[h w]`.
        count: number of codes.
    """
    ids = np.arange(count)
    hues = np.stack([(ids * _GOLDEN + third / 3) % 1 for third in range(3)], -1)
    waves = np.clip(np.abs(hues * 6 - 3) - 1, 0, 1)
    light = np.array([0.95, 0.7, 0.45])[ids % 3, None]
    table = np.rint(255 * light * (0.25 + 0.75 * waves)).astype(np.uint8)
    colours: np.ndarray = table[codes]
    return colours


def _panel(title: str, picture: np.ndarray) -> Image.Image:
    return image_grid(picture[None], captions=[title], scale=_scale(picture.shape[:2]))


def _map(title: str, bits: np.ndarray) -> Image.Image:
    top = max(1.0, float(np.ceil(np.quantile(bits, 0.99))))
    return heat_map(bits[None], top=top, captions=[title], scale=_scale(bits.shape))


def _scale(shape: tuple[int, ...]) -> int:
    return max(1, -(-_SIDE // max(shape)))


def _side_by_side(panels: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (sum(p.width for p in panels), max(p.height for p in panels)), PAPER)
    left = 0
    for panel in panels:
        sheet.paste(panel.convert("RGB"), (left, 0))
        left += panel.width
    return sheet
