"""The multi-scale PixelRNN: the pair of images is one distribution, and each network reads only what it may."""

from __future__ import annotations

import itertools

import pytest
import torch

from pointillist.errors import EngineError
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import MultiscalePixelRNN, sampling_order
from pointillist.nn.passes import FullPass
from pointillist.sampling.engines import create_stepper
from pointillist.sampling.loop import autoregressive_loop

from .causal import dependencies, sub_pixels
from .context import check_context, complete, upsampler_reach
from .likelihood import check_normalised
from .samplers import check_sampled_by_full_forwards, check_scored_as_sampled
from .strategies import make_model, random_levels, randomise_weights

NAME = "multiscale-pixelrnn"
BOTH = list(itertools.product(["diagonals", "rows"], ["diagonals", "rows"]))


def multiscale(shape: tuple[int, int, int], levels: int = 3, **settings: object) -> PixelModel:
    model = randomise_weights(make_model(NAME, ImageSpec.infer(shape, levels), {"layers": 2, **settings}))
    assert isinstance(model.backbone, MultiscalePixelRNN)
    return model


@pytest.mark.parametrize(("size", "levels"), [((2, 2), 3), ((2, 3), 3), ((3, 2), 2), ((3, 3), 2), ((1, 4), 3)])
@pytest.mark.parametrize(("along", "small_along"), BOTH)
def test_all_pairs_together_have_probability_one(
    size: tuple[int, int], levels: int, along: str, small_along: str
) -> None:
    """Within 1e-12, also where the factor does not divide the sides."""
    for factor in (2, 3):
        check_normalised(multiscale((1, *size), levels, factor=factor, along=along, small_along=small_along), *size)


@pytest.mark.slow
def test_all_images_of_three_by_three_and_three_levels() -> None:
    """19,683 images."""
    check_normalised(multiscale((1, 3, 3)), 3, 3)


def test_the_log_probability_is_that_of_the_small_image_plus_the_rest() -> None:
    """The small network alone, on the small image, gives its share; nothing outside it changes that share."""
    model = multiscale((3, 5, 4), 5)
    x = random_levels(model, 3)
    other = random_levels(model, 3)
    other[:, :, ::2, ::2] = small = x[:, :, ::2, ::2]
    with torch.no_grad():
        params = model.backbone.small(model.canvas(small), FullPass(), model.encode(None, 3))
        nats = model.likelihood.log_prob(params, small)
        found, again = model.log_prob_map(x), model.log_prob_map(other)
    torch.testing.assert_close(found[:, :, ::2, ::2], nats)
    torch.testing.assert_close(again[:, :, ::2, ::2], nats)
    assert not torch.allclose(found, again)


@pytest.mark.parametrize(
    ("factor", "size", "order"),
    [
        (2, (3, 3), [[0, 4, 1], [5, 6, 7], [2, 8, 3]]),
        (2, (2, 4), [[0, 2, 1, 3], [4, 5, 6, 7]]),
        (4, (1, 6), [[0, 2, 3, 4, 1, 5]]),
        (3, (1, 1), [[0]]),
    ],
)
def test_the_generation_order(factor: int, size: tuple[int, int], order: list[list[int]]) -> None:
    """The small image in its rows, then what is left, in rows."""
    model = multiscale((1, *size), factor=factor)
    assert model.generation_rank(*size).tolist() == order
    assert sampling_order(model.stages(*size), *size).tolist() == order


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("channels", "factor", "size"), [(1, 2, (4, 5)), (3, 3, (4, 4)), (1, 4, (5, 6)), (3, 2, (3, 4))]
)
def test_every_earlier_sub_pixel_is_seen(channels: int, factor: int, size: tuple[int, int]) -> None:
    """With diagonals: all of the small image from everywhere, and all earlier ones of the rest; equality of sets."""
    model = multiscale((channels, *size), factor=factor, dilations=(1, 2), map_channels=8, channels=8, small_channels=8)
    check_context(model, *size, torch.from_numpy(complete(model, *size)))


def test_the_map_reads_later_rows_as_far_as_it_reaches() -> None:
    """Below and to the right of the site small pixels are seen, four columns of them here, and nothing else."""
    model = multiscale((1, 3, 11), dilations=(), layers=1, along="rows", row_kernel=1)
    order = sub_pixels(model, 3, 11)
    seen = dependencies(model, 3, 11)[order.index((1, 3, 0))]
    found = {order[int(i)][:2] for i in seen.nonzero()}
    assert {site for site in found if site > (1, 3)} == {(2, x) for x in (0, 2, 4, 6)}
    assert {(y, x) for y, x in found if y == 0} == {(0, x) for x in (0, 2, 3, 4, 6)}  # (0, 3) by the first kernel
    assert upsampler_reach(2, (), 6)(3) == {0, 1, 2, 3}


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("along", "small_along"), BOTH)
def test_odd_and_thin_images_are_sampled_from_their_own_distribution(along: str, small_along: str) -> None:
    """Engines, full forwards and the score agree where the small grid has ceil(n / factor) rows, and for one pixel."""
    for factor, size in ((2, (3, 5)), (4, (5, 2)), (3, (1, 4)), (5, (3, 3)), (2, (1, 1))):
        model = multiscale((2, *size), 4, factor=factor, along=along, small_along=small_along)
        check_sampled_by_full_forwards(model, *size)
        check_scored_as_sampled(model, *size)


def test_one_loss_trains_both_networks() -> None:
    """Gradients reach every weight; those of the small image's loss reach its network only."""
    model = multiscale((1, 4, 5))
    (-model(random_levels(model, 4))).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
    model.zero_grad()
    model.log_prob_map(random_levels(model, 4))[:, :, ::2, ::2].sum().backward()
    touched = {n.split(".")[1] for n, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert touched == {"small"}


def test_rows_are_reported_in_rows_of_the_image() -> None:
    """Check that the count of a progress bar grows to the height, through both stages."""
    model = multiscale((1, 4, 4))
    rows: list[int] = []
    zeros = lambda site, log_probs: torch.zeros(1, dtype=torch.int64)  # noqa: E731
    with torch.inference_mode():
        autoregressive_loop(
            model, model.encode(None, 1), zeros, (1, 4, 4), on_row=lambda done, levels: rows.append(done)
        )
    assert rows == sorted(rows)
    assert rows == [0, 1, 1, 2, 3, 4]


def test_an_engine_is_opened_a_stage_at_a_time() -> None:
    """A sentence, not a network recorded in the wrong order."""
    model = multiscale((1, 4, 4))
    with pytest.raises(EngineError, match="paints in 2 stages"):
        create_stepper(model, model.encode(None, 1), 1, 4, 4)
