"""Open the model that `sample` and its job sample from, and plan the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointillist.commands.sampling.conditions import SheetPlan, parse_hint, parse_labels, parse_texts, read_conditions
from pointillist.commands.sampling.settings import SampleSettings
from pointillist.data.options import parse_size
from pointillist.model.folder.opening import open_program
from pointillist.model.integer_cost import engine_text
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import INTEGER_REASON, EngineChoice, OnBatchRow, SamplingConfig, choose_engine
from pointillist.sampling.draws import Draws
from pointillist.sampling.request import Request
from pointillist.zoo import resolve

if TYPE_CHECKING:
    from pointillist.sampling.rules.config import Rules
    from pointillist.sampling.samples import Samples

TUNED = ("guidance", "temperature", "top_p")
"""Settings that a model has its own values of."""


@dataclass(frozen=True)
class OpenedModel:
    """A model that was opened to sample from.

    Attributes:
        model: the model.
        engine: the engine that samples, and why.
        measure: description of the bits/dim of its samples.
        needs_torch: whether torch takes part.
    """

    model: LikelihoodModel
    engine: EngineChoice
    measure: str
    needs_torch: bool = True


def open_model(settings: SampleSettings) -> OpenedModel:
    """Open a model: by its integer program alone where one is stored and the settings permit it, else with torch.

    Raises:
        PointillistError: if it cannot be opened, or a setting does not fit.
    """
    name, engine = settings.model, settings.engine
    size = None if settings.size is None else parse_size(settings.size)
    first = choose_engine(engine)  # an error before the model is read
    if not _needs_torch(settings):
        folder = resolve(name)
        portable = None if folder is None else open_program(folder, engine, size)
        if portable is not None:
            choice = EngineChoice("integer", INTEGER_REASON if engine == "auto" else first.reason)
            return OpenedModel(portable, choice, engine_text("integer"), needs_torch=False)
    from pointillist.commands import paths
    from pointillist.sampling.config import choose_model_engine

    model = paths.open_model(name, settings.device)
    choice = choose_model_engine(model, engine, size)
    return OpenedModel(model, choice, engine_text(choice.engine, choice.why_floats))


def _needs_torch(settings: SampleSettings) -> bool:
    """Return whether a setting is for a model that torch runs; stored integer programs do not have it."""
    return settings.device != "cpu" or settings.seamless is not None


def read_rules(settings: SampleSettings) -> Rules | None:
    """Read the rules that maps obey; None without any."""
    if settings.rules is None:
        return None
    from pointillist.sampling.rules.config import parse_rules

    return parse_rules(settings.rules)


DEFAULT_COUNT, DEFAULT_OF_EACH = 16, 4
"""Images without labels and prompts, and of each of them."""


def plan_sheet(model: LikelihoodModel, settings: SampleSettings) -> SheetPlan:
    """Return the label and the prompt of each image, and their arrangement."""
    labels, prompts = parse_labels(settings.label, model.classes), parse_texts(settings.text, settings.texts)
    count = settings.n or (DEFAULT_COUNT if labels is None and not prompts else DEFAULT_OF_EACH)
    return SheetPlan.of(labels, prompts, count, model.classes)


def plan_images(opened: OpenedModel, settings: SampleSettings, sheet: SheetPlan, seed: int | None) -> Draws:
    """Read the conditions, and check all settings.

    Raises:
        PointillistError: naming what is wrong.
    """
    model, size = opened.model, None if settings.size is None else parse_size(settings.size)
    keywords: dict[str, Any] = {
        **SamplingConfig.keywords_of(settings),
        "engine": opened.engine.engine,
        "order": model.order(settings.order).name,
        "rules": read_rules(settings),
        **read_conditions(settings.attribute, None, settings.condition),
        **parse_hint(model, settings.hint, settings.hint_from_image, size),
    }
    return Request.of(sheet.total, sheet.labels, sheet.texts, seed=seed, size=size, **keywords).resolve(model)


def stream_images(
    draws: Draws, seamless: str | None, first: int = 0, on_row: OnBatchRow | None = None
) -> Iterator[Samples]:
    """Sample batch by batch, from the image `first` on; images that tile are finished together."""
    if seamless is None:
        yield from draws.stream(first, on_row)
    elif first < draws.count:  # they are written together, so either none or all are there
        from pointillist.completion.seamless import sample_tiling

        sides: Any = seamless
        yield sample_tiling(draws, sides, on_row)
