"""The likelihood of batches of images under a model, with or without guidance, in nats. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.transform import Transform
from pointillist.errors import CheckpointError, DataError, counted
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.images.ordering import PixelOrder
from pointillist.images.pictures import sum_images
from pointillist.model.batches import BatchReader
from pointillist.model.protocols import LikelihoodModel
from pointillist.system import check_memory


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
    check_guided_memory(x, model.image.levels)
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


def check_guided_memory(x: Int[np.ndarray, "b c h w"], levels: int) -> None:
    """Raise a `DataError` if the probabilities of all levels of images under guidance do not fit in the free memory."""
    needed = x[:, 0].size * levels * 9 * 8  # nine tables of float64 at once, as measured
    check_memory(needed, f"The likelihood of {counted(len(x), 'image')} under guidance", "take a smaller batch size")


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
