"""Hints that are made of the image: what they are, at odd sizes, for every kind of image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import HintConfig, HintPreprocessor
from pointillist.conditioning.hint import hint_rule
from pointillist.images import ImageSpec
from tests.equality import equal

GREY = ImageSpec.infer((1, 3, 5), 256)
RGB = ImageSpec.infer((3, 3, 5), 256)
CLEAR = ImageSpec(
    channels=1, height=3, width=3, levels=3, ordered=False, mode="palette",
    palette=((0, 0, 0, 0), (255, 0, 0, 255), (0, 255, 0, 255)),
)  # fmt: skip


def made(text: str, x: torch.Tensor, image: ImageSpec) -> torch.Tensor:
    return torch.from_numpy(HintPreprocessor.parse(text).of(x.numpy(), image))


def test_low_resolution_is_the_mean_of_blocks_on_the_full_grid() -> None:
    """Rounded half up; blocks at the far sides hold fewer pixels, and only those count."""
    x = torch.tensor([[[[0, 1, 10, 20, 7], [2, 3, 30, 40, 8], [9, 10, 5, 5, 6]]]])
    found = made("lowres:2", x, GREY)
    assert found.tolist() == [[[[2, 2, 25, 25, 8], [2, 2, 25, 25, 8], [10, 10, 5, 5, 6]]]]


def test_low_resolution_of_names_is_the_first_of_each_block() -> None:
    """Names have no mean."""
    x = torch.arange(9).reshape(1, 1, 3, 3) % 3
    found = made("lowres:2", x, CLEAR)
    assert found.tolist() == [[[[0, 0, 2], [0, 0, 2], [0, 0, 2]]]]


def test_grey_is_the_luma() -> None:
    """BT.601; of a palette through its colours, transparent black."""
    x = torch.tensor([255, 0, 0]).reshape(1, 3, 1, 1).expand(1, 3, 3, 5)
    assert made("grey", x, RGB).unique().tolist() == [76]
    assert made("grey", torch.tensor([[[[0, 1, 2]]]]), CLEAR).tolist() == [[[[0, 76, 150]]]]
    fewer = ImageSpec.infer((3, 1, 1), 4)
    assert made("grey", torch.tensor([3, 3, 3]).reshape(1, 3, 1, 1), fewer).item() == 3


def test_outline_is_where_the_figure_ends() -> None:
    """A solid site that touches a transparent one or the border; in opaque images, where brightness jumps."""
    figure = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]).reshape(1, 1, 4, 4)
    found = made("outline", figure, CLEAR)
    assert found.tolist() == [[[[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]]]
    step = torch.tensor([[0, 0, 255, 255, 255]] * 3).reshape(1, 1, 3, 5)
    assert made("outline", step, GREY).tolist() == [[[[0, 1, 0, 0, 0]] * 3]]
    both = torch.cat([figure[..., :3, :3], torch.ones_like(figure[..., :3, :3])])
    alone = torch.cat([made("outline", x[None], CLEAR) for x in both])
    assert equal(made("outline", both, CLEAR), alone)  # of an image, whatever the others are


@pytest.mark.parametrize(
    ("side", "sites"),
    [
        ("left", [0, 1, 5, 6, 10, 11]),
        ("right", [3, 4, 8, 9, 13, 14]),
        ("top", [0, 1, 2, 3, 4]),
        ("bottom", [10, 11, 12, 13, 14]),
    ],
)
def test_half_is_known_and_the_rest_is_not(side: str, sites: list[int]) -> None:
    """The smaller half of an odd side."""
    known = HintPreprocessor.parse(f"half:{side}").known(3, 5)
    assert np.flatnonzero(known).tolist() == sites


@pytest.mark.parametrize("text", ["", "lowres", "lowres:1", "lowres:x", "half", "half:up", "grey:2", "edges"])
def test_what_is_none_of_them_is_refused(text: str) -> None:
    with pytest.raises(pt.ConfigError, match="must be lowres:N"):
        HintPreprocessor.parse(text)


def test_what_cannot_be_made_is_refused() -> None:
    """Grey of grey, and pictures of codes."""
    for text, image in (("grey", GREY), ("outline", ImageSpec(channels=1, height=2, width=2, levels=4))):
        with pytest.raises(pt.ConfigError, match="cannot be made"):
            HintConfig.of(text, image)


def test_a_small_image_is_brought_to_the_grid() -> None:
    """As given, or already enlarged; another size is refused; what it makes itself is the same."""
    model = pt.build("gated-pixelcnn", shape=(1, 3, 5), levels=8, channels=4, layers=1, hint="lowres:2")
    x = torch.randint(0, 8, (2, 1, 3, 5))
    whole = hint_rule(model.conditions.hint_reader).of(x.numpy(), model.image)
    small = whole[:, :, ::2, ::2]
    assert equal(model.log_prob(x, hint=small), model.log_prob(x, hint=whole))
    with pytest.raises(pt.ShapeError, match=r"must be 2x3, or 3x5"):
        model.log_prob(x, hint=small[..., :2])
