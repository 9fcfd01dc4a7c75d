"""Evaluate a hierarchy: bits of each scale and of the pair, reconstructions, use of the codes, baselines."""

from __future__ import annotations

import lzma
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int

from pointillist.data import ImageDataset
from pointillist.errors import DataError
from pointillist.evaluation.likelihood import Evaluation, evaluate
from pointillist.evaluation.lossless import LosslessSize, lossless_size
from pointillist.hierarchy.chain import Chain, CodeLength
from pointillist.hierarchy.config import CODES, scale_names
from pointillist.hierarchy.data import Pyramid, chunks, encoded


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
