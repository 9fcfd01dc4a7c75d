"""Copies and saved states of engines: each image continues from the history that it was given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.images.ordering import get_order
from pointillist.networks import names
from pointillist.nn.passes import FullPass
from pointillist.sampling.engines import Stepper, create_stepper
from tests.tolerances import DOUBLE

from .samplers import DISTINCT_ENGINES
from .strategies import make_model, random_levels, randomise_weights

Check = Callable[..., None]


def names_of(height: int, width: int) -> ImageSpec:
    return ImageSpec(channels=1, height=height, width=width, levels=3, ordered=False)


def check_select(model: pt.PixelModel, engine: str, order: str = "raster") -> None:
    """Check every parameter after two selections, at random sub-pixels, against the full pass of the new histories."""
    rng, count = np.random.default_rng(0), 4
    height, width = model.image.height, model.image.width
    pixel_order = get_order(order)
    rows, columns = pixel_order.raster_size(height, width)
    channels, coupled = model.image.channels, model.likelihood.coupled
    for stage in model.stages(rows, columns)[:1]:
        x = stage.grid(random_levels(model, count, rows, columns))
        condition = model.conditions.to_raster_frame(model.encode(None, count, (height, width)), pixel_order)
        condition = stage.condition(None, condition)
        with torch.inference_mode():
            stepper = create_stepper(model, condition, count, rows, columns, engine, stage=stage, order=pixel_order)
            sites = [(r, c) for r in range(x.shape[2]) for c in pixel_order.row(r, x.shape[3])]
            steps = [(r, c, k) for r, c in sites for k in range(1 if coupled else channels)]
            at = set(rng.choice(np.arange(1, len(steps)), min(3, len(steps) - 1), replace=False).tolist())
            for number, (r, c, k) in enumerate(steps):
                if number in at:
                    indices = rng.integers(0, count, count)
                    x = x[torch.from_numpy(indices)]
                    x[:, :, r:] = _redrawn(x[:, :, r:], model, rng, keep=(c, k, r % 2 and pixel_order.s_curve))
                    stepper.select(indices)
                _compare(model, stage, condition, stepper, x, pixel_order, (r, c, k))
                for channel in range(channels) if coupled else (k,):
                    stepper.observe(x[:, channel, r, c].numpy())


def _redrawn(
    x: torch.Tensor, model: pt.PixelModel, rng: np.random.Generator, keep: tuple[int, int, bool]
) -> torch.Tensor:
    """Draw the sub-pixels anew that the first row of `x` has not observed, and all later rows."""
    column, channel, backwards = keep
    fresh = torch.from_numpy(rng.integers(0, model.image.levels, x.shape))
    done = torch.zeros(x.shape[1:], dtype=torch.bool)
    done[:, 0, column + 1 :] = bool(backwards)
    if not backwards:
        done[:, 0, :column] = True
    done[:channel, 0, column] = True
    return torch.where(done, x, fresh)


def _compare(model, stage, condition, stepper: Stepper, x, order, site) -> None:  # type: ignore[no-untyped-def]
    row, column, channel = site
    wanted = stage.network(model.canvas(x), FullPass(order), condition)[:, :, row, column].numpy()
    found = stepper.params()
    share = slice(None)
    if not model.likelihood.coupled:
        size = wanted.shape[1] // model.image.channels
        share = slice(channel * size, (channel + 1) * size)
    np.testing.assert_allclose(found[:, share], wanted[:, share], rtol=DOUBLE, atol=DOUBLE)


def check_restore(model: pt.PixelModel, engine: str, order: str = "raster") -> None:
    """Go back from several rows to saved ones, twice to the same, and draw other levels from there."""
    count, pixel_order = 2, get_order(order)
    height, width = pixel_order.raster_size(model.image.height, model.image.width)
    channels, coupled = model.image.channels, model.likelihood.coupled
    stage = model.stages(height, width)[-1]
    x = stage.grid(random_levels(model, count, height, width))
    condition = model.conditions.to_raster_frame(model.encode(None, count, model.image.shape[1:]), pixel_order)
    coarse = model.canvas(model.stages(height, width)[-2].grid(x)) if len(model.stages(height, width)) > 1 else None
    condition = stage.condition(coarse, condition)
    with torch.inference_mode():
        stepper = create_stepper(model, condition, count, height, width, engine, stage=stage, order=pixel_order)
        rows, saved = x.shape[2], {}
        for first, last in ((0, 5), (2, 6), (2, 4), (0, 3), (1, rows)):
            if first in saved:
                stepper.restore(saved[first])
                x[:, :, first:] = torch.randint(0, model.image.levels, x[:, :, first:].shape)
            for row in range(first, min(last, rows)):
                saved[row] = stepper.save()
                wanted = stage.network(model.canvas(x), FullPass(pixel_order), condition)[:, :, row].numpy()
                for column in pixel_order.row(row, x.shape[3]):
                    for k in range(1 if coupled else channels):
                        size = wanted.shape[1] if coupled else wanted.shape[1] // channels
                        share = slice(k * size, (k + 1) * size)
                        np.testing.assert_allclose(
                            stepper.params()[:, share], wanted[:, share, column], rtol=DOUBLE, atol=DOUBLE
                        )
                        for channel in range(channels) if coupled else (k,):
                            stepper.observe(x[:, channel, row, column].numpy())


IMAGES = {
    check_select: {"rgb": ImageSpec.infer((3, 4, 3), 3), "names": names_of(3, 5)},
    check_restore: {"rgb": ImageSpec.infer((3, 6, 3), 3), "names": names_of(7, 4)},
}
every_check = pytest.mark.parametrize("check", IMAGES)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("kind", ["rgb", "names"])
@pytest.mark.parametrize("engine", DISTINCT_ENGINES)
@pytest.mark.parametrize("name", names())
@every_check
def test_states_are_copied_and_restored(check: Check, name: str, engine: str, kind: str) -> None:
    """Also between the sub-pixels of a pixel, and with every part of a network's state."""
    torch.manual_seed(0)
    check(randomise_weights(make_model(name, IMAGES[check][kind]), 0.4), engine)


@pytest.mark.parametrize("engine", DISTINCT_ENGINES)
@every_check
def test_states_of_an_s_curve(check: Check, engine: str) -> None:
    """Even rows and odd ones."""
    torch.manual_seed(0)
    model = make_model("locally-masked-pixelcnn", IMAGES[check]["rgb"], orders=("s-curve",))
    check(randomise_weights(model, 0.4), engine, "s-curve")


@pytest.mark.parametrize(
    ("check", "kept"), [(check_select, "buffers.Buffers.select"), (check_restore, "buffers.Buffers.restore")]
)
def test_a_state_that_stays_is_found(check: Check, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: feature maps that stay behind."""
    monkeypatch.setattr(f"pointillist.engine.{kept}", lambda *_: None)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(randomise_weights(make_model("gated-pixelcnn", IMAGES[check]["names"]), 0.4), "numpy")
