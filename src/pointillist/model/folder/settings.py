"""Settings of a model apart from its network, which `config.json` and run files hold. Needs no torch."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator

from pointillist.conditioning.registry import parse_conditions
from pointillist.conditioning.settings import ConditionConfig
from pointillist.distributions.registry import LikelihoodName
from pointillist.images.ordering import parse_orders

Config = TypeVar("Config", bound=ConditionConfig)


class ModelSettings(BaseModel):
    """Settings of a model apart from its network: the same in `config.json` and under `[model]` of a run file.

    Attributes:
        likelihood: Output distribution: bernoulli, categorical, factored, mixture or auto.
        mixtures: Components of a mixture, or of a factored distribution.
        local_gain: Whether a network reads levels relative to a prediction from their neighbours, and places a mixture
            around it; by default for 64 or more ordered levels with a mixture, in images of 16 or more rows.
        conditions: Settings of each condition, by its kind.
        position_channels: Channels of learned positions; they fix the size of the images.
        order_channels: Channels of the embedding of the generation order, if there are several.
        level_channels: Channels of the embedding of an unordered level.
        orders: Pixel generation orders to train on, separated by commas; raster-all and s-curve-all are eight each.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    likelihood: LikelihoodName = "auto"
    mixtures: int = Field(10, ge=1, le=1024)
    local_gain: bool | None = None  # in a stored model, None is off: it was made before there was one
    conditions: dict[str, SerializeAsAny[ConditionConfig]] = Field(default_factory=dict)
    position_channels: int = Field(0, ge=0, le=1024)
    order_channels: int = Field(64, ge=1, le=8192)
    level_channels: int = Field(16, ge=1, le=1024)
    orders: tuple[str, ...] = ("raster",)

    @field_validator("conditions", mode="before")
    @classmethod
    def _parsed(cls, conditions: Any) -> Any:
        return parse_conditions(conditions) if isinstance(conditions, dict) else conditions

    @field_validator("orders", mode="before")
    @classmethod
    def _known(cls, orders: Any) -> Any:
        return parse_orders(orders)

    def condition(self, kind: type[Config]) -> Config | None:
        """Settings of one kind of condition: `config.condition(TextConfig)`; None where the model has none."""
        result = self.conditions.get(kind.kind)
        return result if isinstance(result, kind) else None
