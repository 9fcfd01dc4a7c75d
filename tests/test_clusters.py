"""Clusters: an image gets one before its first pixel, and pays for it; likelihood, guidance, painting, the file."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.clusters import cluster_log_prob, draw_clusters, with_own_cluster
from pointillist.conditioning import CLUSTER, ClusterConfig, ClusterListener, TextConfig, Told
from pointillist.drawing import guide
from pointillist.errors import ConfigError
from pointillist.finetune import initialise_from
from pointillist.networks import names
from pointillist.scoring import guided_totals
from tests.laws.strategies import dirty, fitting_likelihoods

SMALL = ClusterConfig(count=3, width=2, size=4, hidden=5, channels=8)
WORDS = TextConfig(learned=True, width=3, buckets=7, length=9)


def model_of(name: str = "gated-pixelcnn", height: int = 3, width: int = 2, levels: int = 3) -> pt.PretrainedPixelModel:
    """A small model with clusters, every weight random."""
    torch.manual_seed(0)
    spec = pt.ImageSpec.infer((1, height, width), levels)
    likelihood = fitting_likelihoods(spec)[0]
    model = pt.build(
        name, image=spec, classes=["cat", "dog"], text=WORDS, clusters=SMALL, label_width=2, likelihood=likelihood
    )
    dirty(model.double().eval(), 0.3)
    with torch.no_grad():  # images differ by little to random weights: clusters are put where some are
        listener = listener_of(model)
        listener.means.copy_(listener.vectors(torch.randint(0, levels, (3, 1, height, width))))
    return model


def listener_of(model: pt.PixelModel) -> ClusterListener:
    listener = model.listeners[CLUSTER]
    assert isinstance(listener, ClusterListener)
    return listener


def told_of(model: pt.PixelModel, count: int, cluster: object = None) -> Told:
    return model.told("dog", count, "a red dragon", cluster=cluster)


def test_pairs_of_cluster_and_image_are_normalised() -> None:
    """Summed over all images of 1x2 pixels and all clusters; and an image with its own is never more than its sum."""
    model = model_of(height=1, width=2)
    every = torch.tensor(list(itertools.product(range(3), repeat=2))).reshape(-1, 1, 1, 2)
    total, of_images = 0.0, torch.zeros(len(every), dtype=torch.float64)
    for guidance in (1.0, 0.4):
        of_images = torch.stack([
            guided_totals(model, every, told_of(model, len(every), k), (guidance,))[0].exp() for k in range(3)
        ]).sum(0)  # fmt: skip
        total = float(of_images.detach().sum())
        assert abs(total - 1) < 1e-12
        own = with_own_cluster(model, told_of(model, len(every)), every)
        assert bool((guided_totals(model, every, own, (guidance,))[0].exp() <= of_images + 1e-15).all())


def test_an_image_pays_for_its_cluster() -> None:
    """`evaluate`: log p(k) of its own cluster, and the pixels that know it; the log-likelihood of one that is told."""
    model = model_of()
    x = torch.randint(0, 3, (7, 1, 3, 2))
    own = listener_of(model).of(x)
    assert len(own.unique()) > 1
    prior = listener_of(model).log_prior(told_of(model, 7))
    pixels = model.log_prob(x, "dog", "a red dragon", cluster=own)
    expected = -(pixels + prior.gather(1, own[:, None])[:, 0])
    found = pt.evaluate(model, x, "dog", "a red dragon", batch_size=3).per_image
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-12)
    other = pt.evaluate(model, x, "dog", "a red dragon", cluster=0).per_image
    pixels = model.log_prob(x, "dog", "a red dragon", cluster=0)
    np.testing.assert_allclose(other, -(pixels + prior[:, 0]).detach().numpy(), rtol=1e-12)
    unknown = model.log_prob(x, "dog", "a red dragon")  # without one, pixels alone
    assert not torch.allclose(unknown, model.log_prob(x, "dog", "a red dragon", cluster=own))


def test_guidance_is_of_the_cluster_too() -> None:
    """The formula; 1 is the model, 0 is what is told nothing but its cluster."""
    model = model_of()
    x = torch.randint(0, 3, (4, 1, 3, 2))
    told = with_own_cluster(model, told_of(model, 4), x)
    nothing = told.untold()
    assert torch.equal(nothing.parts[CLUSTER].known, told.parts[CLUSTER].known)
    assert not nothing.anything
    assert told.anything
    none, half, whole = guided_totals(model, x, told, (0.0, 0.5, 1.0))
    assert torch.allclose(none, guided_totals(model, x, nothing, (1.0,))[0])
    assert torch.equal(whole, guided_totals(model, x, told, (1.0,))[0])
    prior = [listener_of(model).log_prior(each) for each in (told, nothing)]
    wanted = guide(*prior, 0.5).gather(1, told.parts[CLUSTER].values[:, None])[:, 0]
    assert torch.allclose(cluster_log_prob(model, told, 0.5), wanted)
    assert not torch.allclose(wanted, prior[0].gather(1, told.parts[CLUSTER].values[:, None])[:, 0])
    assert not torch.allclose(half, whole)


def test_a_cluster_can_have_a_guidance_of_its_own() -> None:
    """The second of a pair: of what is drawn, of what is scored, and of what is ranked; never of pixels."""
    model = model_of()
    x = torch.randint(0, 3, (4, 1, 3, 2))
    told = with_own_cluster(model, told_of(model, 4), x)
    low, high, apart, same = guided_totals(model, x, told, (0.5, 2.0, (0.5, 2.0), (0.5, 0.5)))
    costs = cluster_log_prob(model, told, 2.0) - cluster_log_prob(model, told, 0.5)
    assert torch.allclose(apart, low + costs.detach())
    assert torch.equal(same, low)
    assert not torch.allclose(apart, high)
    found = pt.evaluate(model, x, "dog", "a red dragon", guidance=(0.5, 2.0)).per_image
    np.testing.assert_allclose(found, -apart.detach().numpy(), rtol=1e-12)
    sharp = pt.sample(model, 8, "dog", "a red dragon", seed=1, guidance=(1.0, 1000.0))
    plain = pt.sample(model, 8, "dog", "a red dragon", seed=1, cluster=sharp.clusters)
    assert sharp.clusters is not None
    assert len(sharp.clusters.unique()) == 1
    assert torch.equal(sharp.levels, plain.levels)
    lifted = guide(*(listener_of(model).log_prior(each) for each in (told, told.untold())), 1000.0)[0].argmax()
    assert int(sharp.clusters[0]) == int(lifted)
    for wrong in ((1.0, -1.0), (math.inf, 1.0), (1.0,), (1.0, 1.0, 1.0), [1.0, 2.0]):
        with pytest.raises(pt.ConfigError, match="`guidance`"):
            pt.sample(model, 1, "dog", "a red dragon", guidance=wrong)


def test_a_label_tells_of_the_cluster_as_a_caption_does() -> None:
    """The formula for each of the four; a painting by label alone draws from what it makes likely."""
    model = model_of()
    listener = listener_of(model)
    assert listener.by_label is not None
    assert listener.label_weight is not None
    with torch.no_grad():
        listener.by_label[2] = 0  # told none, as training leaves it
        listener.by_label[1, 2] = 60.0
        listener.label_weight.fill_(0.25)
    nothing, caption, label, both = (
        listener.log_prior(model.told(label, 1, text))[0]
        for label, text in ((None, None), (None, "a red dragon"), ("cat", None), ("cat", "a red dragon"))
    )
    shares, more = listener.shares.double(), listener.by_label[0].double()
    assert torch.allclose(nothing, shares.log_softmax(0))
    assert torch.allclose(label, (shares + more).log_softmax(0))
    assert torch.allclose(both, (caption + 0.25 * more).log_softmax(0))
    assert not torch.allclose(caption, nothing)
    painted = pt.sample(model, 6, "dog", seed=0).clusters
    assert painted is not None
    assert painted.tolist() == [2] * 6


def test_what_labels_say_of_clusters_is_matched_by_name() -> None:
    """In fine-tuning: a new class says nothing of them, and is named once."""
    source = model_of()
    model = pt.build(
        "gated-pixelcnn", image=source.image, classes=["dog", "bird"], text=WORDS, clusters=SMALL, label_width=2,
        likelihood=source.config.likelihood,
    ).double()  # fmt: skip
    notes = initialise_from(model, source)
    ours, theirs = listener_of(model).by_label, listener_of(source).by_label
    assert ours is not None
    assert theirs is not None
    assert torch.equal(ours, theirs[[1, 2, 2]])
    assert [note for note in notes if "classes" in note] == ["classes kept: dog", "new classes: bird"]


@pytest.mark.parametrize("name", names())
def test_painting_draws_a_cluster_first(name: str) -> None:
    """Every engine paints the same; the log-likelihood is that of the pair; an image depends on its seed alone."""
    model = model_of(name)
    painted = pt.sample(model, 5, "dog", "a red dragon", seed=4, engine="step")
    assert painted.clusters is not None
    assert len(painted.clusters.unique()) > 1
    told = told_of(model, 5, painted.clusters)
    (nats,) = guided_totals(model, painted.levels, told, (1.0,))
    assert torch.allclose(painted.nats, nats.detach(), atol=1e-9)
    for engine in ("naive", "cpu"):
        other = pt.sample(model, 5, "dog", "a red dragon", seed=4, engine=engine, batch_size=2)
        assert torch.equal(other.levels, painted.levels)
        assert torch.equal(other.clusters, painted.clusters)
    one = pt.sample(model, 5, "dog", "a red dragon", seed=4, cluster=1)
    assert one.clusters is not None
    assert one.clusters.tolist() == [1] * 5
    assert torch.allclose(one.nats, model.log_prob(one.levels, "dog", "a red dragon", cluster=1).detach(), atol=1e-9)


def test_clusters_are_drawn_as_levels_are() -> None:
    """Shares under guidance, within four deviations; temperature 0 takes the likeliest; from given uniforms too."""
    model, count = model_of(), 4000
    uniforms = np.random.default_rng(0).random(count)
    told = told_of(model, count)
    for guidance in (1.0, 2.5):
        drawn, nats = draw_clusters(model, told, uniforms, guidance, 1.0, 1.0)
        prior = listener_of(model).log_prior(told)
        shares = guide(prior, listener_of(model).log_prior(told.untold()), guidance)[0].exp()
        found = torch.bincount(drawn.parts[CLUSTER].values, minlength=3) / count
        assert bool(((found - shares).abs() < 4 * (shares * (1 - shares) / count) ** 0.5).all())
        assert torch.allclose(nats, prior.gather(1, drawn.parts[CLUSTER].values[:, None])[:, 0])
    best, _ = draw_clusters(model, told, uniforms, 1.0, 0.0, 1.0)
    assert bool((best.parts[CLUSTER].values == listener_of(model).log_prior(told)[0].argmax()).all())
    grid = np.random.default_rng(1).random((6, 1, 3, 2))
    first, second = (pt.sample(model, 6, uniforms=grid, batch_size=size) for size in (6, 4))
    assert torch.equal(first.clusters, second.clusters)
    assert torch.equal(first.levels, second.levels)


def test_what_is_no_cluster_is_refused() -> None:
    """One sentence; and clusters need text."""
    model = model_of()
    with pytest.raises(ConfigError, match=r"`cluster` \(=3\) must be"):
        pt.sample(model, 1, cluster=3)
    with pytest.raises(ConfigError, match="`clusters` needs a model that listens to text"):
        pt.build("pixelcnn", shape=(1, 2, 2), levels=3, clusters=4)
    with pytest.raises(ConfigError, match="greater than or equal to 2"):
        pt.build("pixelcnn", shape=(1, 2, 2), levels=3, text="learned", clusters=1)
    with pytest.raises(ConfigError, match="`cluster` cannot be used"):
        pt.sample(pt.build("pixelcnn", shape=(1, 2, 2), levels=3), 1, cluster=0)


def test_clusters_are_kept_with_the_model(tmp_path: Path) -> None:
    """In a file, and with rounded weights."""
    torch.manual_seed(1)
    config = SMALL.model_copy(update={"hidden": 32, "size": 16})
    model = dirty(pt.build("pixelcnn", shape=(1, 4, 4), levels=3, text=WORDS, clusters=config, channels=4).eval(), 0.3)
    x = torch.randint(0, 3, (6, 1, 4, 4))
    for kept in (model, pt.round_weights(model, "int8")):
        kept.save_pretrained(tmp_path / "m")
        again = pt.load(tmp_path / "m")
        assert torch.equal(listener_of(again).of(x), listener_of(kept).of(x))
        assert np.array_equal(pt.evaluate(again, x, text="red").per_image, pt.evaluate(kept, x, text="red").per_image)
