"""The interpreter gives at every site what FullPass gives there: all shapes, sub-steps, batches, both precisions."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pointillist.engine.recording.record import record
from tests.engine.networks import Gated, Masked
from tests.engine.teacher import check_equal, teacher_forced

sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


def picture(batch: int, channels: int, size: tuple[int, int], dtype: torch.dtype = torch.float64) -> Tensor:
    """A random canvas."""
    return torch.randn(batch, channels, *size, dtype=dtype)


@given(
    size=sizes,
    batch=st.integers(1, 5),
    num_sub_steps=st.integers(1, 4),
    canvas_width=st.sampled_from([1, 3]),
    dilation=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_gated(
    size: tuple[int, int], batch: int, num_sub_steps: int, canvas_width: int, dilation: int, seed: int
) -> None:
    torch.manual_seed(seed)
    model = Gated(8, num_sub_steps=num_sub_steps, canvas_width=canvas_width, dilation=dilation).double().eval()
    check_equal(model, picture(batch, num_sub_steps * canvas_width, size), num_sub_steps=num_sub_steps)


@given(size=sizes, batch=st.integers(1, 5), num_sub_steps=st.integers(1, 4), canvas_width=st.sampled_from([1, 3]))
def test_masked_residual(size: tuple[int, int], batch: int, num_sub_steps: int, canvas_width: int) -> None:
    torch.manual_seed(batch)
    model = Masked(7, num_sub_steps=num_sub_steps, canvas_width=canvas_width).double().eval()
    check_equal(model, picture(batch, num_sub_steps * canvas_width, size), num_sub_steps=num_sub_steps)


@given(size=sizes, batch=st.integers(2, 5), num_sub_steps=st.integers(1, 2), rows=st.booleans())
def test_conditions(size: tuple[int, int], batch: int, num_sub_steps: int, rows: bool) -> None:
    torch.manual_seed(batch)
    model = Gated(8, num_sub_steps=num_sub_steps, vector=3, spatial=2, use_rows=rows).double().eval()
    vector, spatial = picture(batch, 3, (1, 1)), picture(batch, 2, size)
    check_equal(
        lambda x, ctx: model(x, ctx, vector, spatial), picture(batch, num_sub_steps, size), num_sub_steps=num_sub_steps
    )


def test_conditions_given_later_replace_the_recorded_ones() -> None:
    torch.manual_seed(0)
    model, size = Gated(8, vector=3, spatial=2).double().eval(), (3, 4)
    old = record(
        lambda x, ctx: model(x, ctx, picture(1, 3, (1, 1)), picture(1, 2, size)),
        num_sub_steps=1,
        canvas_width=1,
        height=3,
        width=4,
        dtype=torch.float64,
    )
    vector, spatial, canvas = picture(2, 3, (1, 1)), picture(2, 2, size), picture(2, 1, size)
    new = check_equal(lambda x, ctx: model(x, ctx, vector, spatial), canvas)
    inputs = {"label": vector[:, :, 0, 0].numpy(), "map": spatial.permute(0, 2, 3, 1).numpy()}
    assert (teacher_forced(old, canvas, inputs) == teacher_forced(new, canvas)).all()


def test_single_precision() -> None:
    torch.manual_seed(0)
    for num_sub_steps in (1, 3):
        model = Gated(16, 4, num_sub_steps=num_sub_steps).eval()
        canvas = picture(3, num_sub_steps, (6, 5), torch.float32)
        check_equal(model, canvas, num_sub_steps=num_sub_steps, tolerance=1e-4)


def test_a_repeated_question_gets_the_same_bits() -> None:
    for num_sub_steps in (1, 3):
        torch.manual_seed(0)
        model, canvas = Gated(8, num_sub_steps=num_sub_steps).eval(), picture(3, num_sub_steps, (4, 5), torch.float32)
        program = record(model, num_sub_steps=num_sub_steps, canvas_width=1, height=4, width=5)
        once, thrice = (teacher_forced(program, canvas, repeats=repeats) for repeats in (1, 3))
        assert (once == thrice).all()


def test_images_of_a_batch_do_not_mix() -> None:
    torch.manual_seed(0)
    model, canvas = Gated(8).eval(), picture(3, 1, (4, 5), torch.float32)
    program = record(model, num_sub_steps=1, canvas_width=1, height=4, width=5)
    before = teacher_forced(program, canvas)
    canvas[1] += 1.0
    after = teacher_forced(program, canvas)
    assert (before[[0, 2]] == after[[0, 2]]).all()
    assert (before[1] != after[1]).any()


def test_pixels_not_yet_drawn_do_not_change_a_bit() -> None:
    """A second image in the same interpreter's margins: what follows a site never reaches it."""
    torch.manual_seed(0)
    model = Masked(9, num_sub_steps=3).eval()
    program = record(model, num_sub_steps=3, canvas_width=1, height=4, width=4)
    canvas = picture(1, 3, (4, 4), torch.float32)
    other = canvas.clone()
    other[:, 1:, 2, 1] = 9.0  # green and blue of one site, and all that follows
    other[:, :, 2, 2:] = -9.0
    other[:, :, 3] = 9.0
    before, after = teacher_forced(program, canvas), teacher_forced(program, other)
    assert (before[:, :, :2] == after[:, :, :2]).all()
    assert (before[:, :, 2, 0] == after[:, :, 2, 0]).all()
    assert (before[:, :8, 2, 1] == after[:, :8, 2, 1]).all()  # red, and green given red
    assert (before[:, 8:, 2, 1] != after[:, 8:, 2, 1]).all()  # blue given green
