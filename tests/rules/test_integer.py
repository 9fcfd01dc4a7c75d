"""Rules in integer programs: rows in compiled code against one sub-pixel after the other in numpy."""

from __future__ import annotations

import numpy as np
import pytest

import pointillist as pt
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Constraints
from pointillist.engine.sampler import sample_batch
from pointillist.model.portable.conditions import join_inputs
from tests.integer_draws import encoded
from tests.portable.networks import integer_case

from ..golden_images import digest
from .reference import random_adjacency, tables
from .test_sampling import rules_of

TRANSFORMS = {
    "identity": IDENTITY,
    "transformed": Transform(temperature=0.7, top_p=0.9),
    "guided": Transform(guidance=1.7, temperature=1.2),
    "most-probable": Transform(temperature=0.0),
    "guided-sharp": Transform(guidance=40.0, temperature=2.0**-10, top_p=0.3),
    "guided-flat": Transform(guidance=0.5, temperature=50.0, top_p=1e-12),
}


def constraints_of(channels: int, levels: int) -> Constraints | None:
    """Random pairs of neighbours and a limit, where there is one channel."""
    if channels > 1:
        return None
    rules = rules_of(adjacency=random_adjacency(np.random.default_rng(3), levels, 0.6))
    right, down = tables(rules, levels)
    adjacency = np.stack([right, down, right.T, down.T])
    return Constraints(adjacency=adjacency, sets=[np.arange(levels) == 1], limits=[5])


def draw(
    name: str, transform: Transform, executor: str, threads: int = 1, *, weighted: bool = False
) -> tuple[np.ndarray, ...]:
    """Draw images of which some pixels are known, within a mask: levels, frequencies, and the state of the mask."""
    _, model, x = integer_case(name)
    rng, shape, order = np.random.default_rng(1), tuple(x.shape), model.order()
    allowed = rng.random((*shape[1:], model.image.levels)) < 0.8
    allowed[..., 0] = True
    constraints = constraints_of(shape[1], model.image.levels)
    mask = LevelMask.open(allowed, len(x), constraints, weighted=weighted)
    mask.make_arc_consistent()
    mask = mask.repeat(len(x))
    known, levels = np.zeros(shape, bool), np.zeros(shape, np.int64)
    known[..., 1, 2] = True
    for channel in range(shape[1]):
        levels[:, channel, 1, 2] = mask.allowed(channel, np.array([1]), np.array([2])).argmax()
    mask.begin_stage(order, (1, 1), levels, known[0, 0])
    label = ["cat", "dog", "cat"] if model.classes else None
    inputs = encoded(model, len(x), shape[2:], order, label)
    if transform.is_guided:
        inputs = join_inputs(inputs, encoded(model, len(x), shape[2:], order))
    arrays = (order.array_to_raster(array) for array in (levels, known, rng.random(shape)))
    batch = SampleBatch(*map(np.ascontiguousarray, arrays), np.zeros(len(x)), mask=mask)  # type: ignore[arg-type]
    sample_batch(model.program(order), inputs, batch, transform, executor=executor, threads=threads)
    return batch.levels, batch.sizes, mask.bits, mask.status, mask.mass, mask.counts


@pytest.mark.proof
@pytest.mark.one_in(2)
@pytest.mark.parametrize("how", TRANSFORMS)
@pytest.mark.parametrize(
    "name",
    ["gated-pixelcnn", "gated-256", "gated-binary", "pixelcnn-pp-rgb", "locally-masked-pixelcnn", "pixelcnn-codes"],
)
def test_rows_in_compiled_code_are_those_of_numpy(name: str, how: str) -> None:
    """Levels, frequencies and domains, to the bit: coupled channels, S-curves, dead ends and known pixels too."""
    expected = draw(name, TRANSFORMS[how], "numpy")
    for threads in (1, 3):
        for one, other in zip(expected, draw(name, TRANSFORMS[how], "auto", threads), strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["gated-pixelcnn", "gated-256", "pixelcnn-pp-rgb"])
def test_the_mass_of_allowed_levels_is_exact(name: str) -> None:
    """A weight of numpy and of the library has the same bits; without rules it is not 1 either."""
    expected = draw(name, IDENTITY, "numpy", weighted=True)
    assert (expected[4] < 0).all()
    for one, other in zip(expected, draw(name, IDENTITY, "auto", 2, weighted=True), strict=True):
        assert np.array_equal(one, other)


def test_a_bundled_model_draws_the_stored_map() -> None:
    """The hash is that of the program of 2026-12-02; a new `dungeons` changes it."""
    rules = rules_of(adjacency="observed", counts=[{"levels": ["monster"], "at_most": 4}])
    levels = pt.sample("dungeons", 3, size=(16, 24), rules=rules, seed=5).levels
    assert digest(levels) == "b90b913dcd67326ba6e5a12d9f89241929a14267ba354b1c0fe319e82385cf90"
