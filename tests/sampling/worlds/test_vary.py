"""Variations: pixels that stay are the image's, rules hold, and every variation is drawn from its conditional."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.completion.vary import draw_hole
from tests.equality import equal
from tests.tolerances import network_rounding

SIDE = 8


@pytest.fixture(scope="module", name="image")
def image_fixture() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 2, (1, SIDE, SIDE)))


@pytest.mark.parametrize("pattern", ["regions", "scattered"])
def test_a_share_is_drawn_again_and_the_rest_stays(model: Path, image: torch.Tensor, pattern: str) -> None:
    keep = np.zeros((SIDE, SIDE), bool)
    keep[:2] = True
    loaded = pt.load(model)
    result = pt.vary(loaded, image, 0.25, 5, pattern, keep, seed=3)
    redrawn = ~result.known_pixels
    assert (redrawn.reshape(5, -1).sum(1) == round(0.25 * (~keep).sum())).all()
    assert not redrawn[:, keep].any()
    levels = result.levels[:, 0]
    assert (levels == image[0].numpy())[result.known_pixels].all()
    assert len({mask.tobytes() for mask in redrawn}) == 5
    again = pt.vary(loaded, image, 0.25, 7, pattern, keep, seed=3)
    assert equal(again.levels[:5], result.levels)
    for number in range(5):
        known = (result.levels[number], result.known[number])
        (nats,) = loaded.integer_model().log_prob(result.levels[number : number + 1], known=known)
        assert abs(nats - result.nats[number]) < network_rounding(loaded, nats)


def test_regions_are_connected_more_than_scattered_pixels() -> None:
    rng, nothing = np.random.default_rng(0), np.zeros((32, 32), bool)

    def neighbours(pattern: str) -> float:
        holes = [draw_hole(rng, (32, 32), 0.3, pattern, nothing) for _ in range(8)]
        return float(np.mean([(hole[:, 1:] & hole[:, :-1]).sum() / hole.sum() for hole in holes]))

    assert neighbours("regions") > 2 * neighbours("scattered")


def test_rules_hold_in_every_variation(model: Path, image: torch.Tensor) -> None:
    counts = [{"levels": ["key"], "at_most": 1}]
    result = pt.vary(model, image, 0.5, 4, seed=1, rules=pt.Rules(counts=counts))
    assert ((result.levels == 2).reshape(4, -1).sum(1) <= 1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0.0}, r"`share` \(=0.0\)"),
        ({"pattern": "waves"}, "Unknown `pattern` 'waves'"),
        ({"keep": np.ones((SIDE, SIDE), bool)}, r"`keep` .* leaves no pixel"),
    ],
)
def test_what_does_not_fit_is_rejected(
    model: Path, image: torch.Tensor, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(pt.ConfigError, match=message):
        pt.vary(model, image, seed=0, **changes)  # type: ignore[arg-type]
