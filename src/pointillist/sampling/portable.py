"""Sample a stored integer program: by label, prompt and hint, within rules, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from pointillist.conditioning.label import NO_LABEL, label_numbers
from pointillist.conditioning.prompts import parse_prompts
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.model.folder.portable import PortableModel
from pointillist.portable.conditions import KnownValues
from pointillist.portable.model import join_inputs
from pointillist.portable.stages import Inputs
from pointillist.portable.storage import has_program
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.generative import Drawn, ImageRequest, OnRow
from pointillist.sampling.uniforms import Uniforms
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


class PortableSampler:
    """Images of a stored integer program; see `ImageSampler`.

    Raises:
        ConfigError, DataError, ShapeError: if a condition does not fit the model.
    """

    def __init__(self, model: PortableModel, request: ImageRequest) -> None:
        integers, n = model.integer_model, request.n
        order = integers.order(request.config.order)
        self._model, self._order, self._size = model, order, request.size
        self.config: SamplingConfig = replace(request.config, engine="integer", order=order.name)
        integers.check_size(*request.size)
        self._further: dict[str, KnownValues] = {}
        for name, value in request.conditions.items():
            if name != "hint" and value is not None:
                self._further[name] = KnownValues(*integers.encoder(name, value).read(value, n, request.size))
        hint, reader = request.conditions.get("hint"), model.hint_reader
        if hint is not None and reader is None:
            raise ConfigError("`hint` is given, and this model takes none: leave it out.")
        self._labels = None if request.label is None else label_numbers(request.label, model.classes, n, "label")
        self._texts, self._negatives = parse_prompts(request.text, n), parse_prompts(request.config.negative_prompt, n)
        self._hint = None if hint is None or reader is None else reader.read(hint, n, request.size)

    @property
    def is_conditional(self) -> bool:
        """True if any image has a label, or another condition that is not a prompt."""
        return (
            self._hint is not None
            or bool(self._further)
            or (self._labels is not None and bool((self._labels != NO_LABEL).any()))
        )

    def batch(self, start: int, stop: int) -> PortableBatch:
        """Prepare the images `start .. stop`."""
        integers = self._model.integer_model
        values: list[Any] = [self._labels, self._texts, self._negatives, self._hint]
        labels, texts, negatives, hint = (None if value is None else value[start:stop] for value in values)
        count = stop - start
        further = {name: values[start:stop] for name, values in self._further.items()}
        inputs = integers.inputs(count, self._size, self._order, labels, texts, hint, **further)
        numbers = np.full(count, NO_LABEL) if labels is None else labels
        conditional = (
            hint is not None or bool(further) or bool((numbers != NO_LABEL).any()) or _is_prompted(texts, negatives)
        )
        transform = self.config.transform if conditional else self.config.transform.unguided()
        reference = None
        if transform.is_guided:
            reference = integers.guidance_reference(count, self._size, self._order, labels, texts, negatives)
        return PortableBatch(self, range(start, stop), numbers, transform, inputs, reference)

    def draw(
        self,
        uniforms: Float[np.ndarray, "n c h w"],
        inputs: Inputs,
        transform: Transform,
        mask: LevelMask | None,
        on_row: OnRow | None,
    ) -> Drawn:
        """Draw images from uniforms, under conditions as integers."""
        levels, nats = self._model.integer_model.sample_given(
            uniforms,
            inputs,
            self._order,
            transform,
            mask=mask,
            on_row=on_row,
            threads=self.config.threads or default_threads(),
        )
        return Drawn(levels, nats)

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of images without conditions, in nats."""
        integers = self._model.integer_model
        return integers.log_prob(levels, integers.inputs(len(levels), self._size, self._order), self._order)


class PortableBatch:
    """A batch of images of a stored integer program; see `BatchSampler`."""

    def __init__(
        self,
        sampler: PortableSampler,
        images: range,
        labels: IntArray,
        transform: Transform,
        inputs: Inputs,
        reference: Inputs | None,
    ) -> None:
        self._sampler, self._images, self.labels, self._transform = sampler, np.array(images), labels, transform
        self._inputs, self._reference = inputs, reference

    def draw(
        self, rows: IntArray, uniforms: Uniforms, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> Drawn:
        """Draw the images with these numbers in the batch."""
        inputs = _rows(self._inputs, rows)
        if self._reference is not None:
            inputs = join_inputs(inputs, _rows(self._reference, rows))
        return self._sampler.draw(uniforms.of(self._images[rows]), inputs, self._transform, mask, on_row)

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""
        return self._sampler.unconditional_nats(levels)


def _rows(inputs: Inputs, rows: IntArray) -> dict[str, IntArray]:
    return {name: array[rows] for name, array in inputs.items()}


def _is_prompted(*prompts: Sequence[str] | None) -> bool:
    return any(text.strip() for texts in prompts for text in texts or ())


def open_portable(
    folder: Path | None, engine: str, size: tuple[int, int] | None = None, *, conditions: Sequence[str] = ()
) -> PortableModel | None:
    """Open the integer program of a model folder if a command samples from it by default; None if it does not.

    It does where a program is stored, unless its measured cost makes floating point the default. With torch,
    `pt.sample` runs the same program, and gives the same images.

    Args:
        folder: of the model; None for a model that is in memory only.
        engine: as given; `auto` and `integer` permit it.
        size: height and width of the images; None for the model's own.
        conditions: keywords of the conditions that are given, which the stored program must be able to encode.
    """
    if engine not in ("auto", "integer") or folder is None or not has_program(folder):
        return None
    model = PortableModel.open(folder)
    if engine == "auto" and model.integer_cost is not None and not model.integer_cost.is_default:
        return None
    encoders = [part.encoder for part in model.integer_model.parts[0]]
    keywords = {encoder.keyword for encoder in encoders if encoder is not None}
    return model if model.has_size(size) and keywords.issuperset(conditions) else None
