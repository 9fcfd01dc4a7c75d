"""Read images for a model batch by batch with their conditions, and score them, with or without guidance, in nats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image

from pointillist.conditioning import NO_LABEL, ConditionInputs, ConditionKwargs, ConditionReaders, Label, match_names
from pointillist.data import DataSplits, ImageDataset
from pointillist.distributions.transform import Transform
from pointillist.errors import CheckpointError, DataError, ShapeError, check_whole, counted
from pointillist.files.arrays import as_array, is_tensor
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.images.ordering import PixelOrder
from pointillist.images.pictures import sum_images
from pointillist.model.folder.image_sources import read_splits, resolve_data_options
from pointillist.model.protocols import LikelihoodModel
from pointillist.system import check_memory


def dataset_conditions(model: LikelihoodModel, data: ImageDataset) -> ConditionReaders:
    """Return what reads the conditions of batches of a data set; what the data set does not have is unknown.

    Raises:
        ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
    """
    if len(data):
        # names what does not fit before any work is done: no caption is encoded, and no encoder loaded, for that
        model.conditions.from_batch(replace(data.batch([0]), texts=None))
    reader = model.conditions.prompt_reader
    if data.texts is not None and reader is not None and reader.vectors is not None:
        reader.vectors.keep(text for text in data.texts if text.strip())  # on disk, once they are encoded
    return model.conditions


def match_labels(model: LikelihoodModel, data: ImageDataset) -> Int[np.ndarray, " n"]:
    """Number the labels of a data set as the model does, by class name; `NO_LABEL` without labels.

    Raises:
        ConfigError: if the data set has a class that the model does not know.
    """
    classes = model.classes
    if not classes or data.labels is None:
        return np.full(len(data), NO_LABEL)
    numbers: np.ndarray = match_names(data.classes, classes, "Class")[np.asarray(data.labels)]
    return numbers


class QueryKwargs(ConditionKwargs, total=False):
    """Conditions besides `label` and `text`, the order and the engine: keywords of `evaluate`, `explain` and views.

    ```python
    ImageQuery.of(model, x, label="6", order="raster", engine="torch")
    ```

    Attributes:
        order: one of the model's orders; None for its first.
        engine: `auto` takes the integer program where the model has one for images of this size (`quantize_integer`),
            `integer` needs one, `torch` computes in floating point, where the model is.
    """

    order: str | None
    engine: str


class BatchReader:
    """Levels and conditions of images `start .. stop`, for one model, and what scores them.

    Args:
        model: the model that reads the images.
        x: a data set, or levels `[n c h w]`. A data set has its own conditions, matched by name.
        label, text, further: conditions of levels, or in place of the data set's; see `ModelConditions.inputs`.
        seed: seed of dynamic binarisation.
        order, engine: see `QueryKwargs`.

    Attributes:
        model: the model.
        order: name of the order, as passed.
        count: number of images.
        height, width: size of an image.
        notes: notes on how the data set was read.

    Raises:
        ShapeError, DataError, ConfigError: if the images or conditions do not fit the model.

    Example:
        reader = BatchReader(model, data)
        x, inputs = reader.read(0, 64)
    """

    model: LikelihoodModel
    order: str | None
    count: int
    height: int
    width: int

    def __init__(
        self,
        model: LikelihoodModel,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        seed: int = 0,
        order: str | None = None,
        engine: str = "auto",
        **further: Unpack[ConditionKwargs],
    ) -> None:
        self.model, self._seed, self.order, self._engine = model, seed, order, engine
        self._data: ImageDataset | None = None
        self.notes: tuple[str, ...] = ()
        if isinstance(x, ImageDataset):
            check_spec(model, x)
            self._data, self._conditions, self.notes = x, dataset_conditions(model, x), x.notes
            self.count, self.height, self.width = len(x), x.spec.height, x.spec.width
        else:
            self._levels = _level_batch(model, x)
            self.count, _, self.height, self.width = self._levels.shape
        keywords = {name for name, value in {"label": label, "text": text, **further}.items() if value is not None}
        self._passed = {name for name, reader in model.conditions.readers.items() if reader.keyword in keywords}
        count = self.count if self._data is None or keywords else 0  # a map for every image would take memory
        self._inputs = model.conditions.inputs(label, count, text, size=(self.height, self.width), **further)
        if text is not None:
            from pointillist.model.vocabulary import literal_prompts

            literal_prompts(model, text, self.count)

    def open_scorer(self, batch_size: int) -> LikelihoodModel:
        """Return what scores the images, once a batch of them is known to fit in memory.

        Raises:
            ConfigError, EngineError, ShapeError: as `scorer_of`, and if they do not fit.
        """
        check_whole("batch_size", batch_size, 1)
        scorer = self.model.scorer(self._engine, (self.height, self.width))
        if scorer.engine == "torch":  # a program holds a few rows of the images
            from pointillist.model.memory import evaluation_memory

            model: Any = self.model
            size = min(batch_size, self.count), self.height, self.width
            evaluation_memory(model).check("The likelihood of", size, device=model.device, error=ShapeError)
        return scorer

    def read(self, start: int, stop: int) -> tuple[Int[np.ndarray, "b c h w"], ConditionInputs]:
        """Return levels of the model, and conditions of images `start .. stop`."""
        return self.read_at(np.arange(start, min(stop, self.count)))

    def read_at(self, index: Int[np.ndarray, " b"]) -> tuple[Int[np.ndarray, "b c h w"], ConditionInputs]:
        """Return levels and conditions as `read`, of the images with these numbers."""
        if self._data is None:
            return self.model.check_array(self._levels[index]), self._inputs[index]
        batch = self._data.batch(index, seed=self._seed)
        stored = self._conditions.from_batch(batch)
        passed = self._inputs[index] if self._passed else stored
        parts = {name: (passed if name in self._passed else stored).parts[name] for name in self._inputs.parts}
        return batch.levels, ConditionInputs(len(index), parts)


def check_spec(model: LikelihoodModel, data: ImageDataset) -> None:
    """Check that the integers of a data set mean the same as the model's, and that the model takes their size.

    Raises:
        DataError, ShapeError: naming what differs and the remedy.
    """
    check_kind(model, data)
    model.check_size(data.spec.height, data.spec.width)


def check_kind(model: LikelihoodModel, data: ImageDataset) -> None:
    """Check that the integers of a data set, of any size, mean the same as the model's.

    Raises:
        DataError: naming what differs and the remedy.
    """
    ours, theirs = model.image, data.spec
    for name, a, b in (
        ("channels", ours.channels, theirs.channels),
        ("levels", ours.levels, theirs.levels),
        ("ordered levels", *("yes" if spec.ordered else "no" for spec in (ours, theirs))),
        ("palette", ours.palette, theirs.palette),
        ("level names", ours.level_names, theirs.level_names or ours.level_names),
    ):
        if a != b:
            short = {"palette": "another palette than", "level names": "other names of levels than"}
            shown = f"{short[name]} the model" if name in short else f"{name}: {b} where the model has {a}"
            raise DataError(
                f"{data.name} has {shown}; read it as the model's own kind of image ({ours.mode}, "
                f"{counted(ours.channels, 'channel')}, {ours.levels:,} levels), in Python with "
                "`load_data(..., spec=model.image)`."
            )


def _level_batch(model: LikelihoodModel, x: Any) -> Shaped[np.ndarray, "n c h w"]:
    """Return the levels of pictures, or levels as an array; their values are not checked."""
    levels = model.image.level_array(x) if model.image.is_picture(x) else as_array(x)
    if not levels.size and levels.ndim == 1:
        raise DataError("There is no image to read: the list is empty.")
    if levels.ndim != 4:
        raise ShapeError(
            f"Levels of shape {levels.shape} must be (n, c, h, w): convert pictures with `model.to_levels`."
        )
    return levels


def select_images(model: LikelihoodModel, x: Any) -> tuple[str | None, ImageDataset | Shaped[np.ndarray, "n c h w"]]:
    """Return what `BatchReader` reads for a data set, splits, a source of `load_data`, levels or PIL images.

    Returns:
        The name of the split that was chosen, None where there was no choice; and a data set or levels.

    Raises:
        DataError, ConfigError: if a source cannot be read as images of the model.
    """
    if not (isinstance(x, (ImageDataset, DataSplits, Image.Image, np.ndarray, list, tuple)) or is_tensor(x)):
        named = isinstance(x, (str, Path)) and hasattr(model, "training_record")
        options = resolve_data_options(model, str(x), (), labels=True) if named else None  # as the commands do
        x = read_splits(model, x, options)
    if isinstance(x, DataSplits):
        return x.natural()
    return None, x if isinstance(x, ImageDataset) else _level_batch(model, x)


class EvaluationTask:
    """Images whose likelihood is computed range by range, in a call or in the tasks of a job.

    ```python
    task = EvaluationTask(BatchReader(model, data.test), batch_size=64)
    Evaluation.of_orders(task.nats(0, len(data.test)), **task.facts)
    ```

    Args:
        reader: reads the images and their conditions.
        batch_size: images at once.
        guidance: guidance scale.

    Raises:
        DataError, ShapeError, ConfigError: if a batch does not fit in memory, or no image has a condition to guide by.
    """

    reader: BatchReader

    def __init__(self, reader: BatchReader, batch_size: int, guidance: float = 1.0) -> None:
        if reader.count == 0:
            raise DataError("There is no image to evaluate: the data set is empty.")
        self.reader, self._guidance = reader, guidance
        self._scorer, model = reader.open_scorer(batch_size), reader.model
        if Transform(guidance).is_guided:  # of most data sets the first batch has a condition
            starts = range(0, reader.count if model.conditions.readers else 0, batch_size)
            conditional = any(reader.read(start, start + batch_size)[1].is_conditional for start in starts)
            model.conditions.check_guided(guidance, conditional=conditional)
        names = model.orders if str(reader.order) in ("average", "each") else (reader.order,)
        self._orders = [model.order(name) for name in names]

    def nats(self, start: int, stop: int) -> Float[np.ndarray, "o b"]:
        """Compute the negative log-likelihood of images `start .. stop` under each order, in nats."""
        x, inputs = self.reader.read(start, stop)
        scored = [guided_log_likelihoods(self._scorer, x, inputs, (self._guidance,), each)[0] for each in self._orders]
        return -np.stack(scored)

    @property
    def facts(self) -> dict[str, Any]:
        """Settings and sizes, which `Evaluation.of_orders` takes besides the likelihoods; values of JSON."""
        names = [order.name for order in self._orders]
        return {
            "dims": self.reader.model.image.channels * self.reader.height * self.reader.width,
            "orders": names,
            "order": self.reader.order or names[0],
            "notes": list(self.reader.notes),
            "guidance": self._guidance,
            "engine": self._scorer.engine,
        }


def guided_log_probs(
    model: LikelihoodModel,
    x: Int[np.ndarray, "b c h w"],
    inputs: ConditionInputs,
    guidances: Sequence[float],
    order: PixelOrder | None = None,
) -> list[Float[np.ndarray, "b c h w"]]:
    """Compute the log-probability of each sub-pixel given those before it, under several guidance scales, in nats.

    log p is proportional to log p_u + g (log p_c - log p_u) over the levels of each sub-pixel, normalised: the
    distribution that `sample` draws from with guidance g (Ho & Salimans 2022, arXiv 2207.12598). 1 is the model
    itself, 0 the unconditional model. Scales below 1 weaken the conditioning. All take two passes of the network.

    Args:
        model: scores images for an engine (`PixelModel.scorer`).
        x: levels that the model has checked (`PixelModel.check_array`).
        inputs: conditions of the images.
        order: generation order; None for the model's first.

    Raises:
        DataError: if the probabilities of all levels do not fit in the free memory.

    Example:
        x = model.check_array(levels)
        guided_log_probs(model.scorer(), x, model.conditions.inputs("cat", len(x)), [0.5])[0].sum((1, 2, 3))
    """
    transforms = [Transform(guidance) for guidance in guidances]
    if not any(transform.is_guided for transform in transforms):
        return [model.unchecked_log_prob_map(x, inputs, order)] * len(guidances)
    needed = x[:, 0].size * model.image.levels * 9 * 8  # nine tables of float64 at once, as measured
    check_memory(needed, f"The likelihood of {counted(len(x), 'image')} under guidance", "take a smaller batch size")
    distributions = model.distributions(x, inputs, order)
    dropped = inputs.guidance_reference()
    # one image repeated for several conditions needs a single pass without any
    distinct = x[:1] if len(x) and not x.strides[0] and not dropped.is_conditional else x
    once = model.distributions(distinct, dropped[: len(distinct)], order).params
    reference = model.distributions_from(np.broadcast_to(once, (len(x), *once.shape[1:])), x)
    result = []
    for transform in transforms:
        if not transform.is_guided:
            result.append(distributions.log_prob())
            continue
        maps = []
        for channel in range(x.shape[1]):
            probs = distributions.drawn_from(channel, transform, reference)
            maps.append(np.log(np.take_along_axis(probs, x[:, channel : channel + 1], 1)[:, 0]))
        result.append(np.stack(maps, 1))
    return result


def guided_log_likelihoods(
    model: LikelihoodModel,
    x: Int[np.ndarray, "b c h w"],
    inputs: ConditionInputs,
    guidances: Sequence[float],
    order: PixelOrder | None = None,
) -> list[Float[np.ndarray, " b"]]:
    """Compute the log-likelihood of each image under each of several guidance scales, in nats, float64.

    Raises:
        CheckpointError: if one is not a number.
    """
    result = [sum_images(log_probs) for log_probs in guided_log_probs(model, x, inputs, guidances, order)]
    for nats in result:
        check_likelihood(nats)
    return result


def check_likelihood(nats: Shaped[np.ndarray, " n"]) -> None:
    """Reject likelihoods that are not a number: the weights of the model overflow.

    ```python
    check_likelihood(model.log_prob(x).sum((1, 2, 3)))
    ```

    Raises:
        CheckpointError: if there is one.
    """
    if np.isnan(nats).any():
        raise CheckpointError(
            "The likelihood under this model is not a number, because its weights overflow: train it again with a "
            "smaller `optimizer.lr`, or load another model."
        )
