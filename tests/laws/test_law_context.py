"""Completeness: what a network can see is a set, and the set is the declared one (P4, P5, P7, P15)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.images import ImageSpec
from pointillist.model.folder.building import build
from pointillist.networks import names
from tests.equality import equal

from .causal import dependencies, sub_pixels
from .context import check_context, complete, declared
from .strategies import make_model, network_settings, orders_of

SHAPES = ((4, 5), (5, 3), (1, 6), (6, 1), (3, 4))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_context_is_the_declared_one(name: str, data: st.DataObject) -> None:
    """The measured set equals an independent recursion over kernel taps, for random kernels, dilations and depths."""
    channels = data.draw(st.integers(1, 3))
    settings = data.draw(network_settings(name)) | {"channels": 8, "head_channels": 8}
    height, width = data.draw(st.sampled_from(SHAPES))
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    image = ImageSpec(channels=channels, height=height, width=width, levels=3)
    model = make_model(name, image, settings, orders=data.draw(orders_of(name)))
    check_context(model, height, width)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [n for n in names() if n not in ("pixelcnn", "row-lstm", "locally-masked-pixelcnn")])
def test_with_enough_layers_every_earlier_sub_pixel_is_seen(name: str, channels: int) -> None:
    """No blind spot: the set of dependencies equals **all** earlier sub-pixels, at every site."""
    model = make_model(name, ImageSpec.infer((channels, 4, 5), 3), {"layers": 6, "channels": 8, "head_channels": 8})
    everything = torch.from_numpy(complete(model, 4, 5))
    check_context(model, 4, 5, everything)


def test_the_blind_spot_of_pixelcnn_is_there_and_is_a_wedge() -> None:
    """However deep, a stack of masked 3x3 kernels never sees more than one column to the right for each row up."""
    model = make_model("pixelcnn", ImageSpec.infer((1, 4, 7), 2), {"layers": 12, "first_kernel": 3, "channels": 8})
    check_context(model, 4, 7)
    seen = dependencies(model, 4, 7)
    order = sub_pixels(model, 4, 7)
    me = order.index((3, 1, 0))
    blind = {order[j][:2] for j in range(me) if not seen[me, j]}
    assert blind == {(y, x) for y in range(3) for x in range(7) if x - 1 > 3 - y}


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        # one layer of 5x5: two rows up, two columns to either side, and the own row before the site
        ("gated-pixelcnn", {"layers": 1, "first_kernel": 5}, {(-2, 0), (-1, 2), (-2, 2), (0, -1), (0, -2), (-2, -2)}),
        ("pixelcnn", {"layers": 1, "first_kernel": 3, "kernel": 1}, {(-1, 1), (-1, 0), (-1, -1), (0, -1)}),
    ],
)
def test_receptive_field_of_one_layer(name: str, settings: dict[str, int], expected: set[tuple[int, int]]) -> None:
    """The kernel that was conditions for is the kernel that is there (P15)."""
    model = make_model(name, ImageSpec.infer((1, 5, 7), 2), settings)
    seen = dependencies(model, 5, 7)
    order = sub_pixels(model, 5, 7)
    me = order.index((3, 3, 0))
    field = {(order[j][0] - 3, order[j][1] - 3) for j in range(len(order)) if seen[me, j]}
    reach = settings["first_kernel"] // 2
    whole = {(dy, dx) for dy in range(-reach, 1) for dx in range(-reach, reach + 1) if dy < 0 or dx < 0}
    assert expected <= field
    assert field == whole


def test_declared_contexts_disagree_where_they_should() -> None:
    """The recursion itself: complete for a deep Gated PixelCNN, not for a deep PixelCNN."""
    image = ImageSpec.infer((1, 4, 7), 2)
    deep = {"layers": 9, "first_kernel": 3}
    gated, plain = make_model("gated-pixelcnn", image, deep), make_model("pixelcnn", image, deep)
    assert equal(declared(gated, 4, 7), torch.from_numpy(complete(gated, 4, 7)))
    assert declared(plain, 4, 7).sum() < declared(gated, 4, 7).sum()


def test_the_reach_of_pixelcnn_pp_at_the_size_of_its_paper() -> None:
    """All earlier pixels of 32x32, but for those far away in the pair of rows that no coarse grid covers yet.

    By the recursion that measured sets are compared with.
    """
    with torch.device("meta"):
        model = build("pixelcnn-pp", shape=(3, 32, 32), preset="paper-cifar10")
    missing = torch.from_numpy(complete(model, 32, 32)) & ~declared(model, 32, 32)
    found = {(i // 32, i % 32, j // 32, j % 32) for i, j in missing.nonzero().tolist()}
    own = {(y, x, y, left) for y in range(1, 32, 2) for x in range(32) for left in range(x - 22)}
    above = {(y, x, y - 1, right) for y in range(1, 32, 2) for x in range(32) for right in range(x + 23, 32)}
    assert found == own | above
    assert len(found) == 1440


def test_shortcuts_carry_the_nearest_sites() -> None:
    """A site between coarse ones would miss its neighbours without them: measured, for one layer a block."""
    model = make_model("pixelcnn-pp", ImageSpec.infer((1, 5, 6), 2), {"layers": 1, "resolutions": 3})
    check_context(model, 5, 6, torch.from_numpy(complete(model, 5, 6)))
