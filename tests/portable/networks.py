"""Small models with their integer models, for the tests of integer programs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.engine.executors import Inputs
from pointillist.engine.head.frequencies import Frequencies
from pointillist.images.ordering import PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable import ProgramModel
from pointillist.networks import names
from tests.integer_draws import steps_of
from tests.tolerances import FIXED_POINT

INTEGER_NETWORKS = tuple(name for name in names() if "multiscale" not in name)
"""Networks that have an integer program: those that do not sample in stages."""
_LOCAL_GAIN: dict[str, Any] = {"likelihood": "mixture", "mixtures": 2, "local_gain": True}
CASES: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"shape": (3, 5, 7), "levels": 16, "classes": ("cat", "dog"), "orders": ("raster", "raster-tr")},
    "gated-256": {"model_type": "gated-pixelcnn", "shape": (1, 6, 5), "levels": 256, "position_channels": 4},
    "gated-binary": {"model_type": "gated-pixelcnn", "shape": (1, 7, 4), "levels": 2},
    "pixelcnn": {"shape": (1, 4, 9), "levels": 4},
    "pixelcnn-codes": {"model_type": "pixelcnn", "shape": (2, 5, 5), "levels": 11, "ordered": False},
    "pixelcnn-pp": {"shape": (1, 9, 7), "levels": 16, "likelihood": "categorical", "classes": ("cat", "dog")},
    "pixelcnn-pp-rgb": {"model_type": "pixelcnn-pp", "shape": (3, 4, 5), "levels": 256, "likelihood": "mixture"},
    "photographs": {
        "model_type": "pixelcnn",
        "shape": (3, 6, 7),
        "levels": 256,
        "layers": 0,
        "mixtures": 3,
        "skip": False,
        "local_gain": True,
        "classes": ("cat", "dog"),
    },
    "photographs-grey": {"model_type": "gated-pixelcnn", "shape": (1, 5, 6), "levels": 64, **_LOCAL_GAIN},
    "thousand": {
        "model_type": "gated-pixelcnn",
        "shape": (3, 5, 6),
        "levels": 1000,
        **_LOCAL_GAIN,
        "mixtures": 3,
        "classes": ("cat", "dog"),
    },
    "sixteen-bits": {"model_type": "pixelcnn", "shape": (1, 6, 7), "levels": 65_536, **_LOCAL_GAIN, "mixtures": 4},
    "locally-masked-pixelcnn": {"shape": (1, 5, 6), "levels": 16, "orders": ("s-curve", "raster")},
    "pixelsnail": {"shape": (1, 4, 5), "levels": 8},
    "factored": {
        "model_type": "gated-pixelcnn",
        "shape": (2, 4, 5),
        "levels": 300,
        "ordered": False,
        "likelihood": "factored",
        "mixtures": 3,
    },
    "factored-map": {
        "model_type": "pixelcnn",
        "shape": (1, 3, 4),
        "levels": 5000,
        "ordered": False,
        "mixtures": 2,
        "classes": ("cat", "dog"),
    },
    "tokens": {
        "model_type": "gated-pixelcnn",
        "shape": (2, 5, 4),
        "levels": 4,
        "text": "learned+tokens",
        "classes": ("cat", "dog"),
    },
    "row-lstm": {"shape": (2, 4, 5), "levels": 8},
    "diagonal-bilstm": {"shape": (1, 5, 6), "levels": 8},
}


def build_case(name: str) -> tuple[PixelModel, torch.Tensor]:
    """Return a model with weights large enough to matter, and images of its kind."""
    settings = dict(CASES[name])
    torch.manual_seed(0)
    model = pt.build(settings.pop("model_type", name), preset="tiny", **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    if model.config.local_gain:  # noise is so unlikely around a prediction that integers have no frequency for it
        return model, pt.sample(model, 3, seed=0, engine="numpy").torch()
    return model, torch.randint(0, settings["levels"], (3, *settings["shape"]))


@cache
def _kept(name: str) -> tuple[PixelModel, ProgramModel, torch.Tensor]:
    model, x = build_case(name)
    return model, pt.quantize_integer(model, x), x


def integer_case(name: str, *, fresh: bool = False) -> tuple[PixelModel, ProgramModel, torch.Tensor]:
    """Return a model, its integer model, and the images of the calibration; a fresh one may be changed."""
    return _kept.__wrapped__(name) if fresh else _kept(name)


def few_images(name: str) -> np.ndarray:
    """Return the images of a case; three rows of one where each step has tables of thousands of levels."""
    x: np.ndarray = integer_case(name)[2].numpy()
    return x if CASES[name]["levels"] < 10_000 else x[:1, :, :3]


def check_features(model: ProgramModel, actual: np.ndarray, expected: np.ndarray) -> None:
    """Compare features with those of torch, `[n, h, w, d]`, which may exceed what the program holds."""
    unit = model.programs[0].inputs["map"].unit[: expected.shape[-1]]
    errors = np.abs(actual - expected.clip(-128 * unit, 127 * unit))
    assert errors.mean() < FIXED_POINT, errors.mean()
    assert errors.max() < 16 * FIXED_POINT, errors.max()


def features_of(model: ProgramModel, value: Any, count: int, size: tuple[int, int]) -> np.ndarray:
    """Compute the features of a map for the value that a user gives for `count` images of a size."""
    part = next(part for part in model.parts[0] if part.program is not None)
    assert part.encoder is not None
    unit = model.programs[0].inputs["map"].unit[: part.rows.shape[-1]]
    return part.encoded(unit, part.encoder.reader.read(value, count, size)) * unit


def check_steps(
    integer_model: ProgramModel,
    x: np.ndarray,
    inputs: Inputs,
    order: PixelOrder,
    due: tuple[np.ndarray, np.ndarray],
    executor: str,
) -> None:
    """Compare the frequencies of one sub-pixel after the other with the intervals of whole images, to the bit."""
    pixels, starts, sizes = (order.array_to_raster(array) for array in (x, *due))
    steps = steps_of(integer_model, len(x), (x.shape[2], x.shape[3]), inputs, order, executor=executor)
    while not steps.done:
        row, column, channel = steps.site
        found = steps.frequencies()
        assert found.min() >= 1
        assert (found.sum(1) == 2**steps.program.head.precision).all()
        start, size = Frequencies(found).interval(pixels[:, channel, row, column])
        assert np.array_equal(start, starts[:, channel, row, column])
        assert np.array_equal(size, sizes[:, channel, row, column])
        steps.observe(pixels[:, channel, row, column])
