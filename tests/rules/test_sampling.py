"""Maps drawn by rules: never a violation, the same on every engine, and the distribution that is documented."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.engine.constraints import solver
from pointillist.engine.constraints.masks import LevelMask
from pointillist.networks import entry, names
from pointillist.sampling.rules.adjacency import observed_pairs, pairs_to_record
from pointillist.sampling.rules.config import Rules, parse_rules
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding

from ..laws.samplers import DISTINCT_ENGINES
from ..laws.strategies import make_model, randomise_weights
from .reference import all_maps, grid, obeys, opened, possible, random_adjacency, sequential

LEVELS = 5


def random_model(name: str, height: int, width: int, levels: int = LEVELS, **settings: Any) -> pt.PixelModel:
    torch.manual_seed(height * width)
    return randomise_weights(make_model(name, grid(height, width, levels), **settings), 0.4)


def rules_of(**tables: Any) -> Rules:
    found = parse_rules(tables)
    assert found is not None
    return found


def violations(rules: Rules, samples: pt.Samples) -> int:
    return sum(not obeys(rules, x, samples.image.levels) for x in samples.levels[:, 0])


@pytest.mark.one_in(6)
@pytest.mark.parametrize("engine", DISTINCT_ENGINES)
@pytest.mark.parametrize("name", names())
def test_engines_draw_the_same_maps_by_rules(name: str, engine: str) -> None:
    """Odd sizes, several images, rules of every kind; also under guidance, temperature and top-p."""
    model = random_model(name, 4, 5, labels=True)
    rng = np.random.default_rng(3)
    rules = rules_of(
        adjacency=random_adjacency(rng, LEVELS, 0.7),
        fixed=[{"row": 2, "column": 3, "level": 1}],
        counts=[{"levels": [0], "at_most": 6}],
        connected=[{"levels": [1, 2, 3]}],
    )
    how: dict[str, Any] = {"seed": 1, "rules": rules, "label": [0, 1, 2], "guidance": 1.5}
    how |= {"temperature": 0.9, "top_p": 0.9}
    found = pt.sample(model, 3, engine=engine, **how)
    wanted = pt.sample(model, 3, engine="naive", **how)
    assert equal(found.levels, wanted.levels)
    assert_close(found.nats, wanted.nats)
    assert violations(rules, found) == 0
    with torch.no_grad():
        assert_close(found.nats, model.log_prob(found.levels, label=[0, 1, 2]).double())


def make_integer(model: pt.PixelModel) -> None:
    size = (8, model.image.channels, model.image.height, model.image.width)
    pt.quantize_integer(model, torch.randint(model.image.levels, size), images=8)


def test_the_integer_program_draws_by_rules() -> None:
    """By each executor, in any batch, also under guidance: maps that obey, with the nats of the integer program."""
    model = random_model("gated-pixelcnn", 12, 9, labels=True)
    make_integer(model)
    rules = rules_of(
        adjacency=random_adjacency(np.random.default_rng(3), LEVELS, 0.7),
        connected=[{"levels": [0, 1, 2, 3]}],
        tries=1000,
    )
    how: dict[str, Any] = {"seed": 4, "rules": rules, "label": [0, 1, 2, 0], "guidance": 1.5, "temperature": 0.9}
    whole = pt.sample(model, 4, **how)
    assert whole.engine == "integer"
    assert violations(rules, whole) == 0
    assert_close(whole.nats, model.integer_model().log_prob(whole.levels, label=how["label"]))
    assert equal(pt.sample(model, 4, batch_size=1, **how).levels, whole.levels)
    model.attach_integer_model(replace(model.integer_model(), executor="numpy"))
    assert equal(pt.sample(model, 4, **how).levels, whole.levels)


@pytest.mark.parametrize("seed", range(40))
def test_local_rules_are_never_violated(seed: int) -> None:
    """Random pairs of neighbours, random weights, odd sizes; symmetric or not, with borders and limits."""
    rng = np.random.default_rng(seed)
    height, width, levels = (int(n) for n in (rng.integers(1, 14), rng.integers(1, 14), rng.integers(2, 9)))
    model = random_model("gated-pixelcnn", height, width, levels)
    few = seed % 4 == 0  # a limit that dense pairs can meet
    tables: dict[str, Any] = {"adjacency": random_adjacency(rng, levels, 0.95 if few else rng.uniform(0.4, 0.9))}
    if seed % 3 == 0:
        tables["mirror"] = ("x", "y", "both")[seed // 3 % 3]
    if few:
        tables["counts"] = [{"levels": [0], "at_most": int(rng.integers(1, 9))}]
    rules = rules_of(**tables)
    if opened(rules, grid(height, width, levels)) is None:
        with pytest.raises(pt.ConfigError, match="cannot be met"):
            pt.sample(model, 3, seed=seed, rules=rules, engine="numpy")
        return
    assert violations(rules, pt.sample(model, 3, seed=seed, rules=rules, engine="numpy")) == 0


@pytest.mark.parametrize("order", ["raster", "raster-br", "raster-columns-tr", "s-curve", "s-curve-columns-bl"])
def test_rules_hold_in_every_order(order: str) -> None:
    """The rules are those of the image, wherever the order begins; engines agree."""
    local = next(name for name in names() if entry(name).backbone.masks_locally)
    model = random_model(local, 4, 6, orders=(order,))
    rules = rules_of(
        adjacency=random_adjacency(np.random.default_rng(5), LEVELS, 0.6),
        regions=[{"rows": "0:1", "levels": [0, 1, 2]}],
        paths=[{"from": 0, "to": 3, "through": [1, 2, 4]}],
    )
    found = [pt.sample(model, 4, seed=2, rules=rules, engine=engine) for engine in ("torch", "numpy", "naive")]
    assert violations(rules, found[0]) == 0
    assert all(equal(one.levels, found[0].levels) for one in found)


def masks_of(monkeypatch: pytest.MonkeyPatch) -> list[LevelMask]:
    """Note the masks with which batches begin from now on."""
    repeat, masks = LevelMask.repeat, []

    def noted(self: LevelMask, count: int, attempt: int = 0) -> LevelMask:
        masks.append(repeat(self, count, attempt))
        return masks[-1]

    monkeypatch.setattr(LevelMask, "repeat", noted)
    return masks


def were_taken_back(masks: list[LevelMask]) -> bool:
    """Return True if an image was taken back to an earlier row; the attempts of a try begin at a multiple of 2^20."""
    return any((mask.state[:, solver.ATTEMPT] % 2**20).any() for mask in masks)


def test_an_image_depends_on_its_seed_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where others in its batch are taken back to earlier rows, or are drawn once more; threads too."""
    masks = masks_of(monkeypatch)
    model = random_model("gated-pixelcnn", 12, 9)
    rules = rules_of(connected=[{"levels": [0, 1, 2, 3]}], counts=[{"levels": [4], "at_least": 18}], tries=1000)
    whole = pt.sample(model, 6, seed=4, rules=rules, engine="numpy")
    assert were_taken_back(masks)
    assert whole.tries is not None
    assert whole.tries.mean() > 1
    assert whole.rule_acceptance == 6 / float(whole.tries.sum())
    for how in ({"batch_size": 2}, {"batch_size": 1}, {"threads": 3}, {"engine": "numpy"}):
        found = pt.sample(model, 6, seed=4, rules=rules, **{"engine": "numpy", **how})
        assert equal(found.levels, whole.levels)
        assert_close(found.nats, whole.nats)
    assert violations(rules, whole) == 0
    assert_close(whole.nats, model.log_prob(whole.levels).double())


@pytest.mark.parametrize("engine", ["numpy", "integer"])
def test_rows_are_reported_once_they_are_final(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `on_row` shows of an engine of whole images is in the result."""
    masks = masks_of(monkeypatch)
    model = random_model("gated-pixelcnn", 24, 9)
    if engine == "integer":
        make_integer(model)
    shown: dict[int, np.ndarray] = {}

    def on_row(_: int, rows: int, levels: np.ndarray) -> None:
        shown[rows] = levels[:, :, :rows].copy()

    rules = rules_of(connected=[{"levels": [0, 1, 2, 3]}])
    found = pt.sample(model, 3, seed=0, rules=rules, engine=engine, on_row=on_row)
    assert were_taken_back(masks)
    assert sorted(shown) == list(range(1, 25))
    assert found.tries is not None
    first = np.flatnonzero(found.tries == 1)
    assert len(first)
    assert all(equal(part[first], found.levels[first, :, :rows]) for rows, part in shown.items())


@pytest.mark.one_in(2)
@pytest.mark.parametrize("seed", range(4))
def test_draws_follow_the_documented_distribution(seed: int) -> None:
    """Each draw is that of the model, renormalised over the levels that arc consistency leaves: by enumeration."""
    rng = np.random.default_rng(40 + seed)
    image = grid(2, 3, 3)
    model = random_model("gated-pixelcnn", 2, 3, 3)
    rules = rules_of(adjacency=random_adjacency(rng, 3, 0.5), mirror="none" if seed % 2 else "x")
    assert opened(rules, image) is not None
    maps = torch.from_numpy(all_maps(image))[:, None]
    with torch.no_grad():
        log_probs = model.log_prob_map(maps)[:, 0].double().numpy()
    sites = [(row, column) for row in range(2) for column in range(3)]
    wanted = sequential(rules, image, log_probs, sites)
    assert abs(wanted.sum() - 1) < 1e-9, "a set of rules without dead ends"
    found = pt.sample(model, 20_000, seed=seed, rules=rules, batch_size=20_000)
    codes = (found.levels.reshape(-1, 6) * 3 ** np.arange(5, -1, -1)).sum(1)
    share = np.bincount(codes, minlength=len(maps)) / len(codes)
    assert np.abs(share - wanted).sum() / 2 < 0.02
    nats = log_probs.sum((1, 2))[codes]
    assert_close(found.nats, nats, rtol=0, atol=network_rounding(model, nats))


def test_uniforms_that_are_given_are_those_of_the_first_draws() -> None:
    """Where every level is allowed, rules change nothing."""
    model = random_model("gated-pixelcnn", 4, 4)
    uniforms = np.random.default_rng(0).random((3, 1, 4, 4))
    for engine in ("torch", "numpy"):
        plain = pt.sample(model, 3, uniforms=uniforms, engine=engine)
        free = pt.sample(model, 3, uniforms=uniforms, engine=engine, rules={"regions": [{"levels": list(range(5))}]})
        assert equal(plain.levels, free.levels)
        assert_close(plain.nats, free.nats)


def test_any_size() -> None:
    """A model without positions, at a size that it was not trained on."""
    model = random_model("gated-pixelcnn", 8, 8)
    rules = rules_of(adjacency=random_adjacency(np.random.default_rng(1), LEVELS, 0.8), border=[0, 1, 2])
    found = pt.sample(model, 2, seed=0, size="33x50", rules=rules)
    assert found.levels.shape == (2, 1, 33, 50)
    assert violations(rules, found) == 0


def test_observed_pairs() -> None:
    """Stored with a model, or taken from a file of maps."""
    model = random_model("gated-pixelcnn", 6, 6)
    rng = np.random.default_rng(0)
    maps = np.sort(rng.integers(0, LEVELS, (4, 6, 6)), axis=2)  # a row never falls
    with pytest.raises(pt.ConfigError, match="which this model does not store"):
        pt.sample(model, 1, rules={"adjacency": "observed"})
    model.training_record.adjacency = pairs_to_record(observed_pairs(maps, LEVELS))
    found = pt.sample(model, 8, seed=0, rules={"adjacency": "observed"})
    assert bool((np.diff(found.levels, axis=3) >= 0).all())
    pairs = observed_pairs(maps, LEVELS)
    x = found.levels[:, 0]
    assert pairs[0][x[:, :, :-1], x[:, :, 1:]].all()
    assert pairs[1][x[:, :-1], x[:, 1:]].all()
    model.training_record.adjacency = {"right": [[0]]}
    with pytest.raises(pt.ConfigError, match="are damaged"):
        pt.sample(model, 1, rules={"adjacency": "observed"})


def test_possible_levels_are_those_of_the_reference() -> None:
    """The reference itself: a level that leads nowhere is not possible."""
    rules = rules_of(adjacency={"right": [[0, 1]]})
    assert opened(rules, grid(1, 3, 2)) is None
    domains = opened(rules, grid(1, 2, 2))
    assert domains is not None
    assert list(possible(rules, domains, (0, 0))) == [0]
