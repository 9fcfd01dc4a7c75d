"""A request for images, and the arrays that it resolves to, from which any range of the images is drawn.

Flags, keywords, messages of the studio, links and manifests are spellings of `Request`. `Request.resolve` is the one
place that checks them against a model; what is drawn below it are arrays and types. Needs no torch for a model that is
sampled from its integer program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs, has_prompt, parse_prompts
from pointillist.conditioning.known import OBSERVED, parse_mask
from pointillist.engine.batch import check_batch_memory
from pointillist.errors import Bounded, ConfigError, Range, check_whole, within
from pointillist.images import MAX_SIDE
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import OnRow, SampleKwargs, SamplingConfig, choose_float_engine, split_keywords
from pointillist.sampling.draws import Draws
from pointillist.sampling.masks import Known, open_image_mask
from pointillist.sampling.methods import SOFT, choose_method, parse_soft
from pointillist.sampling.uniforms import Uniforms, check_count

if TYPE_CHECKING:
    from pointillist.model.vocabulary import Prompts

MAX_MOVES = 10_000
"""Most single-pixel moves of a completion: each takes a pass over the image."""
# per sub-pixel, apart from the engine: its uniform, stacked and in the raster frame; its level, in both frames
_BYTES = 5 * 8


@dataclass(frozen=True, kw_only=True)
class Request(Bounded):
    """Images that are asked for, before a model has seen the request.

    ```python
    request = Request.of(1000, label=3, seed=0, guidance=2.0)
    request.resolve(model).draw(64, 128).nats  # of the images 64 to 127
    ```

    Attributes:
        n: number of images.
        conditions: tables of conditions by keyword, `label` and `text` among them: one for each image, or one for all,
            in which each is a value for all images or one each. None leaves a condition out.
        prompts: prompts that were read before, in the place of `text`; None to read them.
        settings: fields of `SamplingConfig` that are asked for; one that changes nothing is an error.
        defaults: settings in the place of others; None for the model's own, where no pixel is known.
        seed: image i depends on (seed, i) alone; None draws a new seed.
        uniforms: numbers in [0, 1) instead of a seed, `[n c h w]`.
        numbers: seed and index of each image instead of one seed and 0, 1, ...
        first: index of the first image of the seed.
        size: height and width; None for the model's own.
        known: levels of the images, one for all or one each, and which of their pixels or sub-pixels are known.
        allowed: levels that each pixel `[h w k]` or sub-pixel `[c h w k]` may have; None for all.
        method: how unknown pixels are completed, see `inpaint`; None draws them in the order of the settings.
        particles: mean number, in a row, of the histories that Sequential Monte Carlo draws together.
        moves: single-pixel moves of each completion after Sequential Monte Carlo.
        soft: factors of the probability of each level at each pixel, `[h w k]`; None without soft data.
        on_row: see `Draws`.
    """

    n: int = 1
    conditions: Sequence[Mapping[str, Any]] = ({},)
    prompts: Prompts | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] | None = None
    seed: int | None = None
    uniforms: Any = None
    numbers: Sequence[tuple[int, int]] | None = None
    first: int = within(0, Range(0))
    size: tuple[int, int] | None = None
    known: tuple[Any, Any] | None = None
    allowed: Any = None
    method: str | None = None
    particles: int = within(64, Range(1))
    moves: int = within(4, Range(0, MAX_MOVES))
    soft: Any = None
    on_row: OnRow | None = None

    @classmethod
    def of(
        cls,
        n: int,
        label: Any = None,
        text: Any = None,
        *,
        seed: int | None = None,
        uniforms: Any = None,
        **keywords: Unpack[SampleKwargs],
    ) -> Request:
        """Make a request of the keywords of `sample`, but for the size, which known pixels have.

        Raises:
            TypeError: for a keyword that is neither a setting nor a condition.
        """
        settings, conditions = split_keywords(keywords)
        values = {"label": label, "text": text, **conditions}
        return cls(n=n, conditions=[values], settings=settings, seed=seed, uniforms=uniforms)

    def resolve(self, model: LikelihoodModel, *, at_once: bool = False) -> Draws:
        """Check a request against a model, before anything is computed for this many images.

        Args:
            at_once: whether all images are held at once.

        Raises:
            ConfigError, ShapeError, EngineError: naming the argument that is wrong.
            DataError: if there is too little memory.
        """
        channels, (height, width) = model.image.channels, self._size(model)
        # for one image, `check_batch_memory` names a size that fits
        several = at_once and check_whole("n", self.n, 1) != 1
        check_count(self.n, (channels, height, width) if several else None)
        prompts = self._prompts(model)
        config = SamplingConfig(**{**self._defaults(model), **self.settings})
        texts = None if prompts is None else prompts.texts
        scorer = model.scorer(config.engine, (height, width))
        floats = scorer.engine != "integer"
        engine = choose_float_engine(model, config.engine, (height, width)) if floats else "integer"
        scorer.check_size(height, width)
        known, method, order = self._known((channels, height, width)), None, None
        if known is not None and self.method is not None:
            method, order = choose_method(model, known[1], self.method, config.order, engine)
        mask = open_image_mask(model, config.parsed_rules, (height, width), self.allowed, known if method else None)
        inputs = self._inputs(model, (height, width), known if method in (None, "known") else None)
        pending = texts
        if texts is not None and known is not None:
            inputs, pending = model.conditions.with_prompts(inputs, texts), None
        uniforms = Uniforms.resolve(
            self.seed, self.uniforms, (self.n, channels, height, width), self.numbers, first=self.first
        )
        conditional = has_prompt(texts) or inputs.is_conditional
        negative = config.negative_prompt
        model.conditions.check_guided(self.settings.get("guidance"), conditional=conditional, negative=negative)
        if not (conditional or has_prompt(negative)):
            config = replace(config, guidance=1.0, negative_prompt=None)  # there is nothing to lead away from
        _check_best_of(config, conditional=conditional, seeded=uniforms.array is None)
        count = min(self.n, config.batch_size)
        check_batch_memory(channels * height * width * count * _BYTES, count, height, width)
        order = order or model.order(config.order)
        draws = Draws(
            request=self,
            model=model,
            scorer=scorer,
            config=replace(config, engine=engine, order=order.name),
            order=order,
            inputs=inputs,
            uniforms=uniforms,
            size=(height, width),
            prompts=prompts,
            pending=pending,
            negatives=parse_prompts(negative, self.n),
            observed=known,
            mask=mask,
            method=method,
            on_row=self.on_row,
        )
        return draws if method is None else self._completing(draws)

    def _completing(self, draws: Draws) -> Draws:
        """Check what a method of completion takes, and add soft data."""
        if self.soft is not None:
            soft = parse_soft(self.soft, draws.known, draws.model.image.levels)
            if draws.method == "sequential":
                raise ConfigError("`soft` weighs particles, and the method sequential draws none: use auto.")
            if draws.mask is not None or draws.config.best_of > 1:
                raise ConfigError(
                    "`soft` cannot be used with `allowed`, `rules` or `best_of`: give levels the probability 0."
                )
            draws = replace(draws, method=SOFT, soft=soft)
        if draws.method in ("smc", SOFT) and draws.uniforms.array is not None:
            raise ConfigError("`uniforms` cannot be used with the method smc, which draws many histories: give a seed.")
        return draws

    def _size(self, model: LikelihoodModel) -> tuple[int, int]:
        drawn = model.image.shape[1:] if self.known is None else self.known[0].shape[2:]
        height, width = self.size or drawn
        if max(height, width) > MAX_SIDE:
            raise ConfigError(f"`size` (={height}x{width}) must have at most {MAX_SIDE:,} pixels a side.")
        return height, width

    def _known(self, shape: tuple[int, int, int]) -> Known | None:
        """Return the known pixels as levels of each image and a mask of sub-pixels."""
        if self.known is None:
            return None
        levels, mask = self.known
        return np.broadcast_to(levels, (self.n, *shape)), parse_mask(mask, (1, *shape))[0]

    def _defaults(self, model: LikelihoodModel) -> Mapping[str, Any]:
        if self.defaults is not None:
            return self.defaults
        # known pixels ask for the model's conditional, not for what makes good samples
        return model.generation_config.sampling if self.known is None else {}

    def _prompts(self, model: LikelihoodModel) -> Prompts | None:
        """Read the prompts of the images; None without any."""
        texts = [table.get("text") for table in self.conditions]
        if self.prompts is not None or all(text is None for text in texts):
            return self.prompts
        text = texts[0] if len(texts) == 1 else texts
        if model.conditions.prompt_reader is None:
            raise model.conditions.unsupported("text", text)
        from pointillist.model.vocabulary import read_prompts

        return read_prompts(model, text, self.n)

    def _inputs(self, model: LikelihoodModel, size: tuple[int, int], known: Known | None) -> ConditionInputs:
        """Read the conditions without prompts, and known pixels if the model has them as a condition."""
        readers, parts = model.conditions, list[ConditionInputs]()
        for start in range(0, self.n, count := self.n // len(self.conditions)):
            table = self.conditions[start // count]
            values = {name: value for name, value in table.items() if name != "text"}
            observed = known is not None and OBSERVED in readers.readers
            part = (known[0][start : start + count], known[1]) if known is not None and observed else None
            parts.append(readers.inputs(count=count, size=size, known=part, **values))
        return parts[0] if len(parts) == 1 else ConditionInputs.concat(parts)


def _check_best_of(config: SamplingConfig, *, conditional: bool, seeded: bool) -> None:
    """Check that candidates differ, and that there is a condition to choose by.

    Raises:
        ConfigError: naming the remedy.
    """
    if config.best_of == 1:
        return
    if not conditional:
        raise ConfigError(
            f"`best_of` (={config.best_of}) chooses by the bits that a condition saves, and there is none: "
            "give a prompt or a label, or leave it out."
        )
    if not seeded:
        raise ConfigError(f"`best_of` (={config.best_of}) draws its candidates from a seed: leave out `uniforms`.")
