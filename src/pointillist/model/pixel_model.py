"""A model: a network, the likelihood of its outputs, and what it listens to."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning import (
    ConditionEncoder,
    ConditionInputs,
    ConditionKwargs,
    Label,
    OrderEmbedding,
    PositionEmbedding,
    unsupported_condition,
)
from pointillist.conditioning.encoder import condition_dims, encode_conditions
from pointillist.distributions.likelihoods import build_likelihood
from pointillist.errors import DataError, ShapeError
from pointillist.images import ImageSpec
from pointillist.model.config import ModelConfig
from pointillist.networks import BackboneDims, Stage, entry, sampling_order
from pointillist.nn import Condition, has_weight_norm, initialise_from_data, name_scopes
from pointillist.nn.functional.memory_format import channels_last
from pointillist.nn.passes import FullPass
from pointillist.ordering import PixelOrder, resolve_order

__all__ = ["ModelConfig", "PixelModel"]

Model = TypeVar("Model", bound="PixelModel")


class PixelModel(nn.Module):
    """A causal network with the likelihood of its outputs and its conditions.

    `forward(x, told)` is the log-likelihood, so that every training engine can wrap the model as it is.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        image = config.image
        self.likelihood = build_likelihood(config.likelihood, image, config.mixtures)
        # an unordered level is a name, so it enters as a learned vector; an ordered one as a number in [-1, 1]
        self.embedding = None if image.ordered else nn.Embedding(image.levels, config.level_width)
        listeners = config.listeners()
        self._names = tuple(listeners)
        for name, listener in listeners.items():
            self.add_module(name, listener)
        width = config.position_width
        self.position = PositionEmbedding(width, image.height, image.width) if width else None
        self.told_order = OrderEmbedding(config.orders, config.order_width) if config.order_width else None
        self.backbone = entry(config.model_type).backbone(config.backbone, self.ports)
        name_scopes(self.backbone)
        self.channels_last = False  # whether weights and maps lie so in memory: see layout.py
        self.fresh = True  # whether its weights are still those it was built with
        self.register_load_state_dict_post_hook(lambda model, _: setattr(model, "fresh", False))  # type: ignore

    def to(self: Model, *args: Any, **kwargs: Any) -> Model:
        """As `nn.Module.to`; a memory format is remembered, for weights of one tap or one channel do not show it."""
        if "memory_format" in kwargs:
            self.channels_last = kwargs["memory_format"] == torch.channels_last
        return super().to(*args, **kwargs)

    @property
    def ports(self) -> BackboneDims:
        """The numbers that go into and come out of the network at each site."""
        image = self.config.image
        return BackboneDims(
            groups=1 if self.likelihood.coupled else image.channels,
            canvas=image.channels * self.level_width,
            params=self.likelihood.num_params,
            condition=condition_dims(self.listeners, self.config.order_width, self.config.position_width),
        )

    @property
    def listeners(self) -> dict[str, ConditionEncoder]:
        """What it listens to: `label`, `attributes`, `vector`, `hint`, in the order of their features."""
        return {name: self.get_submodule(name) for name in self._names}  # type: ignore[misc]

    @property
    def image(self) -> ImageSpec:
        """What its integers mean."""
        return self.config.image

    @property
    def level_width(self) -> int:
        """Network values of one sub-pixel."""
        return 1 if self.image.ordered else self.config.level_width

    @property
    def fixed_size(self) -> bool:
        """Whether only images of the trained size can be painted or scored."""
        return self.position is not None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def num_parameters(self) -> int:
        """How many weights there are."""
        return sum(p.numel() for p in self.parameters())

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """The walks in which an image of this size is painted, in their order: one for most models."""
        return self.backbone.stages(height, width)

    def places(self, height: int, width: int, order: PixelOrder | None = None) -> Int[np.ndarray, "h w"]:
        """The place of each site in the order of painting, from 0."""
        order = self.order() if order is None else order
        if order.s_curve:  # networks that follow it have one stage
            return order.rank(height, width)
        turned = order.raster_size(height, width)
        place = torch.from_numpy(sampling_order(self.stages(*turned), *turned))
        found: np.ndarray = order.from_raster(place).numpy()
        return found

    def level_values(self) -> Float[Tensor, "k e"]:
        """What each level is written as on the canvas that the network reads."""
        if self.embedding is not None:
            values: Tensor = self.embedding.weight
            return values
        dtype = next(self.parameters()).dtype
        return torch.linspace(-1.0, 1.0, self.image.levels, dtype=dtype, device=self.device)[:, None]

    def canvas(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b i h w"]:
        """Levels as the network reads them, `c * level_width` features, sub-pixel by sub-pixel."""
        values = self.level_values()
        if self.embedding is None:
            return values[:, 0][x]
        return values[x].permute(0, 1, 4, 2, 3).flatten(1, 2)

    def told(
        self,
        label: Label = None,
        count: int = 1,
        text: Any = None,
        *,
        size: tuple[int, int] | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> ConditionInputs:
        """What a user asks for `count` images, checked: one for all or one each; None leaves a condition out.

        Args:
            label: by number or name.
            text: prompts, for models that listen to text.
            size: height and width of the images; None for the model's own.
            further: see `ConditionKwargs`.

        Raises:
            ConfigError, ShapeError, DataError: if the model does not take them.
        """
        asked = {"label": label, "text": text, **further}
        heard = {listener.asks or name for name, listener in self.listeners.items()}
        for name in asked:
            if asked[name] is not None and name not in heard:
                raise unsupported_condition(name, asked[name])
        size = size or (self.image.height, self.image.width)
        return ConditionInputs(
            count, {n: one.resolve(asked.get(one.asks or n), count, size) for n, one in self.listeners.items()}
        )

    def condition(self, told: ConditionInputs | None, count: int, size: tuple[int, int] | None = None) -> Condition:
        """What every layer hears: `told` as features; None tells `count` images of a size nothing."""
        if told is None:
            told = self.told(None, count, size=size)
        places = [] if self.position is None else [self.position(count)]
        return encode_conditions(self.listeners, told.to(self.device), places)

    def order(self, name: str | None = None) -> PixelOrder:
        """One of its orders; without a name, the usual one. Another one is a `ConfigError`."""
        return resolve_order(self.config.orders, name)

    def in_order(self, condition: Condition, order: PixelOrder) -> Condition:
        """A condition as the network gets it on the turned canvas; with several orders it is told which this is."""
        turned = condition.in_raster_frame(order)
        return turned if self.told_order is None else self.told_order(turned, order)

    def outputs(
        self, canvas: Float[Tensor, "b i h w"], condition: Condition, order: PixelOrder | None = None
    ) -> Float[Tensor, "b p h w"]:
        """Network outputs at every site of an image, each from the sites before it in the order."""
        order = self.order() if order is None else order
        turned = channels_last(order.to_raster(canvas)) if self.channels_last else order.to_raster(canvas)
        ctx = FullPass(order, channels_last=self.channels_last)
        out: Tensor = self.backbone(turned, ctx, self.in_order(condition, order).as_computed())
        return order.from_raster(out)

    def params(self, x: Int[Tensor, "b c h w"], condition: Condition, order: PixelOrder | None = None) -> Tensor:
        """Network outputs `b p h w` for images whose sites are all known."""
        return self.outputs(self.canvas(x), condition, order)

    def forward(
        self, x: Int[Tensor, "b c h w"], told: ConditionInputs | None = None, order: str | None = None
    ) -> Float[Tensor, " b"]:
        """Log-likelihood of each image in nats, without checking the input: the training step."""
        params = self.params(x, self.condition(told, len(x), (x.shape[2], x.shape[3])), self.order(order))
        with torch.autocast(x.device.type, enabled=False):
            return self.likelihood.log_prob(params, x).flatten(1).sum(1)

    @property
    def wants_first_batch(self) -> bool:
        """Whether `initialise` would change anything."""
        return self.fresh and has_weight_norm(self.backbone)

    def initialise(self, x: Int[Tensor, "b c h w"], told: ConditionInputs | None = None) -> None:
        """Set weights from a first batch, in a network that wants it (weight normalisation): once, before training.

        Nothing happens to weights that were trained or loaded. Takes what `forward` takes.
        """
        if self.wants_first_batch:
            training = self.training
            self.eval()  # dropout would make the result depend on the random state
            initialise_from_data(self.backbone, lambda: self.params(x, self.condition(told, len(x))))
            self.train(training)
        self.fresh = False

    def log_prob(
        self,
        x: Int[Tensor, "b c h w"],
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[Tensor, " b"]:
        """Log-likelihood of each image, in nats.

        Args:
            x: levels, integers in [0, levels).
            label, text, further: what the images are; see `told`.
            order: in which the sub-pixels come; None for the usual one.

        Raises:
            ShapeError, DataError: if `x` is not an image of this model.
            ConfigError: if the model does not take a condition, or not this value of it, or not the order.
        """
        return self.log_prob_map(x, label, text, order=order, **further).flatten(1).sum(1)

    def log_prob_map(
        self,
        x: Int[Tensor, "b c h w"],
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[Tensor, "b c h w"]:
        """Log-probability of each sub-pixel given those before it, in nats. Arguments and errors as `log_prob`."""
        x = self.check(x)
        told = self.told(label, len(x), text, size=(x.shape[2], x.shape[3]), **further)
        return self.told_log_prob(x, told, self.order(order))

    def told_log_prob(
        self, x: Int[Tensor, "b c h w"], told: ConditionInputs, order: PixelOrder | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`log_prob_map` of images that are checked, under conditions that are tensors already."""
        params = self.params(x, self.condition(told, len(x)), order)
        with torch.autocast(x.device.type, enabled=False):
            return self.likelihood.log_prob(params, x)

    def check(self, x: Tensor) -> Int[Tensor, "b c h w"]:
        """`x` as int64 on the model's device, if it is a batch of its images.

        Raises:
            ShapeError: if channels, or the size of a model with fixed size, do not match.
            DataError: if a value is not an integer in [0, levels).
        """
        x = torch.as_tensor(x)
        image = self.image
        if x.ndim != 4 or x.shape[1] != image.channels:
            raise ShapeError(f"Levels of shape {tuple(x.shape)} must be (n, {image.channels}, height, width).")
        self.check_size(x.shape[2], x.shape[3])
        if x.is_floating_point() or x.dtype == torch.bool or x.is_complex():
            raise DataError(f"Levels must be integers, not {x.dtype}: convert pictures with `model.to_levels`.")
        x = x.to(self.device, torch.int64)
        if x.numel() and not 0 <= int(x.min()) <= int(x.max()) < image.levels:
            raise DataError(
                f"Levels from {int(x.min())} to {int(x.max())} must lie in 0 to {image.levels - 1}: "
                "convert pictures with `model.to_levels`."
            )
        return x

    def check_size(self, height: int, width: int) -> None:
        """Refuse a size that this model cannot paint or score."""
        image = self.image
        if self.fixed_size and (height, width) != (image.height, image.width):
            raise ShapeError(
                f"Size {height}x{width} does not fit this model, which has learned positions and knows "
                f"only {image.height}x{image.width}: resize the images, or train without positions."
            )

    def to_levels(self, images: Any) -> Int[Tensor, "b c h w"]:
        """Pictures (uint8 arrays or PIL) to levels; see `ImageSpec.to_levels`."""
        return self.image.to_levels(images)

    def to_images(self, levels: Int[Tensor, "b c h w"]) -> Any:
        """Levels to uint8 pictures `n h w c`; see `ImageSpec.to_images`."""
        return self.image.to_images(levels.cpu())
