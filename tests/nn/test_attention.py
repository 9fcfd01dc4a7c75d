"""Exact attention in little memory: the same numbers and gradients as N x N, and nothing of that size kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pointillist.nn.functional import attention
from pointillist.nn.functional.attention import cross_attention, strict_attention
from tests.equality import equal
from tests.laws.attention import check_is_a_mean, naive
from tests.tolerances import FORMULA

SIZES = [(1, 1), (1, 2), (2, 1), (1, 7), (7, 1), (3, 4), (4, 3)]


def inputs(size: tuple[int, int], dtype: torch.dtype = torch.float64, scale: float = 1.0) -> list[Tensor]:
    """Queries, keys and values of two heads."""
    return [(torch.randn(2, c, *size, dtype=dtype) * scale).requires_grad_() for c in (6, 6, 10)]


@pytest.mark.parametrize("limit", [256, 3])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_n_by_n_softmax(size: tuple[int, int], limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients, at any size, also where a row is cut into pieces."""
    monkeypatch.setattr(attention, "MAX_QUERIES", limit)
    qkv = inputs(size)
    found, expected = strict_attention(*qkv, 2), naive(*qkv, 2)
    torch.testing.assert_close(found, expected, rtol=FORMULA, atol=FORMULA)
    weight = torch.randn_like(found)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), qkv) for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=FORMULA, atol=FORMULA)


def test_gradients_by_differences() -> None:
    """A second opinion, from the function alone."""
    assert torch.autograd.gradcheck(lambda q, k, v: strict_attention(q, k, v, 2), inputs((2, 3)))


def test_weights_sum_to_one() -> None:
    """A mean of values, to rounding."""
    for heads in (1, 2):
        check_is_a_mean(heads)


def test_the_first_site_is_zero_and_has_no_gradient() -> None:
    """Nothing to attend to; the last site is nobody's key."""
    qkv = inputs((3, 3))
    found = strict_attention(*qkv, 2)
    assert not found[:, :, 0, 0].any()
    q, k, v = torch.autograd.grad(found.square().sum(), qkv)
    assert not q[:, :, 0, 0].any()
    assert not k[:, :, 2, 2].any()
    assert not v[:, :, 2, 2].any()


@pytest.mark.parametrize("scale", [1e-4, 30.0, 1e4])
def test_scores_of_any_size_stay_finite(scale: float) -> None:
    """A softmax of numbers far apart is one key."""
    qkv = inputs((3, 4), torch.float32, scale)
    found = strict_attention(*qkv, 2)
    assert bool(found.isfinite().all())
    assert all(bool(g.isfinite().all()) for g in torch.autograd.grad(found.sum(), qkv))


def test_later_rows_may_hold_nan() -> None:
    """They are sliced away, not multiplied by zero."""
    with torch.no_grad():
        qkv = inputs((4, 3))
        clean = strict_attention(*qkv, 2)
        for t in qkv:
            t[:, :, 2:] = torch.nan
        assert equal(strict_attention(*qkv, 2)[:, :, :2], clean[:, :, :2])


def test_repeating_gives_the_same_bits() -> None:
    """Forward and gradient."""
    qkv = inputs((5, 4), torch.float32)
    runs = [strict_attention(*qkv, 2) for _ in range(2)]
    assert equal(*runs)
    first, second = (torch.autograd.grad(y.square().sum(), qkv) for y in runs)
    assert all(map(torch.equal, first, second))


def test_half_precision_scores_in_single() -> None:
    """Under autocast, and of bfloat16 inputs: the result is that of float32 to the precision of the values."""
    q, k, v = (t.detach().bfloat16() for t in inputs((6, 6), torch.float32, 3.0))
    exact = strict_attention(q.float(), k.float(), v.float(), 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = strict_attention(q, k, v, 2)
        assert found.dtype == torch.bfloat16
        assert strict_attention(q.float(), k.float(), v.float(), 2).equal(exact)
        for t in (q, k, v):
            t.requires_grad_()
        gradients = torch.autograd.grad(strict_attention(q, k, v, 2).float().square().sum(), (q, k, v))
    assert (found.float() - exact).abs().max() < 0.02 * exact.abs().max()
    assert all(g.dtype == torch.bfloat16 and bool(g.isfinite().all()) for g in gradients)


def test_nothing_of_the_size_n_by_n_is_kept_for_the_gradient() -> None:
    """What a training step keeps grows with the number of sites; the naive way keeps their square."""
    sites, kept = 16 * 16, []

    def pack(t: Tensor) -> Tensor:
        kept.append(t.numel())
        return t

    qkv = [torch.randn(1, 4, 16, 16, requires_grad=True) for _ in range(3)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        strict_attention(*qkv, 1)
        ours = sum(kept)
        kept.clear()
        naive(*qkv, 1)
    assert ours <= sites * (4 * 4 + 1)
    assert sum(kept) > sites * sites


def test_cross_attention_is_its_formula() -> None:
    """softmax(q . k / sqrt(d)) v, one image, pixel and head at a time; padding has no weight."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, 2, 3).double(), torch.randn(2, 4, 6).double(), torch.randn(2, 4, 10).double()
    mask = torch.tensor([[True, True, False, True], [True, False, False, False]])
    found = cross_attention(q, k, v, mask, 2)
    for b, row, column, head in torch.cartesian_prod(*map(torch.arange, (2, 2, 3, 2))).tolist():
        one, d, e = mask[b], slice(3 * head, 3 * head + 3), slice(5 * head, 5 * head + 5)
        weights = (k[b, one][:, d] @ q[b, d, row, column] / 3**0.5).softmax(0)
        torch.testing.assert_close(found[b, e, row, column], weights @ v[b, one][:, e], rtol=FORMULA, atol=FORMULA)
    spoilt = torch.where(mask[:, :, None], v, 1e6)
    torch.testing.assert_close(cross_attention(q, k, spoilt, mask, 2), found, rtol=0, atol=0)
