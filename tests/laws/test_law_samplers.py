"""Every engine equals the full pass, and every sampler draws what the likelihood says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.images import ImageSpec
from pointillist.networks import names
from pointillist.sampling.api import sample
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding

from .samplers import (
    DISTINCT_ENGINES,
    check_engine_equals_full,
    check_known_is_kept,
    check_loop_gets_conditionals,
    check_same_image,
    check_sample_frequencies,
    check_sampled_by_full_forwards,
    check_scored_as_sampled,
)
from .strategies import fitting_likelihoods, make_model, models, random_guidance, random_inputs, randomise_weights


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_every_engine_equals_the_full_pass(name: str, data: st.DataObject) -> None:
    """Parameters at every sub-pixel, teacher-forced, to 1e-10 in float64, for any model there is."""
    model = data.draw(models(name, max_levels=17)).eval()
    check_engine_equals_full(model, model.image.height, model.image.width, random_inputs(model, 2))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_every_engine_gives_the_same_image(name: str, data: st.DataObject) -> None:
    """With every condition, guidance, temperature and top-p, at any size (P13)."""
    model = data.draw(models(name, max_levels=5)).eval()
    how: dict[str, Any] = {
        "temperature": data.draw(st.sampled_from([0.0, 0.7, 1.0, 1.5])),
        "top_p": data.draw(st.sampled_from([0.4, 1.0])),
        "seed": data.draw(st.integers(0, 99)),
        **random_guidance(model, 3, data.draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))),
    }
    check_same_image(model, model.image.height, model.image.width, **how)


@given(data=st.data())
def test_every_engine_gives_the_image_of_full_forwards(data: st.DataObject) -> None:
    """Check any model, in one stage or several."""
    model = data.draw(models(max_levels=5)).eval()
    check_sampled_by_full_forwards(model, model.image.height, model.image.width)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_samples_are_scored_as_they_were_drawn(name: str, data: st.DataObject) -> None:
    """Check that `.nats` equals `log_prob`, however the probabilities were transformed."""
    model = data.draw(models(name, max_levels=5)).eval()
    how: dict[str, Any] = {"temperature": data.draw(st.sampled_from([0.7, 1.0])), "top_p": 0.9}
    how |= random_guidance(model, 4, data.draw(st.sampled_from([0.0, 1.0, 2.0])))
    check_scored_as_sampled(model, model.image.height, model.image.width, **how)


# every engine gives the same image from the same uniforms, as the properties above prove: one of them is counted here
COUNTED = ["numpy", *(pytest.param(e, marks=pytest.mark.slow) for e in DISTINCT_ENGINES if e != "numpy")]


@pytest.mark.one_in(8)
@pytest.mark.parametrize("engine", COUNTED)
@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 3), 2), ((3, 1, 1), 3), ((2, 2, 1), 3)])
@pytest.mark.parametrize("name", names())
def test_images_are_sampled_as_often_as_they_are_likely(
    name: str, shape: tuple[int, int, int], levels: int, engine: str
) -> None:
    """Chi-square of 3,000 images of two or three pixels against `exp(log_prob)`, every likelihood."""
    image = ImageSpec.infer(shape, levels)
    for likelihood in fitting_likelihoods(image):
        model = randomise_weights(make_model(name, image, {"layers": 2}, likelihood=likelihood))
        check_sample_frequencies(model, *shape[1:], engine)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_the_loop_uses_the_conditionals_of_the_score(name: str) -> None:
    """Check that sampling and scoring use one table, as completion and explain do."""
    for shape in ((1, 3, 2), (3, 2, 3)):
        image = ImageSpec.infer(shape, 4)
        for likelihood in fitting_likelihoods(image):
            check_loop_gets_conditionals(randomise_weights(make_model(name, image, likelihood=likelihood)), *shape[1:])


@given(data=st.data())
def test_what_is_known_is_kept(data: st.DataObject) -> None:
    """Check any set of sites, for any model: completion and the second stage of a model need it."""
    model = data.draw(models(max_levels=5)).eval()
    check_known_is_kept(model, model.image.height, model.image.width)


@pytest.mark.parametrize("engine", DISTINCT_ENGINES)
def test_an_image_depends_on_seed_and_index_only(engine: str) -> None:
    """Image i is the same for any `n` and any `batch_size` (P13)."""
    model = randomise_weights(make_model("gated-pixelcnn", ImageSpec.infer((1, 3, 4), 4), labels=True))
    labels = [0, 1, 2, 1, 0]
    whole = sample(model, 5, labels, seed=4, engine=engine, guidance=2.0)
    for n, batch_size in ((5, 1), (5, 2), (3, 2), (1, 64)):
        part = sample(model, n, labels[:n], seed=4, engine=engine, guidance=2.0, batch_size=batch_size)
        assert equal(part.levels, whole.levels[:n])
        assert_close(part.nats, whole.nats[:n])
    assert not equal(sample(model, 5, labels, seed=5, engine=engine).levels, whole.levels)
    rows = np.stack([np.random.default_rng([4, i]).random((1, 3, 4)) for i in range(5)])
    assert equal(sample(model, 5, labels, uniforms=rows, engine=engine, guidance=2.0).levels, whole.levels)


@pytest.mark.parametrize("name", names())
def test_guidance_one_is_the_model_and_zero_is_unconditional(name: str) -> None:
    """The ends of the scale, image by image."""
    model = randomise_weights(make_model(name, ImageSpec.infer((1, 4, 3), 5), labels=True), 0.35)
    conditional, unconditional = sample(model, 6, "dog", seed=1), sample(model, 6, seed=1)
    assert equal(sample(model, 6, "dog", seed=1, guidance=1.0).levels, conditional.levels)
    zero = sample(model, 6, "dog", seed=1, guidance=0.0)
    assert equal(zero.levels, unconditional.levels)
    assert_close(zero.nats, model.log_prob(zero.levels, "dog").detach())
    alone = model.log_prob(conditional.levels).detach().double()
    assert not torch.allclose(torch.from_numpy(conditional.nats), alone, rtol=0, atol=network_rounding(model, alone))
    one = sample(model, 6, ["dog", None, None, None, None, None], seed=1, guidance=3.0)
    assert equal(one.levels[1:], unconditional.levels[1:])  # nothing to follow
