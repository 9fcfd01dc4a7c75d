"""Integer programs by the library in C against numpy: attention over many sites, and particles."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.c.run import params_in_c
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Check, Kind, to_bits
from pointillist.engine.head.tables import exp_table
from pointillist.engine.opcodes import attention
from pointillist.engine.particles import CERTAIN, DRAWN, WEIGHED, ParticleBatch, Scaled
from pointillist.engine.program import (
    INT8,
    INT32,
    LIMIT,
    FeatureMap,
    Instruction,
    IntegerHead,
    KeyValueCache,
    Phase,
    Program,
    Value,
    View,
)
from pointillist.engine.sampler import draw_particles
from pointillist.model.portable.conditions import join_inputs
from tests.integer_draws import encoded
from tests.portable.networks import integer_case
from tests.rules.test_integer import constraints_of

MOST = 12
TRANSFORMS = {"identity": IDENTITY, "guided": Transform(guidance=1.7, temperature=0.8, top_p=0.95)}


def draw(name: str, transform: Transform, executor: str, *, masked: bool = False) -> tuple[np.ndarray, ...]:
    """Draw particles around a hole: levels in use after the last row, weights, evidence."""
    _, model, x = integer_case(name)
    rng, order, (channels, height, width) = np.random.default_rng(2), model.order(), tuple(x.shape[1:])
    roles = np.full((channels, height, width), WEIGHED, np.int8)
    roles[:, 0] = CERTAIN
    roles[rng.random(roles.shape) < 0.5] = DRAWN
    counts = np.full(height, MOST) if masked else rng.integers(1, MOST + 1, height)
    mask = None
    levels = np.repeat(x[:1].numpy(), MOST, 0)
    if masked:
        allowed = rng.random((channels, height, width, model.image.levels)) < 0.35  # so that weights differ
        np.put_along_axis(allowed, x[0].numpy()[..., None], True, 3)
        pieces = Check(name="one piece", kind=Kind.ONE_PIECE, levels=to_bits(np.arange(model.image.levels) != 1))
        checks = [pieces] if channels == 1 else []
        mask = LevelMask.open(allowed, 1, constraints_of(channels, model.image.levels), checks, weighted=True).repeat(
            MOST
        )
        mask.begin_stage(order, (1, 1), levels, np.zeros((height, width), bool))
    batch = ParticleBatch(
        levels=levels.astype(np.int64),
        roles=roles,
        counts=counts,
        uniforms=rng.random((MOST, channels, height, width)),
        draws=rng.random((height, width + 1)),
        factors=rng.random((height, width, model.image.levels)) if channels == 1 else None,
    )
    inputs = encoded(model, 1, (height, width), order, ["cat"] if model.classes else None)
    if transform.is_guided:
        inputs = join_inputs(inputs, encoded(model, 1, (height, width), order))
    draw_particles(model.program(order), inputs, batch, transform, mask=mask, executor=executor)
    count = len(batch.weights)
    state = () if mask is None else (mask.bits, mask.status)
    scaled = (batch.weights.relative(), batch.weights.logs(), batch.marginal.mantissas, batch.marginal.exponents)
    return (batch.levels[:count], *scaled, *state)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("how", TRANSFORMS)
@pytest.mark.parametrize(
    "name",
    ["gated-pixelcnn", "gated-256", "pixelcnn-codes", "pixelcnn-pp-rgb", "locally-masked-pixelcnn", "diagonal-bilstm"],
)
def test_compiled_particles_are_those_of_numpy(name: str, how: str, masked: bool) -> None:
    """Levels, weights and evidence, to the bit: rows with other numbers of particles, guidance, rules, soft data."""
    expected = draw(name, TRANSFORMS[how], "numpy", masked=masked)
    compiled = draw(name, TRANSFORMS[how], "auto", masked=masked)
    assert len(expected[0]) == len(compiled[0])
    for one, other in zip(expected, compiled, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: numpy without weights draws other particles than the library."""
    expected = draw("gated-pixelcnn", IDENTITY, "auto")
    monkeypatch.setattr(Scaled, "multiply", lambda self, factors: None)
    assert not np.array_equal(draw("gated-pixelcnn", IDENTITY, "numpy")[2], expected[2])


def test_products_neither_underflow_nor_overflow() -> None:
    """A thousand factors of 2^-24; the mean is that of the larger numbers."""
    numbers = Scaled.ones(3)
    for _ in range(1000):
        numbers.multiply(np.array([2.0**-24, 2.0**24, 0.75]))
    np.testing.assert_allclose(numbers.logs(), [-24_000 * np.log(2), 24_000 * np.log(2), 1000 * np.log(0.75)])
    assert numbers.relative().tolist() == [0.0, 0.5, 0.0]
    assert numbers.mean().logs()[0] == pytest.approx(24_000 * np.log(2) - np.log(3))
    numbers.multiply(np.zeros(3))
    assert numbers.relative().tolist() == [0.0] * 3
    assert numbers.effective_size() == 0.0
    assert numbers.mean().logs()[0] == -np.inf


CHUNK = 2**15
"""Sites whose products of bytes the library adds in 32 bits."""


def attending(heads: int, key: int, value: int, entries: np.ndarray, factor: int) -> Program:
    """Return a program that stores what the canvas holds, and attends to it by the keys of the pixel to the left."""
    channels, width = heads * (key + value), heads * value
    canvas = FeatureMap("canvas", channels, dtype=INT8)
    canvas.extend(((0, -1), (0, 0)))
    cache = KeyValueCache("cache", channels, dtype=INT8, num_heads=heads, key_channels=heads * key)
    left, here = Value(0, channels, Phase.SITE, dtype=INT8), Value(1, channels, Phase.POST_DRAW, dtype=INT8)
    out = View(Value(2, width, Phase.SITE, dtype=INT32), 0, width)
    query = View(left, 0, heads * key)
    constants = {"exp": exp_table(), "factor": np.array([factor])}
    site = (
        Instruction("GATHER", Phase.SITE, View(left, 0, channels), (), map=canvas, taps=((0, -1),)),
        Instruction("ATTEND", Phase.SITE, out, (query,), constants=constants, map=cache),
    )
    draw = (
        Instruction("GATHER", Phase.POST_DRAW, View(here, 0, channels), (), map=canvas, taps=((0, 0),)),
        Instruction("STORE_KV", Phase.POST_DRAW, None, (View(here, 0, channels),), map=cache),
    )
    head = IntegerHead("categorical", 1, width, 0, 16, {"exp": exp_table()})
    return Program(
        1,
        channels,
        canvas,
        (canvas,),
        (cache,),
        {},
        (),
        (),
        site,
        (site,),
        draw,
        out,
        integer_head=head,
        canvas_values=entries.astype(np.int8),
    )


@pytest.mark.proof
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("heads", "key", "value"), [(1, 8, 32), (2, 3, 5), (3, 5, 17)])
def test_many_sites(heads: int, key: int, value: int) -> None:
    """The sums of more than one chunk, of keys and values of any width, are those of numpy."""
    rng, shape, factor = np.random.default_rng(key), (180, 189), 1_500
    assert np.prod(shape) > CHUNK
    entries = rng.integers(-128, 128, (heads * value, heads * (key + value)))
    program = attending(heads, key, value, entries, factor)
    levels = rng.integers(0, heads * value, (1, 1, *shape))
    params = params_in_c(program, levels, {})
    stored, cache = entries[levels[0, 0]].reshape(-1, entries.shape[1]), program.kv_caches[0]
    constants = {"exp": exp_table().astype(np.int64), "factor": np.array([factor])}
    mean = partial(attention.integer_weighted_mean, constants, -LIMIT, LIMIT)
    assert not params[0, 0, 0].any()
    for row, column in ((0, 1), (0, 63), (0, 64), (0, 66), (5, 0), (90, 17), (179, 180), (179, 188)):
        site = row * shape[1] + column
        query = stored[site - 1, : heads * key] if column else np.zeros(heads * key, np.int64)
        due = attention.attend(cache, 0, mean, query[None], stored[None, :site])[0]
        assert np.array_equal(params[0, row, column], due)
