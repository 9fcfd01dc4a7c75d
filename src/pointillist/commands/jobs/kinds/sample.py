"""Sample many images: image i depends on (seed, i) alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings
from pointillist.commands.settings import REQUIRED, option

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class SampleJobSettings(JobSettings):
    """Settings of a job that samples images; as for `pointillist sample`.

    Attributes:
        n: number of images; of each label or prompt, where they are given.
        label: names or numbers, several with commas, or `each`.
        text, texts: prompts, and a file with a prompt on each line.
        negative_prompt, best_of, attribute, guidance, temperature, top_p, size, order, engine: see `SamplingConfig`.
        vector, hint: files of a condition vector (`.npy`) and of a condition image.
        seed: the same seed gives the same images.
    """

    n: int = option(REQUIRED, "N", "Images; of each label or prompt, where they are given.", low=1)
    label: tuple[str, ...] = option((), "VALUE", "Name or number, several with commas, or each for all.")
    text: tuple[str, ...] = option((), "VALUE", "Prompt; several with semicolons, or repeat the option.")
    texts: str | None = option(None, "VALUE", "A file with a prompt on each line.")
    negative_prompt: str | None = option(None, "VALUE", "Prompt to steer away from, by guidance (above 1).")
    best_of: int = option(1, "N", "Sample N of each image; keep the best by its conditions.", low=1)
    attribute: tuple[str, ...] = option((), "VALUE", "Such as hair=red; repeatable.")
    vector: str | None = option(None, "VALUE", "Condition vector, an .npy: one row for all images or one each.")
    hint: str | None = option(None, "VALUE", "Condition image: a picture, or an .npy.")
    guidance: float | None = option(None, "X", "Classifier-free guidance scale. Default: the model's own.")
    temperature: float | None = option(None, "X", "Sampling temperature. Default: the model's own.")
    top_p: float | None = option(None, "X", "Nucleus sampling. Default: the model's own.")
    seed: int = option(0, "N", "The same seed gives the same images.", low=0)
    size: str | None = option(None, "VALUE", "Another size, 32 or 48x64, where the model allows it.")
    order: str | None = option(None, "VALUE", "Pixel generation order, one the model was trained on.")
    engine: str = option("auto", "VALUE", "auto, cpu, integer, cuda, jacobi, numpy or naive.")


class SampleJob(JobKind):
    """Sample images; see `pointillist.sample`."""

    Settings = SampleJobSettings

    def __init__(self, settings: SampleJobSettings) -> None:
        from pointillist.commands.jobs.sampling import TUNED, open_work

        self._work = open_work(settings)
        plan = self._work.plan
        self.count, self.skipped, self.needs_torch = self._work.sheet.total, {}, self._work.needs_torch
        self.facts = {
            "model": self._work.model_facts,
            "size": list(plan.size),
            "engine": plan.config.engine,
            "order": plan.config.order,
            "sampling": {name: getattr(plan.config, name) for name in TUNED},
            "labelled": self._work.sheet.labels is not None,
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Sample a batch."""
        import numpy as np

        result = self._work.draw(start, stop)
        dtype = np.uint8 if result.image.levels <= 256 else np.uint16
        arrays = {"levels": result.levels.astype(dtype), "nats": result.nats, "labels": result.labels}
        return arrays if result.gain is None else {**arrays, "gain": result.gain}

    def warm_up(self) -> None:
        """Sample an image without conditions: the engine compiles."""
        self._work.warm_up()

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> list[tuple[str, str]]:
        """Write `NAME.npz`, as `pointillist sample` does."""
        import numpy as np

        from pointillist.commands.jobs.merging import check_suffix
        from pointillist.images import ImageSpec
        from pointillist.sampling.files import write_npz

        check_suffix(out, ".npz")
        facts = manifest["facts"]
        image = ImageSpec(**facts["model"]["image"]).resized(*facts["size"])
        classes = facts["model"]["classes"] if facts["labelled"] else []
        known = [(part["item"], part["nats"], part["labels"]) for part in parts]  # the levels are far more
        numbers, nats, labels = (np.concatenate(column) for column in zip(*known, strict=True))
        levels = (part["levels"].tobytes() for part in parts)
        write_npz(out, levels, nats, labels, image, classes, numbers if parts.total < parts.count else None)
        return [("images", f"{len(nats):,}"), ("bits/dim", f"{-nats.mean() / math.log(2) / image.dims:.4f}")]


KIND = SampleJob
