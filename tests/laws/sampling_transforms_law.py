"""Properties of guidance, temperature, top-p and the inverse CDF, which act on log-probabilities of levels."""

from __future__ import annotations

import torch

from pointillist.distributions import likelihoods, sampling_transforms
from tests.equality import equal


def tables(count: int = 50, levels: int = 7) -> torch.Tensor:
    """Draw log-probabilities of random distributions, some of them nearly certain."""
    logits = (
        torch.randn(count, levels, dtype=torch.float64) * torch.linspace(0.1, 8, count, dtype=torch.float64)[:, None]
    )
    return logits.log_softmax(1)


def check_temperature() -> None:
    """Check p^(1/T), renormalised: at 1 the model, at 0 its best level, at infinity all levels alike (P12)."""
    table = tables()
    for temperature in (0.25, 0.7, 1.0, 3.0):
        power = table.exp() ** (1 / temperature)
        expected = power / power.sum(1, keepdim=True)
        torch.testing.assert_close(sampling_transforms.apply_temperature_top_p(table, temperature, 1.0).exp(), expected)
    for temperature in (0.0, 1e-40):
        cold = sampling_transforms.apply_temperature_top_p(table, temperature, 1.0).exp()
        assert equal(cold.argmax(1), table.argmax(1))
        assert bool((cold.amax(1) == 1).all())
    tiny = sampling_transforms.apply_temperature_top_p(table.float(), 5e-324, 1.0)  # 0 in this precision
    assert equal(tiny, sampling_transforms.apply_temperature_top_p(table.float(), 0.0, 1.0))
    assert torch.allclose(
        sampling_transforms.apply_temperature_top_p(table, float("inf"), 1.0).exp(), torch.full_like(table, 1 / 7)
    )


def check_top_p() -> None:
    """Check that the smallest set of likeliest levels that reaches the sum is kept, and nothing else is possible."""
    table = tables()
    for top_p in (0.05, 0.5, 0.9, 0.999):
        kept = sampling_transforms.apply_temperature_top_p(table, 1.0, top_p).exp()
        assert torch.allclose(kept.sum(1), torch.ones(len(kept), dtype=kept.dtype))
        for before, after in zip(table.exp(), kept, strict=True):
            inside = after > 0
            ordered = before.sort(descending=True).values
            needed = int((ordered.cumsum(0) < top_p).sum()) + 1
            assert int(inside.sum()) == min(needed, len(before)), "not the minimal set"
            assert not inside.all() or needed >= len(before)
            assert inside.all() or before[inside].min() >= before[~inside].max(), "a likelier level was cut"
            torch.testing.assert_close(after[inside], before[inside] / before[inside].sum())
    assert equal(sampling_transforms.apply_temperature_top_p(table, 1.0, 1.0), table)
    least = sampling_transforms.apply_temperature_top_p(table.float(), 1.0, 5e-324).exp()  # 0 in this precision
    assert equal(least.amax(1), torch.ones(len(table)))
    assert equal(least.argmax(1), table.argmax(1))


def check_guidance() -> None:
    """Check log p_u + g (log p_c - log p_u), renormalised: 0 is unconditional, 1 conditional, and steps of g add up."""
    conditional, unconditional = tables(), tables().flip(0)
    for guidance in (0.0, 0.5, 1.0, 2.0, 7.5):
        power = unconditional.exp() ** (1 - guidance) * conditional.exp() ** guidance
        expected = power / power.sum(1, keepdim=True)
        torch.testing.assert_close(
            sampling_transforms.apply_guidance(conditional, unconditional, guidance).exp(), expected
        )
    torch.testing.assert_close(sampling_transforms.apply_guidance(conditional, unconditional, 0.0), unconditional)
    torch.testing.assert_close(sampling_transforms.apply_guidance(conditional, unconditional, 1.0), conditional)
    torch.testing.assert_close(sampling_transforms.apply_guidance(conditional, conditional, 5.0), conditional)
    twice = sampling_transforms.apply_guidance(
        sampling_transforms.apply_guidance(conditional, unconditional, 2.0), unconditional, 1.5
    )
    torch.testing.assert_close(twice, sampling_transforms.apply_guidance(conditional, unconditional, 3.0))


def check_inverse_cdf() -> None:
    """Check that the level is the one whose interval of the CDF holds the uniform, to the very ends of [0, 1)."""
    almost_one = 1 - 2.0**-53
    probs = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0], [1.0, 0, 0, 0, 0], [0, 0, 0, 0, 1.0]], dtype=torch.float64)
    for uniform, expected in ((0.0, [1, 0, 4]), (0.25 - 1e-12, [1, 0, 4]), (0.25, [3, 0, 4]), (almost_one, [3, 0, 4])):
        found = likelihoods.inverse_cdf(probs.log(), torch.full((3,), uniform, dtype=torch.float64))
        assert found.tolist() == expected, f"uniform {uniform!r} drew {found.tolist()}"
    rare = torch.tensor([[1e-7, 1 - 2e-7, 1e-7]], dtype=torch.float64).log()
    for uniform, level in ((0.0, 0), (0.9e-7, 0), (1.1e-7, 1), (1 - 1.1e-7, 1), (1 - 0.9e-7, 2), (almost_one, 2)):
        assert int(likelihoods.inverse_cdf(rare, torch.tensor([uniform], dtype=torch.float64))) == level
    table, uniforms = tables(2000, 9), torch.rand(2000, dtype=torch.float64)
    drawn = likelihoods.inverse_cdf(table, uniforms)
    cdf = torch.cat([torch.zeros(2000, 1, dtype=torch.float64), table.exp().cumsum(1)], 1)
    assert bool((cdf.gather(1, drawn[:, None])[:, 0] <= uniforms + 1e-12).all())
    assert bool((cdf.gather(1, drawn[:, None] + 1)[:, 0] >= uniforms - 1e-12).all())
    half = likelihoods.inverse_cdf(table.float(), torch.full((2000,), almost_one, dtype=torch.float64))
    assert bool((half < 9).all())
