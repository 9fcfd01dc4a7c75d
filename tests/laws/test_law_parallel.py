"""The parallel multiscale PixelCNN: its groups are independent, sampled at once, and together one distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.program import Program
from pointillist.engine.recording.record import prove_independent, record
from pointillist.engine.weights import inference_mode
from pointillist.errors import CausalityError
from pointillist.images import ImageSpec
from pointillist.images.ordering import RASTER
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import record_model
from pointillist.networks import ParallelMultiscale, names
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import FullPass, Pass
from pointillist.sampling import loop
from pointillist.sampling.api import sample
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import UniformSampler
from pointillist.sampling.loop import autoregressive_loop
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE

from .context import check_context, complete
from .likelihood import check_normalised
from .samplers import check_known_is_kept, check_sampled_by_full_forwards, check_scored_as_sampled
from .strategies import fitting_likelihoods, make_model, random_levels, randomise_weights

NAME = "parallel-multiscale"


def parallel(shape: tuple[int, int, int], levels: int = 3, **settings: object) -> PixelModel:
    model = randomise_weights(make_model(NAME, ImageSpec.infer(shape, levels), {"layers": 2, **settings}))
    assert isinstance(model.backbone, ParallelMultiscale)
    return model


@pytest.mark.one_in(3)
@pytest.mark.parametrize("scales", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "levels"),
    [((1, 2, 2), 4), ((3, 2, 2), 2), ((1, 3, 3), 2), ((1, 2, 3), 3), ((1, 1, 4), 3), ((2, 1, 1), 5)],
)
def test_all_images_together_have_probability_one(shape: tuple[int, int, int], levels: int, scales: int) -> None:
    """Within 1e-12, also where a grid has fewer rows or columns than its scale."""
    for likelihood in fitting_likelihoods(ImageSpec.infer(shape, levels)):
        model = make_model(NAME, ImageSpec.infer(shape, levels), {"scales": scales}, likelihood=likelihood)
        check_normalised(randomise_weights(model), *shape[1:])


@pytest.mark.one_in(2)
@pytest.mark.parametrize("context", [1, 3])
def test_all_images_of_four_by_four(context: int) -> None:
    """Check 65,536 binary images: a base of one pixel, two scales of two groups each."""
    check_normalised(parallel((1, 4, 4), 2, scales=2, context=context, dilations=(1,)), 4, 4)


def test_columns_are_doubled_and_then_rows() -> None:
    """The base image, then twice as many pixels in each group, as far as the sides allow."""
    order = [[0, 6, 2, 7], [12, 13, 14, 15], [4, 8, 5, 9], [16, 17, 18, 19], [1, 10, 3, 11]]
    assert parallel((1, 5, 4), scales=2).generation_rank(5, 4).tolist() == order


@pytest.mark.parametrize(
    ("channels", "size", "scales"), [(1, (4, 5), 1), (3, (4, 4), 2), (1, (5, 6), 3), (3, (3, 4), 1)]
)
def test_a_pixel_sees_all_earlier_groups_and_none_of_its_own(channels: int, size: tuple[int, int], scales: int) -> None:
    """Equality of sets; of the pixel itself it sees the earlier channels."""
    model = parallel((channels, *size), scales=scales, layers=4, map_channels=8, channels=8, head_channels=8)
    check_context(model, *size, torch.from_numpy(complete(model, *size)))


def reads_other_sites(program: Program) -> bool:
    """Check whether a recorded network keeps anything of one site for another."""
    return bool(program.kv_caches) or any(max(m.up, m.left, m.right) > 0 for m in program.maps)


@pytest.mark.parametrize("name", names())
def test_a_stage_is_independent_as_its_program_proves(name: str) -> None:
    """The recording of an independent stage reads no other site; that of any other stage of these networks does."""
    model = make_model(name, ImageSpec.infer((3, 8, 8), 4), {"scales": 2}, labels=True)
    stages, programs = model.stages(8, 8), record_model(model, (8, 8))
    assert [not stage.independent for stage in stages] == [reads_other_sites(program) for program in programs]
    assert (name == NAME) == any(stage.independent for stage in stages)


def test_a_context_within_the_group_is_seen_by_the_recording_and_rejected() -> None:
    model = parallel((1, 8, 8), scales=1, context=3)
    base, *groups = model.stages(8, 8)
    assert not any(stage.independent for stage in groups)
    assert all(map(reads_other_sites, record_model(model, (8, 8))))
    model.backbone.stages = lambda *size: (base, *(replace(g, independent=True) for g in groups))  # type: ignore[method-assign]
    with pytest.raises(CausalityError, match=r"takes a window, but .* declared independent: read"):
        sample(model, 1, engine="torch")


CELL = LSTMCellParams("diagonals", torch.zeros(2, 2, 8), torch.zeros(2), torch.zeros(2))
MASK = torch.tensor([[1.0, 0.0], [1.0, 1.0]])[:, :, None, None]
FOUR_MASKS, MAP = MASK.repeat(4, 1, 1, 1), torch.ones(1, 2, 2, 2)
REACHES: dict[str, tuple[Callable[[Tensor, Any], Tensor], str]] = {
    "window": (lambda h, ctx: F.conv2d(ctx.window("a", h, up=1, left=0, right=0), MASK.expand(2, 2, 2, 1)), "window"),
    "neighbours": (lambda h, ctx: ctx.neighbours("a", h, MASK.expand(2, 2, 3, 3), None), "window"),
    "upsample": (
        lambda h, ctx: ctx.upsample("a", F.conv2d(ctx.window("b", h, up=0, left=0, right=0), FOUR_MASKS, stride=2), h),
        "coarser grid",
    ),
    "shift_down": (lambda h, ctx: h + ctx.shift_down("a", lambda: (ctx.external("b", MAP),))[0], "row above"),
    "recur": (lambda h, ctx: ctx.recur("a", CELL, F.conv2d(h, FOUR_MASKS)), "window"),
    "attend": (lambda h, ctx: ctx.attend("a", torch.tanh(h), lambda h: (h, h), (h,), 2), "attends to earlier pixels"),
}


@pytest.mark.parametrize("method", REACHES)
def test_the_proof_rejects_what_reaches_another_pixel(method: str) -> None:
    """Each way to another pixel; the earlier channels of the pixel itself may be read."""
    reach, named = REACHES[method]

    def own(x: Tensor, ctx: Any) -> Tensor:
        return F.conv2d(
            ctx.window("own", x, up=0, left=0, right=0), torch.tensor([[0.0, 0.0], [1.0, 0.0]])[:, :, None, None]
        )

    def program_of(network: Callable[[Tensor, Any], Tensor]) -> Program:
        return record(network, num_sub_steps=2, canvas_width=1, height=2, width=2)

    prove_independent(program_of(own))
    with pytest.raises(CausalityError, match=rf"`.+` .*{named}, but the pixels .* independent: read"):
        prove_independent(program_of(lambda x, ctx: reach(own(x, ctx), ctx)))


@pytest.mark.parametrize(("side", "scales"), [(32, 3), (64, 4), (256, 6)])
def test_passes_grow_with_the_logarithm_of_the_pixels(side: int, scales: int) -> None:
    """A base image of 4x4 pixel by pixel, and two groups for each doubling."""
    with torch.device("meta"):
        network = make_model(NAME, ImageSpec.infer((3, 4, 4), 4), {"scales": scales})
    first, *groups = network.stages(side, side)
    assert first.grid_size(side, side) == (4, 4)
    assert [stage.independent for stage in groups] == [True] * 2 * scales


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_group_takes_one_pass_for_each_sub_pixel(engine: str) -> None:
    """The network of a group runs once for each channel of each image; the other engines run its program."""
    model, calls = parallel((3, 6, 6), 4, scales=1), 0
    assert isinstance(model.backbone, ParallelMultiscale)
    for group in model.backbone.groups:

        def count(module: object, args: tuple[Tensor, Pass], output: Tensor) -> None:
            nonlocal calls
            calls += isinstance(args[1], FullPass)

        group.network.register_forward_hook(count)  # type: ignore[union-attr, operator]
    sample(model, 5, engine=engine)
    assert calls == (2 * 3 * 5 if engine == "torch" else 0)


@pytest.mark.parametrize("context", [1, 3])
def test_odd_and_thin_images_are_sampled_from_their_own_distribution(context: int) -> None:
    """Engines, group passes, full forwards and the score agree for every size, and where a grid has no new pixel."""
    for scales, size in ((1, (3, 5)), (2, (5, 2)), (3, (1, 4)), (2, (3, 3)), (2, (1, 1))):
        model = parallel((2, *size), 4, scales=scales, context=context)
        check_sampled_by_full_forwards(model, *size)
        check_scored_as_sampled(model, *size)
        check_known_is_kept(model, *size)


def test_many_levels_are_drawn_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on numbers in memory changes nothing."""
    model = make_model(NAME, ImageSpec.infer((2, 5, 4), 7), {"scales": 1}, labels=True)
    randomise_weights(model)
    whole = sample(model, 3, "cat", seed=1, guidance=2.0, engine="torch")
    for numbers in (1, 2 * 3 * 7 * 4):
        monkeypatch.setattr(loop, "MAX_NUMBERS", numbers)
        parts = sample(model, 3, "cat", seed=1, guidance=2.0, engine="torch")
        assert equal(parts.levels, whole.levels)
        assert_close(parts.nats, whole.nats)


def test_an_image_does_not_depend_on_its_batch() -> None:
    """In single precision, where rounding would show."""
    model = randomise_weights(make_model(NAME, ImageSpec.infer((3, 7, 9), 256), {"scales": 2})).float()
    whole = sample(model, 5, seed=3, engine="torch", batch_size=5)
    parts = sample(model, 5, seed=3, engine="torch", batch_size=2)
    assert equal(whole.levels, parts.levels)


def test_outputs_of_a_group_pass_are_those_of_the_full_pass() -> None:
    """The studio shows them: every output of every new pixel, also of a likelihood that couples channels."""
    for likelihood in fitting_likelihoods(ImageSpec.infer((3, 4, 5), 4)):
        model = randomise_weights(make_model(NAME, ImageSpec.infer((3, 4, 5), 4), likelihood=likelihood))
        outputs = torch.full((2, model.likelihood.num_params, 4, 5), torch.nan, dtype=torch.float64)
        sampler = UniformSampler(torch.rand(2, 3, 4, 5, dtype=torch.float64))
        with inference_mode(model):
            condition = model.encode(None, 2)
            how = SamplingConfig(engine="torch")
            levels = autoregressive_loop(model, condition, sampler, (2, 4, 5), how, outputs=outputs)
            assert_close(outputs, model.outputs(model.canvas(levels), condition, RASTER), rtol=DOUBLE, atol=DOUBLE)


def test_rows_are_reported_after_each_group() -> None:
    rows: list[int] = []
    sample(parallel((1, 4, 4), scales=1), 1, engine="torch", on_row=lambda first, done, levels: rows.append(done))
    assert rows == [0, 1, 2, 4]


def test_one_loss_trains_every_network() -> None:
    """Gradients reach every weight, of one channel and of several."""
    for channels in (1, 3):
        model = parallel((channels, 8, 8), scales=2)
        (-model(random_levels(model, 4))).sum().backward()
        missing = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
        assert not missing
