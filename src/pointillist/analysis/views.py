"""All views of one image query, each computed when it is first needed, and what they say in words. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pointillist.analysis.calibration import Calibration
from pointillist.analysis.condition_gain import ConditionGain, check_exchange, condition_gain
from pointillist.analysis.counterfactual import Counterfactual, Edits, SitePosition, check_edits, counterfactual
from pointillist.analysis.distribution import LevelDistribution, distribution
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import MAX_Z, SurprisalMaps, most_surprising_pixels, surprisal_maps
from pointillist.conditioning import AttributesConfig, MaskedValue, labels_from_input
from pointillist.errors import ConfigError, PointillistError, quote
from pointillist.files.arrays import Summary, plain
from pointillist.images import to_picture
from pointillist.images.array_types import Float, Int
from pointillist.images.visualization import diverging_colors, image_grid, sequential_colors
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.training_record import engine_text
from pointillist.model.vocabulary import literal_prompts

if TYPE_CHECKING:
    from pointillist.analysis.layers import LogitLens

_DESCRIPTIONS = (
    (
        -3.0,
        "far less surprising than the model expected: the image is plainer than its samples, or it needs more training",
    ),
    (-2.0, "less surprising than the model expected"),
    (2.0, "about as surprising as the model expected"),
    (3.0, "more surprising than the model expected"),
)
_MAX_GRADIENT_VALUES = 800_000  # of all gradient maps on a page: every pixel of a 28x28 image
_MAX_WORK = 60_000_000_000  # weights times pixels times maps: one backward per map, some seconds of one core in all
_MIN_ATTRIBUTIONS = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class Views(ShownAsPicture, Summary):
    """An image under a model, from every side.

    Attributes:
        query: the model, the image, its conditions and the order.
        title: name of the model.
        source: name or folder by which commands open the model.
        calibration: calibration of the model on other images; None for none.
        exchange: words to put in the place of words of the prompt; see `condition_gain`.
        edits: edits of each counterfactual; None for two informative ones (`default_edits`).
        continuations: samples of the rest of the image for each counterfactual; 0 for none.
        seed: seed of the continuations.
        max_attributions: number of pixels whose gradients are shown, the most surprising first; None for as many as fit
            on a page and take some seconds.

    Raises:
        ConfigError: if edits do not fit the image, or `exchange` does not fit the prompt.
    """

    _summary = "model=title engine=query.scorer.engine shape=query.shape"

    query: ImageQuery = field(repr=False)
    title: str
    source: str = "MODEL"
    calibration: Calibration | None = field(default=None, repr=False)
    exchange: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False)
    edits: tuple[Edits, ...] | None = field(default=None, repr=False)
    continuations: int = 4
    seed: int = 0
    max_attributions: int | None = None

    def __post_init__(self) -> None:
        listed = isinstance(self.edits, (list, tuple)) and all(isinstance(edits, Mapping) for edits in self.edits)
        if self.edits is not None and not listed:
            raise ConfigError(f"`edits` (={quote(self.edits)}) must list dictionaries {{(row, column): level}}.")
        for edits in self.edits or ():
            check_edits(self.query, edits)
        others = [other for _, other in check_exchange(self.query, self.exchange)]
        literal_prompts(self.query.model, others, len(others))

    @property
    def levels(self) -> Int[np.ndarray, "c h w"]:
        return self.query.levels

    @cached_property
    def maps(self) -> SurprisalMaps:
        """Surprisal, entropy, variance and cumulative bits."""
        return surprisal_maps(self.query)

    @cached_property
    def conditions(self) -> ConditionGain | None:
        """Bits saved by the conditions and by each word of the prompt; None for an unconditional model."""
        if not self.query.model.conditions.readers:
            return None
        return condition_gain(self.query, self.exchange)

    @cached_property
    def without_network(self) -> str:
        """Sentence on why there are no gradients and no layers; empty if the network of the model can be run."""
        try:
            self.query.pixel_model()
        except PointillistError as error:
            return str(error)
        return ""

    @cached_property
    def layers(self) -> LogitLens | None:
        """Bits after each layer; None where the logit lens is not defined, or without the network."""
        if self.without_network:
            return None
        from pointillist.analysis.layers import has_logit_lens, logit_lens

        return logit_lens(self.query) if has_logit_lens(self.query.pixel_model()) else None

    @cached_property
    def sites(self) -> list[tuple[int, int]]:
        """Rows and columns of the pixels whose gradients are shown; none without the network."""
        if self.max_attributions == 0 or self.without_network:
            return []
        count = self._affordable_attributions() if self.max_attributions is None else self.max_attributions
        return sorted(most_surprising_pixels(self.maps, count))

    @cached_property
    def gradient_maps(self) -> Float[np.ndarray, "n h w"]:
        """Gradient of each of `sites` with respect to every earlier pixel; see `gradient_maps`."""
        self.query.pixel_model()  # says so where torch is missing
        from pointillist.analysis.layers import gradient_maps

        return gradient_maps(self.query, self.sites)

    @cached_property
    def counterfactuals(self) -> list[Counterfactual]:
        """Consequences of each of `edits`."""
        chosen = default_edits(self) if self.edits is None else self.edits
        return [self.counterfactual(edits, n=self.continuations, seed=self.seed) for edits in chosen]

    def distribution(self, row: int, column: int, channel: int = 0) -> LevelDistribution:
        """Return the distribution of a sub-pixel; see `distribution`."""
        return distribution(self.query, row, column, channel)

    def counterfactual(self, edits: Edits, *, n: int = 4, seed: int = 0) -> Counterfactual:
        """Compute the consequences of edits; see `counterfactual`."""
        return counterfactual(self.query, edits, n=n, seed=seed)

    def image(self) -> Image.Image:
        """Draw the image, its entropy, its surprisal and the z-score of each pixel side by side."""
        maps = self.maps
        picture = to_picture(self.query.model.image, self.levels)
        picture = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., :1].repeat(3, -1)
        top = maps.color_max * len(self.levels)
        bits = [sequential_colors(m.sum(0), top) for m in (maps.entropy, maps.surprisal)]
        parts = [picture, *bits, diverging_colors(maps.pixel_z_score, MAX_Z)]
        words = ["image", f"entropy, to {top:g} bits", f"surprisal, {maps.bits:.1f} bits", "excess, in sigma"]
        return image_grid(np.stack(parts), captions=words, columns=4)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of the whole image, of every view, ready for JSON."""
        views = {"layers": self.layers, "conditions": self.conditions, "calibration": self.calibration}
        known = {name: view for name, view in views.items() if view is not None}
        return {**super().to_dict(), **self.maps.to_dict(), **plain(known | {"counterfactuals": self.counterfactuals})}

    def _affordable_attributions(self) -> int:
        """Return how many gradient maps fit on a page and take some seconds."""
        _, height, width = self.query.shape
        weights = sum(weight.numel() for weight in self.query.pixel_model().backbone.parameters())
        affordable = max(_MIN_ATTRIBUTIONS, _MAX_WORK // (weights * height * width))
        return max(1, min(_MAX_GRADIENT_VALUES // (height * width), affordable))


def default_edits(views: Views) -> tuple[dict[SitePosition, int], ...]:
    """Choose two edits, each to the likeliest other level: at the greatest doubt and at the greatest surprise.

    Both are before the last quarter of the image, so that enough of it follows, and at two pixels.
    """
    maps = views.maps
    early = 4 * maps.order_index < 3 * (maps.order_index.max() + 1)
    edits: list[dict[SitePosition, int]] = []
    for bits in (maps.entropy, maps.surprisal):
        channel, row, column = (int(i) for i in np.unravel_index(int(np.where(early, bits, -1.0).argmax()), bits.shape))
        distribution = views.distribution(row, column, channel)
        others = [level for level, _ in distribution.top(2) if level != distribution.observed][:1]
        edits += [{(row, column, channel): level} for level in others]
        early[:, row, column] = False
    return tuple(edits)


def describe_z(z_score: float) -> str:
    far = "far more surprising than the model expected"
    return next((words for limit, words in _DESCRIPTIONS if z_score < limit), far)


def describe_engine(query: ImageQuery) -> str:
    """Describe what gives the distributions: the integer program, or floating point and why."""
    return (
        engine_text("integer") if query.in_integers else engine_text("torch", query.model.why_floats(query.shape[1:]))
    )


def describe_conditions(views: Views) -> str:
    """Describe the conditions on the image, such as `label cat, prompt "a cat"`; "no condition" if there is none."""
    parts = views.query.conditions.parts
    words = [_describe(views.query, name, part) for name, part in parts.items() if bool(part.known.any())]
    return ", ".join(dict.fromkeys(words)) or ("no condition" if parts else "no condition: the model is unconditional")


def _describe(query: ImageQuery, name: str, part: MaskedValue) -> str:
    if name == "label":
        return f"label {query.model.classes[int(labels_from_input(part, 1)[0])]}"
    if name in ("text", "words") and query.prompt:  # both encode the prompt
        return f"prompt \u201c{query.prompt}\u201d"
    attributes = query.model.condition(AttributesConfig)
    if name == "attributes" and attributes is not None:
        values = zip(attributes.values.items(), part.values[0].tolist(), part.known[0].tolist(), strict=True)
        return ", ".join(f"{attribute} {names[value]}" for (attribute, names), value, known in values if known)
    return name
