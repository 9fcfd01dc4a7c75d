"""Completions of an image, with their conditional likelihood and weights, and maps of many of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from PIL import Image

from pointillist.conditioning.known import MOST_MARGINALS
from pointillist.data.pixels import to_channels
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec, as_pil
from pointillist.images.array_types import Bool, Float, Int, UInt8
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.methods import UNWEIGHTED
from pointillist.sampling.samples import Samples

Map: TypeAlias = Float[np.ndarray, "h w"] | Int[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Completions(Samples):
    """Images that are drawn around known pixels: completions, extended images, images that tile, variations.

    ```python
    found = pt.inpaint(model, image, known, n=8, seed=0)  # the most probable one first
    found.images[0].save("best.png")
    found.method, found.nats, found.ess
    ```

    Attributes:
        nats: log-likelihood of the unknown sub-pixels given the known ones (and the allowed levels), in nats, `[n]`:
            the sum over windows, of an image that is drawn in several. Exact for the methods `known` and `order`; the
            others estimate the likelihood of the known sub-pixels.
        methods: how they were drawn: `known`, `order`, `smc` or `sequential`, or `soft` by soft data; see `inpaint`.
            There is one for all; or one for each window, or each variation.
        orders: generation order of each of `methods`.
        known: sub-pixels of each image that were kept, `[n c h w]`.
        numbers: number of each image as it was drawn, `[n]`: number i depends on (seed, i).
        log_weights: logarithms of the importance weights, `[n]`; equal where the draws follow the conditional itself.
        ess: effective sample size: of the `n` images, or of the particles of `smc` or `soft` in the last row; the least
            of all windows.
        acceptance: share of single-pixel moves that `smc` accepted; None without moves.
        picture: the picture whose known pixels keep their colours, on the canvas of the images; None where the levels
            hold its colours, or none was given.
    """

    methods: tuple[str, ...]
    orders: tuple[str, ...]
    known: Bool[np.ndarray, "n c h w"]
    numbers: Int[np.ndarray, " n"]
    log_weights: Float[np.ndarray, " n"]
    ess: float
    acceptance: float | None = None
    picture: UInt8[np.ndarray, "h w d"] | None = None

    _of_all: ClassVar[tuple[str, ...]] = ("methods", "orders", "picture")

    @property
    def method(self) -> str:
        """The different ones of `methods`, with commas between them."""
        return ", ".join(dict.fromkeys(self.methods))

    @property
    def known_pixels(self) -> Bool[np.ndarray, "n h w"]:
        """Pixels of each image all of whose sub-pixels were kept."""
        return np.asarray(self.known.all(1))

    @property
    def has_other_colours(self) -> bool:
        """True if the levels do not hold the colours of the known pixels."""
        return self.picture is not None

    @property
    def array(self) -> np.ndarray:
        """uint8 images `[n h w c]`; the known pixels have the colours of the picture that was given."""
        drawn = super().array
        if self.picture is None:
            return drawn
        channels = max(drawn.shape[-1], self.picture.shape[-1])
        layers = [to_channels(x.transpose(0, 3, 1, 2), channels) for x in (drawn, self.picture[None])]
        return np.where(self.known_pixels[:, None], layers[1], layers[0]).transpose(0, 2, 3, 1)

    @property
    def images(self) -> list[Image.Image]:
        """PIL images; the known pixels have the colours of the picture that was given."""
        return super().images if self.picture is None else [as_pil(array) for array in self.array]

    def recoloured(self, palette: Sequence[Sequence[int]]) -> Completions:
        """Return the same images with another palette, the known pixels too; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette), picture=None)

    @property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Importance weights, which sum to 1."""
        weights: np.ndarray = np.exp(self.log_weights - self.log_weights.max())
        weights /= weights.sum()
        return weights

    @property
    def is_exact(self) -> bool:
        """True if they are draws from the conditional itself: no weight differs from another."""
        return {*self.methods} <= {*UNWEIGHTED} and bool((self.log_weights == self.log_weights[0]).all())

    @property
    def bits_per_dim(self) -> Float[np.ndarray, " n"]:
        """Bits per unknown sub-pixel of each image."""
        unknown = (~self.known).sum((1, 2, 3)).clip(1)
        return -self.nats / (np.asarray(unknown) * math.log(2))

    @property
    def spread(self) -> Float[np.ndarray, "h w"]:
        """Disagreement of the weighted completions at each pixel, from 0 to 1, the mean over its channels.

        The standard deviation over its largest possible value, for ordered levels; for others the probability that two
        completions differ.
        """
        weights = self.weights[:, None, None, None]
        if self.image.ordered:
            x = self.levels / (self.image.levels - 1)
            mean = (weights * x).sum(0)
            spread = 2 * np.sqrt((weights * (x - mean) ** 2).sum(0))
        else:
            same = [((self.levels == level) * weights).sum(0) ** 2 for level in np.unique(self.levels).tolist()]
            spread = 1 - np.stack(same).sum(0)
        result: np.ndarray = spread.mean(0).clip(0, 1)
        return result

    def sorted(self) -> Completions:
        """Return the same completions, the most probable one first."""
        return self[np.argsort(-self.nats, kind="stable")]


def level_probabilities(completions: Completions) -> Float[np.ndarray, "k h w"]:
    """Return the share of the realisations that have each level at each cell, by their weights.

    Raises:
        ConfigError: if the images have several channels.

    Example:
        level_probabilities(pt.inpaint(model, "holes.csv", n=100))[1]  # the probability of level 1
    """
    image, levels = completions.image, completions.levels[:, 0]
    if image.channels != 1:
        raise ConfigError(f"Maps are made of one channel, and {image} has {image.channels}.")
    return np.stack([np.tensordot(completions.weights, levels == level, 1) for level in range(image.levels)])


def marginal_probabilities(model: LikelihoodModel, completions: Completions) -> Float[np.ndarray, "k h w"] | None:
    """Compute the probability of each level at each cell given the known cells alone, in one pass, without draws.

    They come from the head of the encoder of known cells, which is trained on the log score of the unknown cells.
    None for a model without it, and for draws that depend on more: on windows, a class, a prompt, rules or soft data.

    Example:
        marginal_probabilities(model, pt.inpaint(model, "holes.csv"))[1]
    """
    more = completions.texts is not None or completions.tries is not None or (completions.labels >= 0).any()
    if completions.methods != ("known",) or more:
        return None
    levels, known = completions.levels[:1], completions.known[:1]
    size = (levels.shape[2], levels.shape[3])
    logs = model.conditions.log_marginals(model.conditions.inputs(size=size, known=(levels, known)))
    certain = levels[0] == np.arange(completions.image.levels)[:, None, None]
    return None if logs is None else np.where(known[0], certain, np.exp(logs[0]))


def compared_maps(head: Float[np.ndarray, "k h w"] | None, completions: Completions) -> dict[str, Map]:
    """Return the maps of the probabilities of a head, and of several realisations with their difference.

    The names of the second begin with `realisations-`. `probability-difference` is the largest difference of the
    probability of a level, `divergence` is the Jensen-Shannon divergence in bits, at each cell.

    Args:
        head: what `marginal_probabilities` returns; where that is None, the maps are of the realisations alone.
        completions: the realisations.

    Raises:
        ConfigError: if the images have several channels.
    """
    shares, image = level_probabilities(completions), completions.image
    maps = probability_maps(shares if head is None else head, image)
    if head is None or len(completions) == 1:
        return maps
    maps |= {f"realisations-{name}": values for name, values in probability_maps(shares, image).items()}
    divergence = _entropy((head + shares) / 2) - (_entropy(head) + _entropy(shares)) / 2
    return {**maps, "probability-difference": np.abs(head - shares).max(0), "divergence": divergence.clip(min=0)}


def probability_maps(shares: Float[np.ndarray, "k h w"], image: ImageSpec) -> dict[str, Map]:
    """Return maps of probabilities by name: `probability-LEVEL`, `entropy` in bits, `most-probable`.

    Ordered levels have a `mean` (the e-type map) and a `deviation` too; more than 64 levels have no map of each
    probability.

    Example:
        probability_maps(level_probabilities(completions), completions.image)["entropy"].max()
    """
    names = image.level_names or tuple(map(str, range(image.levels)))
    maps = {f"probability-{_file_name(name)}": share for name, share in zip(names, shares, strict=True)}
    maps = maps if len(shares) <= MOST_MARGINALS and len(maps) == len(shares) else {}
    maps["entropy"] = _entropy(shares)
    maps["most-probable"] = shares.argmax(0)
    if image.ordered:
        numbers = np.arange(len(shares))
        maps["mean"] = np.tensordot(numbers, shares, 1)
        squares = np.tensordot(numbers**2, shares, 1) - maps["mean"] ** 2
        maps["deviation"] = np.sqrt(squares.clip(0))
    return maps


def _entropy(shares: Float[np.ndarray, "k h w"]) -> Float[np.ndarray, "h w"]:
    result: np.ndarray = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(0).clip(max=0)
    return result


def top_of_scale(name: str, image: ImageSpec) -> tuple[float, str]:
    """Return the largest value of a map, for its colours, and its unit.

    Example:
        top_of_scale("entropy", completions.image)  # (1.0, "bits") of two levels
    """
    if name.endswith(("entropy", "divergence")):
        return math.log2(image.levels), "bits"
    return (1.0, "probability") if "probability" in name else (float(image.levels - 1), "levels")


def encode_gslib(levels: Int[np.ndarray, "h w"], title: str) -> bytes:
    """Return a grid as a GSLIB file: one column, along x first, from the lowest row up.

    Example:
        Path("real.gslib").write_bytes(encode_gslib(completions.levels[0, 0], "realisation 0"))
    """
    height, width = levels.shape
    values = "\n".join(map(str, levels[::-1].ravel().tolist()))
    return f"{title} {width} {height} 1\n1\nlevel\n{values}\n".encode()


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
