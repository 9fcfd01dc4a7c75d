"""Extended canvases and seamless images, reports while they are drawn: known pixels stay, bits are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.completion.canvas import extend, make_seamless, windows
from pointillist.images import ImageSpec
from tests.equality import assert_close, equal
from tests.laws.strategies import randomise_weights
from tests.tolerances import network_rounding


def completing(position: int = 0) -> pt.PixelModel:
    """A random model of 6x4 images of 4 levels that completes; of fixed size with positions."""
    torch.manual_seed(0)
    model = pt.build(
        "gated-pixelcnn", shape=ImageSpec.infer((1, 6, 4), 4), channels=8, layers=2, known=True,
        position_channels=position,
    )  # fmt: skip
    return randomise_weights(model, 0.3).eval()


def test_windows_cover_the_canvas() -> None:
    """The nearest first, each overlapping what is there; neither too many nor outside."""
    for canvas, window, start in (((8, 12), (8, 8), (0, 0)), ((9, 7), (3, 4), (2, 1)), ((64, 64), (16, 16), (24, 24))):
        done = np.zeros(canvas, bool)
        found = list(windows(canvas, window, start))
        assert found[0] == tuple(slice(s, s + w) for s, w in zip(start, window, strict=True))
        for number, part in enumerate(found):
            assert done[part].shape == window
            assert number == 0 or done[part].any()
            done[part] = True
        assert done.all()
    with pytest.raises(pt.ConfigError, match="must be at least 8x8"):
        list(windows((7, 9), (8, 8), (0, 0)))


@pytest.mark.parametrize("position", [0, 2], ids=["any size", "fixed size"])
def test_an_image_is_extended(position: int) -> None:
    """In one piece, or window by window: the likelihood is that of the model given what was known each time."""
    model = completing(position)
    x = torch.randint(0, 4, (1, 6, 4))
    found = extend(model, x, (10, 9), (3, 2), 3, seed=0)
    assert found.array.shape == (3, 10, 9, 1)
    assert equal(found.levels[:, :, 3:9, 2:6], x.expand(3, -1, -1, -1))
    assert len(np.unique(found.levels, axis=0)) == 3
    known = np.zeros((10, 9), bool)
    known[3:9, 2:6] = True
    parts = [(slice(None), slice(None))] if not position else list(windows((10, 9), (6, 4), (3, 2)))
    nats = torch.zeros(3)
    for part in parts:
        with torch.no_grad():
            nats += model.log_prob(found.levels[:, :, part[0], part[1]], known=known[part])
        known[part] = True
    assert_close(found.nats, nats.double(), rtol=0, atol=network_rounding(model, nats))
    assert set(found.methods) == {"known"}
    assert set(found.orders) == {"raster"}
    again = extend(model, x, (10, 9), (3, 2), 3, seed=0)
    assert equal(again.levels, found.levels)
    with pytest.raises(pt.ConfigError, match="beyond a canvas of 7x9"):
        extend(model, x, (7, 9), (3, 2), 1)


@pytest.mark.parametrize("sides", ["x", "y"])
def test_a_seam_is_painted_anew(sides: str) -> None:
    """The band across the seam alone, by the conditional of the rolled image."""
    model = completing()
    x = torch.randint(0, 4, (1, 6, 4))
    found = make_seamless(model, x, sides, 3, band=2, seed=1)  # type: ignore[arg-type]
    axis, size = (3, 4) if sides == "x" else (2, 6)
    kept = np.arange(1, size - 1)
    assert equal(found.levels.take(kept, axis), x[None].numpy().take(kept, axis).repeat(3, 0))
    assert not equal(found.levels, x.expand(3, -1, -1, -1))
    known = np.ones((6, 4), bool)
    known[(slice(None), slice(1, 3)) if sides == "x" else slice(2, 4)] = False
    with torch.no_grad():
        nats = model.log_prob(np.roll(found.levels, size // 2, axis), known=known)
    assert_close(found.nats, nats.double(), rtol=0, atol=network_rounding(model, nats))


def test_each_window_takes_its_order() -> None:
    """A hole above, below, or on one side comes last in one of the orders of a model."""
    torch.manual_seed(0)
    orders = ("raster", "raster-bl", "raster-columns-tr")
    model = pt.build(
        "gated-pixelcnn", shape=ImageSpec.infer((1, 6, 4), 4), channels=4, layers=1, orders=orders, position_channels=2
    )
    x = torch.randint(0, 4, (1, 6, 4))
    for size, at, order in (
        ((9, 4), (0, 0), "raster"),
        ((9, 4), (3, 0), "raster-bl"),
        ((6, 6), (0, 2), "raster-columns-tr"),
    ):
        found = extend(model, x, size, at, 2, seed=0)
        assert set(found.methods) == {"order"}
        assert set(found.orders) == {order}


def test_both_seams_and_any_model() -> None:
    """Three holes; a model that was not trained to complete takes particles; batches of images too."""
    model = completing()
    x = torch.randint(0, 4, (2, 1, 6, 4))
    found = make_seamless(model, x, "both", 2, band=2, seed=1)
    assert found.methods == ("known",) * 3
    assert equal(found.levels[:, :, 2:4, 1:3], x[:, :, 2:4, 1:3])
    plain = pt.build("pixelcnn", shape=model.image, channels=4, layers=1)
    assert make_seamless(plain, x[0], "x", 2, seed=0, particles=8, moves=1).methods == ("smc",)
    for how, words in (
        ({"sides": "z"}, "`sides` \\(='z'\\), at which images tile, must be x, y or both"),
        ({"band": 4}, "from 1 to 3"),
        ({"n": 0}, "1 or more"),
    ):
        with pytest.raises(pt.ConfigError, match=words):
            make_seamless(model, x[0], **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("sides", ["x", "y", "both"])
def test_tiles_from_nothing(sides: str) -> None:
    """They are samples whose seams are painted anew; their likelihood is that of the tile as it lies."""
    model = completing()
    plain = pt.sample(model, 3, seed=4)
    found = pt.sample_seamless(model, 3, sides=sides, seed=4, batch_size=2)  # type: ignore[arg-type]
    assert found.array.shape == (3, 6, 4, 1)
    assert not equal(found.levels, plain.levels)
    middle = (slice(None), slice(None), slice(2, 4) if sides != "x" else slice(None), slice(1, 3))
    assert equal(found.levels[middle], plain.levels[middle])
    with torch.no_grad():
        nats = model.log_prob(found.levels).double()
    assert_close(found.nats, nats, rtol=0, atol=network_rounding(model, nats))
    assert equal(pt.sample_seamless(model, 3, sides=sides, seed=4, batch_size=2).levels, found.levels)  # type: ignore[arg-type]


def test_tiles_need_sides_and_a_seed() -> None:
    """Errors before anything is drawn; `sample` gives samples as ever."""
    model = completing()
    with pytest.raises(pt.ConfigError, match="must be x, y or both"):
        pt.sample_seamless(model, 1, sides="z")  # type: ignore[arg-type]
    with pytest.raises(pt.ConfigError, match="`uniforms` cannot be used for images that tile"):
        pt.sample_seamless(model, 1, sides="x", uniforms=np.zeros((1, 1, 6, 4)))
    assert type(pt.sample(model, 1, seed=0)) is pt.Samples


def test_a_report_of_particles_shows_finished_rows_alone() -> None:
    """The library draws on while Python reports: what is not known below the reported rows is 0 in every report."""
    levels = pt.sample("digits", 1, label="8", seed=0).levels[0]
    known = np.ones((28, 28), bool)
    known[10:18, 4:24] = False
    reports: list[tuple[int, Any]] = []

    def report(rows: int, shown: Any) -> None:
        reports.append((rows, shown.copy()))

    pt.inpaint("digits", levels, known, 1, "smc", seed=0, particles=4, moves=0, on_row=report)
    assert [rows for rows, _ in reports] == list(range(1, 29))
    for rows, shown in reports:
        below = np.arange(28)[:, None] >= rows
        assert not shown[:, 0, below & ~known].any()
        assert (shown[:, 0, known] == levels[0, known]).all()
    assert reports[-1][1][:, 0, ~known].any()
