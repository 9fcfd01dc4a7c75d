"""The work of a job that samples images: by a stored integer program without torch, or by a model that torch runs.

Everywhere `settings` are the `SampleJobSettings` of the job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pointillist.commands.jobs.base import describe_model, model_facts, open_job_model
from pointillist.commands.sampling.condition_files import read_conditions
from pointillist.commands.sampling.prompts import SheetPlan, parse_labels, parse_texts
from pointillist.data.options import parse_size
from pointillist.model.folder.portable import PortableModel
from pointillist.sampling.arrays import SampleArrays
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.stored import StoredPlan, open_stored
from pointillist.zoo import resolve

if TYPE_CHECKING:
    from pointillist.sampling.api import SamplePlan

TUNED = ("guidance", "temperature", "top_p")
"""Settings that a model has its own values of."""
_SHARED = ("batch_size", "threads", "order", "negative_prompt")


@dataclass(frozen=True)
class StoredWork:
    """Images of a stored integer program.

    Attributes:
        plan: what is sampled.
        sheet: number of images, with the label and the prompt of each.
    """

    plan: StoredPlan
    sheet: SheetPlan
    needs_torch = False

    @classmethod
    def of(cls, settings: Any, model: PortableModel, size: tuple[int, int] | None, hint: Any) -> StoredWork:
        """Plan the images."""
        sheet = _sheet(settings, model.classes)
        keywords = {**model.generation_config.sampling, **_tuned(settings)}
        config = SamplingConfig(engine="integer", **{name: getattr(settings, name) for name in _SHARED}, **keywords)
        config = replace(config, order=model.integer_model.order(config.order).name)
        plan = StoredPlan.of(
            model, sheet.total, sheet.labels, sheet.texts, hint=hint, seed=settings.seed, config=config, size=size
        )  # fmt: skip
        return cls(plan, sheet)

    @property
    def model_facts(self) -> dict[str, Any]:
        """Facts about the model for the manifest."""
        model = self.plan.model
        return describe_model(model.integer_model.fingerprint, model.image, model.classes)

    def draw(self, start: int, stop: int) -> SampleArrays:
        """Sample a batch."""
        return self.plan.draw(start, stop)

    def warm_up(self) -> None:
        """Sample an image without conditions."""
        StoredPlan.of(self.plan.model, 1, seed=0, config=replace(self.plan.config, negative_prompt=None)).draw(0, 1)


@dataclass(frozen=True)
class ModelWork:
    """Images of a model that torch runs; see `StoredWork`."""

    plan: SamplePlan
    sheet: SheetPlan
    needs_torch = True

    @classmethod
    def of(cls, settings: Any, conditions: dict[str, Any]) -> ModelWork:
        """Plan the images."""
        from pointillist.sampling.api import SamplePlan

        model = open_job_model(settings)
        sheet = _sheet(settings, model.config.classes)
        own = {name: getattr(settings, name) for name in (*_SHARED, "best_of", "engine")}
        keywords: dict[str, Any] = {**_tuned(settings), **own, **conditions}
        plan = SamplePlan.of(
            model, sheet.total, sheet.labels, sheet.texts, seed=settings.seed, size=settings.size, **keywords
        )  # fmt: skip
        return cls(plan, sheet)

    @property
    def model_facts(self) -> dict[str, Any]:
        """Facts about the model for the manifest."""
        return model_facts(self.plan.model)

    def draw(self, start: int, stop: int) -> SampleArrays:
        """Sample a batch."""
        return self.plan.draw(start, stop).numpy()

    def warm_up(self) -> None:
        """Sample an image without conditions."""
        from pointillist.sampling.api import sample

        config = self.plan.config
        sample(self.plan.model, 1, seed=0, engine=config.engine, order=config.order, threads=config.threads)


def open_work(settings: Any) -> StoredWork | ModelWork:
    """Open the model of a job as `pointillist sample` does, and plan the images.

    Raises:
        PointillistError: if the model cannot be opened, or a setting does not fit it.
    """
    vector, image = settings.vector, settings.hint
    conditions = read_conditions(settings.attribute, vector, image)
    hint = conditions.get("hint")
    plain = (settings.device, settings.quantize, settings.best_of) == ("cpu", None, 1) and conditions.keys() <= {"hint"}
    size = None if settings.size is None else parse_size(settings.size)
    stored = open_stored(resolve(settings.model), settings.engine, size, plain=plain, hint=hint is not None)
    return ModelWork.of(settings, conditions) if stored is None else StoredWork.of(settings, stored, size, hint)


def _sheet(settings: Any, classes: tuple[str, ...]) -> SheetPlan:
    """Return the label and the prompt of each image."""
    prompts = parse_texts(settings.text, settings.texts)
    return SheetPlan.of(parse_labels(settings.label, classes), prompts, settings.n, classes)


def _tuned(settings: Any) -> dict[str, float]:
    return {name: value for name in TUNED if (value := getattr(settings, name)) is not None}
