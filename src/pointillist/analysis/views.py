"""All views of one image, each computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from pointillist.analysis.attribution import gradient_sizes_of
from pointillist.analysis.calibration import Calibration
from pointillist.analysis.color_scales import Z_TOP, picture_of
from pointillist.analysis.condition_gain import ConditionGain, conditions_of
from pointillist.analysis.counterfactual import Counterfactual, Place, what_if_of
from pointillist.analysis.distribution import LevelDistribution, distribution_of
from pointillist.analysis.logit_lens import LogitLens, has_layers, layers_of
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import SurprisalMaps, maps_of, most_surprising_pixels
from pointillist.visualization import diverging_colors, image_grid, png_bytes, sequential_colors

_LOOKS = 800_000  # numbers of all gradient maps of a page: every pixel of a 28x28 image
_WORK = 100_000_000_000  # weights times pixels times maps: a backward each, in all some seconds of one core
_AT_LEAST = 16


@dataclass(frozen=True, eq=False)
class Views:
    """One image under a model, looked at from every side.

    Attributes:
        asked: the model, the image and what the model is told.
        title: of the model.
        calibration: of the model on other images; None where none were given.
        changes: what to set for each "what if"; None for two telling ones.
        continuations: images painted on from each; 0 for none.
        seed: of the continuations.
        looks: pixels whose gradients are shown, the most surprising first; None for as many as fit on a page and take
            some seconds.
        on_progress: called with what is being done.
    """

    asked: ImageQuery = field(repr=False)
    title: str
    calibration: Calibration | None = field(default=None, repr=False)
    changes: tuple[Mapping[Place, int], ...] | None = field(default=None, repr=False)
    continuations: int = 4
    seed: int = 0
    looks: int | None = None
    on_progress: Callable[[str], None] | None = field(default=None, repr=False)

    @property
    def levels(self) -> np.ndarray:
        """The image, `[c h w]`."""
        return self.asked.levels

    @cached_property
    def maps(self) -> SurprisalMaps:
        """Surprise, entropy, variance and the running total."""
        self._say("bits")
        return maps_of(self.asked)

    @cached_property
    def conditions(self) -> ConditionGain | None:
        """What being told saves; None for a model that listens to nothing."""
        if not self.asked.model.conditions.encoders:
            return None
        self._say("conditions")
        return conditions_of(self.asked)

    @cached_property
    def layers(self) -> LogitLens | None:
        """Bits by layer; None where that is not defined."""
        if not has_layers(self.asked.model):
            return None
        self._say("layers")
        return layers_of(self.asked)

    @cached_property
    def sites(self) -> list[tuple[int, int]]:
        """The pixels whose gradients are shown, by row and column."""
        return sorted(most_surprising_pixels(self.maps, self._most_looks() if self.looks is None else self.looks))

    @cached_property
    def sizes(self) -> Float[np.ndarray, "n h w"]:
        """What each of `sites` looked at."""
        self._say("gradients")
        return gradient_sizes_of(self.asked, self.sites)

    @cached_property
    def what_ifs(self) -> list[Counterfactual]:
        """What if some sub-pixel were another."""
        changes = default_edits(self) if self.changes is None else self.changes
        found = []
        for each in changes:
            self._say("what if")
            found.append(what_if_of(self.asked, each, n=self.continuations, seed=self.seed, maps=self.maps))
        return found

    def at(self, row: int, column: int, channel: int = 0) -> LevelDistribution:
        """The distribution of a sub-pixel."""
        return distribution_of(self.asked, row, column, channel)

    def what_if(self, changes: Mapping[Place, int], *, n: int = 4, seed: int = 0) -> Counterfactual:
        """What follows from other levels; see `what_if`."""
        return what_if_of(self.asked, changes, n=n, seed=seed, maps=self.maps)

    def image(self) -> Image.Image:
        """The image, its entropy, its surprise and the excess of each pixel side by side."""
        image, maps = self.asked.model.image, self.maps
        picture = picture_of(image, self.levels)
        picture = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., :1].repeat(3, -1)
        top = maps.top * len(self.levels)
        bits = [sequential_colors(m.sum(0), top) for m in (maps.entropy, maps.surprise)]
        parts = [picture, *bits, diverging_colors(maps.pixel_z, Z_TOP)]
        words = ["image", f"entropy, to {top:g} bits", f"surprise, {maps.bits:.1f} bits", "excess, in deviations"]
        return image_grid(np.stack(parts), captions=words, columns=4)

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the whole image, of every view."""
        views = {"layers": self.layers, "conditions": self.conditions, "calibration": self.calibration}
        found: dict[str, Any] = {"model": self.title, "shape": list(self.asked.shape), **self.maps.to_dict()}
        found |= {name: view.to_dict() for name, view in views.items() if view is not None}
        return {**found, "what_if": [view.to_dict() for view in self.what_ifs]}

    def _most_looks(self) -> int:
        _, height, width = self.asked.shape
        weights = sum(weight.numel() for weight in self.asked.model.backbone.parameters())
        return max(1, min(_LOOKS // (height * width), max(_AT_LEAST, _WORK // (weights * height * width))))

    def _say(self, what: str) -> None:
        if self.on_progress is not None:
            self.on_progress(what)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def default_edits(views: Views) -> tuple[dict[Place, int], ...]:
    """Two other levels, the likeliest, for the sub-pixel in the first half of the order that was most open."""
    maps = views.maps
    early = maps.places < (maps.places.max() + 1) // 2
    open_most = np.where(early, maps.entropy, -1.0)
    channel, row, column = (int(i) for i in np.unravel_index(int(open_most.argmax()), open_most.shape))
    view = views.at(row, column, channel)
    others = [level for level, _ in view.top(3) if level != view.observed][:2]
    return tuple({(row, column, channel): level} for level in others)
