"""Compact encoding of distributions and maps for the report page; `page/decode.js` decodes it.

Every sub-pixel's distribution is stored in one of two ways, and the page names it: all levels as log-probabilities of 8
bits; or, where that would be too large, the 16 most probable levels and five quantiles.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from pointillist.analysis.distribution import QUANTILES
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery
from pointillist.model.pixel_model import inference_mode

MAX_BITS = 40.0  # surprisal of the smallest probability that 8 bits hold
LIKELIEST = 16
TABLE_BYTES = 1_400_000  # deflated; the page holds them in base 64
_RAW_BYTES = 64_000_000  # a larger table is not tried


@dataclass(frozen=True)
class EncodedDistributions:
    """Distributions of all sub-pixels of an image.

    Attributes:
        kind: the encoding.
        data: the encoded distributions, deflated (zlib).
        facts: parameters of the encoding.
        note: description of the encoding for the reader of the page.
    """

    kind: Literal["levels", "likeliest"]
    data: bytes
    facts: Mapping[str, Any]
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the data of the page."""
        return {"kind": self.kind, "data": to_base64(self.data), **self.facts}


def encode_distributions(query: ImageQuery, limit: int = TABLE_BYTES) -> EncodedDistributions:
    """Encode the distribution of every sub-pixel, in at most about `limit` bytes."""
    with inference_mode(query.model):
        params = query.params
        if query.levels.size * query.model.image.levels <= _RAW_BYTES:
            encoded = _levels(query, params)
            if len(encoded.data) <= limit:
                return encoded
        return _likeliest(query, params)


def _levels(query: ImageQuery, params: Shaped[Tensor, "1 p h w"]) -> EncodedDistributions:
    """Encode log-probabilities `[c h w k]` in 8 bits: the square root of the bits, finest for likely levels."""
    channels, height, width = query.shape
    table = np.empty((channels, height, width, query.model.image.levels), np.uint8)
    for channel in range(channels):
        for rows, log_probs in query.iter_log_probs(params, channel):
            table[channel, rows] = np.moveaxis(encode_log_probs(log_probs.cpu().numpy()), 0, -1)
    note = (
        "The probability of every level is stored in 8 bits, on a scale of the square root of its bits: within "
        f"{100 * _error(1.0):.1f} % at one bit, {100 * _error(8.0):.0f} % at eight. Entropy and surprisal are exact."
    )
    return EncodedDistributions("levels", deflate(table), {"max_bits": MAX_BITS, "quantiles": list(QUANTILES)}, note)


def _likeliest(query: ImageQuery, params: Shaped[Tensor, "1 p h w"]) -> EncodedDistributions:
    """Encode the likeliest levels of each sub-pixel with their probabilities, the mean and the quantiles."""
    channels, height, width = query.shape
    count = min(LIKELIEST, query.model.image.levels)
    best = np.empty((channels, height, width, count), "<u2")
    bits = np.empty((channels, height, width, count), np.uint8)
    quantiles = np.zeros((channels, height, width, len(QUANTILES)), "<u2")
    means = np.zeros((channels, height, width), "<f4")
    marks = torch.tensor(QUANTILES, dtype=torch.float64)
    for channel in range(channels):
        for rows, log_probs in query.iter_log_probs(params, channel):
            log_probs = log_probs.cpu()
            result, levels = log_probs.topk(count, dim=0)
            best[channel, rows] = np.moveaxis(levels.numpy(), 0, -1)
            bits[channel, rows] = np.moveaxis(encode_log_probs(result.numpy()), 0, -1)
            if query.model.image.ordered:
                probs = log_probs.exp().movedim(0, -1)
                below = probs.cumsum(-1).contiguous()
                at = torch.searchsorted(below, marks.expand(*below.shape[:-1], -1).contiguous() - 1e-12)
                quantiles[channel, rows] = at.clamp(max=below.shape[-1] - 1).numpy()
                means[channel, rows] = (probs * torch.arange(below.shape[-1])).sum(-1).numpy()
    data = b"".join(part.tobytes() for part in (best, quantiles, means, bits))
    facts = {"count": count, "max_bits": MAX_BITS, "quantiles": list(QUANTILES)}
    words = " with the mean and five quantiles" if query.model.image.ordered else ""
    note = f"The distributions are too large for one page: it stores the {count} likeliest levels of each{words}."
    return EncodedDistributions("likeliest", zlib.compress(data, 9), facts, note)


def encode_log_probs(log_probs: np.ndarray) -> UInt8[np.ndarray, ...]:
    """Encode log-probabilities in nats as 255 sqrt(bits / max_bits)."""
    bits = np.clip(-log_probs / NATS_PER_BIT, 0, MAX_BITS)
    result: np.ndarray = np.rint(255 * np.sqrt(bits / MAX_BITS)).astype(np.uint8)
    return result


def _error(bits: float) -> float:
    """Return the largest relative error of a probability of so many bits."""
    step = 2 * math.sqrt(bits * MAX_BITS) / 255  # bits between neighbouring bytes
    return float(2 ** (step / 2) - 1)


def encode_gradient_maps(maps: Float[np.ndarray, "n h w"], *, signed: bool) -> dict[str, Any]:
    """Encode maps of gradients in 8 bits: the square root of the share of the largest size of each map.

    Signed values take 1 to 255, with 0 at 128; others 0 to 255.
    """
    top = np.abs(maps).reshape(len(maps), -1).max(1) if len(maps) else np.zeros(0)
    share = np.abs(maps) / np.where(top > 0, top, 1)[:, None, None]
    root = np.sign(maps) * np.sqrt(share)
    result = np.rint(128 + 127 * root if signed else 255 * root).astype(np.uint8)
    return {"data": to_base64(deflate(result)), "top": [float(f"{value:.3g}") for value in top], "signed": signed}


def encode_arrays(arrays: Mapping[str, Shaped[np.ndarray, ...]]) -> dict[str, Any]:
    """Encode float arrays by name, in 32 bits, one after the other."""
    index, start = {}, 0
    for name, array in arrays.items():
        index[name] = {"start": start, "shape": list(array.shape)}
        start += array.size
    whole = np.concatenate([np.asarray(a, "<f4").ravel() for a in arrays.values()])
    planes = whole.view(np.uint8).reshape(-1, 4).T  # bytes of equal significance side by side deflate better
    return {"data": to_base64(deflate(planes)), "arrays": index}


def deflate(array: np.ndarray) -> bytes:
    """Deflate the bytes of an array."""
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 9)


def to_base64(data: bytes) -> str:
    """Encode bytes in base 64."""
    return base64.b64encode(data).decode("ascii")
