"""The two PixelRNNs see what the paper draws, and their layers do what eq. 3 says (P1, P2, P6)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.images import ImageSpec
from pointillist.nn.passes import FullPass
from tests.equality import equal
from tests.tolerances import FORMULA

from .causal import check_no_leak, dependencies, sub_pixels
from .context import check_context, complete
from .recurrent import check_mirror, check_outside_is_zero, check_site_by_site, random_cell, recur
from .strategies import SIZES, make_model, randomise_weights


@given(
    along=st.sampled_from(["rows", "diagonals"]),
    num_taps=st.sampled_from([1, 3, 5]),
    size=st.sampled_from([*SIZES, (2, 7), (7, 2)]),
    reverse=st.booleans(),
    seed=st.integers(0, 99),
)
def test_rows_and_diagonals_equal_one_site_after_the_other(
    along: str, num_taps: int, size: tuple[int, int], reverse: bool, seed: int
) -> None:
    """Values and gradients, also of the initial state and at every odd size."""
    torch.manual_seed(seed)
    cell = random_cell(along, 3, num_taps)  # type: ignore[arg-type]
    check_site_by_site(cell, torch.randn(2, 12, *size, dtype=torch.float64), reverse=reverse)


def test_right_to_left_is_the_mirror_of_left_to_right() -> None:
    """P2: flipped, and flipped back."""
    check_mirror()


def test_nothing_outside_the_image_has_a_state() -> None:
    """A bias gives no state to the cells that skewing adds."""
    check_outside_is_zero()


@pytest.mark.parametrize("along", ["rows", "diagonals"])
def test_sites_of_an_image_alone_make_its_state(along: str) -> None:
    """A smaller image is the corner of a larger one: nothing comes from below, nor along diagonals from the right."""
    cell = random_cell(along)  # type: ignore[arg-type]
    gates = torch.randn(1, 12, 5, 6, dtype=torch.float64)
    whole = recur(cell, gates)
    assert torch.allclose(recur(cell, gates[:, :, :3]), whole[:, :, :3], atol=FORMULA)
    if along == "diagonals":
        assert torch.allclose(recur(cell, gates[:, :, :3, :2]), whole[:, :, :3, :2], atol=FORMULA)


def test_an_empty_batch_has_an_empty_state() -> None:
    """As convolutions do."""
    assert recur(random_cell("rows"), torch.zeros(0, 12, 3, 4, dtype=torch.float64)).shape == (0, 3, 3, 4)


def test_below_moves_down_by_one_row() -> None:
    """Zeros at row 0, also where the function is not zero there, and for one row."""
    x = torch.randn(1, 2, 3, 4)
    (out,) = FullPass().shift_down("key", lambda x: (x + 1,), x)
    assert equal(out[:, :, 1:], x[:, :, :2] + 1)
    assert not out[:, :, 0].any()
    (out,) = FullPass().shift_down("key", lambda x: (x + 1,), x[:, :, :1])
    assert not out.any()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("first_kernel", "kernel"), [(3, 3), (5, 3), (3, 5)])
def test_p6_the_context_of_row_lstm_is_the_triangle_of_the_paper(layers: int, first_kernel: int, kernel: int) -> None:
    """To the right a column more for each row up (two for kernel 5), at any depth; to the left what the input reads."""
    settings = {"layers": layers, "first_kernel": first_kernel, "kernel": kernel}
    model = make_model("row-lstm", ImageSpec.infer((1, 4, 15), 2), settings)
    order = sub_pixels(model, 4, 15)
    row, column = 3, 7
    seen = dependencies(model, 4, 15)[order.index((row, column, 0))]
    found = {(y - row, x - column) for (y, x, _), sees in zip(order, seen.tolist(), strict=True) if sees}
    f, k = first_kernel // 2, kernel // 2
    expected = set()
    for up in range(4):
        # `up` rows by the state; or fewer, and at most f rows by the first kernel, which looks f to either side there
        right = max([k * up - 1, *(k * (up - d) + f for d in range(1, min(f, up) + 1))])
        left = k * up + layers * k + f
        expected |= {(-up, dx) for dx in range(-left, right + 1) if 0 <= column + dx < 15}
    assert found == expected
    assert (-1, 1) in found


@pytest.mark.parametrize("size", [(3, 4), (2, 7), (5, 2), (1, 5), (5, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_p2_one_layer_of_diagonal_bilstm_sees_all_earlier_pixels_and_no_other(
    size: tuple[int, int], channels: int
) -> None:
    """Equality of sets, with the smallest first kernel, so that the recurrence has to carry them."""
    model = make_model("diagonal-bilstm", ImageSpec.infer((channels, *size), 3), {"layers": 1, "first_kernel": 3})
    check_context(model, *size, torch.from_numpy(complete(model, *size)))


@pytest.mark.parametrize("channels", [1, 3])
def test_without_border_only_the_last_sub_pixel_of_the_row_above_is_unseen(channels: int) -> None:
    """The paper's layout, at any depth: nothing right of that pixel could tell the row below of it."""
    image = ImageSpec.infer((channels, 3, 6), 3)
    model = make_model("diagonal-bilstm", image, {"layers": 4, "first_kernel": 3, "border": False})
    seen, order = dependencies(model, 3, 6), sub_pixels(model, 3, 6)
    everything = torch.from_numpy(complete(model, 3, 6))
    missing = {(order[i], order[j]) for i, j in (everything & ~seen).nonzero().tolist()}
    last = channels - 1
    assert not (seen & ~everything).any()
    assert missing == {((y, x, g), (y - 1, 5, last)) for y in (1, 2) for x in range(4) for g in range(channels)}


@pytest.mark.parametrize("name", ["row-lstm", "diagonal-bilstm"])
def test_p1_no_row_below_is_read(name: str) -> None:
    """Every pixel of small non-square images, with weights that saturate no gate."""
    for height, width in ((4, 3), (3, 5)):
        check_no_leak(randomise_weights(make_model(name, ImageSpec.infer((1, height, width), 2)), 0.2), height, width)
