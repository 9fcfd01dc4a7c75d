"""Every order is causal, complete, normalised and the same in every engine, with one set of weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pointillist.engine.recording.record import record
from pointillist.errors import CausalityError
from pointillist.images import ImageSpec
from pointillist.images.ordering import ORDERS, get_order, parse_orders
from pointillist.networks import entry, names
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import Pass

from .causal import check_no_leak, dependencies, sub_pixels
from .context import check_context, complete
from .likelihood import check_normalised
from .orders import LOCAL, check_average, check_masked, check_mixture, check_raster_of_the_turned_image, local_model
from .samplers import check_engine_equals_full, check_same_image, check_scored_as_sampled
from .strategies import SIZES, make_model, randomise_weights
from .textbook import check_textbook

RASTERS, CURVES = parse_orders("raster-all"), parse_orders("s-curve-all")


@given(name=st.sampled_from(RASTERS), size=st.sampled_from(SIZES), seed=st.integers(0, 99))
def test_an_order_is_the_raster_of_the_turned_image(name: str, size: tuple[int, int], seed: int) -> None:
    """Check any size, with map conditions."""
    torch.manual_seed(seed)
    check_raster_of_the_turned_image(name, *size)


@given(
    size=st.sampled_from([*SIZES, (6, 7)]),
    kernel_size=st.sampled_from([1, 3, 5]),
    dilation=st.integers(1, 3),
    s_curve=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_factored_convolution_is_the_masked_one(
    size: tuple[int, int], kernel_size: int, dilation: int, s_curve: bool, seed: int
) -> None:
    """Equal to an unfold times mask[site, tap], also where the kernel is larger than the image."""
    torch.manual_seed(seed)
    check_masked(size, kernel_size, dilation, s_curve=s_curve)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CURVES)
def test_an_s_curve_sees_exactly_the_earlier_sites(name: str, channels: int) -> None:
    """Equality of sets, at every site and sub-pixel: no leak, and no blind spot."""
    image = ImageSpec.infer((channels, 3, 4), 3)
    model = make_model(LOCAL, image, {"layers": 5, "channels": 6, "head_channels": 6}, orders=(name,))
    check_context(model, 3, 4, torch.from_numpy(complete(model, 3, 4)))


def test_a_raster_of_one_stack_keeps_the_blind_spot_of_pixelcnn() -> None:
    """However deep: one column more to the right for each row up."""
    model = make_model(LOCAL, ImageSpec.infer((1, 4, 7), 2), {"layers": 8, "channels": 8, "dilations": (1,)})
    seen, order = dependencies(model, 4, 7), sub_pixels(model, 4, 7)
    me = order.index((3, 1, 0))
    blind = {order[j][:2] for j in range(me) if not seen[me, j]}
    assert blind == {(y, x) for y in range(3) for x in range(7) if x - 1 > 3 - y}


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", list(ORDERS))
def test_one_set_of_weights_has_the_properties_in_every_order(name: str) -> None:
    """Check causality, engines, scores and the textbook version on RGB images that are neither square nor even."""
    several = (name, *(other for other in ("raster", "s-curve") if other != name))
    model = local_model(several, channels=3)
    check_no_leak(model, 3, 4)
    check_engine_equals_full(model, 3, 4)
    check_same_image(model, 3, 4)
    check_scored_as_sampled(model, 3, 4)
    check_textbook(model, 3, 4)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("network", names())
def test_all_images_have_probability_one_in_every_order(network: str, levels: int) -> None:
    """2x2 images, one set of weights, each of its orders: 1 within 1e-12."""
    known = tuple(n for n, o in ORDERS.items() if entry(network).backbone.masks_locally or not o.s_curve)
    image = ImageSpec.infer((1, 2, 2), levels)
    for name in known:
        check_normalised(
            randomise_weights(make_model(network, image, {"layers": 2}, orders=(name, *(set(known) - {name})))), 2, 2
        )


@pytest.mark.parametrize(("network", "names"), [("pixelcnn", RASTERS), (LOCAL, CURVES), (LOCAL, ("raster", "s-curve"))])
def test_the_average_over_orders_is_a_likelihood(network: str, names: tuple[str, ...]) -> None:
    """`check_average`."""
    check_average(names, network)


def test_a_mixture_of_models_is_a_likelihood() -> None:
    """`check_mixture`."""
    check_mixture()


@pytest.mark.parametrize("method", ["left neighbour", "`ctx.recur`", "`ctx.attend`"])
def test_error_names_the_layer_that_cannot_follow_a_curve(method: str) -> None:
    """A raster primitive on the canvas of an S-curve, recorded."""
    wide, one = torch.ones(8, 1, 3, 3), torch.ones(2, 4, 8)
    wide[:, :, 1, 1] = 0

    def forward(x: Tensor, ctx: Pass) -> Tensor:
        if method == "left neighbour":
            return torch.conv2d(ctx.window("w", x, up=0, left=1, right=-1), torch.ones(1, 1, 1, 1))
        h = ctx.neighbours("n", x, wide, None)
        if method == "`ctx.recur`":
            return ctx.recur("r", LSTMCellParams("diagonals", one[:, :2], one[0, 0, :2], one[0, 0, :2]), h)
        return ctx.attend("a", h, lambda h: (h, h), (h,), 1)

    with pytest.raises(CausalityError, match=method):
        record(forward, num_sub_steps=1, canvas_width=1, height=3, width=4, order=get_order("s-curve"))
