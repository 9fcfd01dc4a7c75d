"""Property tests of integer programs over the registries: any network, likelihood, condition, order and size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable import ProgramModel
from tests.integer_draws import draw_encoded, intervals_of, log_probs_of
from tests.laws.strategies import models, random_inputs, random_levels
from tests.portable.networks import INTEGER_NETWORKS, check_steps
from tests.tolerances import DOUBLE, FORMULA

pytestmark = pytest.mark.proof


def integer_model_of(model: PixelModel) -> ProgramModel:
    """Rewrite a model in integers; what cannot be exact by its design is another test's subject."""
    assume(not model.image.ordered or model.image.levels <= 256)
    return pt.quantize_integer(model.float().eval(), random_levels(model, 3))


def check_executors(integer_model: ProgramModel, x: IntArray, inputs: dict[str, IntArray], order: PixelOrder) -> None:
    """Check that whole maps, steps, compiled code, torch, single images and threads give the same integers."""
    due = intervals_of(integer_model, x, inputs, order, executor="numpy")
    assert np.array_equal(due, intervals_of(integer_model, x, inputs, order, executor="torch"))
    for threads in (1, 2):
        assert np.array_equal(due, intervals_of(integer_model, x, inputs, order, executor="auto", threads=threads))
    for i in range(len(x)):
        own = {name: array[i : i + 1] for name, array in inputs.items()}
        alone = intervals_of(integer_model, x[i : i + 1], own, order)
        assert all(np.array_equal(a[0], b[i]) for a, b in zip(alone, due, strict=True))
    for executor in ("numpy", "auto"):
        check_steps(integer_model, x, inputs, order, due, executor)


def check_draws(
    integer_model: ProgramModel, uniforms: IntArray, inputs: dict[str, IntArray], order: PixelOrder
) -> None:
    """Check that samples are the same for every executor and number of threads, and carry their likelihood."""
    due, nats = draw_encoded(integer_model, uniforms, inputs, order, executor="numpy")
    for threads in (1, 2):
        found, own = draw_encoded(integer_model, uniforms, inputs, order, threads=threads)
        assert np.array_equal(found, due)
        np.testing.assert_allclose(own, nats, rtol=FORMULA)
    found, own = draw_encoded(integer_model, uniforms, inputs, order, executor="torch")
    assert np.array_equal(found, due)
    assert np.array_equal(own, nats)
    scored = log_probs_of(integer_model, due, inputs, order).sum((1, 2, 3))
    np.testing.assert_allclose(scored, nats, rtol=DOUBLE, atol=DOUBLE)
    sharp = Transform(temperature=0.5, top_p=0.9)
    found, own = draw_encoded(integer_model, uniforms, inputs, order, sharp)
    scored = log_probs_of(integer_model, found, inputs, order).sum((1, 2, 3))
    np.testing.assert_allclose(scored, own, rtol=DOUBLE, atol=DOUBLE)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", INTEGER_NETWORKS)
@settings(max_examples=4)
@given(data=st.data())
def test_every_executor_gives_the_same_bits(name: str, data: st.DataObject) -> None:
    """With random weights, conditions and images of any size that the model allows."""
    model = data.draw(models(name))
    assume(min(model.image.height, model.image.width) > 1)  # of one row or column not every part is calibrated
    integer_model = integer_model_of(model)
    count = data.draw(st.integers(1, 4))
    order = integer_model.order(data.draw(st.sampled_from(list(integer_model.orders))))
    x = random_levels(model, count)
    inputs = model.integer_model().encode(random_inputs(model, count), count, (x.shape[2], x.shape[3]), order)
    check_executors(integer_model, x.numpy(), inputs, order)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    check_draws(integer_model, rng.random(x.shape), inputs, order)


def test_the_check_can_fail() -> None:
    """A level that is another changes the integers of later sub-pixels."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny").eval()
    integer_model = pt.quantize_integer(model, random_levels(model, 2))
    x = random_levels(model, 2).numpy()
    other = x.copy()
    other[:, :, 0, 0] = (other[:, :, 0, 0] + 1) % 4
    first, second = (intervals_of(integer_model, levels, {}, integer_model.order()) for levels in (x, other))
    assert not np.array_equal(first[1][..., 1:, :], second[1][..., 1:, :])
