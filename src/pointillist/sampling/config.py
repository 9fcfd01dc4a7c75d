"""Settings of sampling: how levels are drawn, in which order, by which engine.

Nothing heavy is imported here: help pages take the types of their options from `SamplingConfig`. The rules behind the
engine `auto` are measured in docs/decisions, 0070. The choice depends on the model alone, not on the size of the job or
on what is installed. So the same seed gives the same image every time; two engines of floating point promise that only
up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from pointillist.conditioning.readers import ConditionKwargs
from pointillist.distributions.transform import Transform
from pointillist.errors import ConfigError, EngineError, Range, member_of, optional, within
from pointillist.files.suggestions import check_keywords

if TYPE_CHECKING:
    from pointillist.sampling.rules.config import Rules


OnRow = Callable[[int, Any], None]
"""Called with the number of rows done and the levels so far, in the orientation of the image."""
OnBatchRow = Callable[[int, int, Any], None]
"""Called with the number of images finished before this batch, rows done, and the levels of the batch."""
ENGINES = ("auto", "integer", "torch", "numpy", "naive")
FORM_VERSION = 1
"""Version of a request in JSON: in unfinished samples, in jobs, and in manifests of the studio."""
MAX_CANDIDATES = 10_000
"""Most candidates of an image: each takes as long as the image."""
_OUTER = ("n", "label", "text", "seed", "size", "uniforms", "seamless", "on_row")
"""Arguments of `sample` that are not settings: unknown keywords may mean one of them."""


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
    """Keywords of `sample`, `stream` and `inpaint`: sampling settings, and conditions other than `label` and `text`."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Transform):
    """Settings of sampling.

    Attributes:
        guidance, temperature, top_p: see `Transform`.
        engine: `auto`, `integer`, `torch`, `numpy` or `naive`; see `create_stepper`.
        order: name of one of the model's generation orders; None for its first. Uniforms belong to pixel positions,
            whatever the order.
        threads: number of threads that share a batch on engine `integer`, at most one a core; None for as many as
            torch.
        batch_size: number of images sampled at once.
        negative_prompt: text to steer away from, one for all images or one each: it takes the place of the prompt in
            the reference distribution of guidance.
        best_of: candidates sampled for each image; the one with the largest
            log p(x | conditions) - 0.5 log p(x) is kept. See `sampling.candidates`.
        rules: rules that every map obeys: a TOML file, a dictionary, or `Rules`.

    Raises:
        ConfigError: naming the setting that is out of range.

    Example:
        SamplingConfig(guidance=2.0, top_p=0.95, order="s-curve")
    """

    engine: str = within("auto", member_of("Unknown `engine`", ENGINES, EngineError))
    order: str | None = None
    threads: int | None = within(None, optional(Range(1)))
    batch_size: int = within(64, Range(1))
    negative_prompt: str | Sequence[str] | None = None
    best_of: int = within(1, Range(1, MAX_CANDIDATES))
    rules: Rules | Mapping[str, Any] | str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.negative_prompt is not None and self.guidance == 1:
            raise ConfigError(
                f"`negative_prompt` (={self.negative_prompt!r}) works through guidance, which is 1 and so off: "
                "set `guidance` above 1, for example 2."
            )

    @classmethod
    def keywords_of(cls, settings: object) -> dict[str, Any]:
        """Return the settings of sampling that an object has as attributes, such as the options of a command.

        Example:
            SamplingConfig.keywords_of(SampleSettings(model="digits", guidance=2.0))  # {"guidance": 2.0, ...}
        """
        values = {name: getattr(settings, name, None) for name in cls.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None}

    @cached_property
    def transform(self) -> Transform:
        """Guidance, temperature and top-p, as the engines take them."""
        return Transform(self.guidance, self.temperature, self.top_p)

    @cached_property
    def parsed_rules(self) -> Rules | None:
        if self.rules is None:
            return None
        from pointillist.sampling.rules.config import parse_rules

        return parse_rules(self.rules)


def split_keywords(keywords: SampleKwargs) -> tuple[SamplingKwargs, ConditionKwargs]:
    """Separate the settings of sampling from the conditions other than `label` and `text`.

    ```python
    split_keywords({"guidance": 2.0, "vector": [0.5]})  # ({"guidance": 2.0}, {"vector": [0.5]})
    ```

    Raises:
        TypeError: for a keyword that is neither.
    """
    from pointillist.conditioning.known import OBSERVED
    from pointillist.conditioning.registry import condition_kinds

    fields, values = SamplingConfig.__dataclass_fields__, cast(Mapping[str, Any], keywords)
    settings = {name: value for name, value in values.items() if name in fields}
    conditions = {name: value for name, value in values.items() if name not in fields}
    allowed = {*ConditionKwargs.__annotations__, *condition_kinds()} - {OBSERVED}  # known pixels are for `inpaint`
    check_keywords("sample", conditions, (*_OUTER, *sorted(allowed), *fields))
    for name in sorted(conditions.keys() & _OUTER):
        raise TypeError(f"`{name}` is an argument of `sample`, and has no meaning here: leave it out.")
    return cast(SamplingKwargs, settings), cast(ConditionKwargs, conditions)


def choose_engine(model: Any, engine: str = "auto", size: tuple[int, int] | None = None) -> str:
    """Choose the engine that samples from a model: `auto` takes its integer program unless `why_floats` gives a reason.

    ```python
    choose_engine(pt.load("digits"))  # "integer"
    ```

    Args:
        size: height and width of the images; None for the model's own.

    Raises:
        EngineError: if something that it needs is missing, such as the integer program.
        ShapeError: if the integer program is asked for by name, and is of another size.
    """
    in_integers = model.scorer(engine, size).engine == "integer"
    return "integer" if in_integers else choose_float_engine(model, engine, size)


def choose_float_engine(model: Any, engine: str = "auto", size: tuple[int, int] | None = None) -> str:
    """Choose the engine that computes in floating point, also for a model that has an integer program.

    Pixel by pixel numpy is faster than torch on a processor; groups of independent pixels are drawn in one pass by
    torch, which also runs on a GPU.

    ```python
    choose_float_engine(pt.load("digits"))  # "numpy"
    ```

    Raises:
        EngineError: if it computes in integers.
    """
    if engine == "integer":
        raise EngineError(f"`engine` (={engine!r}) must compute in floating point here: name torch, numpy or naive.")
    if engine != "auto":
        return engine
    stages = model.stages(*(size or model.image.shape[1:]))
    return "torch" if model.device.type == "cuda" or any(stage.independent for stage in stages) else "numpy"
