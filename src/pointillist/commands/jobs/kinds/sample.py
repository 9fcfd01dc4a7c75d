"""Sample many images: image i depends on (seed, i) alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, describe_model
from pointillist.commands.sampling.settings import COUNT, SEED, SampleSettings

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class SampleJobSettings(JobSettings, SampleSettings):
    """Settings of a job that samples images: the options of `pointillist sample`, without its outputs.

    Attributes:
        n: number of images; of each label or prompt, where they are given.
        seed: image i depends on (seed, i) alone.
    """

    left_out: ClassVar[frozenset[str]] = frozenset(
        {
            *("hint_from_image", "seamless", "rules", "verbose"),
            *("out", "form", "palette", "animate", "force", "as_json"),
        }
    )
    n: int = COUNT.field()
    seed: int = SEED.field(0)


class SampleJob(JobKind):
    """Sample images; see `pointillist.sample`."""

    count: int
    skipped: dict[str, str]
    needs_torch: bool
    item_bytes: int

    Settings: ClassVar[type[SampleJobSettings]] = SampleJobSettings

    def __init__(self, settings: SampleJobSettings) -> None:
        from pointillist.commands.sampling.source import TUNED, open_model, plan_images, plan_sheet

        opened = open_model(settings)
        if opened.needs_torch:
            import torch

            torch.set_num_threads(settings.threads)
        model = opened.model
        sheet = plan_sheet(model, settings)
        self._draws = plan_images(opened, settings, sheet, settings.seed)
        self.count, self.skipped, self.needs_torch = sheet.total, {}, opened.needs_torch
        self.item_bytes = 64 + math.prod((model.image.channels, *self._draws.size)) * (1 + (model.image.levels > 256))
        config = self._draws.config
        self.facts: dict[str, Any] = {
            "model": describe_model(model.fingerprint, model.image, model.classes),
            "size": list(self._draws.size),
            "engine": config.engine,
            "order": config.order,
            "sampling": {name: getattr(config, name) for name in TUNED},
            "labelled": sheet.labels is not None,
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Sample a batch."""
        import numpy as np

        result = self._draws.draw(start, stop)
        dtype = np.uint8 if result.image.levels <= 256 else np.uint16
        arrays = {"levels": result.levels.astype(dtype), "nats": result.nats, "labels": result.labels}
        return arrays if result.gain is None else {**arrays, "gain": result.gain}

    def warm_up(self) -> None:
        """Sample an image without conditions: the engine compiles."""
        from pointillist.sampling.request import Request

        config = self._draws.config
        engine, order, threads = config.engine, config.order, config.threads
        Request.of(1, seed=0, engine=engine, order=order, threads=threads).resolve(self._draws.model).draw(0, 1)

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write `NAME.npz`, as `pointillist sample` does."""
        import numpy as np

        from pointillist.commands.jobs.state import check_suffix
        from pointillist.commands.sampling.archive import write_npz
        from pointillist.images import ImageSpec

        check_suffix(out, ".npz")
        facts = manifest["facts"]
        image = ImageSpec(**facts["model"]["image"]).resized(*facts["size"])
        classes = facts["model"]["classes"] if facts["labelled"] else []
        known = [(part["item"], part["nats"], part["labels"]) for part in parts]  # the levels are far more
        numbers, nats, labels = (np.concatenate(column) for column in zip(*known, strict=True))
        levels = (part["levels"].tobytes() for part in parts)
        write_npz(out, levels, nats, labels, image, classes, numbers if parts.total < parts.count else None)
        return {"images": len(nats), "bits_per_dim": float(-nats.mean() / math.log(2) / image.dims)}


KIND = SampleJob
