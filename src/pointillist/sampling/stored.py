"""Models that are sampled from their stored integer program: by label, prompt and hint, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.conditioning.label import NO_LABEL
from pointillist.conditioning.prompts import parse_prompts
from pointillist.engine.batch import check_memory
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.portable import PortableModel
from pointillist.portable.model import join_inputs
from pointillist.portable.storage import has_program
from pointillist.sampling.arrays import SampleArrays
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.uniforms import check_count, seeded_uniforms
from pointillist.system import default_threads

_BYTES = 5 * 8  # of a sub-pixel, apart from the program: see `sampling.api`
OnBatchRow = Callable[[int, int, IntArray], None]


@dataclass(frozen=True, kw_only=True)
class StoredPlan:
    """Images that are to be sampled from a stored integer program, as `sampling.api.SamplePlan` is of a model.

    ```python
    plan = StoredPlan.of(model, 1000, label=[3] * 1000, seed=0, config=SamplingConfig())
    plan.draw(64, 128).nats  # of the images 64 to 127
    ```

    Attributes:
        model: the stored model.
        count: number of images.
        labels: label of each image; None where none were given.
        texts, negatives: prompt and negative prompt of each image; None where there is none.
        hint: condition image of each image, `[n c h w]`; None where there is none.
        seed, config, size: see `of`.
        order: generation order.
    """

    model: PortableModel
    count: int
    labels: Sequence[int] | None
    texts: Sequence[str] | None
    negatives: Sequence[str] | None
    hint: np.ndarray | None
    seed: int
    config: SamplingConfig
    size: tuple[int, int]
    order: PixelOrder

    @classmethod
    def of(
        cls,
        model: PortableModel,
        n: int,
        label: Sequence[int] | None = None,
        text: str | Sequence[str] | None = None,
        *,
        hint: Any = None,
        seed: int,
        config: SamplingConfig,
        size: tuple[int, int] | None = None,
    ) -> StoredPlan:
        """Check the arguments.

        Args:
            model, n: the stored model, and the number of images.
            label: one each; None for none.
            text: one for all images or one each; None for none.
            hint: one for all images or one each; see `HintReader.read`; None for none.
            seed: image i depends on (seed, i) alone.
            config: all of it but `engine` and `best_of` is used.
            size: height and width, instead of the model's own.

        Raises:
            ConfigError, DataError, ShapeError: naming the argument that is wrong.
        """
        check_count(n)
        height, width = size or (model.image.height, model.image.width)
        texts, negatives = parse_prompts(text, n), parse_prompts(config.negative_prompt, n)
        reader, count = model.hint_reader, min(n, config.batch_size)
        if hint is not None and reader is None:
            raise ConfigError("`hint` is given, and this model takes none: leave it out.")
        check_memory(model.image.channels * height * width * count * _BYTES, count, height, width)
        return cls(
            model=model, count=n, labels=label, texts=texts, negatives=negatives, seed=seed, config=config,
            hint=None if hint is None or reader is None else reader.read(hint, n, (height, width)),
            size=(height, width), order=model.integer_model.order(config.order),
        )  # fmt: skip

    def batches(self, first: int = 0, on_row: OnBatchRow | None = None) -> Iterator[SampleArrays]:
        """Sample batch by batch, from the image `first` on, a multiple of `batch_size`."""
        for start in range(first, self.count, self.config.batch_size):
            yield self.draw(start, min(self.count, start + self.config.batch_size), on_row)

    def draw(self, start: int, stop: int, on_row: OnBatchRow | None = None) -> SampleArrays:
        """Sample the images `start .. stop` as one batch."""
        integer_model, config, count = self.model.integer_model, self.config, stop - start
        labels = [NO_LABEL] * count if self.labels is None else list(self.labels[start:stop])
        prompts = None if self.texts is None else self.texts[start:stop]
        avoided = None if self.negatives is None else self.negatives[start:stop]
        given = None if self.labels is None else labels
        hint = None if self.hint is None else self.hint[start:stop]
        inputs = integer_model.inputs(count, self.size, self.order, given, prompts, hint)
        conditional = (
            hint is not None
            or any(one != NO_LABEL for one in labels)
            or any(one.strip() for one in (*(prompts or ()), *(avoided or ())))
        )
        transform = config.transform if conditional else config.transform.unguided()
        if transform.is_guided:
            inputs = join_inputs(inputs, integer_model.inputs(count, self.size, self.order, None, avoided))
        shape = (self.model.image.channels, *self.size)
        levels, nats = integer_model.sample_given(
            seeded_uniforms(self.seed, range(start, stop), shape),
            inputs,
            self.order,
            transform,
            on_row=None if on_row is None else (lambda done, x: on_row(start, done, x)),
            threads=config.threads or default_threads(),
        )
        return SampleArrays(
            levels=levels,
            nats=nats,
            bits_per_dim=-nats / (math.prod(shape) * math.log(2)),
            image=self.model.image.resized(*self.size),
            labels=np.array(labels, np.int64),
            texts=None if prompts is None else tuple(prompts),
            tileset=self.model.tileset,
        )


def open_stored(
    folder: Path | None, engine: str, size: tuple[int, int] | None = None, *, plain: bool = True, hint: bool = False
) -> PortableModel | None:
    """Open the integer program of a model folder if a command samples from it by default; None if it does not.

    It does where a program is stored and no option needs torch. With torch, `pt.sample` runs the
    same program, and gives the same images.

    Args:
        folder: of the model; None for a model that is in memory only.
        engine: as given; `auto` and `integer` permit it.
        size: height and width of the images; None for the model's own.
        plain: False if a vector, attributes, rules, tiling, `best_of`, a device or a quantization is given.
        hint: whether a hint is given, which the stored program must be able to encode.
    """
    if not plain or engine not in ("auto", "integer") or folder is None or not has_program(folder):
        return None
    stored = PortableModel.open(folder)
    return stored if stored.has_size(size) and (stored.hint_reader is not None or not hint) else None
