"""An image query: a model, one image, the conditions on the image and the generation order. Needs no torch.

Every view of this package is a function of a query. The parameters of the distributions are computed once per query,
so that views of one query share them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

import numpy as np

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label
from pointillist.errors import ConfigError, MissingExtraError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.pictures import sum_images
from pointillist.model.folder.image_sources import single_image
from pointillist.model.folder.opening import load_weights
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import Distributions, LikelihoodModel, scorer_of
from pointillist.model.vocabulary import literal_prompts
from pointillist.system import single_threaded

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

NATS_PER_BIT = float(np.log(2.0))
_TABLE_SIZE = 4_000_000  # log-probabilities held at once
_SHORT_PASS = 4_000_000_000  # weights times pixels: about 0.1 s with one thread

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ImageQuery:
    """An image under a model; `ImageQuery.of` checks the arguments and makes one.

    Its distributions come from `scorer`: from the integer program, if the model has one, since that is what samples
    from it; else of the network. Views that need gradients or inner layers run the network (`Network`).

    ```python
    query = ImageQuery.of(model, "six.png", label="6")
    surprisal_maps(query).bits
    gradient(query, 3, 4).values
    ```

    Attributes:
        model: the model; its weights must not change during the life of the query, which keeps results.
        x: levels of the image, `[1 c h w]`.
        conditions: conditions on the image, a batch of one.
        order: the generation order, `model.order()` for the model's first.
        prompt: the text among the conditions, as written; None if there is none or it is not known.
        engine: engine that gives the distributions, or `auto`; see `PixelModel.scorer`.
    """

    model: LikelihoodModel
    x: Int[np.ndarray, "1 c h w"]
    conditions: ConditionInputs
    order: PixelOrder
    prompt: str | None = None
    engine: str = "auto"
    _results: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        model: LikelihoodModel,
        image: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        engine: str = "auto",
        **conditions: Unpack[ConditionKwargs],
    ) -> ImageQuery:
        """Make a query from arguments as a user gives them.

        Args:
            image: levels `[c h w]` or `[1 c h w]`, a PIL image or the path of an image file.
            label, text, conditions: conditions on the image, as for `PixelModel.log_prob`.
            order: one of the model's orders; None for its first.
            engine: `auto`, `integer` or `torch`, as for `evaluate`.

        Raises:
            ShapeError, DataError, ConfigError, EngineError: if the model does not take this image or these conditions.

        Example::

            query = ImageQuery.of(model, "three.png", label="3")
            surprisal_maps(query).bits
        """
        x = single_image(model, image)
        inputs = model.conditions.inputs(label, 1, text, size=(x.shape[2], x.shape[3]), **conditions)
        resolved = scorer_of(model, engine, (x.shape[2], x.shape[3])).engine
        prompts = literal_prompts(model, text, 1)
        return cls(model, x, inputs, model.order(order), prompts[0] if prompts else None, resolved)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    @property
    def levels(self) -> Int[np.ndarray, "c h w"]:
        levels: np.ndarray = self.x[0]
        return levels

    def changed(self, **changes: Any) -> ImageQuery:
        """Return a query with other levels, conditions or another prompt, of the same scorer."""
        query = replace(self, **changes)
        query.__dict__["scorer"] = self.scorer  # as `cached_property` keeps it: to open it reads all weights
        return query

    def unconditional(self) -> ImageQuery:
        """Return the same query without any condition; itself if there is none."""
        if not self.conditions.is_conditional:
            return self
        return self.changed(conditions=self.conditions.unconditional(), prompt=None)

    def guidance_reference(self) -> ImageQuery:
        """Return the same query under the conditions of the reference of guidance."""
        return self.changed(conditions=self.conditions.guidance_reference(), prompt=None)

    def pixel_model(self) -> PixelModel:
        """Return the pixel model, whose network has gradients and inner layers.

        The weights of a model that was opened by its integer program are loaded the first time.

        Raises:
            MissingExtraError: if torch is not installed.
            ConfigError: if the program was not opened from a folder.
            CheckpointError: if the weights in its folder are damaged.
        """
        return self.cached("pixel_model", lambda: with_weights(self.model))

    @cached_property
    def scorer(self) -> LikelihoodModel:
        """The integer program of the model, or its network in floating point: what gives the distributions."""
        return self.model.scorer(self.engine, (self.shape[1], self.shape[2]))

    @property
    def in_integers(self) -> bool:
        """True if the distributions come from the integer program."""
        return self.scorer.engine == "integer"

    @cached_property
    def distributions(self) -> Distributions:
        """Distributions of the image under the conditions and the order, computed once."""
        _, height, width = self.shape
        with nullcontext() if self.in_integers else few_threads(cast("PixelModel", self.model), (height, width)):
            return self.scorer.distributions(self.x, self.conditions, self.order)

    @cached_property
    def log_probs(self) -> Float[np.ndarray, "1 c h w"]:
        """Log-probability of every sub-pixel of the image given those before it, in nats, float64; computed once."""
        return self.distributions.log_prob()

    @cached_property
    def surprisal(self) -> Float[np.ndarray, "c h w"]:
        """Surprisal of every sub-pixel of the image, in bits."""
        output: np.ndarray = -self.log_probs[0] / NATS_PER_BIT
        return output

    @cached_property
    def bits(self) -> float:
        """Bits of the whole image: its negative log-likelihood, as `evaluate` computes it."""
        return -float(sum_images(self.log_probs)[0]) / NATS_PER_BIT

    @cached_property
    def order_index(self) -> Int[np.ndarray, "c h w"]:
        """Index of each sub-pixel in the generation order, from 0."""
        return order_index(self.model, (self.shape[1], self.shape[2]), self.order)

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result that is kept under a key; compute and keep it the first time."""
        if key not in self._results:
            self._results[key] = compute()
        result: T = self._results[key]
        return result

    def earlier(self, row: int, column: int, channel: int) -> Bool[np.ndarray, "c h w"]:
        """Mark the sub-pixels on which the network may depend at a sub-pixel.

        Where the likelihood couples the channels of a pixel, these are the sub-pixels of earlier pixels.
        """
        coupled = self.model.likelihood_name == "mixture"
        here = self.order_index[0 if coupled else channel, row, column]
        before: np.ndarray = self.order_index < here
        return before

    def iter_rows(self) -> Iterator[slice]:
        """Yield rows of the image, few enough for a table of all levels at each of their pixels."""
        _, height, width = self.shape
        table = self.model.image.levels * max(1, self.model.mixtures) * width  # each component has its own
        step = max(1, _TABLE_SIZE // table)
        for start in range(0, height, step):
            yield slice(start, min(height, start + step))

    def iter_log_probs(self, channel: int) -> Iterator[tuple[slice, Float[np.ndarray, "k rows w"]]]:
        """Yield log-probabilities of all levels of a channel, some rows at a time, in nats, in float64."""
        for rows in self.iter_rows():
            yield rows, self.distributions[:, :, rows].conditional(channel)[0]


def order_index(model: LikelihoodModel, size: tuple[int, int], order: PixelOrder) -> Int[np.ndarray, "c h w"]:
    """Return the index of each sub-pixel in a generation order, from 0; channels of a pixel follow one another.

    ```python
    order_index(model, (2, 2), model.order())  # [[[0, 1], [2, 3]]], for one channel
    ```
    """
    channels = model.image.channels
    return model.generation_rank(*size, order)[None] * channels + np.arange(channels)[:, None, None]


def with_weights(model: LikelihoodModel) -> PixelModel:
    """Return a pixel model, loaded if it is opened by its program; see `ImageQuery.pixel_model`.

    ```python
    with_weights(pt.load("digits")).backbone
    ```
    """
    if not isinstance(model, ProgramModel):
        return cast("PixelModel", model)
    if find_spec("torch") is None:
        raise MissingExtraError("A view of gradients (saliency) or inner layers", "train")
    if model.folder is None:
        raise ConfigError(
            "A view of gradients (saliency) or inner layers needs the weights of the model, and this is its integer "
            "program alone: load it with `pt.load`."
        )
    return load_weights(model.folder)


def few_threads(model: PixelModel, size: tuple[int, int]) -> AbstractContextManager[None]:
    """Limit torch to one thread where a pass over one image of a size is short.

    Threads that wait for each other at every operation then cost more than they save: next to another busy program 64
    gradients of a `pixelcnn-pp` of 32x32 took minutes with two threads, and 4 s with one.

    ```python
    with few_threads(model, (28, 28)):
        model.log_prob(x)
    ```
    """
    weights = sum(weight.numel() for weight in model.backbone.parameters())
    short = model.device.type == "cpu" and weights * size[0] * size[1] < _SHORT_PASS
    return single_threaded() if short else nullcontext()


def gradient_unit(query: ImageQuery) -> str:
    return "bits per level" if query.model.image.ordered else "bits per unit of the level's embedding"
