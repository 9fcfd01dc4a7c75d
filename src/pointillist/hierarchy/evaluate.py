"""Evaluate a hierarchy: bits of each scale and of the pair, reconstructions, use of codes, baselines, pictures."""

from __future__ import annotations

import lzma
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from pointillist.data import ImageDataset
from pointillist.errors import DataError
from pointillist.evaluation.likelihood import Evaluation, evaluate
from pointillist.evaluation.lossless import LosslessSize, lossless_size
from pointillist.hierarchy.chain import Chain, CodeLength
from pointillist.hierarchy.config import CODES, PIXELS, scale_names
from pointillist.hierarchy.data import Pyramid, chunks, encoded
from pointillist.images import to_picture
from pointillist.images.array_types import Int
from pointillist.model.batches import BatchReader
from pointillist.visualization import image_grid
from pointillist.visualization.heatmap import heat_map
from pointillist.visualization.pixels import PAPER


@dataclass(frozen=True, kw_only=True)
class HierarchyEvaluation:
    """The code length of a set of images under a hierarchy.

    ```python
    print(hierarchy.evaluate(pt.load_data("uci-digits").test))
    ```

    Attributes:
        length: nats of each image by scale, coarse to fine.
        bound: their sum: an upper bound on the negative log-likelihood of the images, as an evaluation of it. Where
            pixels have no likelihood, the likelihood of the codes.
        has_pixels: whether the bound is one of the pixels.
        psnr: of the deterministic reconstructions, of the squared error of all images, in decibel; None without a
            tokenizer or for unordered levels.
        accuracy: share of sub-pixels that the deterministic reconstructions have right; None without a tokenizer.
        used: share of the codes that occur in these images, by scale.
        order0, xz: bits per code of the same codes in an order-0 coder and in xz, alone or after the training codes,
            whichever is less.
        lossless: size of the images in a lossless codec; None where it holds no such images.
    """

    length: CodeLength
    bound: Evaluation
    has_pixels: bool
    psnr: float | None
    accuracy: float | None
    used: Mapping[str, float]
    order0: Mapping[str, float]
    xz: Mapping[str, float]
    lossless: LosslessSize | None = field(default=None)

    def __str__(self) -> str:
        lines = []
        for name in self.length.nats:
            bits = float(self.length.bits_per_number(name).mean())
            if name in self.used:
                lines.append(
                    f"{name:<11}{bits:.4f} bits/code; order 0 {self.order0[name]:.4f}, xz {self.xz[name]:.4f}; "
                    f"{self.used[name]:.1%} of the codes occur"
                )
            else:
                lines.append(f"{name:<11}{bits:.4f} bits/dim given the codes")
        what = (
            f"{self.bound.bits_per_dim:.4f} bits/dim, a bound" if self.has_pixels else "none: no likelihood of pixels"
        )
        lines.append(f"{'pair':<11}{what}; {self.bound.count:,} images")
        if self.psnr is not None:
            lines.append(f"{'decoder':<11}{self.psnr:.2f} dB PSNR, deterministic")
        elif self.accuracy is not None:
            lines.append(f"{'decoder':<11}{self.accuracy:.1%} of the pixels right, deterministic")
        if self.lossless is not None:
            lines.append(f"{'baseline':<11}{self.lossless.codec} lossless {self.lossless.bits_per_dim:.4f} bits/dim")
        return "\n".join(lines)


def evaluate_chain(
    chain: Chain,
    data: ImageDataset | Pyramid,
    train: ImageDataset | Pyramid | None = None,
    *,
    batch_size: int = 64,
) -> HierarchyEvaluation:
    """Evaluate a hierarchy on images, or on codes of the user with their images.

    Args:
        data: images, which the tokenizers encode; or codes.
        train: images or codes of the training, which prime the baselines of the codes; None primes nothing.
        batch_size: images at once; the result does not change.

    Raises:
        DataError, ShapeError, ConfigError: if the images do not fit the models.
    """
    pyramid, primer = (_pyramid(chain, part) for part in (data, train))
    if pyramid is None or not len(pyramid):
        raise DataError("There is no image to evaluate: the data set is empty.")
    nats, dims = {}, {}
    for name, model in chain.models.items():
        result = evaluate(model, pyramid.of_stage(name, model.config.conditions), batch_size=batch_size)
        nats[name], dims[name] = torch.from_numpy(result.nats_per_image), result.dims
    length = CodeLength(nats, dims)
    used, order0, xz = {}, {}, {}
    before = [np.zeros(0, np.int64) for _ in chain.codes] if primer is None else primer.grids
    for name, model, grid, first in zip(
        scale_names(CODES, len(chain.codes)), chain.codes, pyramid.grids, before, strict=True
    ):
        size = model.image.levels
        used[name] = len(np.unique(grid)) / size
        # a primer of other images may do harm: the baseline is the better of both
        order0[name] = min(order0_bits(grid, size, part) for part in (first[:0], first)) / grid.size
        xz[name] = min(xz_bits(grid, size, part) for part in (first[:0], first)) / grid.size
    psnr, accuracy = _reconstruction(chain, pyramid)
    images = pyramid.images if chain.pixels is not None or chain.tokenizers else None
    return HierarchyEvaluation(
        length=length,
        bound=Evaluation.of(length.total.numpy(), list(dims.values())[-1]),
        has_pixels=chain.pixels is not None,
        psnr=psnr,
        accuracy=accuracy,
        used=used,
        order0=order0,
        xz=xz,
        lossless=None if images is None else lossless_size(images),
    )


def _pyramid(chain: Chain, data: ImageDataset | Pyramid | None) -> Pyramid | None:
    return encoded(data, chain.tokenizers) if isinstance(data, ImageDataset) else data


def _reconstruction(chain: Chain, pyramid: Pyramid) -> tuple[float | None, float | None]:
    """Return the PSNR and the share of right sub-pixels of the deterministic decoder."""
    images = pyramid.images
    if not chain.tokenizers or images is None:
        return None, None
    error, right, total = 0.0, 0, 0
    for index in chunks(images):
        x = torch.from_numpy(images.batch(index).levels)
        result = chain.tokenizers[0].decode(torch.from_numpy(pyramid.codes[0].batch(index).levels)).cpu()
        error += float((result - x).double().square().sum())
        right += int((result == x).sum())
        total += x.numel()
    if not images.spec.ordered:
        return None, right / total
    top = images.spec.levels - 1
    return (10 * math.log10(top * top * total / error) if error else math.inf), right / total


_FILTERS: tuple[dict[str, int], ...] = ({}, {"lc": 0, "lp": 1, "pb": 1}, {"lc": 3, "lp": 1, "pb": 1})
"""Settings of xz: its own, and two for numbers of two bytes."""


def order0_bits(codes: Int[np.ndarray, ...], size: int, primer: Int[np.ndarray, ...]) -> float:
    """Count the bits of codes, one after the other, in an adaptive order-0 coder that has read a primer.

    A code has the probability (count + 1/2) / (all + size/2), by the counts so far (Krichevsky and Trofimov 1981). The
    order of the codes doesn't matter.

    ```python
    order0_bits(np.array([0, 1]), 2, np.array([], int))  # 3.0
    ```

    Args:
        size: number of codes.
        primer: codes that were read before, at no cost.
    """
    before = np.bincount(primer.reshape(-1).astype(np.int64), minlength=size) + 0.5
    counts = np.bincount(codes.reshape(-1).astype(np.int64), minlength=size)
    gamma = np.vectorize(math.lgamma, otypes=[float])
    total = math.lgamma(before.sum() + counts.sum()) - math.lgamma(before.sum())
    return float((total - (gamma(before + counts) - gamma(before)).sum()) / math.log(2))


def xz_bits(codes: Int[np.ndarray, ...], size: int, primer: Int[np.ndarray, ...]) -> float:
    """Count the bits that codes add to a primer in xz, of the best of three settings.

    ```python
    xz_bits(np.zeros(1000, int), 2, np.zeros(1000, int)) < 100  # True
    ```
    """
    kind = np.uint8 if size <= 256 else np.uint16
    first, second = (np.ascontiguousarray(part.astype(kind)).tobytes() for part in (primer, codes))
    result = []
    for filters in _FILTERS:
        chain = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, **filters}]
        sizes = [len(lzma.compress(part, format=lzma.FORMAT_RAW, filters=chain)) for part in (first, first + second)]
        result.append(sizes[1] - sizes[0])
    return 8.0 * min(result)


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
