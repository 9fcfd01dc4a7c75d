"""Rules in completions: known sites, weights that correct the draws, and particles; by enumeration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from tests.equality import assert_close, equal

from ..laws.completion import total_variation
from .reference import all_maps, grid, obeys, random_adjacency
from .test_sampling import random_model, rules_of, violations

IMAGE = grid(2, 2, 3)
ESTIMATED = 0.1
"""20,000 particles estimate the logarithm of a probability of a thousandth to some standard errors of 0.02."""


def conditional(model: pt.PixelModel, rules: pt.Rules, x: np.ndarray, known: np.ndarray) -> tuple[Any, Any]:
    """Maps that obey the rules and agree with the known sites, and their exact log-probability given both."""
    maps = all_maps(IMAGE)
    valid = [obeys(rules, one, 3) and (one == x)[known].all() for one in maps]
    images = torch.from_numpy(maps[np.array(valid)])[:, None]
    with torch.no_grad():
        joint = model.log_prob(images).double()
    return images, joint - joint.logsumexp(0)


RULES: dict[str, dict[str, Any]] = {
    "adjacency": {"adjacency": random_adjacency(np.random.default_rng(7), 3, 0.5)},
    "counts": {"counts": [{"levels": [1], "at_least": 2, "at_most": 3}]},
    "connected": {"connected": [{"levels": [0, 2]}]},
    "path": {"paths": [{"from": 1, "to": 2}], "adjacency": {"never": [[0, 2]]}},
}


@pytest.mark.one_in(10)
@pytest.mark.parametrize("method", ["sequential", "smc"])
@pytest.mark.parametrize("kind", RULES)
def test_completions_follow_the_conditional_given_the_rules(kind: str, method: str) -> None:
    """With nothing known, and with a known corner: total variation below 0.02, or 0.03 for draws from particles."""
    model, rules = random_model("gated-pixelcnn", 2, 2, 3), rules_of(**RULES[kind])
    model.requires_grad_(False)
    start = next(one for one in all_maps(IMAGE)[30:] if obeys(rules, one, 3))
    for known in (np.zeros((2, 2), bool), np.arange(4).reshape(2, 2) == 3):
        images, exact = conditional(model, rules, start, known)
        settings: dict[str, Any] = {"seed": 0, "rules": rules, "engine": "numpy"}
        if method == "smc":
            found = pt.inpaint(model, start[None], known, 20_000, "smc", particles=20_000, moves=1, **settings)
            assert total_variation(found.levels, torch.zeros(20_000), images, exact) < 0.03
            codes = [int((images == one).flatten(1).all(1).nonzero()) for one in found.torch()[:50]]
            assert_close(found.nats[:50], exact[codes], rtol=0, atol=ESTIMATED)
        else:
            found = pt.inpaint(model, start[None], known, 20_000, "sequential", batch_size=20_000, **settings)
            assert total_variation(found.levels, found.log_weights, images, exact) < 0.02
            assert found.tries is not None
        assert violations(rules, found) == 0


@pytest.mark.parametrize("engine", ["torch", "numpy", "naive"])
@pytest.mark.parametrize("method", ["order", "sequential", "smc"])
def test_engines_complete_by_rules_alike(method: str, engine: str) -> None:
    """The lower half; the same levels, weights and tries."""
    model = random_model("gated-pixelcnn", 5, 6)
    rules = rules_of(
        adjacency=random_adjacency(np.random.default_rng(2), 5, 0.7), counts=[{"levels": [0], "at_most": 9}]
    )
    whole = pt.sample(model, 1, seed=1, rules=rules)
    known = np.zeros((5, 6), bool)
    known[:2] = True
    how: dict[str, Any] = {"seed": 3, "rules": rules, "particles": 16, "moves": 3}
    found = pt.inpaint(model, whole.levels, known, 3, method, engine=engine, **how)
    wanted = pt.inpaint(model, whole.levels, known, 3, method, engine="naive", **how)
    assert equal(found.levels, wanted.levels)
    assert_close(found.log_weights, wanted.log_weights)
    assert bool((found.levels[:, :, :2] == whole.levels[:, :, :2]).all())
    assert violations(rules, found) == 0


def test_weights_without_the_mass_of_the_rules_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: draws that are not weighted follow something else."""
    monkeypatch.setattr(
        "pointillist.engine.constraints.masks.LevelMask.mass", property(lambda self: np.zeros(len(self.status)))
    )
    with pytest.raises(AssertionError):
        test_completions_follow_the_conditional_given_the_rules("adjacency", "sequential")


def test_known_sites_that_break_a_rule_are_named() -> None:
    """Before anything is drawn."""
    model = random_model("gated-pixelcnn", 3, 3)
    x = torch.zeros(1, 1, 3, 3, dtype=torch.int64)
    known = np.zeros((3, 3), bool)
    known[0] = True
    with pytest.raises(pt.ConfigError, match=r"The rule `adjacency` cannot be met with `allowed` or the known sites"):
        pt.inpaint(model, x, known, 1, rules={"adjacency": {"never": [[0, 0]]}})
    with pytest.raises(pt.ConfigError, match=r"The rule `counts` 0 at most 2 cannot be met"):
        pt.inpaint(model, x, known, 1, rules={"counts": [{"levels": [0], "at_most": 2}]})


def test_no_particle_is_left() -> None:
    """One sentence, with the rule."""
    model = random_model("gated-pixelcnn", 6, 6)
    rules = {"counts": [{"levels": [3], "at_least": 36}]}
    with pytest.raises(pt.ConfigError, match=r"No particle obeys the rules .*at least 36.*: raise `particles` \(=8\)"):
        pt.inpaint(model, torch.zeros(1, 1, 6, 6, dtype=torch.int64), np.zeros((6, 6), bool), 1, "smc",
                   rules=rules, particles=8, seed=0)  # fmt: skip
