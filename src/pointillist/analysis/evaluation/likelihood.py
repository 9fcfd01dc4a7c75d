"""Exact likelihood of images under a model, with or without guidance, in nats and in bits per dimension."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np

from pointillist.conditioning import Label
from pointillist.errors import ConfigError, check_whole
from pointillist.files.arrays import Summary
from pointillist.files.progress import Bar
from pointillist.files.suggestions import AnsweredNames
from pointillist.files.writing import atomic_path, open_table
from pointillist.images.array_types import Float
from pointillist.model.batches import BatchReader, EvaluationTask, QueryKwargs, select_images
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel, scorer_of

Z95 = 1.959963984540054  # two-sided 95 % of a normal distribution


@dataclass(frozen=True, kw_only=True)
class Evaluation(AnsweredNames, Summary):
    """The likelihood of a set of images.

    ```python
    evaluation = pt.evaluate(model, digits.test)
    print(f"{evaluation.bits_per_dim:.4f} bits/dim, {evaluation.nats:.2f} nats")
    ```

    Attributes:
        nats: mean negative log-likelihood of an image, in nats.
        bits_per_dim: the same per sub-pixel, in bits.
        interval: 95 % confidence interval of `bits_per_dim` (normal, over images); NaN for one image.
        count: number of images.
        dims: sub-pixels of an image.
        nats_per_image: negative log-likelihood of each image, in nats, `[count]`.
        notes: how the images were read (levels, binarisation, subsets).
        order: name of the generation order, or `average` or `each`; see `combine_orders`.
        nats_by_order: mean negative log-likelihood under each order that was run, in nats.
        nats_by_model: likelihood under each model of a mixture, in nats; empty for one model.
        guidance: guidance scale of the distribution that was evaluated; 1 is the model itself.
        split: split that was chosen of several; None where images were given.
        engine: `integer` for the likelihood of the integer program, `torch` for the model in floating point.
    """

    usual_variable: ClassVar[str] = "evaluation"
    _summary = "count bits_per_dim nats dims order guidance engine nats_by_order nats_by_model interval_95=interval"

    nats: float
    bits_per_dim: float
    interval: tuple[float, float]
    count: int
    dims: int
    nats_per_image: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()
    order: str = "raster"
    nats_by_order: Mapping[str, float] = field(default_factory=dict)
    nats_by_model: tuple[float, ...] = ()
    guidance: float = 1.0
    split: str | None = None
    engine: str = "torch"

    @classmethod
    def of(cls, nats_per_image: Float[np.ndarray, " n"], dims: int, **facts: Any) -> Evaluation:
        """Compute the means from the negative log-likelihood of each image, in nats; `facts` are other fields."""
        scale, count = dims * math.log(2), len(nats_per_image)
        mean = float(nats_per_image.mean())
        spread = float(nats_per_image.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return cls(
            nats=mean,
            bits_per_dim=mean / scale,
            interval=((mean - Z95 * spread) / scale, (mean + Z95 * spread) / scale),
            count=count,
            dims=dims,
            nats_per_image=nats_per_image,
            **facts,
        )

    @classmethod
    def of_orders(
        cls,
        nats: Float[np.ndarray, "o n"],
        dims: int,
        orders: Sequence[str],
        order: str,
        notes: Sequence[str],
        **facts: Any,
    ) -> Evaluation:
        """Combine negative log-likelihoods under several orders, in nats; see `combine_orders` for `order`."""
        by_order = dict(zip(orders, nats.mean(1).tolist(), strict=True))
        return cls.of(
            combine_orders(nats, order), dims, order=order, notes=tuple(notes), nats_by_order=by_order, **facts
        )

    def write_csv(self, path: Path, files: Sequence[str] | None) -> None:
        """Write nats and bits per dimension of each image, and its file, in the order of the data set."""
        with atomic_path(path) as temporary, open_table(temporary) as file:
            writer = csv.writer(file)
            writer.writerow(["index", *(["file"] if files else []), "nats", "bits_per_dim"])
            for index, nats in enumerate(self.nats_per_image.tolist()):
                name = [files[index]] if files else []
                writer.writerow([index, *name, f"{nats:.6f}", f"{nats / (self.dims * math.log(2)):.6f}"])

    def __str__(self) -> str:
        low, high = self.interval
        interval = f" (95 % {low:.4f} to {high:.4f})" if low <= high else ""  # one image has none
        return (
            f"{self.bits_per_dim:.4f} bits/dim{interval}, {self.nats:.3f} nats an image, "
            f"{self.count:,} image{'s' * (self.count != 1)}{'' if self.split is None else f' ({self.split})'} "
            f"of {self.dims:,} dims{', integer program' * (self.engine == 'integer')}"
        )

    def __repr__(self) -> str:
        return f"Evaluation({self})"


def evaluate(
    model: LikelihoodModel | str | Path | Sequence[LikelihoodModel | str | Path],
    x: Any,
    label: Label = None,
    text: Any = None,
    *,
    batch_size: int = 64,
    seed: int = 0,
    guidance: float = 1.0,
    **query: Unpack[QueryKwargs],
) -> Evaluation:
    """Compute the likelihood of images, independent of `batch_size`.

    A model with an integer program is scored by it, as it samples by default. Any other, and every model with
    `engine="torch"`, is scored in float32, whatever it was trained in.

    Args:
        model: a model, or the name or folder of one; or a list of them for the likelihood of their mixture, which draws
            one of them uniformly for each image; see `mixture_nats`.
        x: a data set; splits, of which test, else valid, else all images are taken; a folder, file or name, as for
            `load_data`, held out as a whole unless the model was trained on it, as by the command; levels `[n c h w]`;
            or PIL images. A data set has its own conditions, matched by name.
        label, text, query: conditions of levels, or in place of the data set's; and `order` and `engine`, see
            `QueryKwargs`. The order may also be `average` or `each`, see `combine_orders`.
        seed: seed of dynamic binarisation, which is drawn once.
        guidance: guidance scale of the distribution to evaluate, as in `sample`; see `guided_log_probs`.

    Returns:
        mean and confidence interval, in nats and bits per dimension.

    Raises:
        DataError, ShapeError, ConfigError: if the images or conditions do not fit the model.

    Example:
        data = pt.load_data("uci-digits")
        print(pt.evaluate(pt.load("runs/digits"), data.test))
    """
    if isinstance(model, Sequence) and not isinstance(model, str):
        if not model:
            raise ConfigError("A mixture needs a model or more in the list, and this one is empty.")
        return _of_mixture(
            [
                evaluate(each, x, label, text, batch_size=batch_size, seed=seed, guidance=guidance, **query)
                for each in model
            ]
        )
    check_whole("seed", seed, 0)
    model = open_scored(model, query.get("engine", "auto"))
    scorer_of(model, query.get("engine", "auto"))  # an error before images are read
    split, x = select_images(model, x)
    task = EvaluationTask(BatchReader(model, x, label, text, seed=seed, **query), batch_size, guidance)
    parts = []
    with Bar("evaluating", task.reader.count) as bar:
        for start in range(0, task.reader.count, batch_size):
            parts.append(task.nats(start, start + batch_size))
            bar.show(start + parts[-1].shape[1])
    return Evaluation.of_orders(np.concatenate(parts, 1), split=split, **task.facts)


def _of_mixture(results: Sequence[Evaluation]) -> Evaluation:
    """Combine the evaluations of the same images under several models."""
    nats, first = np.stack([result.nats_per_image for result in results]), results[0]
    return Evaluation.of(
        mixture_nats(nats),
        first.dims,
        notes=first.notes,
        order=first.order,
        nats_by_model=tuple(result.nats for result in results),
        guidance=first.guidance,
        split=first.split,
        engine="integer" if all(result.engine == "integer" for result in results) else "torch",
    )


def combine_orders(nats: Float[np.ndarray, "o n"], order: str) -> Float[np.ndarray, " n"]:
    """Combine negative log-likelihoods under several orders into one for each image, in nats.

    `average` is -log mean_o p_o(x): the exact likelihood of the mixture that first draws an order uniformly and then
    samples in it. It is normalised, as every p_o is. `each` is the mean of -log p_o(x), never less than `average`
    (Jensen): the cost of an image when its order is drawn and known.

    Example:
        combine_orders(np.array([[10.0], [12.0]]), "each")  # [11.0]
    """
    if order != "average":
        mean: np.ndarray = nats.mean(0)
        return mean
    return mixture_nats(nats)


def mixture_nats(nats: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """Compute -log mean_m p_m(x) of each image from the negative log-likelihoods under several models, in nats.

    It is the exact likelihood of the mixture that draws a model uniformly, and then the image from it: normalised, as
    every p_m is, and at most log(m) above the lowest.

    Example:
        mixture_nats(np.array([[10.0], [12.0]]))  # [10.566]
    """
    least = nats.min(0)
    total: np.ndarray = least - np.log(np.exp(least - nats).mean(0))
    return total
