"""Small hierarchies with random weights, and a run of a few steps, that the tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import pointillist as pt
from pointillist.conditioning import HintConfig
from pointillist.hierarchy.data import CodeHint
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer, TokenizerConfig

NETWORK: dict[str, Any] = {"channels": 4, "layers": 2, "head_channels": 4, "first_kernel": 3}
RUN: dict[str, Any] = {
    "data": {"source": "uci-digits", "labels": True},
    "train": {
        "steps": 4,
        "batch_size": 4,
        "intervals": {"evaluate": 2, "save": 2, "sample": 4, "valid_images": 8},
        "machine": {"precision": "fp32", "threads": 1},
    },
    "tokenizer": {"levels": [3, 2], "downsample": 2, "channels": 4, "layers": 1},
    "codes": {"model": {"network": {**NETWORK, "dropout": 0.2}}},
    "pixels": {"model": {"network": NETWORK}},
}
"""A run of three stages on 8x8 digits."""


def settings(out: Path, **changes: Any) -> dict[str, Any]:
    """The settings of `RUN` in a folder, with other tables or tables replaced."""
    return {**RUN, **changes, "train": {**RUN["train"], **changes.get("train", {}), "out": str(out)}}


def random_weights(module: torch.nn.Module, spread: float = 0.5) -> None:
    """Weights far from the start, where everything depends on everything."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * spread)


def hinted(image: pt.ImageSpec, hint: CodeHint | None, **settings: Any) -> pt.PixelModel:
    """A small model with random weights, in float64, conditioned on codes."""
    conditions = {}
    if hint is not None:
        conditions["hint"] = HintConfig(channels=hint.channels, image=hint.image, width=4, layers=1, level_channels=3)
    network = {"channels": 4, "layers": 2, "head_channels": 4, "first_kernel": 3, "level_channels": 3}
    model = pt.build("gated-pixelcnn", shape=image, conditions=conditions, **{**network, **settings})
    random_weights(model)
    return model.double().eval()


def tokenized(
    image: pt.ImageSpec, levels: Sequence[Sequence[int]], downsample: int = 2, pixels: bool = True, **top: Any
) -> pt.Hierarchy:
    """A hierarchy with a tokenizer for each of `levels`, the finest first."""
    tokenizers: list[Tokenizer] = []
    below, finer = image, None
    for numbers in levels:
        config = TokenizerConfig(
            image=below, finer_levels=finer, levels=tuple(numbers), downsample=downsample, channels=4, layers=1
        )
        tokenizer = Tokenizer(config).eval()
        random_weights(tokenizer, 1.0)
        tokenizers.append(tokenizer)
        below, finer = tokenizer.codes, tokenizer.fsq.levels
    hints = [CodeHint(one.fsq, (one.codes,)) for one in tokenizers]
    codes = [hinted(one.codes, hint) for one, hint in zip(tokenizers, hints[1:], strict=False)]
    codes.append(hinted(tokenizers[-1].codes, None, **top))
    return pt.Hierarchy(tokenizers, codes, hinted(image, hints[0]) if pixels else None)


def grid(height: int, width: int, levels: int) -> pt.ImageSpec:
    """A grid of codes."""
    return pt.ImageSpec(channels=1, height=height, width=width, levels=levels, ordered=False)


def brought(image: pt.ImageSpec | None, grids: Sequence[pt.ImageSpec]) -> pt.Hierarchy:
    """A hierarchy of codes of the user, the finest first."""
    hints = [CodeHint(None, tuple(grids[level:])) for level in range(len(grids))]
    codes = [hinted(spec, hint) for spec, hint in zip(grids, [*hints[1:], None], strict=True)]
    return pt.Hierarchy((), codes, None if image is None else hinted(image, hints[0]))


def all_grids(height: int, width: int, levels: int) -> torch.Tensor:
    """Every grid of a size, `levels^(height width) 1 height width`."""
    count = height * width
    numbers = torch.arange(levels**count)[:, None] // levels ** torch.arange(count) % levels
    return numbers.reshape(-1, 1, height, width)
