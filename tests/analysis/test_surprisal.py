"""Maps of bits and distributions, against enumeration of all images of a tiny model."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from pointillist.analysis import ImageQuery, distribution, surprisal_maps
from pointillist.analysis.surprisal import color_scale_max
from pointillist.distributions.moments import entropy_and_variance
from pointillist.images.visualization import diverging_colors
from pointillist.model.training_record import TrainingRecord
from pointillist.networks import names
from tests.tolerances import DOUBLE, network_rounding

from .helpers import KINDS, conditional_by_enumeration, every_image, grey, tiny


@pytest.mark.parametrize("kind", KINDS)
def test_every_distribution_is_that_of_enumeration(kind: str) -> None:
    """Probabilities, entropy, variance and surprise at every sub-pixel."""
    model = tiny(kind)
    x = torch.randint(model.image.levels, model.image.shape)
    maps = surprisal_maps(ImageQuery.of(model, x))
    for place in np.ndindex(*model.image.shape):
        c, r, w = place
        p = conditional_by_enumeration(model, x.numpy(), place)
        found = distribution(ImageQuery.of(model, x), r, w, c)
        assert np.allclose(found.probs, p, atol=DOUBLE)
        entropy = -(p * np.log2(p)).sum()
        assert maps.entropy[place] == pytest.approx(entropy, abs=DOUBLE)
        assert maps.variance[place] == pytest.approx((p * (np.log2(p) + entropy) ** 2).sum(), abs=DOUBLE)
        assert maps.surprisal[place] == pytest.approx(-np.log2(p[x[place]]), abs=DOUBLE)
        assert (found.entropy, found.surprisal) == pytest.approx((entropy, maps.surprisal[place]), abs=DOUBLE)
        assert found.rank == 1 + (p > p[x[place]] + 1e-12).sum()
        assert found.top(2)[0][0] == p.argmax()


@pytest.mark.parametrize("kind", ["grey", "codes"])
def test_the_excess_has_mean_0_and_the_said_variance(kind: str) -> None:
    """Over all images, weighted by their probabilities: what makes `z` a z."""
    model = tiny(kind)
    images = every_image(model)
    p = model.log_prob(images).detach().exp().numpy()
    maps = [surprisal_maps(ImageQuery.of(model, x)) for x in images]
    excess = np.array([m.bits - m.expected for m in maps])
    assert (p * excess).sum() == pytest.approx(0, abs=DOUBLE)
    assert (p * excess**2).sum() == pytest.approx((p * [m.variance.sum() for m in maps]).sum(), abs=DOUBLE)
    assert maps[0].z_score == pytest.approx(excess[0] / math.sqrt(maps[0].variance.sum()))


@pytest.mark.parametrize("name", names())
def test_the_running_total_ends_at_the_bits_of_evaluate(name: str) -> None:
    model = pt.build(name, shape=(3, 4, 5), levels=8, preset="tiny", classes=2)
    x = torch.randint(8, (1, 3, 4, 5))
    maps = surprisal_maps(ImageQuery.of(model, x, label=1))
    wanted = pt.evaluate(model, x, label=1)
    bits = wanted.bits_per_dim * 60
    within = network_rounding(model, bits)
    assert maps.cumulative.bits[-1] == pytest.approx(bits, abs=within)
    assert maps.bits_per_dim == pytest.approx(wanted.bits_per_dim, abs=within / 60)
    assert maps.channel_bits.sum() == pytest.approx(maps.bits, abs=within)
    with torch.no_grad():
        params = model.outputs(model.canvas(model.check(x)), model.encode(model.conditions.inputs(1, 1), 1))
        probs = [model.likelihood.conditional(params, x, channel).double().exp().numpy() for channel in range(3)]
    entropy = [entropy_and_variance(each)[0][0] / math.log(2) for each in probs]
    assert np.allclose(maps.entropy, entropy, rtol=0, atol=network_rounding(model, maps.entropy))
    assert len(maps.cumulative.bits) == 61
    assert (np.diff(maps.cumulative.bits) >= 0).all()


def test_entropy_of_equally_likely_levels() -> None:
    """log2(levels)."""
    flat = pt.build("pixelcnn", shape=(1, 2, 2), levels=8, channels=3, layers=1)
    with torch.no_grad():
        for parameter in flat.parameters():
            parameter.zero_()
    maps = surprisal_maps(ImageQuery.of(flat, torch.zeros(1, 2, 2, dtype=torch.int64)))
    assert np.allclose(maps.entropy, 3.0)
    assert np.allclose(maps.surprisal, 3.0)
    assert np.allclose(maps.variance, 0.0, atol=DOUBLE)


def test_the_running_total_follows_the_order_of_painting() -> None:
    model = tiny("rgb")
    maps = surprisal_maps(ImageQuery.of(model, torch.zeros(3, 1, 2, dtype=torch.int64)))
    walked = [maps.surprisal[c, 0, w] for w in range(2) for c in range(3)]
    assert np.allclose(np.diff(maps.cumulative.bits), walked)
    assert np.allclose(maps.cumulative.std[-1] ** 2, maps.variance.sum())


def test_mean_and_quantiles_of_a_known_distribution() -> None:
    from pointillist.analysis import LevelDistribution

    p = np.array([0.05, 0.2, 0.5, 0.2, 0.05])
    view = LevelDistribution(0, 0, 0, np.log(p), 3, True)
    assert view.mean == pytest.approx(2)
    assert view.quantiles == {0.05: 0, 0.25: 1, 0.5: 2, 0.75: 2, 0.95: 3}
    assert view.top(2) == [(2, pytest.approx(0.5)), (1, pytest.approx(0.2))]
    assert LevelDistribution(0, 0, 0, np.log(p), 3, False).mean is None
    assert LevelDistribution(0, 0, 0, np.log(p), 3, False).quantiles is None
    assert view.to_dict()["quantiles"]["0.5"] == 2


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_components_make_up_the_distribution(channel: int) -> None:
    """The mixture of their logistics, summed over each level's bin, is the table."""
    model = tiny("mixture")
    x = torch.randint(3, model.image.shape)
    view = distribution(ImageQuery.of(model, x), 1, 0, channel)
    parts = view.components
    assert parts is not None
    edges = np.array([-np.inf, 0.5, 1.5, np.inf])
    below = 0.5 * (1 + np.tanh((edges[None] - parts.mean[:, None]) / parts.scale[:, None] / 2))
    assert np.allclose((parts.weight[:, None] * np.diff(below)).sum(0), view.probs, atol=DOUBLE)
    assert parts.weight.sum() == pytest.approx(1)


def test_any_kind_of_image_may_be_given(tmp_path: object) -> None:
    model = grey(3, 4, 256)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 4), dtype=np.uint8))
    levels = model.to_levels(picture)
    path = f"{tmp_path}/a.png"
    picture.save(path)
    wanted = surprisal_maps(ImageQuery.of(model, levels)).bits
    for image in (levels[0], levels.numpy(), picture, path):
        assert surprisal_maps(ImageQuery.of(model, image)).bits == wanted
    with pytest.raises(pt.ShapeError, match="2 images"):
        surprisal_maps(ImageQuery.of(model, torch.zeros(2, 1, 3, 4, dtype=torch.int64)))
    with pytest.raises(pt.DataError, match="does not exist"):
        surprisal_maps(ImageQuery.of(model, f"{tmp_path}/b.png"))
    with pytest.raises(pt.ConfigError, match="label"):
        surprisal_maps(ImageQuery.of(model, levels, label=1))
    with pytest.raises(pt.ConfigError, match=r"`row` \(=3\) lies outside the image"):
        distribution(ImageQuery.of(model, levels), 3, 0)


def test_the_scale_belongs_to_the_model() -> None:
    """Not to an image: whole bits, wide enough for what is usual, at most all levels equally likely."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=200, preset="tiny")
    assert color_scale_max(model) == 8
    model.training_record = TrainingRecord(valid_bits_per_dim=0.9)
    assert color_scale_max(model) == 4
    model.training_record = TrainingRecord(valid_bits_per_dim=5.0)
    assert color_scale_max(model) == 8
    model.training_record = TrainingRecord(valid_bits_per_dim=float("nan"))
    assert color_scale_max(model) == 8


def test_results_show_themselves() -> None:
    model = tiny("mixture")
    x = torch.randint(3, model.image.shape)
    maps = surprisal_maps(ImageQuery.of(model, x))
    for data in (maps._repr_png_(), distribution(ImageQuery.of(model, x), 0, 0, 1)._repr_png_()):
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.width > 100
    assert maps.z_score_image().size[0] > 100
    assert maps.to_dict()["bits"] == maps.bits
    assert tuple(diverging_colors(np.array([-9.0, 0, 9]), 1)[1]) == (240, 238, 233)
