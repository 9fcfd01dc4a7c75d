"""Settings of sampling: how levels are drawn, in which order, by which engine; and the state of a batch on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import EVIDENCE, ConditionKwargs, condition_kinds
from pointillist.distributions.sampling_transforms import check_guidance
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.model.config import GenerationConfig
from pointillist.ordering import PixelOrder
from pointillist.rules.config import Rules, parse_rules

if TYPE_CHECKING:
    from pointillist.engine.cpu.masks import LevelMask


class SamplingKwargs(TypedDict, total=False):
    """The fields of `SamplingConfig` as keywords; a test holds both to the same names."""

    guidance: float
    temperature: float
    top_p: float
    engine: str
    order: str | None
    threads: int | None
    batch_size: int
    negative_prompt: str | Sequence[str] | None
    best_of: int
    rules: Rules | Mapping[str, Any] | str | Path | None


class SampleKwargs(SamplingKwargs, ConditionKwargs, total=False):
    """Keywords of `sample`, `stream` and `inpaint`: sampling settings, and conditions beside `label` and `text`."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How images are sampled.

    Attributes:
        guidance: classifier-free guidance scale (Ho & Salimans 2022, arXiv 2207.12598): 0 is unconditional, 1 the
            model itself. See `apply_guidance`.
        temperature: divides the log-probabilities; 0 takes the most probable level. See `apply_temperature_top_p`.
        top_p: nucleus sampling (Holtzman et al. 2020): keep the most probable levels that reach this sum.
        engine: `auto`, `cpu`, `exact`, `cuda`, `fixed-point`, `numpy` or `naive`; see `create_stepper`.
        order: name of one of the model's generation orders; None for its first. Uniforms belong to pixel positions,
            whatever the order.
        threads: number of threads that share a batch on engines `cpu` and `exact`, at most one a core; None for as
            many as torch.
        batch_size: number of images sampled at once.
        negative_prompt: text to steer away from, one for all images or one each: the reference distribution of
            guidance is conditioned on it instead of on nothing.
        best_of: candidates sampled for each image; the one that its conditions explain best is kept, by
            log p(x | conditions) - log p(x). See `sampling.best_of`.
        rules: rules that every map obeys: a TOML file, a dictionary, or `Rules`.

    Raises:
        ConfigError: naming the setting that is out of range.

    Example:
        SamplingConfig(guidance=2.0, top_p=0.95, order="s-curve")
    """

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    engine: str = "auto"
    order: str | None = None
    threads: int | None = None
    batch_size: int = 64
    negative_prompt: str | Sequence[str] | None = None
    best_of: int = 1
    rules: Rules | Mapping[str, Any] | str | Path | None = None

    def __post_init__(self) -> None:
        check_guidance(self.guidance)
        if not self.temperature >= 0:
            raise ConfigError(f"`temperature` (={self.temperature}) must be 0 or more: 1 is the model itself.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"`top_p` (={self.top_p}) must lie above 0 and at most 1: 1 keeps every level.")
        for name in ("batch_size", "threads", "best_of"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"`{name}` (={value}) must be at least 1.")
        if self.negative_prompt is not None and self.guidance == 1:
            raise ConfigError(
                f"`negative_prompt` (={self.negative_prompt!r}) works through guidance, which is 1 and so off: "
                "set `guidance` above 1, for example 2."
            )

    @cached_property
    def parsed_rules(self) -> Rules | None:
        """The rules, parsed."""
        return parse_rules(self.rules)

    @classmethod
    def split(cls, keywords: SampleKwargs, defaults: GenerationConfig) -> tuple[SamplingConfig, ConditionKwargs]:
        """Separate the sampling settings from the conditions.

        Args:
            keywords: both.
            defaults: the model's own, for settings that `keywords` leaves out.

        Raises:
            ConfigError: if a setting is out of range.
            TypeError: for a keyword that is neither.
        """
        settings: Mapping[str, Any] = keywords
        sampling = {name: value for name, value in settings.items() if name in cls.__dataclass_fields__}
        conditions = {name: value for name, value in settings.items() if name not in sampling}
        allowed = {*ConditionKwargs.__annotations__, *condition_kinds()} - {EVIDENCE}  # known pixels are for `inpaint`
        for name in conditions.keys() - allowed:
            raise TypeError(f"Sampling got an unexpected keyword argument {name!r}.")
        return cls(**{**defaults.sampling, **sampling}), cast(ConditionKwargs, conditions)


OnRow = Callable[[int, Int[Tensor, "b c h w"]], None]
"""Called with the number of rows done and the levels so far, in the orientation of the image."""


@runtime_checkable
class MaskedChooser(Protocol):
    """A choice of levels within a mask, which may send the loop back to an earlier row.

    Attributes:
        mask: levels that each sub-pixel may have; None for all.
        nats: log-likelihood of each image so far, `[n]`.
    """

    mask: LevelMask | None
    nats: Float[Tensor, " n"]


@dataclass(frozen=True, kw_only=True)
class SamplingState:
    """The levels of a batch in the raster frame; all tensors are filled in place.

    Attributes:
        order: generation order that defines the raster frame.
        levels: int64 `[b c h w]`, valid where `known` is set.
        known: pixel positions that are given or already sampled, bool `[h w]`.
        outputs: network outputs of the first `n` images, filled where a pixel is sampled; None discards them.
        on_row: called after each row.
        resample: called with row and column before each pixel that is chosen; returns for each image of the batch the
            one that it continues from, or None to go on. None where no image is ever exchanged for another.
        masked: the choice of levels, where it has a mask.
    """

    order: PixelOrder
    levels: Int[Tensor, "b c h w"]
    known: Bool[Tensor, "h w"]
    outputs: Float[Tensor, "n p h w"] | None = None
    on_row: OnRow | None = None
    resample: Callable[[int, int], IntArray | None] | None = None
    masked: MaskedChooser | None = None

    def report(self) -> None:
        """Call `on_row` with the rows done: pixels known, in rows of the raster frame."""
        if self.on_row is not None:
            self.on_row(int(self.known.sum()) // self.known.shape[1], self.order.from_raster(self.levels))
