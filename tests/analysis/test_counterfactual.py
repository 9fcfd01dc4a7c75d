"""What if, and painting on: against scores and samples that know nothing of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import ImageQuery, counterfactual, distribution, surprisal_maps
from tests.tolerances import DOUBLE

from .helpers import grey, tiny


@pytest.mark.parametrize("kind", ["grey", "rgb", "mixture", "codes"])
def test_bits_and_distributions_of_the_changed_image(kind: str) -> None:
    model = tiny(kind)
    x = torch.zeros(model.image.shape, dtype=torch.int64)
    channels, height, width = model.image.shape
    found = counterfactual(ImageQuery.of(model, x), {(0, 0, channels - 1): 2}, n=0)
    changed = x.clone()
    changed[channels - 1, 0, 0] = 2
    assert np.array_equal(found.levels, changed)
    with torch.no_grad():
        wanted = -(model.log_prob(changed[None]) - model.log_prob(x[None])) / np.log(2)
    assert found.bits_change == pytest.approx(float(wanted), abs=DOUBLE)
    assert found.to_dict()["bits_change"] == found.bits_change
    for c, r, w in np.ndindex(channels, height, width):
        p, q = (distribution(ImageQuery.of(model, image), r, w, c).probs for image in (x, changed))
        later = (r, w, c) > (0, 0, channels - 1)
        assert found.shift[c, r, w] == pytest.approx((p * np.log2(p / q)).sum() if later else 0, abs=DOUBLE)
        assert (found.after.surprisal[c, r, w] == found.before.surprisal[c, r, w]) or later or (r, w, c)[:2] == (0, 0)


@pytest.mark.parametrize("kind", ["grey", "rgb", "mixture"])
@pytest.mark.parametrize("engine", ["numpy", "naive"])
def test_continuations_keep_what_is_known_and_draw_the_rest(kind: str, engine: str) -> None:
    """Each drawn level is that of its uniform, in the distribution given all before it."""
    model = tiny(kind)
    x = torch.ones(model.image.shape, dtype=torch.int64)
    found = counterfactual(ImageQuery.of(model, x), {(0, 0, 0): 2}, n=3, seed=5, engine=engine)
    for painted, image in ((found.original_continuations, x.numpy()), (found.edited_continuations, found.levels)):
        assert painted is not None
        assert (painted.levels[:, found.fixed_mask] == image[found.fixed_mask]).all()
        with torch.no_grad():
            assert np.allclose(painted.nats, model.log_prob(painted.torch()))
        for i, levels in enumerate(painted.levels):
            u = np.random.default_rng([5, i]).random(x.shape)
            for c, r, w in zip(*np.nonzero(~found.fixed_mask), strict=True):
                view = distribution(ImageQuery.of(model, levels), r, w, c)
                assert view.probs[: view.observed].sum() <= u[c, r, w] + 1e-9
                assert u[c, r, w] <= view.probs[: view.observed + 1].sum() + 1e-9
    assert found.fixed_mask.sum() == 1
    assert found.fixed_mask[0, 0, 0]


def test_a_hole_is_painted_over() -> None:
    model = grey(4, 4)
    x = torch.randint(5, model.image.shape)
    known = np.ones((4, 4), bool)
    known[1:3, 1:3] = False
    found = pt.inpaint(model, x, known, 4, seed=0).levels
    assert (found[:, :, known] == x[:, known]).all()
    assert len({tuple(image[:, ~known].ravel().tolist()) for image in found}) > 1


def test_faults_are_sentences() -> None:
    model, x = tiny("rgb"), torch.zeros(3, 1, 2, dtype=torch.int64)
    for edits, words in (
        ({(0, 0): 1}, "must name a channel"),
        ({(0, 0, 0): 3}, "level from 0 to 2"),
        ({(0, 2, 0): 1}, "`column`"),
        ({(0, 0, 0): 0}, "another level"),
        ({}, "another level"),
    ):
        with pytest.raises(pt.ConfigError, match=words):
            counterfactual(ImageQuery.of(model, x), edits)
    with pytest.raises(pt.ConfigError, match="no continuations"):
        counterfactual(ImageQuery.of(model, x), {(0, 0, 0): 1}, n=0).continuations_image()
    with pytest.raises(pt.ShapeError, match="`known`"):
        pt.inpaint(model, x, np.ones((2, 2), bool))
    with pytest.raises(pt.ShapeError, match="`uniforms`"):
        pt.inpaint(model, x, np.ones((1, 2), bool), 2, uniforms=np.zeros((1, 3, 1, 2)))
    with pytest.raises(pt.ConfigError, match=r"`n` \(=0\)"):
        pt.inpaint(model, x, np.ones((1, 2), bool), 0)


def test_results_show_themselves() -> None:
    model = grey(3, 3)
    x = torch.zeros(model.image.shape, dtype=torch.int64)
    assert counterfactual(ImageQuery.of(model, x), {(1, 1): 2}, n=2)._repr_png_().startswith(b"\x89PNG")
    assert counterfactual(ImageQuery.of(model, x), {(1, 1): 2}, n=0)._repr_png_().startswith(b"\x89PNG")
    assert surprisal_maps(ImageQuery.of(model, x)).bits > 0
