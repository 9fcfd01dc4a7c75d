"""Generation orders: the sixteen curves, the raster frame, and models that support several orders."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
from pointillist.images.ordering import ORDERS, RASTER, PixelOrder, get_order, parse_orders
from pointillist.training.batches import order_of_step
from tests.equality import equal
from tests.laws.strategies import make_model, randomise_weights

sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("raster", [[0, 1, 2], [3, 4, 5]]),
        ("raster-tr", [[2, 1, 0], [5, 4, 3]]),
        ("raster-bl", [[3, 4, 5], [0, 1, 2]]),
        ("raster-columns-br", [[5, 3, 1], [4, 2, 0]]),
        ("s-curve", [[0, 1, 2], [5, 4, 3]]),
        ("s-curve-br", [[3, 4, 5], [2, 1, 0]]),
        ("s-curve-columns", [[0, 3, 4], [1, 2, 5]]),
        ("s-curve-columns-tr", [[4, 3, 0], [5, 2, 1]]),
    ],
)
def test_an_order_is_the_one_of_its_name(name: str, rank: list[list[int]]) -> None:
    """Written out for 2x3 images."""
    assert ORDERS[name].rank(2, 3).tolist() == rank


def sites_by_name(order: PixelOrder, height: int, width: int) -> list[tuple[int, int]]:
    """The pixel positions of an image in an order, derived from its name alone."""
    rows = list(range(height))[:: -1 if order.name.endswith(("-bl", "-br")) else 1]
    columns = list(range(width))[:: -1 if order.name.endswith(("-tr", "-br")) else 1]
    across = "-columns" in order.name
    lines, line = (columns, rows) if across else (rows, columns)
    s_curve = order.name.startswith("s-curve")
    sites = [(a, b) for n, a in enumerate(lines) for b in (line[::-1] if s_curve and n % 2 else line)]
    return [(b, a) if across else (a, b) for a, b in sites]


@given(name=st.sampled_from(list(ORDERS)), size=sizes)
def test_the_raster_frame(name: str, size: tuple[int, int]) -> None:
    """`sites` agrees with the name, ranks in the raster frame with the curve; `from_raster` inverts `to_raster`."""
    order, (height, width) = ORDERS[name], size
    assert list(order.sites(height, width)) == sites_by_name(order, height, width)
    rank = torch.from_numpy(order.rank(height, width))
    raster = order.to_raster(rank)
    curve = ORDERS["s-curve" if order.s_curve else "raster"]
    assert tuple(raster.shape) == order.raster_size(height, width)
    assert equal(raster, torch.from_numpy(curve.rank(*raster.shape)))
    assert equal(order.from_raster(raster), rank)


def test_the_sixteen_orders_differ() -> None:
    """And an S-curve never jumps: consecutive positions are neighbours."""
    curves = {name: list(order.sites(3, 4)) for name, order in ORDERS.items()}
    assert len(curves) == len(set(map(tuple, curves.values()))) == 16
    for name, sites in curves.items():
        jumps = max(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in itertools.pairwise(sites))
        assert (jumps == 1) == ORDERS[name].s_curve


def test_orders_are_parsed_from_lists_texts_and_groups() -> None:
    """As settings and options give them."""
    assert parse_orders("raster, s-curve-tr") == parse_orders(["raster", "s-curve-tr"]) == ("raster", "s-curve-tr")
    assert parse_orders("s-curve-all") == tuple(name for name, order in ORDERS.items() if order.s_curve)
    assert len(parse_orders("raster-all")) == 8
    for wrong, words in (("rastre", "no order 'rastre'"), ("", "no order ''"), ("raster,raster", "none twice")):
        with pytest.raises(pt.ConfigError, match=words):
            parse_orders(wrong)
    with pytest.raises(pt.ConfigError, match="at least one"):
        parse_orders([])
    with pytest.raises(pt.ConfigError, match="no order '3'"):
        pt.build("pixelcnn", shape=(1, 3, 4), orders=3)


def test_a_model_rejects_orders_that_it_was_not_trained_on() -> None:
    """In one sentence; only networks that mask locally support an S-curve."""
    model = pt.build("pixelcnn", shape=(1, 3, 4), levels=2, preset="tiny", orders="raster-bl,raster")
    x = torch.zeros(1, 1, 3, 4, dtype=torch.int64)
    assert model.order().name == "raster-bl"
    for call in (model.log_prob, model.log_prob_map):
        with pytest.raises(pt.ConfigError, match="trained on: choose one of raster-bl, raster"):
            call(x, order="raster-tr")
    with pytest.raises(pt.ConfigError, match="There is no order 'up'"):
        pt.sample(model, 1, order="up")
    with pytest.raises(pt.ConfigError, match="masks locally, which pixelcnn does not"):
        pt.build("pixelcnn", shape=(1, 3, 4), orders="s-curve")


def test_a_model_of_several_orders_is_conditioned_on_the_order() -> None:
    """The order has an embedding, beside that of the label."""
    model = randomise_weights(
        make_model("pixelcnn", pt.ImageSpec.infer((1, 1, 1), 3), labels=True, orders=("raster", "raster-tr"))
    )
    x = torch.zeros(1, 1, 1, 1, dtype=torch.int64)  # one pixel: without the condition both orders are the same
    assert model.log_prob(x, "dog") != model.log_prob(x, "dog", order="raster-tr")
    assert model.log_prob(x, "dog") != model.log_prob(x, "cat")


@pytest.mark.parametrize("name", ["raster", "raster-columns-br", "raster-bl"])
def test_rows_are_reported_as_they_are_sampled(name: str) -> None:
    """Rows of the raster frame, with the levels in the orientation of the image."""
    model = randomise_weights(make_model("pixelcnn", pt.ImageSpec.infer((1, 2, 3), 7), orders=(name,)))
    order, seen = get_order(name), []
    samples = pt.sample(
        model, 2, seed=0, batch_size=2, on_row=lambda done, lines, levels: seen.append((lines, levels.copy()))
    )
    lines, length = order.raster_size(2, 3)
    assert [count for count, _ in seen] == list(range(1, lines + 1))
    for count, levels in seen:
        done = order.rank(2, 3) < count * length
        assert equal(levels, samples.levels * done)
    assert samples.order == name


def test_the_order_of_a_step_is_a_function_of_seed_and_step() -> None:
    """Each order once a round, rounds shuffled, seeds differ."""
    names = parse_orders("raster-all")
    steps = [order_of_step(names, 3, step) for step in range(80)]
    assert all(sorted(steps[i : i + 8]) == sorted(names) for i in range(0, 80, 8))
    assert len({tuple(steps[i : i + 8]) for i in range(0, 80, 8)}) > 8
    assert steps != [order_of_step(names, 4, step) for step in range(80)]
    assert order_of_step(("raster",), 0, 5) == RASTER.name


def test_an_animation_shows_the_order(tmp_path: Any) -> None:
    """`animate` takes the rank of each pixel."""
    from pointillist.images.visualization import animate

    images = np.zeros((1, 3, 4, 1), np.uint8)
    assert animate(images, tmp_path / "a.gif", order=ORDERS["s-curve-columns-br"].rank(3, 4)).exists()
