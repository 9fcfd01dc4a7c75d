"""Sample many images: image i depends on (seed, i) alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pointillist.jobs.base import Arrays, JobKind, JobSettings, model_facts, open_model

if TYPE_CHECKING:
    from pointillist.jobs.folder import Parts


class SampleSettings(JobSettings):
    """Settings of a job that samples images; as for `pointillist sample`.

    Attributes:
        n: number of images; of each label or prompt, where they are given.
        label: names or numbers, several with commas, or `each`.
        text, texts: prompts, and a file with a prompt on each line.
        negative_prompt, best_of, attribute, guidance, temperature, top_p, size, order, engine: see `SamplingConfig`.
        vector, hint: files of a condition vector (`.npy`) and of a condition image.
        seed: the same seed gives the same images.
    """

    n: int = Field(ge=1, description="Images; of each label or prompt, where they are given.")
    label: list[str] = Field([], description="Name or number, several with commas, or each for all.")
    text: list[str] = Field([], description="Prompt; several with semicolons, or repeat the option.")
    texts: str | None = Field(None, description="A file with a prompt on each line.")
    negative_prompt: str | None = Field(None, description="Prompt to steer away from, by guidance (above 1).")
    best_of: int = Field(1, ge=1, description="Sample N of each image; keep the best by its conditions.")
    attribute: list[str] = Field([], description="Such as hair=red; repeatable.")
    vector: str | None = Field(None, description="Condition vector, an .npy: one row for all images or one each.")
    hint: str | None = Field(None, description="Condition image: a picture, or an .npy.")
    guidance: float | None = Field(None, description="Classifier-free guidance scale. Default: the model's own.")
    temperature: float | None = Field(None, description="Sampling temperature. Default: the model's own.")
    top_p: float | None = Field(None, description="Nucleus sampling. Default: the model's own.")
    seed: int = Field(0, ge=0, description="The same seed gives the same images.")
    size: str | None = Field(None, description="Another size, 32 or 48x64, where the model allows it.")
    order: str | None = Field(None, description="Pixel generation order, one the model was trained on.")
    engine: str = Field("auto", description="auto, cpu, exact, cuda, fixed-point, numpy or naive.")


class SampleJob(JobKind):
    """Sample images; see `pointillist.sample`."""

    Settings = SampleSettings

    def __init__(self, settings: SampleSettings) -> None:
        from pointillist.data.options import parse_size
        from pointillist.sampling.api import SamplePlan
        from pointillist.sampling.prompts import SheetPlan, parse_labels, parse_texts
        from pointillist.sampling.stored import open_stored

        model, conditions = open_model(settings), _conditions(settings)
        plain = (settings.device, settings.quantize, settings.best_of, conditions) == ("cpu", None, 1, {})
        size = None if settings.size is None else parse_size(settings.size)
        exact = open_stored(model.exact_folder, settings.engine, size, plain=plain) is not None
        classes = model.config.classes
        prompts = parse_texts(settings.text, None if settings.texts is None else Path(settings.texts))
        sheet = SheetPlan.of(parse_labels(settings.label, classes), prompts, settings.n, classes)
        tuned = {name: getattr(settings, name) for name in ("guidance", "temperature", "top_p")}
        keywords: dict[str, Any] = {
            **{name: value for name, value in tuned.items() if value is not None},
            **{name: getattr(settings, name) for name in ("batch_size", "threads", "best_of", "order")},
            "engine": "exact" if exact else settings.engine,
            **conditions,
        }
        self._settings = settings
        self._plan = SamplePlan.of(
            model, sheet.total, sheet.labels, sheet.texts, seed=settings.seed, size=settings.size,
            negative_prompt=settings.negative_prompt, **keywords,
        )  # fmt: skip
        self.count, self.skipped = sheet.total, {}
        config = self._plan.config
        self.facts = {
            "model": model_facts(model),
            "size": list(self._plan.size),
            "engine": config.engine,
            "order": config.order,
            "sampling": {name: getattr(config, name) for name in tuned},
            "labelled": sheet.labels is not None,
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Sample a batch."""
        import numpy as np

        found = self._plan.draw(start, stop)
        dtype = np.uint8 if found.image.levels <= 256 else np.uint16
        arrays = {
            "levels": found.levels.numpy().astype(dtype), "nats": found.nats.numpy(), "labels": found.labels.numpy()
        }  # fmt: skip
        if found.gain is not None:
            arrays["gain"] = found.gain.numpy()
        return arrays

    def warm_up(self) -> None:
        """Sample an image without conditions: the engine compiles."""
        from pointillist.sampling.api import sample

        config = self._plan.config
        sample(self._plan.model, 1, seed=0, engine=config.engine, order=config.order, threads=config.threads)

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> list[tuple[str, str]]:
        """Write `NAME.npz`, as `pointillist sample` does."""
        import numpy as np

        from pointillist.images import ImageSpec
        from pointillist.jobs.merging import check_suffix
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


def _conditions(settings: SampleSettings) -> dict[str, Any]:
    """Read attributes, a vector and a hint."""
    from pointillist.data.array_files import load_npy
    from pointillist.data.picture_files import read_picture
    from pointillist.errors import ConfigError

    found: dict[str, Any] = {}
    pairs = [text.partition("=") for text in settings.attribute]
    for (name, equals, value), text in zip(pairs, settings.attribute, strict=True):
        if not equals or not name.strip() or not value.strip():
            raise ConfigError(f"`attribute` (={text!r}) must be NAME=VALUE, for example hair=red.")
    if pairs:
        found["attributes"] = {name.strip(): value.strip() for name, _, value in pairs}
    if settings.vector is not None:
        found["vector"] = load_npy(Path(settings.vector))
    if settings.hint is not None:
        path = Path(settings.hint)
        found["hint"] = load_npy(path) if path.suffix.lower() == ".npy" else read_picture(path, f"`hint` (={path})")
    return found


KIND = SampleJob
