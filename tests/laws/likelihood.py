"""The law of likelihoods: one distribution, whichever way it is conditions for."""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.distributions.likelihoods import DiscretizedLogisticMixture, Likelihood, inverse_cdf
from pointillist.model.pixel_model import PixelModel
from tests.equality import equal
from tests.tolerances import BF16, DOUBLE, FORMULA, rounding

from .strategies import random_conditions


def random_params(likelihood: Likelihood, count: int, scale: float = 1.5) -> Float[Tensor, "b p 1 1"]:
    """Parameters of `count` pixels."""
    return torch.randn(count, likelihood.num_params, 1, 1, dtype=torch.float64) * scale


def check_consistent(likelihood: Likelihood, scale: float = 1.5) -> None:
    """Tables sum to one, cumulate to one, and hold `log_prob` at the true level."""
    count = 40
    params = random_params(likelihood, count, scale)
    x = torch.randint(0, likelihood.levels, (count, likelihood.channels, 1, 1))
    log_prob = likelihood.log_prob(params, x)
    assert log_prob.shape == x.shape
    for channel in range(likelihood.channels):
        table = likelihood.conditional(params, x, channel)
        assert table.shape == (count, likelihood.levels, 1, 1)
        torch.testing.assert_close(table.exp().sum(1), torch.ones_like(table[:, 0]), rtol=0, atol=FORMULA)
        cdf = table.exp().cumsum(1)
        assert bool((cdf.diff(dim=1) >= 0).all())
        assert abs(float(cdf[:, -1].max()) - 1) < 1e-12
        at_x = table.gather(1, x[:, channel : channel + 1])[:, 0]
        torch.testing.assert_close(at_x, log_prob[:, channel], rtol=DOUBLE, atol=DOUBLE)


def check_joint(likelihood: Likelihood) -> None:
    """The probabilities of all pixels (all RGB triples, where there are three channels) sum to one."""
    grid = torch.tensor(list(itertools.product(range(likelihood.levels), repeat=likelihood.channels)))
    for _ in range(3):
        params = random_params(likelihood, 1).expand(len(grid), -1, -1, -1)
        total = likelihood.log_prob(params, grid[:, :, None, None]).flatten(1).sum(1).exp().sum()
        assert abs(float(total) - 1) < 1e-12, f"all pixels together have probability {float(total)!r}"


def check_later_channels_are_not_used(likelihood: Likelihood) -> None:
    """The table of a channel depends on the channels before it only."""
    params = random_params(likelihood, 20)
    x = torch.randint(0, likelihood.levels, (20, likelihood.channels, 1, 1))
    for channel in range(likelihood.channels):
        other = x.clone()
        other[:, channel:] = torch.randint(0, likelihood.levels, other[:, channel:].shape)
        assert equal(likelihood.conditional(params, x, channel), likelihood.conditional(params, other, channel))


def check_draws(likelihood: Likelihood, draws: int = 4000) -> None:
    """Pixels drawn channel by channel by inverse CDF have the frequencies that `log_prob` says (P12)."""
    params = random_params(likelihood, 1, 0.7).expand(draws, -1, -1, -1)
    x = torch.zeros(draws, likelihood.channels, 1, 1, dtype=torch.int64)
    for channel in range(likelihood.channels):
        table = likelihood.conditional(params, x, channel)[:, :, 0, 0]
        x[:, channel, 0, 0] = inverse_cdf(table, torch.rand(draws, dtype=torch.float64))
    every = torch.tensor(list(itertools.product(range(likelihood.levels), repeat=likelihood.channels)))
    probs = (
        likelihood.log_prob(params[:1].expand(len(every), -1, -1, -1), every[:, :, None, None]).flatten(1).sum(1).exp()
    )
    index = (x.flatten(1) * likelihood.levels ** torch.arange(likelihood.channels - 1, -1, -1)).sum(1)
    check_frequencies(index, probs)


def check_frequencies(drawn: Int[Tensor, " n"], probs: Float[Tensor, " k"]) -> None:
    """Chi-square of draws against probabilities; outcomes expected fewer than 5 times are pooled."""
    expected = probs.double() * len(drawn)
    counts = torch.bincount(drawn, minlength=len(probs)).double()
    assert not counts[probs == 0].any(), "an impossible outcome was drawn"
    rare = expected < 5
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]])
    counts = torch.cat([counts[~rare], counts[rare].sum()[None]])
    used = expected > 0
    freedom = max(1, int(used.sum()) - 1)
    statistic = float(((counts - expected)[used] ** 2 / expected[used]).sum())
    # mean `freedom`, variance twice that: five standard deviations, and a margin for few outcomes
    assert statistic < freedom + 5 * math.sqrt(2 * freedom) + 5, f"chi-square {statistic:.1f} at {freedom} degrees"


def check_extremes(likelihood: Likelihood) -> None:
    """Finite in float32, with finite gradients, for far means, the narrowest scales, and the edge levels."""
    top = likelihood.levels - 1
    for value in (-1e4, -80.0, -7.0, 0.0, 7.0, 15.0):
        for pattern in ("all", "alternating", "random"):
            params = torch.full((3, likelihood.num_params, 1, 1), value)
            if pattern == "alternating":
                params[:, ::2] *= -1
            if pattern == "random":
                params = params * torch.randn_like(params)
            if isinstance(likelihood, DiscretizedLogisticMixture):
                m, c = likelihood.mixtures, likelihood.channels
                params[:, m * (1 + c) : m * (1 + 2 * c)].clamp_(-30.0, 15.0)  # log-scales
            params.requires_grad_()
            x = torch.tensor([0, top // 2, top])[:, None, None, None].expand(3, likelihood.channels, 1, 1)
            nats = likelihood.log_prob(params, x)
            assert bool(nats.isfinite().all()), f"log_prob {nats.flatten().tolist()} at parameters {value}"
            (gradient,) = torch.autograd.grad(nats.sum(), params)
            assert bool(gradient.isfinite().all()), f"gradient at parameters {value}"
            within = rounding(params, 1.0, terms=likelihood.levels, dtype=torch.float32)  # of logits that cancel
            for channel in range(likelihood.channels):
                total = likelihood.conditional(params, x, channel).exp().sum(1)
                torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=within)


def check_half_precision(likelihood: Likelihood) -> None:
    """Parameters in half precision still give a float32 loss (P11): the edge tests are made on integers."""
    params = (torch.randn(50, likelihood.num_params, 1, 1) * 2).bfloat16()
    x = torch.randint(0, likelihood.levels, (50, likelihood.channels, 1, 1))
    with torch.autocast("cpu", torch.bfloat16):
        found = likelihood.log_prob(params, x)
        assert found.dtype == torch.float32
        assert likelihood.conditional(params, x, 0).dtype == torch.float32
    exact = likelihood.log_prob(params.double(), x)
    torch.testing.assert_close(found.double(), exact, rtol=BF16, atol=BF16)


def check_likelihood(likelihood: Likelihood) -> None:
    """Check all of the above; enumerate pixels only where there are few."""
    check_consistent(likelihood)
    check_later_channels_are_not_used(likelihood)
    check_extremes(likelihood)
    check_half_precision(likelihood)
    if likelihood.levels**likelihood.channels <= 4096:
        check_joint(likelihood)
        check_draws(likelihood)


def naive_mixture(
    likelihood: DiscretizedLogisticMixture, params: Float[Tensor, " p"], pixel: tuple[int, ...]
) -> list[float]:
    """log p(x_c | x_<c) of one pixel, written out with scalars: differences of sigmoids, no care for rounding."""
    m, c, top = likelihood.mixtures, likelihood.channels, likelihood.levels - 1
    p = params.tolist()
    weights, p = p[:m], p[m:]
    means = [p[m * i : m * (i + 1)] for i in range(c)]
    scales = [p[m * (c + i) : m * (c + i + 1)] for i in range(c)]
    rest = p[2 * m * c :]
    pairs = [(i, j) for i in range(c) for j in range(i)]  # (g, r), (b, r), (b, g)
    coupling = {pair: rest[m * n : m * (n + 1)] for n, pair in enumerate(pairs)}
    value = [2 * v / top - 1 for v in pixel]

    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))

    def bin_probability(i: int, k: int) -> float:
        mean = means[i][k] + sum(math.tanh(coupling[i, j][k]) * value[j] for j in range(i))
        scale = math.exp(max(scales[i][k], -7.0))
        below = 0.0 if pixel[i] == 0 else sigmoid((value[i] - 1 / top - mean) / scale)
        above = 1.0 if pixel[i] == top else sigmoid((value[i] + 1 / top - mean) / scale)
        return above - below

    posterior = [math.exp(w) for w in weights]
    out = []
    for i in range(c):
        before = sum(posterior)
        posterior = [q * bin_probability(i, k) for k, q in enumerate(posterior)]
        out.append(math.log(sum(posterior) / before))
    return out


def check_mixture_values(likelihood: DiscretizedLogisticMixture) -> None:
    """The published formula (Salimans et al. 2017, eq. 1 to 3, with gamma g for its printed gamma b)."""
    for _ in range(10):
        params = random_params(likelihood, 1, 0.6)
        pixel = torch.randint(0, likelihood.levels, (1, likelihood.channels, 1, 1))
        expected = naive_mixture(likelihood, params[0, :, 0, 0], tuple(pixel[0, :, 0, 0].tolist()))
        found = likelihood.log_prob(params, pixel)[0, :, 0, 0]
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=DOUBLE, atol=DOUBLE)


def check_normalised(model: PixelModel, height: int, width: int) -> None:
    """Brute force: the probabilities of **all** images of a size sum to one, whatever is conditions."""
    image = model.image
    grid = itertools.product(range(image.levels), repeat=image.channels * height * width)
    every = torch.tensor(list(grid)).reshape(-1, image.channels, height, width)
    conditions = random_conditions(model, 1, height, width)
    with torch.no_grad():
        nats = model.log_prob(every, **conditions)
        total = float(nats.exp().sum())
        maps = model.log_prob_map(every[:5], **conditions)
    assert abs(total - 1) < 1e-12, f"all {len(every)} images together have probability {total!r}"
    torch.testing.assert_close(maps.flatten(1).sum(1), nats[:5])
