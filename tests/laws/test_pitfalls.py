"""One test for each pitfall of published code that touches today's models, named after its number.

The survey has nineteen. P1, P2 and P6 are about recurrent models: `test_law_recurrent.py`. P10 to P14 are laws of every
model: evaluation, likelihoods, samplers, sizes. P17 is about coding, P18 about anomaly scores: their tests come with
those packages.
"""

from __future__ import annotations

import math

import pytest
import torch

from pointillist.distributions.kinds import LikelihoodName
from pointillist.images import ImageSpec
from pointillist.model.folder.building import build
from pointillist.networks import names
from pointillist.nn import MaskedConv2d, channel_groups
from pointillist.training.setup import ExponentialMovingAverage
from tests.equality import equal

from .attention import check_first_site, check_is_a_mean
from .causal import check_batch, check_causal, check_no_leak, dependencies, sub_pixels
from .context import check_context, complete
from .samplers import DISTINCT_ENGINES
from .strategies import FEWER, SIZES, load_random_weights, make_model, random_levels, randomise_weights
from .teacher_forcing import engine, teacher_forced
from .textbook import check_parameter_count, check_textbook

every_network = pytest.mark.parametrize("name", names())


@pytest.mark.one_in(3)
@every_network
@pytest.mark.parametrize("width", [7, 8, 10, pytest.param(128, marks=pytest.mark.slow)])
def test_p3_groups_survive_widths_that_do_not_divide(name: str, width: int) -> None:
    """Features are not a multiple of three, gates split them, 1x1 layers mix them: R, G and B keep their place."""
    settings = {
        "channels": width,
        "head_channels": 10,
        "layers": 1 if width > 99 and name in FEWER else 2,
        "resolutions": 2,
    }
    model = randomise_weights(make_model(name, ImageSpec.infer((3, 2, 2), 4), settings))
    check_no_leak(model, 2, 2)
    seen = dependencies(model, 2, 2)
    order = sub_pixels(model, 2, 2)
    red, green, blue = (order.index((1, 1, g)) for g in range(3))
    assert not seen[red, red:].any()
    assert seen[green, red]
    assert seen[blue, red]
    assert seen[blue, green]


def test_p4_a_deep_gated_stack_has_no_blind_spot() -> None:
    """Every earlier pixel of a wide image is seen, far to the upper right too."""
    model = make_model("gated-pixelcnn", ImageSpec.infer((1, 3, 9), 2), {"layers": 9})
    check_context(model, 3, 9, torch.from_numpy(complete(model, 3, 9)))


def test_p5_the_first_row_sees_its_past_and_the_first_layer_not_itself() -> None:
    """Within row 0 only the horizontal stack can carry anything; one layer alone never sees its own pixel."""
    image = ImageSpec.infer((1, 1, 6), 4)
    model = make_model("gated-pixelcnn", image, {"layers": 6})
    assert equal(dependencies(model, 1, 6), torch.ones(6, 6, dtype=torch.bool).tril(-1))
    one = randomise_weights(make_model("gated-pixelcnn", ImageSpec.infer((3, 3, 3), 4), {"layers": 1}))
    check_no_leak(one, 3, 3)
    check_textbook(randomise_weights(make_model("gated-pixelcnn", image, labels=True)), 1, 6)


def test_p7_mask_tables_are_exact() -> None:
    """Mask A and B of a 3x3 kernel over three sub-pixels, entry by entry."""
    three = channel_groups(3, 3)
    for strict, own in ((True, [[0, 0, 0], [1, 0, 0], [1, 1, 0]]), (False, [[1, 0, 0], [1, 1, 0], [1, 1, 1]])):
        mask = MaskedConv2d(3, in_groups=three, out_groups=three, strict=strict).mask
        assert mask is not None
        assert mask.shape == (3, 3, 2, 3)
        assert bool((mask[:, :, 0] == 1).all())  # the row above: all of it
        assert bool((mask[:, :, 1, 0] == 1).all())  # left
        assert bool((mask[:, :, 1, 2] == 0).all())  # right
        assert mask[:, :, 1, 1].tolist() == own


@every_network
def test_p8_masks_hold_before_the_first_step_after_loading_and_under_an_average(name: str) -> None:
    """Check masks after every change of the weights, also of those under a mask."""
    image = ImageSpec.infer((3, 3, 3), 4)
    model = make_model(name, image)
    check_no_leak(model, 3, 3)
    load_random_weights(model)
    check_no_leak(model, 3, 3)
    assert not [key for key in model.state_dict() if key.endswith("mask")]
    average = ExponentialMovingAverage(model, 0.9)
    randomise_weights(model, 3.0)
    average.update(1000)
    with average.applied():
        check_no_leak(model, 3, 3)
    check_no_leak(model, 3, 3)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.5)
    (-model(random_levels(model, 4)).mean()).backward()
    optimiser.step()
    check_no_leak(model, 3, 3)


@pytest.mark.one_in(3)
@every_network
def test_p9_training_mode_is_causal_and_images_do_not_mix(name: str) -> None:
    """No statistics over sites or over the batch, in either mode."""
    for mode in (True, False):
        model = randomise_weights(make_model(name, ImageSpec.infer((3, 3, 3), 4), {"dropout": 0.5})).train(mode)
        check_causal(model, 3, 3)
        check_batch(model, 3, 3)


@every_network
def test_p11_the_loss_is_float32_under_autocast(name: str) -> None:
    """The network may run in bfloat16, the likelihood never does."""
    model = make_model(name, ImageSpec.infer((3, 3, 4), 256), likelihood="mixture").float()
    x = random_levels(model, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.float32
        assert model.log_prob_map(x).dtype == torch.float32
    x = torch.full_like(x, 255)
    model(x).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_p15_the_network_is_the_one_that_was_asked_for() -> None:
    """Parameter counts by hand for one configuration of each, and by formula for others."""
    image = ImageSpec.infer((1, 28, 28), 2)
    small = {"channels": 2, "layers": 1, "first_kernel": 3, "kernel": 3, "head_channels": 2}
    plain = make_model("pixelcnn", image, {**small, "skip": False})
    # mask A 4x1x2x3+4, block (2x4+2)+(2x2x2x3+2)+(4x2+4), last 2x4+2, head 2x2+2, output 1x2+1
    assert plain.num_parameters() == (24 + 4) + (10 + 26 + 12) + 10 + 6 + 3
    gated = make_model("gated-pixelcnn", image, small)
    # vertical 4x1x1x3+4, horizontal 4x1x1x1+4, link 4x4+4, skip 2x2+2, head 6, output 3
    assert gated.num_parameters() == 16 + 8 + 20 + 6 + 6 + 3
    rows = make_model("row-lstm", image, small)
    # mask A 28, input 8x4x1x2+8, state 3x2x8+2+2, expand 4x2+4, skip 2x2, last 2x4+2, head 6, output 3
    assert rows.num_parameters() == 28 + 72 + 52 + 12 + 4 + 10 + 6 + 3
    diagonals = make_model("diagonal-bilstm", image, small)
    # as above, but two inputs 8x4+8, two states 2x2x8+2+2, and 8x1 for the pixel at the border
    assert diagonals.num_parameters() == 28 + 2 * 40 + 2 * 36 + 8 + 12 + 4 + 10 + 6 + 3
    snail = make_model("pixelsnail", image, {**small, "heads": 1, "key_channels": 3, "value_channels": 4})
    # above 2x1x1x3+2, left 2x1x1x1+2, layer (2x2x2x2+2)+(4x2x2x2+4), keys and values (5x5+5)+(10x5+10)+(7x5+7),
    # query (4x4+4)+(8x4+8)+(3x4+3), answer (2x2+2)+(2x4+2)+(4x2+4), output 1x2+1
    assert snail.num_parameters() == 8 + 4 + (18 + 36) + (30 + 60 + 42) + (20 + 40 + 15) + (6 + 10 + 12) + 3
    for name in names():
        for channels in (1, 3):
            settings = {"channels": 64, "layers": 5, "first_kernel": 7, "kernel": 3, "head_channels": 32}
            check_parameter_count(make_model(name, ImageSpec.infer((channels, 8, 8), 16), settings, labels=True))


def test_p15_pixelcnn_pp_has_the_size_of_its_paper() -> None:
    """The defaults are the paper's; of its 53,659,080 weights we leave out 11 x 160, of a channel of ones.

    Written out for 160 features, without the formula of the other tests: a direction, a length and a bias an output.
    """
    above, before = 320 * 160 * 6 + 320 * 320 * 6, 320 * 160 * 4 + 320 * 320 * 4
    pair = above + before + 2 * (160 + 320) * 2
    link = 320 * 160 + 320
    down, up = 15 * (pair + link), 17 * (pair + 3 * 320 * 160 + 2 * 320)
    grids = 2 * 2 * (160 * 160 * (6 + 4) + 4 * 160)
    image, output = 3 * 160 * (6 + 3 + 2) + 6 * 160, 160 * 100 + 2 * 100
    with torch.device("meta"):
        model = build("pixelcnn-pp", shape=(3, 32, 32), preset="paper-cifar10")
        assert model.config.backbone == build("pixelcnn-pp", shape=(3, 32, 32)).config.backbone
    assert model.likelihood.name == "mixture"
    assert model.dims.params == 100
    assert model.num_parameters() == down + up + grids + image + output == 53_659_080 - 11 * 160


@pytest.mark.parametrize(("channels", "likelihood"), [(1, "auto"), (3, "auto"), (3, "mixture")])
def test_p16_attention_is_strict_and_the_first_pixel_is_finite(channels: int, likelihood: LikelihoodName) -> None:
    """Keys hold the raw pixel, so a site may not attend to itself; at the first site there is nothing to attend to."""
    check_is_a_mean()
    for height, width in (*SIZES, (1, 2), (2, 1)):
        image = ImageSpec.infer((channels, height, width), 4)
        model = randomise_weights(make_model("pixelsnail", image, {"heads": 2}, likelihood=likelihood, labels=True))
        check_first_site(model, height, width)
        check_no_leak(model, height, width)
        check_first_site(model.float().double().train(), height, width)


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_p16_one_attention_reaches_every_earlier_pixel(channels: int, blocks: int) -> None:
    """Also far to the upper right and the last one of the row above, which no convolution reaches: equality of sets."""
    model = make_model("pixelsnail", ImageSpec.infer((channels, 3, 9), 3), {"layers": 1, "blocks": blocks})
    check_context(model, 3, 9, torch.from_numpy(complete(model, 3, 9)))


@pytest.mark.one_in(3)
@every_network
def test_p19_causality_is_judged_by_zero_gradients_not_by_small_differences(name: str) -> None:
    """Huge, tiny and float32 weights change no verdict; engines in float32 are compared up to rounding."""
    image = ImageSpec.infer((3, 3, 4), 4)
    for scale in (1e-3, 0.5, 20.0):
        check_no_leak(randomise_weights(make_model(name, image), scale), 3, 4)
    model = randomise_weights(make_model(name, image), 0.3).float()
    x = random_levels(model, 1)
    with torch.inference_mode():
        condition = model.encode(None, 1)
        full = model.outputs(model.canvas(x), condition).unflatten(1, (3, -1)).numpy()
        for name in DISTINCT_ENGINES:
            for (row, column, sub), found in teacher_forced(model, condition, x, engine(name)):
                assert math.isclose(float(abs(found - full[:, sub, :, row, column]).max()), 0, abs_tol=1e-5)
