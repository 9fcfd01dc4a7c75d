"""Evaluate the likelihood of many images; an image that cannot be read is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, model_facts, open_job_model
from pointillist.commands.measurement.settings import EvaluateSettings

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class EvaluateJobSettings(JobSettings, EvaluateSettings):
    """Settings of a job that evaluates images: options of `pointillist evaluate`, without its metrics and outputs."""

    left_out: ClassVar[frozenset[str]] = frozenset(
        {
            "mixture",
            "max_images",
            "per_image",
            "as_json",
            "condition_metrics",
            "retrieval_candidates",
            "retrieval_repeats",
            "captions",
            "captions_file",
            "caption_prior",
            "memorization",
            "precision",
            "code_length",
            "force",
        }
    )


class EvaluateJob(JobKind):
    """Compute the likelihood of each image; see `pointillist.evaluate`."""

    count: int
    skipped: dict[str, str]

    Settings: ClassVar[type[EvaluateJobSettings]] = EvaluateJobSettings

    def __init__(self, settings: EvaluateJobSettings) -> None:
        from pointillist.data import load_data
        from pointillist.distributions.transform import check_guidance
        from pointillist.evaluation.likelihood import check_guided, resolve_orders
        from pointillist.model.batches import BatchReader
        from pointillist.model.folder.image_sources import resolve_data_options, select_split

        model = open_job_model(settings)
        check_guidance(settings.guidance)
        options = resolve_data_options(model, settings.data, settings.set, labels=not settings.no_labels)
        options = options.changed(skip_bad=True)
        if options.size is None and Path(settings.data).is_dir():  # a picture of another size is rejected by itself
            options = options.changed(size=(model.image.height, model.image.width), resize_mode="require")
        classes = model.classes if options.labels else ()
        split, images = select_split(
            load_data(settings.data, options, spec=model.image, classes=classes), settings.split
        )
        self._reader = BatchReader(model, images, None, settings.text, engine=settings.engine)
        check_guided(model, self._reader, settings.guidance, settings.batch_size)
        self._model, self._orders, self._guidance = model, resolve_orders(model, settings.order), settings.guidance
        self._scorer = self._reader.open_scorer(settings.batch_size)
        self._files = images.files
        self.count, self.skipped = len(images), images.skipped
        self.facts: dict[str, Any] = {
            "model": model_facts(model),
            "images": images.fingerprint,
            "split": split,
            "engine": self._scorer.engine,
            "orders": [order.name for order in self._orders],
            "order": settings.order or self._orders[0].name,
            "dims": model.image.channels * self._reader.height * self._reader.width,
            "notes": list(self._reader.notes),
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Compute the negative log-likelihood of a batch under each order, in nats."""
        import numpy as np

        from pointillist.evaluation.likelihood import negative_log_likelihoods

        levels, inputs = self._reader.read(start, stop)
        nats = negative_log_likelihoods(self._scorer, levels, inputs, self._orders, self._guidance)
        files = {} if self._files is None else {"path": np.array(self._files[start:stop], np.str_)}
        return {"nats": nats.T.copy(), **files}

    def warm_up(self) -> None:
        """Score an image, if the integer program scores: a pass of the network compiles nothing."""
        import numpy as np

        if self.facts["engine"] == "integer":
            shape = (1, self._model.image.channels, self._reader.height, self._reader.width)
            self._scorer.unchecked_log_prob_map(np.zeros(shape, np.int64), None)

    def name(self, item: int) -> str | None:
        """Return the file of an image."""
        return None if self._files is None else self._files[item]

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write the likelihood of each image, as `pointillist evaluate --per-image` does."""
        import numpy as np

        from pointillist.commands.jobs.state import check_suffix
        from pointillist.evaluation.likelihood import Evaluation, combine_orders

        check_suffix(out, ".csv")
        output = list(parts)
        nats = np.concatenate([part["nats"] for part in output]).T
        files = [name for part in output for name in part.get("path", np.empty(0, np.str_)).tolist()]
        facts = manifest["facts"]
        by_order = dict(zip(facts["orders"], nats.mean(1).tolist(), strict=True))
        result = Evaluation.of(
            combine_orders(nats, facts["order"]),
            facts["dims"],
            notes=tuple(facts["notes"]),
            order=facts["order"],
            nats_by_order=by_order,
            guidance=manifest["settings"]["guidance"],
            split=facts["split"],
            engine=facts["engine"],
        )
        result.write_csv(out, files or None)
        names = ("count", "split", "engine", "bits_per_dim", "nats", "dims")
        return {**{name: getattr(result, name) for name in names}, "interval_95": list(result.interval)}


KIND = EvaluateJob
