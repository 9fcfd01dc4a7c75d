"""Completion, for every network, method, order and mask, against enumeration of every image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.completion.moves import move_sub_pixels
from pointillist.completion.sequential import log_prob_maps
from pointillist.completion.smc import SHARE, particles_by_row, run_particles
from pointillist.conditioning import KnownConfig
from pointillist.engine.particles import CERTAIN, DRAWN, WEIGHED, ParticleBatch, Scaled
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import entry, names
from pointillist.sampling.draws import Draws
from pointillist.sampling.request import Request
from tests.equality import assert_close, equal

from .completion import check_completions, check_normalised, every_mask, exact_conditional, fillings, total_variation
from .samplers import DISTINCT_ENGINES
from .strategies import make_model, random_levels, randomise_weights

pytestmark = pytest.mark.proof

KNOWN = KnownConfig(width=3, layers=2, level_channels=2)
GREY, RGB = ImageSpec.infer((1, 2, 2), 3), ImageSpec.infer((3, 1, 2), 2)
NAMES = ImageSpec(channels=1, height=2, width=2, levels=3, ordered=False)
ODD = ImageSpec.infer((1, 3, 1), 4)
SLOW = pytest.mark.slow
WIDE = [[0, 0], [1, 0], [1, 1]]
TALL = [[1], [0], [1], [1], [1], [1], [1], [1], [0], [1]]
IMAGES = {"grey": GREY, "rgb": RGB, "names": NAMES, "odd": ODD}


def completion_draws(
    model: PixelModel, x: torch.Tensor, mask: np.ndarray, engine: str = "numpy", n: int = 1, **further: Any
) -> Draws:
    """Resolve a request without conditions, in the model's first order."""
    how = {"engine": engine, "order": model.order().name}
    return Request(n=n, settings=how, seed=0, known=(x.numpy(), mask), method="smc", **further).resolve(model)


def random_model(name: str, image: ImageSpec, **settings: Any) -> PixelModel:
    torch.manual_seed(0)
    return randomise_weights(make_model(name, image, **settings), 0.4)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", names())
def test_a_completing_model_is_normalised_for_every_mask(name: str, kind: str) -> None:
    """With other conditions too; the mask changes the model, and nothing known is not a condition."""
    image = IMAGES[kind]
    model = random_model(name, image, known=KNOWN, labels=True)
    for mask in every_mask(image.shape):
        check_normalised(model, mask, label=1)
    x = random_levels(model, 2)
    with torch.no_grad():
        nothing = np.zeros(image.shape, bool)
        assert equal(model.log_prob(x, known=nothing), model.log_prob(x))
        assert not model.log_prob(x, known=~nothing).any()


@pytest.mark.parametrize("name", names())
def test_known_pixels_matter_in_every_direction(name: str) -> None:
    """The first sub-pixel depends on the last one where it is known, and only there."""
    model = random_model(name, ImageSpec.infer((1, 3, 3), 4), known=KNOWN)
    known = np.zeros((3, 3), bool)
    known[2, 2] = True
    x = random_levels(model, 1)
    other = x.clone()
    other[..., 2, 2] = (x[..., 2, 2] + 1) % 4
    with torch.no_grad():
        one, two = (model.log_prob_map(t, known=known)[0, 0, 0, 0] for t in (x, other))
        three, four = (model.log_prob_map(t)[0, 0, 0, 0] for t in (x, other))
    assert one != two
    assert three == four
    assert one != three


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", ["grey", "rgb", pytest.param("names", marks=SLOW)])
@pytest.mark.parametrize("name", names())
def test_completions_are_exact_for_every_mask(name: str, kind: str) -> None:
    """By a completing model, in an order in which the hole comes last, and by weights; method and order are named."""
    image = IMAGES[kind]
    model = random_model(name, image, labels=True, known=KNOWN)
    plain = random_model(name, image, labels=True, orders=("raster", "raster-br", "raster-columns-tr"))
    for mask in every_mask(image.shape[1:]):
        assert check_completions(model, mask, label=2).method == "known"
        found = check_completions(plain, mask, "sequential", label=2)
        assert found.method == "sequential"
        assert found.order in plain.config.orders
    lower = np.array([[True] * image.width] * (image.height - 1) + [[False] * image.width])
    for mask in (lower, lower[::-1], lower[:, ::-1]):
        found = check_completions(plain, mask.copy(), label=0)
        assert found.method == "order"


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_engines_complete_alike(name: str) -> None:
    """The same seed gives the same completions on every engine, for pixels and sub-pixels, also under guidance."""
    model = random_model(name, ImageSpec.infer((3, 3, 2), 4), known=KNOWN, labels=True)
    x, rng = random_levels(model, 1), np.random.default_rng(0)
    for shape in (model.image.shape[1:], model.image.shape):
        mask = rng.random(shape) < 0.4
        for method in ("known", "sequential"):
            how: dict[str, Any] = {"seed": 2, "label": [0, 1, 2], "guidance": 1.5}
            wanted = pt.inpaint(model, x, mask, 3, method, engine="naive", **how)
            for engine in (engine for engine in DISTINCT_ENGINES if engine != "naive"):
                found = pt.inpaint(model, x, mask, 3, method, engine=engine, **how)
                assert equal(found.levels, wanted.levels), engine
                assert_close(found.nats, wanted.nats)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("order", [[1, 1], [0, 0]]),
        ("known", [[0, 1], [1, 0]]),
        ("sequential", [[0, 1], [1, 0]]),
        *(
            pytest.param(m, r, marks=SLOW)
            for m in ("known", "sequential")
            for r in ([[1, 1], [0, 0]], [[0, 0], [1, 1]])
        ),
    ],
)
def test_draws_follow_the_conditional(method: str, rows: list[list[int]]) -> None:
    """Many draws, weighted, against enumeration: total variation below 0.02."""
    model, mask = random_model("gated-pixelcnn", GREY, known=KNOWN), np.array(rows, bool)
    x = random_levels(model, 1)
    found = pt.inpaint(model, x, mask, 20_000, method, seed=0, batch_size=20_000)
    images = fillings(model, x, mask)
    exact = exact_conditional(model, images, mask, method, found.order)
    assert total_variation(found.levels, found.log_weights, images, exact) < 0.02


@pytest.mark.slow
def test_allowed_levels() -> None:
    """No other level is drawn, on any engine; weights turn the draws into the conditional given the constraint."""
    model = random_model("gated-pixelcnn", GREY, known=KNOWN)
    mask, x = np.array([[True, False], [False, False]]), random_levels(model, 1)
    allowed = np.ones((2, 2, 3), bool)
    allowed[0, 1] = [True, False, True]
    allowed[1, 1] = [False, False, True]
    for method in ("known", "order"):
        few = [pt.inpaint(model, x, mask, 5, method, allowed, seed=3, engine=engine) for engine in DISTINCT_ENGINES]
        assert all(equal(one.levels, few[0].levels) for one in few)
        found = pt.inpaint(model, x, mask, 20_000, method, allowed, seed=0, batch_size=20_000)
        images = fillings(model, x, mask)
        images = images[(images[:, 0, 0, 1] != 1) & (images[:, 0, 1, 1] == 2)]
        exact = exact_conditional(model, images, mask, method, "raster")
        exact = exact - exact.logsumexp(0)
        assert total_variation(found.levels, found.log_weights, images, exact) < 0.02
        assert found.ess < len(found)
    with pytest.raises(pt.ConfigError, match="leaves no level at row 1, column 1"):
        pt.inpaint(model, x, mask, 1, allowed=allowed & (np.arange(3) < 2))


@pytest.mark.one_in(4)
@pytest.mark.parametrize("rows", [[[0, 1], [0, 1], [1, 1]], *(pytest.param(r, marks=SLOW) for r in (WIDE, TALL))])
@pytest.mark.parametrize("name", names())
def test_particles_follow_the_conditional(name: str, rows: list[list[int]]) -> None:
    """Sequential Monte Carlo, for masks that no order can do: total variation below 0.02.

    By the integer program, and in floating point for a model of several stages.
    """
    check_particles(name, "auto", rows)


def test_particles_in_floating_point_follow_the_conditional() -> None:
    """Weighed and resampled by the steps of any engine."""
    check_particles("row-lstm", "numpy", TALL)


def check_particles(name: str, engine: str, rows: list[list[int]]) -> None:
    """Check particles and their evidence against enumeration."""
    torch.manual_seed(0)
    model = randomise_weights(make_model(name, ImageSpec.infer((1, len(rows), len(rows[0])), 3)), 0.6)
    model.requires_grad_(False)
    # of its own images the known pixels are probable enough for particles to find what goes with them
    mask, x = np.array(rows, bool), pt.sample(model, 1, seed=3).torch()
    images = fillings(model, x, mask)
    if engine == "auto":
        engine = "integer" if len(model.stages(*model.image.shape[1:])) == 1 else "numpy"
    if engine == "integer":
        pt.quantize_integer(model, torch.cat([x, random_levels(model, 31)]), images=32)
    draws = completion_draws(model, x, mask, engine, particles=20_000)
    particles = run_particles(draws)
    every = replace(draws, inputs=model.conditions.inputs(count=len(images)))
    joint = torch.from_numpy(log_prob_maps(every, images.numpy()))
    exact = joint.flatten(1).sum(1) - joint.flatten(1).sum(1).logsumexp(0)
    assert total_variation(particles.levels, particles.weights.logs(), images, exact) < 0.02
    started = torch.from_numpy(draws.started)
    assert abs(particles.log_evidence - float(joint[:, started].sum(1).logsumexp(0))) < 0.05


def test_particles_without_weights_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: particles that are resampled without their weights follow something else."""
    monkeypatch.setattr(
        "pointillist.engine.particles.systematic_resampling", lambda w, n, _: np.resize(np.arange(len(w)), n)
    )
    with pytest.raises(AssertionError):
        check_particles("row-lstm", "numpy", TALL)


@pytest.mark.parametrize("spread", [0.1, 2.0, 5.0])
def test_resampling_is_systematic(spread: float) -> None:
    """Survivors stay where they are, each particle has as many descendants as expected, rounded up or down."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 64):
        log_weights = spread * rng.standard_normal(count)
        batch = ParticleBatch(
            levels=np.zeros((count, 1, 1, 1), np.int64), roles=np.zeros((1, 1, 1), np.int8), counts=np.array([count]),
            uniforms=np.zeros((count, 1, 1, 1)), draws=rng.random((1, 2)), weights=Scaled.ones(count),
        )  # fmt: skip
        batch.weights.multiply_exp(log_weights)
        before, evidence = batch.weights.copy(), batch.log_evidence
        ancestors = batch.resample(0, 0)
        weights = np.exp(log_weights)
        assert abs(evidence - np.log(weights.mean())) < 1e-12
        assert abs(batch.log_evidence - evidence) < 1e-12
        assert (ancestors is None) == (weights.sum() ** 2 / (weights**2).sum() >= count / 2)
        if ancestors is None:
            assert np.array_equal(batch.weights.logs(), before.logs())
            continue
        assert not batch.weights.logs().any()
        difference = np.bincount(ancestors, minlength=count) - count * weights / weights.sum()
        assert np.abs(difference).max() < 1
        assert (ancestors[np.unique(ancestors)] == np.unique(ancestors)).all()


def test_rows_share_the_work() -> None:
    """One particle before the hole, most of them at its lower edge, and as many as asked for on average."""
    roles = np.full((1, 28, 28), CERTAIN)
    roles[0, 7:, :] = WEIGHED
    roles[0, 7:21, 7:21] = DRAWN
    counts = particles_by_row(64, roles)
    assert (counts[:7] == 1).all()
    assert (counts[18:23] == counts.max()).all()
    assert (counts[[*range(7, 18), *range(23, 28)]] == counts[-1]).all()
    assert 0.95 * 64 < counts.mean() < 1.05 * 64
    assert counts.max() // counts[-1] == SHARE
    everywhere = np.where(np.indices((4, 4)).sum(0)[None] % 2 == 0, DRAWN, WEIGHED)
    assert (particles_by_row(10, everywhere) == 10).all()


@SLOW
def test_moves_without_later_pixels_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: moves that are always accepted ignore the pixels behind."""
    monkeypatch.setattr("pointillist.completion.moves._State.ratio", lambda self, after, odds: np.ones_like(odds))
    with pytest.raises(AssertionError):
        test_moves_keep_the_conditional("grey")


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["grey", pytest.param("rgb", marks=SLOW)])
def test_moves_keep_the_conditional(kind: str) -> None:
    """From one and the same start, many moves reach it; from draws of it, moves stay."""
    model = random_model("gated-pixelcnn", IMAGES[kind])
    mask = np.array([[False, True], [True, False]]) if kind == "grey" else np.array([[False, True]])
    x = random_levels(model, 1)
    images = fillings(model, x, mask)
    exact = exact_conditional(model, images, mask, "smc", "raster")
    draws = completion_draws(model, x, mask, n=20_000, moves=20)
    moved, acceptance = move_sub_pixels(draws, draws.levels, draws.inputs, np.random.default_rng(0))
    assert acceptance is not None
    assert 0.1 < acceptance < 1
    assert total_variation(moved, torch.zeros(20_000), images, exact) < 0.02


def test_particles_obey_constraints() -> None:
    """Weights of allowed levels are resampled too, and moves propose nothing else."""
    model = random_model("gated-pixelcnn", GREY)
    mask, x = np.array([[False, False], [False, True]]), random_levels(model, 1)
    allowed = np.ones((2, 2, 3), bool)
    allowed[1, 0] = [True, False, False]
    images = fillings(model, x, mask)
    images = images[images[:, 0, 1, 0] == 0]
    exact = exact_conditional(model, images, mask, "smc", "raster")
    exact = exact - exact.logsumexp(0)
    found = pt.inpaint(model, x, mask, 5_000, "smc", allowed, seed=0, particles=20_000, moves=3)
    assert total_variation(found.levels, found.log_weights, images, exact) < 0.03
    assert found.ess > 10_000
    assert found.acceptance is not None


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_smc_on_every_engine(name: str) -> None:
    """The same particles, weights and completions; pixels and sub-pixels; under guidance too, where moves are off.

    The model has maps among its conditions, which the particles of the compiled engine share.
    """
    orders = ("raster", "raster-columns-br")
    model = random_model(name, ImageSpec.infer((3, 2, 3), 4), labels=True, known=KNOWN, orders=orders)
    x, rng = random_levels(model, 1), np.random.default_rng(1)
    for shape, guidance in ((model.image.shape[1:], 1.0), (model.image.shape, 2.0)):
        mask = rng.random(shape) < 0.5
        how: dict[str, Any] = {"seed": 2, "label": 1, "guidance": guidance, "particles": 12, "moves": 2}
        found = [pt.inpaint(model, x, mask, 3, "smc", engine=engine, **how) for engine in DISTINCT_ENGINES]
        for one in found:
            assert equal(one.levels, found[0].levels)
            assert abs(one.ess - found[0].ess) < 1e-6
            assert_close(one.nats, found[0].nats)
            assert equal(one.levels[one.known], np.broadcast_to(x.numpy(), one.levels.shape)[one.known])
        assert (found[0].acceptance is None) == (guidance != 1)


def test_auto_takes_particles_last() -> None:
    """A model that was not trained to complete images, a hole in the middle, a label for each completion."""
    model = random_model("pixelcnn", ImageSpec.infer((1, 3, 3), 4), labels=True)
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    found = pt.inpaint(model, random_levels(model, 1), mask, 4, label=[0, 1, 2, 0], seed=0)
    assert found.method == "smc"
    assert sorted(found.labels.tolist()) == [0, 0, 1, 2]
    with pytest.raises(pt.ConfigError, match="`uniforms` cannot be used with the method smc"):
        pt.inpaint(model, random_levels(model, 1), mask, 4, uniforms=np.zeros((4, 1, 3, 3)))
    for name, value in (("particles", 0), ("moves", -1)):
        with pytest.raises(pt.ConfigError, match=f"`{name}`"):
            pt.inpaint(model, random_levels(model, 1), mask, 1, seed=0, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(pt.ConfigError, match="one of auto, known, order, smc, sequential"):
        pt.inpaint(model, random_levels(model, 1), mask, 1, "magic")
    for method in ("known", "order"):
        with pytest.raises(pt.ConfigError, match=f"`method` \\(='{method}'\\) cannot"):
            pt.inpaint(model, random_levels(model, 1), mask, 1, method)


def test_guidance_keeps_the_known_pixels() -> None:
    """Guidance weighs the label against no label, both given the known pixels."""
    model = random_model("gated-pixelcnn", GREY, known=KNOWN, labels=True)
    mask, x = np.array([[True, False], [True, True]]), random_levels(model, 1)
    found = pt.inpaint(model, x, mask, 20_000, label=1, guidance=2.0, seed=0, batch_size=20_000)
    images = fillings(model, x, mask)
    with torch.no_grad():
        one, none = (model.log_prob(images, label=label, known=mask).double() for label in (1, None))
    exact = (none + 2 * (one - none)).log_softmax(0)
    assert total_variation(found.levels, torch.zeros(20_000), images, exact) < 0.02


def test_a_fine_tuned_model_starts_as_its_source() -> None:
    """The condition is added without effect."""
    from pointillist.model.finetune import initialise_from

    source = random_model("gated-pixelcnn", GREY)
    model = random_model("gated-pixelcnn", GREY, known=KNOWN)
    initialise_from(model, source)
    x, mask = random_levels(model, 3), np.array([[True, False], [False, True]])
    with torch.no_grad():
        unknown = torch.from_numpy(~mask)
        assert_close(model.log_prob_map(x, known=mask)[..., unknown], source.log_prob_map(x)[..., unknown])


def test_local_masks_complete_in_an_s_curve() -> None:
    """A network that follows the S-curve takes it where the hole comes last in it."""
    local = [name for name in names() if entry(name).backbone.masks_locally]
    model = random_model(local[0], GREY, orders=("raster", "s-curve"))
    mask = np.array([[True, True], [False, True]])  # the S-curve visits the second row from the right
    found = check_completions(model, mask)
    assert (found.method, found.order) == ("order", "s-curve")
