"""Sampling can be inverted: the recovered uniforms of any image of any model give it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pointillist.errors import ConfigError
from pointillist.networks import names
from pointillist.sampling.api import sample
from pointillist.sampling.inversion import interpolate_uniforms, recover_uniforms, replace_uniforms
from tests.equality import equal
from tests.tolerances import FORMULA

from .samplers import DISTINCT_ENGINES
from .strategies import models, random_guidance, random_levels


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@settings(max_examples=5)
@given(data=st.data())
def test_recovered_uniforms_give_the_image(name: str, data: st.DataObject) -> None:
    """With conditions, guidance and temperature, by any engine."""
    model = data.draw(models(name, max_levels=5)).eval()
    how: dict[str, Any] = {
        "temperature": data.draw(st.sampled_from([0.7, 1.0, 1.5])),
        "engine": data.draw(st.sampled_from(DISTINCT_ENGINES)),
        **random_guidance(model, 1, data.draw(st.sampled_from([0.0, 1.0, 2.0]))),
    }
    levels = sample(model, 1, seed=data.draw(st.integers(0, 99)), **how).levels
    uniforms = recover_uniforms(model, levels[0], seed=data.draw(st.integers(0, 9)), **how)
    assert ((uniforms >= 0) & (uniforms < 1)).all()
    assert equal(sample(model, 1, uniforms=uniforms, **how).levels, levels)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@settings(max_examples=5)
@given(data=st.data())
def test_any_image_is_inverted_that_uniforms_can_give(name: str, data: st.DataObject) -> None:
    """However improbable: only a level below the precision of a uniform has none."""
    model = data.draw(models(name, max_levels=5)).eval()
    levels = random_levels(model, 1, model.image.height, model.image.width)
    maps = np.asarray(model.log_prob_map(levels).detach())
    smallest = float(maps.min())
    assume(not -40 < smallest < -33)  # 2^-53 is -37 nats
    assume(not ((maps < -33) & (np.asarray(levels) == 0)).any())  # its interval begins at 0, where numbers are finer
    if smallest < -36:
        with pytest.raises(ConfigError, match=r"probability zero.: change that pixel"):
            recover_uniforms(model, levels[0], guidance=1.0, temperature=1.0)
        return
    uniforms = recover_uniforms(model, levels[0], guidance=1.0, temperature=1.0)
    assert equal(sample(model, 1, uniforms=uniforms, guidance=1.0, temperature=1.0).levels, levels)


@given(data=st.data())
def test_an_impossible_level_is_named(data: st.DataObject) -> None:
    """At temperature 0 only one image can be drawn."""
    model = data.draw(models("gated-pixelcnn", max_levels=5)).eval()
    best = sample(model, 1, temperature=0.0).levels
    uniforms = recover_uniforms(model, best[0], temperature=0.0)
    np.testing.assert_array_equal(sample(model, 1, uniforms=uniforms, temperature=0.0).levels, best)
    other = best[0].copy()
    other[0, 0, 0] = (other[0, 0, 0] + 1) % model.image.levels
    with pytest.raises(ConfigError, match=r"never paints there at temperature 0 .*zero.: use temperature 1"):
        recover_uniforms(model, other, temperature=0.0)


def test_mixed_uniforms_are_uniform() -> None:
    """Interpolated and replaced ones: their distribution, their ends, and their correlation with the first."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 100_000))
    for mix in (interpolate_uniforms, replace_uniforms):
        np.testing.assert_array_equal(mix(a, b, 0.0), a)
        np.testing.assert_allclose(mix(a, b, 1.0), b, atol=FORMULA)
        before = 1.0
        for strength in (0.2, 0.5, 0.8):
            mixed = mix(a, b, strength)
            assert ((mixed >= 0) & (mixed < 1)).all()
            counts = np.histogram(mixed, 20, (0, 1))[0]
            assert ((counts - 5000) ** 2 / 5000).sum() < 50  # chi-square of 19 degrees: 1 in 10,000 is above 50
            correlation = np.corrcoef(a, mixed)[0, 1]
            assert 0 < correlation < before
            before = correlation
        with pytest.raises(ConfigError, match="must lie in 0 to 1"):
            mix(a, b, 1.5)
