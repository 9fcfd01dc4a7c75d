"""Protocol of a model, by which it is sampled and scored, and the distributions that it gives. Needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np

from pointillist.conditioning.readers import ConditionKwargs
from pointillist.conditioning.registry import ConditionConfig
from pointillist.distributions.moments import entropy_and_variance
from pointillist.errors import ShapeError, check_name
from pointillist.images.array_types import Float, Int, Shaped

if TYPE_CHECKING:
    from pointillist.conditioning import ConditionInputs
    from pointillist.conditioning.readers import ConditionReaders
    from pointillist.data.tilemaps import Tileset
    from pointillist.distributions.kinds import LikelihoodKind
    from pointillist.distributions.transform import Transform
    from pointillist.images import ImageSpec
    from pointillist.images.ordering import PixelOrder
    from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
    from pointillist.model.training_record import TrainingRecord


Settings = TypeVar("Settings", bound=ConditionConfig)


class LikelihoodKwargs(ConditionKwargs, total=False):
    """Keywords of `log_prob`: conditions besides `label` and `text`, the order and known pixels.

    Attributes:
        order: generation order; None for the usual one.
        known: known pixels, which the others are conditioned on.
    """

    order: str | None
    known: Any


SCORING_ENGINES = ("auto", "integer", "torch")
"""Engines that score images; `torch` is floating point on any device, `auto` takes the integer program where it can."""


@dataclass(frozen=True, eq=False)
class Distributions(ABC):
    """The distribution of each sub-pixel of images, given those before it, in floating point or by an integer program.

    ```python
    distributions = pt.load("digits").scorer().distributions(x, None)
    distributions.log_prob()  # nats [b c h w]
    distributions[:, :, 3:5].conditional(0)  # log-probabilities of all levels in two rows, [b k 2 w]
    ```

    Attributes:
        params: parameters at every pixel, `[b p h w]`: outputs of a network, or integers of a program.
        x: levels of the images, `[b c h w]`.
    """

    params: Shaped[np.ndarray, "b p h w"]
    x: Int[np.ndarray, "b c h w"]

    def __getitem__(self, index: Any) -> Distributions:
        """Return the distributions of some images, rows or columns."""
        return replace(self, params=self.params[index], x=self.x[index])

    @abstractmethod
    def log_prob(self) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64."""

    @abstractmethod
    def conditional(self, channel: int) -> Float[np.ndarray, "b k h w"]:
        """Compute the log-probabilities of all levels of one channel, in nats, float64."""

    @abstractmethod
    def drawn_from(
        self, channel: int, transform: Transform, reference: Distributions | None = None
    ) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities that levels of a channel are drawn from, float64.

        Args:
            transform: guidance, temperature and top-p.
            reference: the reference of guidance, of the same images; not read without guidance.
        """

    @abstractmethod
    def components(
        self, channel: int
    ) -> tuple[Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"], Float[np.ndarray, "b m h w"]]:
        """Return log-weight, mean and log-scale of each component of a `DiscretizedLogisticMixture`."""

    def prob(self) -> Float[np.ndarray, "b c h w"]:
        """Compute the probability of each sub-pixel given those before it, float64."""
        return np.asarray(np.exp(self.log_prob()))

    def probs(self, channel: int) -> Float[np.ndarray, "b k h w"]:
        """Compute the probabilities of all levels of one channel, float64."""
        return np.asarray(np.exp(self.conditional(channel)))

    def moments(self, channel: int) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
        """Compute the mean and the variance of -log p over the levels of one channel, in nats and nats squared."""
        return entropy_and_variance(self.probs(channel))


@runtime_checkable
class LikelihoodModel(Protocol):
    """A model with an exact likelihood: a pixel model in torch, or an integer program.

    Attributes:
        engine: `integer` or `torch`, which computes `distributions`.
        image: meaning of the integers of its images.
        classes: names of the labels; empty for none.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        tileset: pictures of its levels; None if there are none.
        training_record: how it was trained.
        fingerprint: names what its samples depend on.
        model_type: name of its network.
        likelihood_name: name of the distribution of a pixel.
        mixtures: components of a mixture; 0 for other distributions.
        conditions: reads its conditions.
        orders: names of its generation orders; the first is the usual one.
        fixed_size: whether only images of the trained size can be sampled or scored.
        weights_fingerprint: SHA-256 of the weights and settings that it has, or that its program was made from.
    """

    @property
    def engine(self) -> str: ...

    @property
    def image(self) -> ImageSpec: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def generation_config(self) -> GenerationConfig: ...

    @property
    def measured_prompts(self) -> MeasuredPrompts: ...

    @property
    def tileset(self) -> Tileset | None: ...

    @property
    def training_record(self) -> TrainingRecord: ...

    @property
    def fingerprint(self) -> str: ...

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first."""

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order."""

    def check_array(self, x: Any) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images, and return it as an array."""

    @property
    def model_type(self) -> str: ...

    @property
    def likelihood_name(self) -> LikelihoodKind: ...

    @property
    def mixtures(self) -> int: ...

    @property
    def conditions(self) -> ConditionReaders: ...

    @property
    def orders(self) -> tuple[str, ...]: ...

    @property
    def fixed_size(self) -> bool: ...

    @property
    def weights_fingerprint(self) -> str: ...

    def num_parameters(self) -> int:
        """Return the number of weights of its network."""

    def condition(self, kind: type[Settings]) -> Settings | None:
        """Return the settings of a kind of condition; None for a model without it."""

    def check_size(self, height: int, width: int) -> None:
        """Raise a `ShapeError` for a size that it cannot sample or score."""

    def stage_count(self, height: int, width: int) -> int:
        """Return the number of stages in which an image of this size is generated."""

    def distributions(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Distributions:
        """Compute the distributions of all sub-pixels of complete images."""

    def distributions_from(self, params: Shaped[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]) -> Distributions:
        """Return the distributions of parameters that were computed before."""

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats, float64.

        Images and conditions are validated already; known sub-pixels are certain.
        """

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> LikelihoodModel:
        """Return the model that computes for an engine: this one, or its integer program."""

    def why_floats(self, size: tuple[int, int] | None = None) -> str:
        """Say in a clause why the engine `auto` computes in floating point; empty if it takes the integer program."""


def scorer_of(model: LikelihoodModel, engine: str = "auto", size: tuple[int, int] | None = None) -> LikelihoodModel:
    """Return what scores images of a size, by one of `SCORING_ENGINES`.

    ```python
    scorer_of(pt.load("digits")).engine  # "integer"
    ```

    Args:
        size: height and width of the images; None for the model's own.

    Raises:
        ConfigError: if there is no such engine.
        EngineError, ShapeError: if `integer` is named, and the model has no program for these images.
    """
    check_name("An evaluation has no `engine`", engine, SCORING_ENGINES)
    return model.scorer(engine, size)


def check_levels(x: Int[np.ndarray, "b c h w"], image: ImageSpec) -> None:
    """Raise a `ShapeError` for levels that are not images of a kind, whatever their size."""
    if x.ndim != 4 or x.shape[1] != image.channels or not np.issubdtype(x.dtype, np.integer):
        raise ShapeError(
            f"Levels of shape {x.shape} and type {x.dtype} must be integers (n, {image.channels}, h, w): "
            "convert pictures with `model.to_levels`."
        )
    if x.size and not 0 <= int(x.min()) <= int(x.max()) < image.levels:
        raise ShapeError(
            f"Levels from {x.min()} to {x.max()} must lie in 0 to {image.levels - 1}: "
            "convert pictures with `model.to_levels`."
        )


def check_trained_size(model: LikelihoodModel, height: int, width: int) -> None:
    """Raise a `ShapeError` for another size than the trained one, of a model that knows no other."""
    image = model.image
    if model.fixed_size and (height, width) != (image.height, image.width):
        raise ShapeError(
            f"Size {height}x{width} does not fit a model with learned positions, which knows only "
            f"{image.height}x{image.width}: resize the images."
        )


def has_likelihood(value: object) -> TypeGuard[LikelihoodModel]:
    """Return true for a `LikelihoodModel`.

    ```python
    has_likelihood(pt.load("digits"))  # True
    ```
    """
    return hasattr(type(value), "unchecked_log_prob_map")
