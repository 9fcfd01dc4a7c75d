"""A model: a network, the likelihood of its outputs, and what it listens to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning import LabelEmbedding, PositionMap, resolve_labels
from pointillist.conditioning.label import Label
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images import ImageSpec
from pointillist.likelihoods import build_likelihood
from pointillist.model_config import ModelConfig
from pointillist.networks import Ports, Stage, entry, painting_order
from pointillist.nn import Condition, has_weight_norm, initialise_from_data, name_places
from pointillist.ordering import Order, order_named
from pointillist.passes import FullPass

__all__ = ["ModelConfig", "PixelModel"]


class PixelModel(nn.Module):
    """A causal network with the likelihood of its outputs and its conditions.

    `forward(x, label)` is the log-likelihood, so that every training engine can wrap the model as it is.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        image = config.image
        self.likelihood = build_likelihood(config.likelihood, image, config.mixtures)
        # an unordered level is a name, so it enters as a learned vector; an ordered one as a number in [-1, 1]
        self.embedding = None if image.ordered else nn.Embedding(image.levels, config.level_width)
        self.label = LabelEmbedding(len(config.classes), config.label_width) if config.classes else None
        width = config.position_width
        self.position = PositionMap(width, image.height, image.width) if width else None
        self.order_vectors = nn.Embedding(len(config.orders), config.order_width) if config.order_width else None
        self.backbone = entry(config.model_type).backbone(config.backbone, self.ports)
        name_places(self.backbone)
        self.fresh = True  # whether its weights are still those it was built with
        self.register_load_state_dict_post_hook(_not_fresh)  # type: ignore[no-untyped-call]

    @property
    def ports(self) -> Ports:
        """The numbers that go into and come out of the network at each site."""
        image = self.config.image
        return Ports(
            groups=1 if self.likelihood.coupled else image.channels,
            canvas=image.channels * self.level_width,
            params=self.likelihood.num_params,
            vector=(self.config.label_width if self.config.classes else 0) + self.config.order_width,
            map=self.config.position_width,
        )

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

    def places(self, height: int, width: int, order: Order | None = None) -> Int[np.ndarray, "h w"]:
        """The place of each site in the order of painting, from 0."""
        order = self.order() if order is None else order
        if order.snake:  # networks that follow it have one stage
            return order.places(height, width)
        turned = order.turned_size(height, width)
        place = torch.from_numpy(painting_order(self.stages(*turned), *turned))
        found: np.ndarray = order.turn_back(place).numpy()
        return found

    def level_values(self) -> Float[Tensor, "k e"]:
        """What each level is written as on the canvas that the network reads."""
        if self.embedding is not None:
            return self.embedding.weight
        dtype = next(self.parameters()).dtype
        return torch.linspace(-1.0, 1.0, self.image.levels, dtype=dtype, device=self.device)[:, None]

    def canvas(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b i h w"]:
        """Levels as the network reads them, `c * level_width` features, sub-pixel by sub-pixel."""
        values = self.level_values()
        if self.embedding is None:
            return values[:, 0][x]
        return values[x].permute(0, 1, 4, 2, 3).flatten(1, 2)

    def condition(self, label: Int[Tensor, " b"] | None, count: int) -> Condition:
        """What the network is told: `label` holds numbers, `NO_LABEL` where there is none."""
        vector = None
        if self.label is not None:
            numbers = resolve_labels(None, self.config.classes, count) if label is None else label
            vector = self.label(numbers.to(self.device))
        return Condition(vector=vector, map=None if self.position is None else self.position(count))

    def order(self, name: str | None = None) -> Order:
        """One of its orders; without a name, the usual one.

        Raises:
            ConfigError: if it was not trained on that order.
        """
        known = self.config.orders
        if name is not None and name not in known:
            order_named(name)
            raise ConfigError(f"`order` (={name!r}) is not one of this model's: it was trained on {', '.join(known)}.")
        return order_named(known[0] if name is None else name)

    def in_order(self, condition: Condition, order: Order) -> Condition:
        """A condition as the network gets it on the turned canvas; with several orders it is told which this is."""
        turned = condition.turned(order)
        if self.order_vectors is None:
            return turned
        told = self.order_vectors.weight[self.config.orders.index(order.name)][None, :, None, None]
        if turned.vector is not None:
            told = torch.cat([turned.vector, told.expand(len(turned.vector), -1, -1, -1)], 1)
        return replace(turned, vector=told)

    def outputs(
        self, canvas: Float[Tensor, "b i h w"], condition: Condition, order: Order | None = None
    ) -> Float[Tensor, "b p h w"]:
        """Network outputs at every site of an image, each from the sites before it in the order."""
        order = self.order() if order is None else order
        out: Tensor = self.backbone(order.turn(canvas), FullPass(order), self.in_order(condition, order))
        return order.turn_back(out)

    def params(self, x: Int[Tensor, "b c h w"], condition: Condition, order: Order | None = None) -> Tensor:
        """Network outputs `b p h w` for images whose sites are all known."""
        return self.outputs(self.canvas(x), condition, order)

    def forward(
        self, x: Int[Tensor, "b c h w"], label: Int[Tensor, " b"] | None = None, order: str | None = None
    ) -> Float[Tensor, " b"]:
        """Log-likelihood of each image in nats, without checking the input: the training step."""
        params = self.params(x, self.condition(label, len(x)), self.order(order))
        with torch.autocast(x.device.type, enabled=False):
            return self.likelihood.log_prob(params, x).flatten(1).sum(1)

    @property
    def wants_first_batch(self) -> bool:
        """Whether `initialise` would change anything."""
        return self.fresh and has_weight_norm(self.backbone)

    def initialise(self, x: Int[Tensor, "b c h w"], label: Int[Tensor, " b"] | None = None) -> None:
        """Set weights from a first batch, in a network that wants it (weight normalisation): once, before training.

        Nothing happens to weights that were trained or loaded. Takes what `forward` takes.
        """
        if self.wants_first_batch:
            training = self.training
            self.eval()  # dropout would make the result depend on the random state
            initialise_from_data(self.backbone, lambda: self.params(x, self.condition(label, len(x))))
            self.train(training)
        self.fresh = False

    def log_prob(
        self, x: Int[Tensor, "b c h w"], label: Label = None, text: Literal[None] = None, *, order: str | None = None
    ) -> Float[Tensor, " b"]:
        """Log-likelihood of each image, in nats.

        Args:
            x: levels, integers in [0, levels).
            label: one label or one an image, by number or name; None for no label.
            text: prompts, for models that listen to text (none does yet).
            order: in which the sub-pixels come; None for the usual one.

        Raises:
            ShapeError, DataError: if `x` is not an image of this model.
            ConfigError: if a label is not one of the model's classes, or the order not one of its orders.
        """
        return self.log_prob_map(x, label, text, order=order).flatten(1).sum(1)

    def log_prob_map(
        self, x: Int[Tensor, "b c h w"], label: Label = None, text: Literal[None] = None, *, order: str | None = None
    ) -> Float[Tensor, "b c h w"]:
        """Log-probability of each sub-pixel given those before it, in nats. Arguments and errors as `log_prob`."""
        x = self.check(x)
        params = self.params(x, self.told(label, len(x), text), self.order(order))
        with torch.autocast(x.device.type, enabled=False):
            return self.likelihood.log_prob(params, x)

    def told(self, label: Label, count: int, text: Any = None) -> Condition:
        """The condition of `count` images from labels as a user gives them.

        Raises:
            ConfigError, ShapeError: if the model does not take them.
        """
        if text is not None:
            raise ConfigError(f"`text` (={text!r}) cannot be used: this model does not listen to text. Leave it out.")
        numbers = resolve_labels(label, self.config.classes, count)
        return self.condition(numbers if self.config.classes else None, count)

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
                f"Size {height}x{width} does not fit this model, which has learned positions and knows only "
                f"{image.height}x{image.width}: resize the images, or train with `position_width = 0`."
            )

    def to_levels(self, images: Any) -> Int[Tensor, "b c h w"]:
        """Pictures (uint8 arrays or PIL) to levels; see `ImageSpec.to_levels`."""
        return self.image.to_levels(images)

    def to_images(self, levels: Int[Tensor, "b c h w"]) -> Any:
        """Levels to uint8 pictures `n h w c`; see `ImageSpec.to_images`."""
        return self.image.to_images(levels.cpu())


def _not_fresh(model: PixelModel, keys: Any) -> None:
    model.fresh = False
