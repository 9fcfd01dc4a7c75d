"""Which likelihood fits which image, and where each kind stands. What they compute is in `laws/`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from pointillist.distributions.factored import FactoredCategorical
from pointillist.distributions.kinds import LIKELIHOODS, LikelihoodKind, LikelihoodName
from pointillist.distributions.likelihoods import (
    Bernoulli,
    Categorical,
    DiscretizedLogisticMixture,
    Likelihood,
    bits_per_dim,
    build_likelihood,
)
from pointillist.distributions.moments import centred_pit, entropy_and_variance
from pointillist.engine.c.lower import KINDS
from pointillist.engine.head.frequencies import frequencies, precision_of
from pointillist.engine.head.tables import standard_tables
from pointillist.engine.library import runtime_text
from pointillist.engine.program import IntegerHead
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.model.portable.decode import HeadModel
from pointillist.studio.schemas.models import ModelDetails
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE, FORMULA, rounding


@pytest.mark.parametrize(
    ("levels", "ordered", "expected"),
    [(2, True, Bernoulli), (2, False, Categorical), (3, True, Categorical), (256, True, Categorical),
     (4096, False, Categorical), (4097, False, FactoredCategorical), (65_536, True, FactoredCategorical)],
)  # fmt: skip
def test_auto(levels: int, ordered: bool, expected: type) -> None:
    """Bernoulli for two ordered levels, Categorical otherwise, in two factors where the levels are very many."""
    image = ImageSpec(channels=2, height=2, width=2, levels=levels, ordered=ordered)
    assert type(build_likelihood("auto", image)) is expected


def test_a_mixture_on_unordered_levels_is_refused() -> None:
    """Names have no distance."""
    with pytest.raises(ConfigError, match=r"needs ordered levels.*use 'categorical'"):
        build_likelihood("mixture", ImageSpec(channels=1, height=2, width=2, levels=9, ordered=False))


def test_bernoulli_needs_two_levels() -> None:
    """Rule and remedy."""
    with pytest.raises(ConfigError, match=r"`levels` \(=3\) must be 2"):
        build_likelihood("bernoulli", ImageSpec.infer((1, 2, 2), 3))


def test_numbers_of_parameters() -> None:
    """Salimans et al. 2017: 100 for RGB and ten components."""
    assert DiscretizedLogisticMixture(3, 256, 10).num_params == 100
    assert DiscretizedLogisticMixture(1, 256, 10).num_params == 30
    assert DiscretizedLogisticMixture(4, 256, 1).num_params == 1 + 8 + 6
    assert Categorical(3, 17).num_params == 51
    assert Bernoulli(4).num_params == 4
    assert FactoredCategorical(1, 65_536, 10).num_params == 10 * (1 + 256 + 256)


def test_two_factors_are_a_mixture_of_products() -> None:
    """Written out with scalars, for 10 levels: digits 0 to 2 and 0 to 3; the last high one has two low ones."""
    likelihood = FactoredCategorical(1, 10, 2)
    params = torch.randn(1, likelihood.num_params, 1, 1, dtype=torch.float64)
    flat = params.flatten().exp().tolist()
    weights, high, low = flat[:2], [flat[2:5], flat[5:8]], [flat[8:12], flat[12:16]]
    for level in range(10):
        h, k = divmod(level, 4)
        expected = sum(
            weights[m] / sum(weights) * high[m][h] / sum(high[m]) * low[m][k] / sum(low[m][: 2 if h == 2 else 4])
            for m in range(2)
        )
        found = likelihood.log_prob(params, torch.full((1, 1, 1, 1), level)).exp()
        assert abs(float(found) - expected) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "likelihood",
    [
        Bernoulli(2),
        Categorical(2, 7),
        DiscretizedLogisticMixture(3, 256, 5),
        DiscretizedLogisticMixture(1, 2, 1),
        FactoredCategorical(2, 7, 3),
    ],
    ids=lambda one: f"{one.name}-{one.levels}",
)
def test_entropy_is_that_of_conditional(likelihood: Likelihood, dtype: torch.dtype) -> None:
    """Also with components that are far away, or far narrower than a level."""
    params = torch.randn(2, likelihood.num_params, 3, 4, dtype=dtype) * torch.tensor([1.0, 6.0])[:, None, None, None]
    x = torch.randint(0, likelihood.levels, (2, likelihood.channels, 3, 4))
    for channel in range(likelihood.channels):
        log_probs = likelihood.conditional(params, x, channel).double()
        # a probability is as uncertain, relatively, as its logit; the sums have `levels` terms
        within = rounding(params, 1.0, terms=likelihood.levels, dtype=dtype)
        torch.testing.assert_close(
            log_probs.exp().sum(1), torch.ones(2, 3, 4, dtype=torch.float64), rtol=0, atol=within
        )
        entropy = -(log_probs.exp() * log_probs.clamp(min=-1e4)).sum(1)
        probs = likelihood.conditional(params, x, channel).exp().numpy()
        found, spread = (torch.from_numpy(m).double() for m in entropy_and_variance(probs))
        torch.testing.assert_close(found, entropy, rtol=0, atol=within * math.log(likelihood.levels))
        scale = float((log_probs.exp() * log_probs.clamp(min=-1e4) ** 2).sum(1).max()) + 1
        variance = (log_probs.exp() * (log_probs.clamp(min=-1e4) + entropy[:, None]) ** 2).sum(1)
        torch.testing.assert_close(spread, variance, rtol=0, atol=within * scale)


@pytest.mark.parametrize("levels", [2, 7])
def test_the_centred_pit_has_mean_0_and_the_said_variance(levels: int) -> None:
    """Over the levels, weighted by their probabilities; and the extremes lie half a probability inside."""
    probs = torch.rand(1, levels, 1, 3, dtype=torch.float64).softmax(1).numpy()
    found = [centred_pit(probs, np.full((1, 1, 3), level)) for level in range(levels)]
    pits = np.stack([pit for pit, _ in found], 1)
    assert_close((probs * pits).sum(1), np.zeros((1, 1, 3)), atol=FORMULA, rtol=0)
    assert_close((probs * pits**2).sum(1), found[0][1])
    assert_close(pits[:, 0], probs[:, 0] / 2 - 0.5)


def test_bits_per_dim() -> None:
    """Nats of an image to bits of a sub-pixel."""
    assert bits_per_dim(10 * math.log(2), 5) == pytest.approx(2)


def test_log_scales_have_a_floor() -> None:
    """Below -7 a component gets no narrower (the paper's value)."""
    likelihood = DiscretizedLogisticMixture(1, 256, 1)
    x = torch.full((1, 1, 1, 1), 100)
    at_floor, below = (likelihood.log_prob(torch.tensor([0.0, -0.2, s]).view(1, 3, 1, 1), x) for s in (-7.0, -70.0))
    assert equal(at_floor, below)


@pytest.mark.parametrize("log_scale", [-70.0, 0.0, 60.0, 80.0, 1000.0])
def test_gradients_are_finite_at_any_scale(log_scale: float) -> None:
    """Also where a bin is narrower than the smallest number: of a network that is not trained."""
    likelihood = DiscretizedLogisticMixture(1, 256, 1)
    params = torch.tensor([0.0, 0.3, log_scale]).view(1, 3, 1, 1).requires_grad_()
    for level in (0, 100, 255):
        nats = likelihood.log_prob(params, torch.full((1, 1, 1, 1), level))
        assert nats.isfinite().all()
        (gradient,) = torch.autograd.grad(nats.sum(), params)
        assert gradient.isfinite().all()


ROOT = Path(__file__).parents[2]


def test_the_names_stand_in_one_table() -> None:
    """What type checkers see, the numbers in C, stored programs and messages of the studio follow it."""
    assert tuple(LIKELIHOODS) == get_args(LikelihoodKind) == KINDS
    assert set(get_args(LikelihoodName)) == {"auto", *LIKELIHOODS}
    assert get_args(HeadModel.model_fields["kind"].annotation) == tuple(LIKELIHOODS)
    assert get_args(ModelDetails.model_fields["likelihood"].annotation) == tuple(LIKELIHOODS)


@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_every_executor_has_every_likelihood(kind: LikelihoodKind) -> None:
    """Torch and numpy read the parameters of the table; C numbers the kind, JavaScript and the page name it."""
    levels, channels = 2, 3
    likelihood = build_likelihood(kind, ImageSpec.infer((channels, 1, 1), levels), mixtures=2)
    assert likelihood.name == kind
    params = torch.randn(1, LIKELIHOODS[kind].num_params(channels, levels, 2), 1, 1, dtype=torch.float64)
    probs = likelihood.conditional(params, torch.zeros(1, channels, 1, 1, dtype=torch.int64), 1).exp()
    assert probs.sum().item() == pytest.approx(1, abs=DOUBLE)
    precision = precision_of(levels)
    head = IntegerHead(kind, channels, levels, 2, precision, dict(standard_tables(kind, levels)))
    result = frequencies(head, np.zeros((1, head.num_params), np.int64), np.zeros((1, channels), np.int64), 1)
    assert result.sum() == 1 << precision
    source = runtime_text("pointillist.c")
    assert "enum { " + ", ".join(name.upper() for name in LIKELIHOODS) + " };" in source
    if kind != "categorical":  # the last case in JavaScript, without a name
        assert f'head.kind === "{kind}"' in (ROOT / "runtime" / "pointillist.js").read_text(encoding="utf-8")
        assert f"`{kind}`" in (ROOT / "docs" / "reference" / "program_format.md").read_text(encoding="utf-8")
