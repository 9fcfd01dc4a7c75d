"""Make the integer model of a pixel model: record, calibrate on training images, rewrite in integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.conditioning import ConditionEncoder, ConditionInputs, HashedTokenEncoder, PortableEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.known import OBSERVED
from pointillist.conditioning.portable import GridFeatures, LevelTable, StoredWeights
from pointillist.data import DataSplits
from pointillist.engine.head.tables import LOGIT_STEP, MIN_LOG_SCALE
from pointillist.engine.program import Instruction, IntArray, Program
from pointillist.engine.recording.record import record
from pointillist.engine.rewrite.builder import is_constant_map
from pointillist.engine.rewrite.make import Batch, rewrite_grid, rewrite_to_integers
from pointillist.engine.weights import inference_mode
from pointillist.errors import ConfigError, DataError, EngineError, not_a_model
from pointillist.files.suggestions import checked_keywords
from pointillist.images.ordering import PixelOrder
from pointillist.model.batches import BatchReader, select_images
from pointillist.model.folder.opening import load_weights
from pointillist.model.integer import condition_features
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable import IntegerPart, ProgramModel
from pointillist.model.portable.conditions import LOGITS_OF_MARGINALS, StoredConditions, quantize_inputs
from pointillist.model.portable.files import with_fingerprint
from pointillist.model.recorded import record_stage
from pointillist.nn import Condition
from pointillist.system import single_threaded

Chosen = Sequence[tuple[IntArray, ConditionInputs]]
"""Batches of levels and conditions for the calibration."""
PIXELS = 8 * 28 * 28
"""Pixels that are calibrated together, which bounds the memory."""


@checked_keywords
def quantize_integer(model: PixelModel | str | Path, data: Any, *, images: int = 64) -> ProgramModel:
    """Rewrite a model in integers, calibrated on training images, and attach the result to the model.

    The result is a separate model with its own likelihood (`model.integer_model().log_prob`). It gives the same
    bits on any machine, one pixel after the other or all at once. `model.save_pretrained` stores it, and
    `engine="integer"` runs it.

    Args:
        model: a model, or the name or folder of one; it is not changed otherwise.
        data: training images, as for `evaluate`; of splits, the training images are taken.
        images: number of images of the calibration, spread evenly over the data.

    Raises:
        EngineError: if the network, its likelihood or a condition cannot be exact, or the model has several stages; the
            message names it.
        DataError, ConfigError: if the images do not fit the model.

    Example:
        ```python
        model = pt.load("runs/digits")
        pt.quantize_integer(model, pt.load_data("uci-digits"))
        model.save_pretrained("digits-integer")
        ```
    """
    if isinstance(model, (str, Path)):
        model = load_weights(model)
    if not isinstance(model, PixelModel):
        raise not_a_model(model)
    integer_model = make_integer_model(model, data, images=images)
    model.attach_integer_model(integer_model)
    return integer_model


def make_integer_model(model: PixelModel, data: Any, *, images: int) -> ProgramModel:
    """Make the integer model as `quantize_integer` does, and leave the model as it is.

    Args:
        model, data, images: as for `quantize_integer`.

    Raises:
        EngineError, DataError, ConfigError: as `quantize_integer`.

    Example:
        ```python
        make_integer_model(model, digits, images=16).fingerprint
        ```
    """
    if images < 1:
        raise ConfigError(f"`images` (={images}) must be at least 1.")
    _, x = (None, data.train) if isinstance(data, DataSplits) else select_images(model, data)
    reader = BatchReader(model, x)
    if reader.count == 0:
        raise DataError("There is no image to calibrate on: the data set is empty.")
    if model.stage_count(reader.height, reader.width) > 1:
        raise EngineError(
            f"{model.config.model_type} generates an image in stages, and integer programs have one: sample and score "
            "it in floating point, with the engine auto."
        )
    with inference_mode(model), single_threaded():
        return with_fingerprint(_make(model, reader, images))


def _make(model: PixelModel, reader: BatchReader, images: int) -> ProgramModel:
    size = reader.height, reader.width
    chosen = [(x, _prompted(model, _revealed(inputs))) for x, inputs in spread(reader, images)]
    groups: list[_Recorded] = []
    for order in (model.order(name) for name in model.config.orders):
        recorded = _record(model, chosen, order, size)
        for group in groups:
            if _same(group.program, recorded.program):
                group.orders.append(order)
                group.batches.extend(recorded.batches)
                break
        else:
            groups.append(recorded)
    programs = tuple(_rewrite(model, group) for group in groups)
    parts = tuple(_parts(model, program, chosen) for program in programs)
    return ProgramModel(
        image=model.image,
        fixed_size=model.fixed_size or any(program.size is not None for program in programs),
        programs=programs,
        program_numbers={order.name: n for n, group in enumerate(groups) for order in group.orders},
        parts=parts,
        conditions=StoredConditions(parts[0], model.image),
        source=model.fingerprint,
    )


@dataclass(frozen=True)
class _Recorded:
    """Orders that share a program: the recorded program, and the batches of its calibration."""

    program: Program
    orders: list[PixelOrder]
    batches: list[Batch]


def spread(reader: BatchReader, images: int) -> Iterator[tuple[IntArray, ConditionInputs]]:
    """Read `images` in batches, spread evenly over the images of a reader: files are often sorted by class.

    ```python
    for levels, inputs in spread(BatchReader(model, digits), 64):
        ...
    ```
    """
    chosen = np.linspace(0, reader.count - 1, min(images, reader.count)).astype(int)
    together = max(1, PIXELS // (reader.height * reader.width))
    for start in range(0, len(chosen), together):
        yield reader.read_at(chosen[start : start + together])


def _revealed(inputs: ConditionInputs) -> ConditionInputs:
    """Reveal pixels for a model that completes images: none, half of them, or all around a hole, image by image."""
    if OBSERVED not in inputs.parts or inputs.parts[OBSERVED].known.any():
        return inputs
    part = inputs.parts[OBSERVED]
    count, _, height, width = shape = tuple(part.values.shape)
    known = np.zeros(shape, bool)
    known[1::3] = (np.random.default_rng(0).random(shape) < 0.5)[1::3]
    known[2::3] = True
    known[2::3, :, height // 4 : height - height // 4, width // 4 : width - width // 4] = False
    return ConditionInputs(count, {**inputs.parts, OBSERVED: replace(part, known=known)})


def _prompted(model: PixelModel, inputs: ConditionInputs) -> ConditionInputs:
    """Give images without captions words that nobody wrote, for half of them: else no token has a range."""
    part, encoder = inputs.parts.get("tokens"), model.conditions.encoders.get("tokens")
    if part is None or part.known.any() or not isinstance(encoder, HashedTokenEncoder):
        return inputs
    texts = [" ".join(f"word{n}" for n in range(i, i + 64)) if i % 2 else "" for i in range(1, len(inputs) + 1)]
    tokens = encoder.reader.read(texts, len(inputs), (1, 1))
    return ConditionInputs(len(inputs), {**inputs.parts, "tokens": tokens})


def _condition(
    model: PixelModel, inputs: ConditionInputs | None, count: int, order: PixelOrder, size: Any
) -> Condition:
    return model.conditions.to_raster_frame(model.encode(inputs, count, size), order)


def _record(model: PixelModel, chosen: Chosen, order: PixelOrder, size: tuple[int, int]) -> _Recorded:
    (stage,), (_, inputs) = model.stages(*size), chosen[0]
    condition = _condition(model, inputs, len(inputs), order, size).image(0)
    program = record_stage(model, stage, condition, *order.raster_size(*size), order)
    return _Recorded(program, [order], [_batch(model, x, inputs, order) for x, inputs in chosen])


def _batch(model: PixelModel, x: IntArray, inputs: ConditionInputs, order: PixelOrder) -> Batch:
    """Return images in the raster frame of an order, and the features of their conditions."""
    condition = _condition(model, inputs, len(x), order, tuple(x.shape[2:]))
    return np.ascontiguousarray(order.array_to_raster(x)), condition_features(condition, len(x))


def _same(a: Program, b: Program) -> bool:
    """Return True if two orders run the same instructions with the same weights in their raster frames."""
    code, other = ([i for _, part in program.parts() for i in part] for program in (a, b))
    return (
        a.s_curve == b.s_curve
        and all(np.array_equal(_constant(a, key), _constant(b, key)) for key in a.inputs)
        and len(code) == len(other)
        and all(map(_same_instruction, code, other))
    )


def _same_instruction(a: Instruction, b: Instruction) -> bool:
    return (a.opcode, a.constants.keys()) == (b.opcode, b.constants.keys()) and all(
        np.array_equal(array, b.constants[name]) for name, array in a.constants.items()
    )


def _constant(program: Program, key: str) -> np.ndarray:
    """Return a map of the network itself; empty for a condition."""
    return program.inputs[key].default if is_constant_map(key) else np.zeros(0)


def _rewrite(model: PixelModel, group: _Recorded) -> Program:
    likelihood = model.likelihood
    return rewrite_to_integers(
        group.program,
        group.batches,
        model.level_embeddings().detach().cpu().numpy(),
        likelihood.name,
        ordered=model.image.ordered,
        channels=model.image.channels,
        mixtures=getattr(likelihood, "mixtures", 0),
        min_log_scale=round(getattr(likelihood, "min_log_scale", MIN_LOG_SCALE)),
    )


def _parts(model: PixelModel, program: Program, chosen: Chosen) -> tuple[IntegerPart, ...]:
    """Return what a stored model knows of its conditions: classes, orders, positions, and all else as unknown."""
    result = []
    for kind in ("vector", "map", "tokens"):
        if kind not in program.inputs:
            continue
        start, widths = 0, model.conditions.widths(kind)
        if kind == "tokens":  # of one encoder: all tokens, with their mask
            widths = dict.fromkeys(widths, program.inputs[kind].channels)
        for name, width in widths.items():
            rows, names = _rows(model, name, kind, slice(start, start + width))
            unit = program.inputs[kind].unit[start : start + width]
            integers = quantize_inputs(program, {kind: rows}, {kind: unit})[kind]
            encoder = _portable(model.conditions.encoders.get(name))
            part = IntegerPart(name, kind, integers, names, encoder)
            if isinstance(encoder, GridFeatures):
                part = _with_grid(
                    model.conditions.encoders[name], part, unit, [inputs.parts[name] for _, inputs in chosen]
                )
            result.append(part)
            start += width
    return tuple(result)


def _with_grid(encoder: Any, part: IntegerPart, unit: np.ndarray, values: list[MaskedValue]) -> IntegerPart:
    """Return a part with the program of its encoder, calibrated on values of images."""
    stored: Any = part.encoder
    if not any(value.known.any() for value in values):  # images alone bring no hints
        values = [_random(value, stored) for value in values]
    if stored.table.levels is None:
        largest = np.max([np.abs(np.asarray(value.values)).max(axis=(0, 2, 3)) for value in values], axis=0)
        stored = replace(stored, table=LevelTable.floats(largest))
    canvases = [stored.features(np.asarray(value.values), np.asarray(value.known)) for value in values]
    size = dict(zip(("height", "width"), canvases[0].shape[1:3], strict=True))
    recorded = record(encoder.with_marginals, num_sub_steps=1, canvas_width=len(stored.unit), order=None, **size)
    logits = recorded.params.channels - len(unit)
    unit = np.append(unit, np.full(logits, LOGITS_OF_MARGINALS * LOGIT_STEP))
    program = rewrite_grid(recorded, [canvas * stored.unit for canvas in canvases], stored.unit, unit)
    return replace(part, encoder=stored, program=program)


def _random(value: MaskedValue, encoder: GridFeatures) -> MaskedValue:
    """Return random values of images that are known as a whole."""
    rng, shape, table = np.random.default_rng(0), value.values.shape, encoder.table.levels
    values = rng.normal(size=shape) if table is None else rng.integers(0, len(table), shape)
    return replace(value, values=values, known=np.ones(value.known.shape, bool))


def _rows(model: PixelModel, name: str, kind: str, part: slice) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the features of each value of an encoder, the last of which is "unknown", and the values' names."""
    conditions = model.conditions
    if name == "order" and conditions.order is not None:
        return conditions.order.embedding.weight.detach().cpu().numpy(), conditions.order.orders
    names = conditions.encoders[name].named_values() if name in conditions.encoders else ()
    values: dict[str, Any] = {conditions.readers[name].keyword: [*range(len(names)), None]} if names else {}
    condition = model.encode(conditions.inputs(count=len(names) + 1, **values), len(names) + 1)
    return condition_features(condition, len(names) + 1)[kind][..., part], names


def _portable(encoder: ConditionEncoder | None) -> PortableEncoder | None:
    """Return what a stored model needs to encode a condition; None where it knows only "unknown" and named values."""
    if encoder is None:
        return None
    weights = {name: t.detach().cpu().numpy() for name, t in encoder.state_dict().items() if name != "absent"}
    return encoder.portable(StoredWeights(weights))
