"""Models that are sampled from their stored integer program: by label, prompt and hint, without torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pointillist.checkpoint.header import CONFIG, read_config
from pointillist.conditioning.hint import HintReader
from pointillist.conditioning.label import NO_LABEL
from pointillist.conditioning.text import parse_prompts
from pointillist.conditioning.text_encoders import EmbeddingCache, embedding_cache
from pointillist.data.tilemaps import Tileset
from pointillist.engine.batch import check_memory
from pointillist.engine.program import IntArray
from pointillist.errors import CheckpointError, ConfigError
from pointillist.images import ImageSpec
from pointillist.images.ordering import PixelOrder
from pointillist.model.generation import GenerationConfig
from pointillist.model.tileset import read_tileset
from pointillist.portable import DrawTransform, IntegerModel, load
from pointillist.portable.model import join_inputs
from pointillist.portable.storage import has_program
from pointillist.sampling.arrays import SampleArrays
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.uniforms import check_count, seeded_uniforms
from pointillist.system import default_threads

_BYTES = 5 * 8  # of a sub-pixel, apart from the program: see `sampling.api`
OnBatchRow = Callable[[int, int, IntArray], None]


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model folder that is sampled from its integer program, and whose weights are not read.

    ```python
    model = StoredModel.open(Path("digits"))
    config = SamplingConfig(temperature=0.9)
    levels = next(model.stream(4, label=[3] * 4, seed=0, config=config)).levels
    ```

    Attributes:
        exact: the integer model.
        image: meaning of its integers.
        generation_config: sampling settings that suit it.
        training_record: how it was trained.
        tileset: pictures of its levels; None if there are none.
    """

    integer_model: IntegerModel
    image: ImageSpec
    generation_config: GenerationConfig
    training_record: dict[str, Any]
    tileset: Tileset | None

    @classmethod
    def open(cls, folder: Path) -> StoredModel:
        """Open a model folder.

        Raises:
            CheckpointError: if it holds no integer program, or is damaged.
        """
        integer_model, config = load(folder), read_config(folder)
        try:
            image = ImageSpec(**config["image"])
        except (ValidationError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / CONFIG} describes no images: copy the whole folder again.") from error
        if (*image.shape, image.levels) != (
            integer_model.channels,
            integer_model.height,
            integer_model.width,
            integer_model.levels,
        ):
            raise CheckpointError(
                f"{folder / CONFIG} and the integer program beside it do not belong together: copy both."
            )
        training = config.get("training")
        return cls(
            integer_model=integer_model,
            image=image,
            generation_config=GenerationConfig.read(folder),
            training_record=training if isinstance(training, dict) else {},
            tileset=read_tileset(folder, image.levels),
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return self.integer_model.classes

    @property
    def prompt_vectors(self) -> EmbeddingCache | None:
        """Vectors of the frozen sentence encoder; None for a model without one."""
        result = (part.prompts for part in self.integer_model.parts[0] if part.prompts is not None)
        one = next((prompts for prompts in result if prompts.encoder), None)
        return None if one is None else embedding_cache(one.encoder, one.fingerprint)

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model without, or whose program cannot encode it."""
        return next((part.hints.reader for part in self.integer_model.parts[0] if part.hints is not None), None)

    def has_size(self, size: tuple[int, int] | None) -> bool:
        """Return True if images of a size can be sampled: maps of conditions are stored for the model's own."""
        own = size is None or size == (self.image.height, self.image.width)
        return own or not any(part.kind == "map" for parts in self.integer_model.parts for part in parts)

    def stream(
        self,
        n: int,
        label: Sequence[int] | None = None,
        text: str | Sequence[str] | None = None,
        *,
        hint: Any = None,
        seed: int,
        config: SamplingConfig,
        size: tuple[int, int] | None = None,
        first: int = 0,
        on_row: OnBatchRow | None = None,
    ) -> Iterator[SampleArrays]:
        """Sample images as `sampling.api.stream` does on engine `integer`, to the bit.

        Args:
            label, text, hint, seed, config, size: see `StoredPlan.of`.
            first: the first image to sample, a multiple of `batch_size`.
            on_row: called with the images finished before a batch, the rows done, and the levels of the batch.

        Raises:
            ConfigError, ShapeError: naming the argument that is wrong.
        """
        plan = StoredPlan.of(self, n, label, text, hint=hint, seed=seed, config=config, size=size)
        for start in range(first, n, config.batch_size):
            yield plan.draw(start, min(n, start + config.batch_size), on_row)


@dataclass(frozen=True, kw_only=True)
class StoredPlan:
    """Images that are to be sampled from a stored integer program, as `sampling.api.SamplePlan` is of a model.

    ```python
    plan = StoredPlan.of(model, 1000, label=[3] * 1000, seed=0, config=SamplingConfig())
    plan.draw(64, 128).nats  # of the images 64 to 127
    ```

    Attributes:
        model: the stored model.
        labels: label of each image; None where none were given.
        texts, negatives: prompt and negative prompt of each image; None where there is none.
        hint: condition image of each image, `[n c h w]`; None where there is none.
        seed, config, size: see `of`.
        order: generation order.
    """

    model: StoredModel
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
        model: StoredModel,
        n: int,
        label: Sequence[int] | None = None,
        text: str | Sequence[str] | None = None,
        *,
        hint: Any = None,
        seed: int,
        config: SamplingConfig,
        size: tuple[int, int] | None = None,
    ) -> StoredPlan:
        """Check the arguments of `StoredModel.stream`.

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
            model=model, labels=label, texts=texts, negatives=negatives, seed=seed, config=config,
            hint=None if hint is None or reader is None else reader.read(hint, n, (height, width)),
            size=(height, width), order=model.integer_model.order(config.order),
        )  # fmt: skip

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
        guided = config.guidance != 1 and conditional
        if guided:
            inputs = join_inputs(inputs, integer_model.inputs(count, self.size, self.order, None, avoided))
        shape = (self.model.image.channels, *self.size)
        levels, nats = integer_model.sample_given(
            seeded_uniforms(self.seed, range(start, stop), shape),
            inputs,
            self.order,
            DrawTransform(config.guidance, config.temperature, config.top_p, guided),
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
) -> StoredModel | None:
    """Open the integer program of a model folder if a command samples from it by default; None if it does not.

    It does where a program is stored, numba can compile it, and no option needs torch. The choice
    is made here for `pointillist sample` and `pointillist jobs sample`, so that both give the same images. `pt.sample`
    of a loaded model runs the model itself, whose likelihood is `model.log_prob`: docs/decisions, 0049.

    Args:
        folder: of the model; None for a model that is in memory only.
        engine: as given; `auto` and `integer` permit it.
        size: height and width of the images; None for the model's own.
        plain: False if a vector, attributes, rules, tiling, `best_of`, a device or a quantization is given.
        hint: whether a hint is given, which the stored program must be able to encode.
    """
    if not plain or engine not in ("auto", "integer") or folder is None or not has_program(folder):
        return None
    if find_spec("numba") is None:
        return None
    stored = StoredModel.open(folder)
    return stored if stored.has_size(size) and (stored.hint_reader is not None or not hint) else None
