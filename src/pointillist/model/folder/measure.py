"""Sizes, conditions and likelihoods of a network, found by building it without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.model.folder.files import meta_init
from pointillist.model.folder.pretrained import build
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import ModelEntry, entry

SHAPE, LEVELS = (1, 28, 28), 256  # images for which our sizes are counted; a paper's are for its own images
KINDS: Mapping[str, ImageSpec] = {
    "binary": ImageSpec.infer((1, 8, 8), 2),
    "grey, RGB, RGBA": ImageSpec.infer((3, 8, 8)),
    "palette, codes": ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False),
}
# conditions of a model, and the smallest settings that ask for each
_CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "labels": {"classes": 2},
    "attributes": {"attributes": {"hair": 2}},
    "a vector": {"vector": 2},
    "a hint (an image on the same grid)": {"hint": 1},
    "text": {"text": "learned"},
    "its tokens (cross-attention)": {"text": "learned+tokens"},
    "learned positions (they fix the size)": {"position_channels": 2},
}
_ORDERS = {"raster": "raster", "S-curve": "s-curve"}  # each from four corners, along rows or columns: eight of a kind


def measure_network(name: str) -> dict[str, Any]:
    """Measure a registered network: the values of a `ModelSummary`, as JSON holds them.

    ```python
    measure_network("pixelcnn")["presets"]["tiny"]
    ```
    """
    result = entry(name)
    return {
        "name": name,
        "summary": result.summary,
        "presets": {preset: _untrained(name, preset).num_parameters() for preset in result.preset_names},
        "training": {preset: dict(paper.train) for preset, paper in result.papers.items()},
        "conditions": [what for what, settings in _CONDITIONS.items() if _builds(name, **settings)],
        "likelihoods": {kind: _fitting(name, image) for kind, image in KINDS.items()},
        "orders": [kind for kind, order in _ORDERS.items() if _builds(name, orders=order)],
    }


def preset_image(model: ModelEntry, preset: str) -> ImageSpec:
    """Kind of image for which the parameters of a preset are counted."""
    paper = model.paper(preset)
    return ImageSpec.infer(SHAPE, LEVELS) if paper is None else ImageSpec.infer(paper.shape, paper.levels)


def _untrained(name: str, preset: str) -> PixelModel:
    with meta_init():  # no memory is taken for its weights
        return build(name, shape=preset_image(entry(name), preset), preset=preset)


def _fitting(name: str, image: ImageSpec) -> list[str]:
    return [n for n in sorted(LIKELIHOODS) if _builds(name, shape=image, likelihood=n)]


def _builds(name: str, shape: ImageSpec = KINDS["binary"], **settings: Any) -> bool:
    try:
        with meta_init():
            build(name, shape, preset="tiny", layers=1, **settings)
    except ConfigError:
        return False
    return True
