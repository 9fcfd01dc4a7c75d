"""Invert sampling: the uniforms that give an image, and uniforms near them.

An image follows from its uniforms by inverse CDF, sub-pixel by sub-pixel. So the uniforms of an image are known up to
an interval each: u lies in [F(x - 1), F(x)), where F is the distribution that its level x was drawn from. Sampling with
such uniforms gives the image again; with some of them, or with uniforms near them, it gives a variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from pointillist.conditioning import Label
from pointillist.engine.head.transform import transform_frequencies
from pointillist.engine.program import IntArray
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import ConfigError, EngineError, Range, ShapeError
from pointillist.files.arrays import number_array
from pointillist.files.suggestions import arguments
from pointillist.images.array_types import Float, Int
from pointillist.model.folder.image_sources import single_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import SampleKwargs
from pointillist.sampling.draws import Draws, guided_inputs
from pointillist.sampling.request import Request
from pointillist.sampling.uniforms import INTERVAL_TOLERANCE, UniformIntervals, Uniforms, seed_of

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel

_MOST_REPAIRS = 200
_STRENGTH = Range(0, 1, "lie in 0 to 1: 0 keeps the image")


def recover_uniforms(
    model: LikelihoodModel | str | Path,
    image: Any,
    label: Label = None,
    text: Any = None,
    *,
    seed: int = 0,
    **settings: Unpack[SampleKwargs],
) -> Float[np.ndarray, "1 c h w"]:
    """Find uniforms from which `sample` draws an image, by inverting its distributions.

    Args:
        model: a model, or the name or folder of one.
        image: levels `[c h w]`, a PIL image or a path.
        label, text: conditions with which it is to be sampled.
        seed: chooses the uniforms, within the interval that gives each level.
        settings: further conditions and sampling settings, as for `sample`; the model's own where left out.

    Returns:
        one number in [0, 1) for each sub-pixel; the image was sampled from them and compared.

    Raises:
        ConfigError: if a level has probability zero under the settings.
        EngineError: if the engine does not draw the image from any uniforms.
        ShapeError, DataError: naming the argument that is wrong.

    Example:
        uniforms = pt.recover_uniforms("digits", "three.png", label=3)
        pt.sample("digits", 1, label=3, uniforms=uniforms).levels  # the levels of three.png
    """
    opened = open_scored(model, settings.get("engine", "auto"))
    x = single_image(opened, image)
    request = replace(Request.of(1, label, text, seed=seed, **settings), size=(x.shape[2], x.shape[3]))
    return invert(request.resolve(opened), x)


def invert(draws: Draws, x: Int[np.ndarray, "1 c h w"]) -> Float[np.ndarray, "1 c h w"]:
    """Find uniforms from which a resolved request for one image draws the levels `x`; see `recover_uniforms`.

    Example:
        invert(Request(conditions=[{"label": 3}], seed=0).resolve(model), x)
    """
    if draws.config.best_of != 1:
        raise ConfigError(f"`best_of` (={draws.config.best_of}) chooses between images: leave it out to invert one.")
    intervals = UniformIntervals.of(x.shape, draws.config.transform)
    part = draws.part(np.arange(1))
    if isinstance(draws.scorer, ProgramModel):
        _invert_program(draws.scorer, x, part, intervals)
    else:
        from pointillist.sampling.pixel import invert_floats

        inputs = part.inputs, part.reference
        invert_floats(cast("PixelModel", draws.scorer), x, inputs, draws.config, intervals)

    def draw(uniforms: np.ndarray) -> Int[np.ndarray, "1 c h w"]:
        return replace(draws, uniforms=Uniforms(None, uniforms, uniforms.shape[1:])).draw(0, 1).levels

    return _repaired(intervals, part.uniforms.of([0]), x, draws.model.generation_rank(*draws.size, draws.order), draw)


def _invert_program(
    scorer: ProgramModel, x: Int[np.ndarray, "1 c h w"], draws: Draws, intervals: UniformIntervals
) -> None:
    """Note the intervals of an image under an integer program, in integers."""
    size, order = draws.size, draws.order
    encoded, transform = guided_inputs(scorer, draws)
    copies = 1 + transform.is_guided

    def inverted(steps: ProgramStepper) -> IntArray:
        raster_row, raster_column, channel = steps.site
        row, column = order.site(raster_row, raster_column, *size)
        level = int(x[0, channel, row, column])
        cdf = transform_frequencies(steps.frequencies(), transform)[0].cumsum().astype(np.float64)
        intervals.note(channel, row, column, level, cdf)
        return np.full(copies, level)

    scorer.steps(copies, size, encoded, order).visit(inverted)


def _repaired(
    intervals: UniformIntervals,
    shares: np.ndarray,
    levels: np.ndarray,
    order: np.ndarray,
    draw: Callable[[np.ndarray], np.ndarray],
) -> Float[np.ndarray, "1 c h w"]:
    """Move uniforms whose interval is narrower than the rounding of the engine, until it draws the image."""
    uniforms = intervals.choose(shares)
    low, high = np.maximum(intervals.low - INTERVAL_TOLERANCE, 0), np.minimum(intervals.high + INTERVAL_TOLERANCE, 1)
    for _ in range(_MOST_REPAIRS):
        result = draw(uniforms)
        wrong = np.argwhere(result != levels)
        if not len(wrong):
            return uniforms
        # later differences may follow from the first one
        index = tuple(wrong[np.lexsort((wrong[:, 1], order[wrong[:, 2], wrong[:, 3]]))[0]])
        if result[index] < levels[index]:
            low[index] = uniforms[index]
        else:
            high[index] = uniforms[index]
        uniforms[index] = min((low[index] + high[index]) / 2, np.nextafter(1.0, 0.0))
    raise EngineError(
        "The uniforms of this image cannot be found: one of its levels is so improbable that no number draws it."
    )


@arguments(strength=_STRENGTH)
def interpolate_uniforms(
    uniforms: Float[np.ndarray, "*shape"], others: Float[np.ndarray, "*shape"], strength: float
) -> Float[np.ndarray, "*shape"]:
    """Mix two arrays of independent uniforms to one that is uniform again, as correlated normal variables.

    Args:
        strength: 0 gives `uniforms`, 1 gives `others`.

    Raises:
        ConfigError, ShapeError: if `strength` is not in [0, 1], or the arrays are not numbers of one shape.

    Sums, products, quotients and square roots alone, which IEEE 754 rounds in one way: the same bits on every computer,
    and in an exported page (`studio/page/offline/variations.js`).

    Example:
        interpolate_uniforms(pt.recover_uniforms(model, image), np.random.rand(1, 1, 28, 28), 0.2)
    """
    uniforms, others = _mixable(uniforms, others)
    if strength == 0:
        return uniforms.copy()
    quarter = np.pi / 2
    near, far = _sine((1 - strength) * quarter), _sine(strength * quarter)
    a, b = (_normal_quantile(np.clip(u, np.finfo(np.float64).tiny, _LARGEST_UNIFORM)) for u in (uniforms, others))
    return np.asarray(np.clip(_normal_cdf(near * a + far * b), 0.0, _LARGEST_UNIFORM))


@arguments(strength=_STRENGTH)
def replace_uniforms(
    uniforms: Float[np.ndarray, "*shape"], others: Float[np.ndarray, "*shape"], strength: float, seed: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Replace a share of uniforms, at random places, and keep the others as they are.

    Args:
        strength: probability that a uniform is replaced: 0 gives `uniforms`, 1 gives `others`.
        seed: chooses the places; a larger strength has all places of a smaller one.

    Raises:
        ConfigError, ShapeError: if `strength` is not in [0, 1], or the arrays are not numbers of one shape.

    Example:
        replace_uniforms(pt.recover_uniforms(model, image), np.random.rand(1, 1, 28, 28), 0.3)
    """
    uniforms, others = _mixable(uniforms, others)
    places = np.random.default_rng([seed_of(seed), 3]).random(np.shape(uniforms))
    return np.where(places < strength, others, uniforms)


def _mixable(uniforms: Any, others: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check two arrays of numbers of one shape."""
    first = number_array("uniforms", uniforms, "an array of numbers in [0, 1)")
    second = number_array("others", others, "an array of numbers in [0, 1)")
    if first.shape != second.shape:
        raise ShapeError(f"`others` of shape {second.shape} must be {first.shape}, the shape of `uniforms`.")
    return first, second


_LARGEST_UNIFORM = float(np.nextafter(1.0, 0.0))
_LOG_2 = 0.6931471805599453


def _coefficients(text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in text.split())


# numerators and denominators of Wichura 1988, "Algorithm AS 241: The Percentage Points of the Normal Distribution"
_CENTRE = (
    _coefficients(
        "2509.0809287301227 33430.57558358813 67265.7709270087 45921.95393154987 "
        "13731.69376550946 1971.5909503065513 133.14166789178438 3.3871328727963665"
    ),
    _coefficients(
        "5226.495278852854 28729.085735721943 39307.89580009271 21213.794301586597 "
        "5394.196021424751 687.1870074920579 42.31333070160091 1.0"
    ),
)
_SIDE = (
    _coefficients(
        "0.0007745450142783414 0.022723844989269184 0.2417807251774506 1.2704582524523684 "
        "3.6478483247632045 5.769497221460691 4.630337846156546 1.4234371107496835"
    ),
    _coefficients(
        "1.0507500716444169e-09 0.0005475938084995345 0.015198666563616457 0.14810397642748008 "
        "0.6897673349851 1.6763848301838038 2.053191626637759 1.0"
    ),
)
_TAIL = (
    _coefficients(
        "2.0103343992922881e-07 2.7115555687434876e-05 0.0012426609473880784 0.026532189526576124 "
        "0.29656057182850487 1.7848265399172913 5.463784911164114 6.657904643501103"
    ),
    _coefficients(
        "2.0442631033899397e-15 1.421511758316446e-07 1.8463183175100548e-05 0.0007868691311456133 "
        "0.014875361290850615 0.1369298809227358 0.599832206555888 1.0"
    ),
)
# Hart 1968, "Computer Approximations", 5666; West 2005, "Better approximations to cumulative normal functions"
_BELOW_ZERO = (
    _coefficients(
        "0.0352624965998911 0.700383064443688 6.37396220353165 33.912866078383 "
        "112.079291497871 221.213596169931 220.206867912376"
    ),
    _coefficients(
        "0.0883883476483184 1.75566716318264 16.064177579207 86.7807322029461 "
        "296.564248779674 637.333633378831 793.826512519948 440.413735824752"
    ),
)


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Evaluate a polynomial by Horner's rule, from the highest power on."""
    total = np.zeros_like(x)
    for coefficient in coefficients:
        total = total * x + coefficient
    return total


def _ratio(pair: tuple[tuple[float, ...], tuple[float, ...]], x: np.ndarray) -> np.ndarray:
    return np.asarray(_polynomial(pair[0], x) / _polynomial(pair[1], x))


def _normal_quantile(p: np.ndarray) -> np.ndarray:
    """Return the number below which a standard normal variable lies with probability p, in (0, 1)."""
    q = p - 0.5
    root = np.sqrt(-_log(np.where(q <= 0, p, 1 - p)))
    outer = np.where(root <= 5, _ratio(_SIDE, root - 1.6), _ratio(_TAIL, root - 5))
    return np.where(np.abs(q) <= 0.425, q * _ratio(_CENTRE, 0.180625 - q * q), np.where(q < 0, -outer, outer))


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    """Return the probability that a standard normal variable lies below x."""
    z = np.minimum(np.abs(x), 37.0)  # beyond, no normal number of float64 is small enough
    fraction = z + 0.65
    for number in (4.0, 3.0, 2.0, 1.0):
        fraction = z + number / fraction
    within = z < 7.07106781186547
    below = _exp_of_minus(z * z / 2) * np.where(within, _ratio(_BELOW_ZERO, z), 1 / (fraction * 2.506628274631))
    return np.where(x > 0, 1 - below, below)


def _log(x: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of normal numbers of float64: 2^e (1 + s) / (1 - s), by the series of atanh."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa, exponent = np.where(small, 2 * mantissa, mantissa), exponent - small
    s = (mantissa - 1) / (mantissa + 1)
    return np.asarray(exponent * _LOG_2 + 2 * s * _polynomial(tuple(1 / k for k in range(23, 0, -2)), s * s))


def _exp_of_minus(y: np.ndarray) -> np.ndarray:
    """Return exp(-y) for y from 0 to 700: 2^-k times a Taylor series around 0."""
    k = np.floor(y / _LOG_2 + 0.5)
    rest, total = y - k * _LOG_2, np.ones_like(y)
    for n in range(14, 0, -1):
        total = 1 - total * rest / n
    return np.asarray(np.ldexp(total, -k.astype(np.int32)))


def _sine(x: float) -> float:
    """Return the sine of an angle from 0 to pi / 2, by its Taylor series."""
    total = 1.0
    for n in range(22, 0, -2):
        total = 1 - total * x * x / (n * (n + 1))
    return x * total
