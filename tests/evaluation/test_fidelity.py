"""Conditional metrics: bits saved, Bayes classification, caption retrieval; and memorization."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis.evaluation.captions import caption_retrieval, rank_images
from pointillist.analysis.evaluation.conditioning import (
    MeanWithCI,
    RetrievalMetrics,
    bayes_classify,
    conditional_gain,
    ranks_of,
)
from pointillist.analysis.evaluation.memorization import nearest_training_match
from pointillist.data import ImageDataset
from pointillist.images.pictures import sum_images
from pointillist.model.batches import guided_log_probs
from tests.datasets import dataset_of
from tests.laws.strategies import randomise_weights
from tests.tolerances import network_rounding

SPEC = pt.ImageSpec.infer((1, 3, 3), 4)


def images(count: int, texts: list[str] | None = None) -> ImageDataset:
    x = np.random.default_rng(0).integers(0, 4, (count, 3, 3), np.uint8)
    return dataset_of(x, np.arange(count) % 3, texts=texts, classes=("b", "a", "c"), spec=SPEC)


def model(**conditions: object) -> pt.PixelModel:
    return randomise_weights(pt.build("gated-pixelcnn", shape=SPEC, channels=6, layers=2, **conditions), 0.4).eval()  # type: ignore[arg-type]


def test_bits_saved_are_differences_of_scores() -> None:
    """Alone, and together; against the unconditional likelihood."""
    data = images(7)
    one = model(classes=["a", "b", "c"], hint="half:left")
    found = conditional_gain(one, data, batch_size=3)
    assert set(found) == {"label", "hint", "everything"}
    x = data.batch(range(7)).levels
    unconditional = one.log_prob(x)
    labels = [data.classes[i] for i in data.labels]  # type: ignore[union-attr]
    conditional = {
        "label": one.log_prob(x, labels), "hint": one.log_prob(x, hint=x), "everything": one.log_prob(x, labels, hint=x)
    }  # fmt: skip
    for name, share in found.items():
        wanted = ((conditional[name] - unconditional) / np.log(2)).detach().numpy()
        within = network_rounding(one, conditional[name], unconditional) / np.log(2)
        np.testing.assert_allclose(share.value, wanted.mean(), rtol=0, atol=within)
        assert share.interval[0] < share.value < share.interval[1]
    with pytest.raises(pt.DataError, match="has no condition of this model"):
        conditional_gain(model(vector=2), data)


def test_classes_are_those_of_the_highest_likelihood() -> None:
    """Numbers are matched by name."""
    data = images(9)
    one = model(classes=["a", "b", "c"])
    ranking, scores = bayes_classify(one, data, batch_size=4)
    x = data.batch(range(9)).levels
    table = torch.stack([one.log_prob(x, name) for name in ("a", "b", "c")], 1).detach()
    np.testing.assert_allclose(scores, table.numpy(), rtol=0, atol=network_rounding(one, table))
    truth = np.array([1, 0, 2] * 3)
    assert ranking.top1.value == np.mean(table.argmax(1).numpy() == truth)
    with pytest.raises(pt.ConfigError, match="labels"):
        bayes_classify(model(), data)


def test_ranks_and_their_means() -> None:
    """Equal scores share a rank: a model that ignores its condition is at chance, not at the top."""
    scores = np.array([[3.0, 1, 2], [1, 2, 3], [1, 1, 1], [1, 1, 0]])
    assert ranks_of(scores, np.zeros(4, int)).tolist() == [1, 3, 2, 1.5]
    found = RetrievalMetrics.of(np.array([[1.0, 3.0], [2.0, 6.0]]), 10)
    assert (found.top1.value, found.top5.value) == (0.25, 0.75)
    assert found.mrr.value == pytest.approx((1 + 1 / 3 + 1 / 2 + 1 / 6) / 4)
    assert MeanWithCI.of(np.array([1.0])).count == 1


def test_captions_are_ranked_by_likelihood() -> None:
    """Among captions that differ from the true one; the draw is that of the seed; too few are an error."""
    texts = ["red", "green", "blue", "red", "wall", "sky"]
    data, one = images(6, texts), model(text="learned")
    (found,) = caption_retrieval(one, data, candidates=5, repeats=2)
    x = data.batch(range(6)).levels
    table = torch.stack([one.log_prob(x, text=text) for text in sorted(set(texts))], 1).detach().numpy()
    truth = [sorted(set(texts)).index(text) for text in texts]
    assert np.array_equal(found.ranks, np.stack([ranks_of(table, truth)] * 2, 1))  # all five of them
    again = [caption_retrieval(one, data, candidates=3, seed=s)[0].ranks for s in (1, 1)]
    assert np.array_equal(*again)
    under = caption_retrieval(one, data, guidances=(0.5, 1.0), candidates=5, repeats=2)
    assert np.array_equal(under[1].ranks, found.ranks)
    x, half = one.check_array(x), []
    for text in sorted(set(texts)):
        inputs = one.conditions.inputs(None, 6, text, size=(3, 3))
        half.append(sum_images(guided_log_probs(one.scorer("torch"), x, inputs, (0.5,))[0]))
    assert np.array_equal(under[0].ranks, np.stack([ranks_of(np.stack(half, 1), truth)] * 2, 1))
    with pytest.raises(pt.DataError, match="5 different captions"):
        caption_retrieval(one, data, candidates=6)
    with pytest.raises(pt.ConfigError, match="conditioned on text"):
        caption_retrieval(model(), data)


def test_the_posterior_over_captions_is_bayes_rule() -> None:
    """By the likelihoods of the model, under every prior; the captions are in order, and name their index."""
    one, x = model(text="learned", classes=["a", "b", "c"]), images(1).batch([0]).levels
    texts = ["a red wall", "blue", "a green sky", "sky red"]
    for label in (None, "b"):
        logs = np.array([one.log_prob(x, label, text=text).item() for text in texts])
        alone = one.log_prob(x, label).item()
        within = network_rounding(one, torch.from_numpy(logs)) / np.log(2)
        for prior in (None, [1, 2, 3, 4], [0.0, 1.0, 0.0, 1.0]):
            ranking = pt.rank(one, x[0], texts, label, prior=prior, batch_size=3)
            before = np.ones(4) / 4 if prior is None else np.array(prior) / sum(prior)
            joint = np.exp(logs - logs.max()) * before
            order = np.argsort(-joint, kind="stable")
            assert ranking.texts == tuple(texts[i] for i in order)
            assert ranking.index.tolist() == order.tolist()
            np.testing.assert_allclose(ranking.log_likelihood, logs[order], rtol=0, atol=within)
            np.testing.assert_allclose(ranking.posterior, (joint / joint.sum())[order], rtol=0, atol=within)
            np.testing.assert_allclose(ranking.saved, (logs[order] - alone) / np.log(2), rtol=0, atol=2 * within)
            assert ranking.posterior.sum() == pytest.approx(1)
            assert ranking.prior.tolist() == before[order].tolist()
    assert str(ranking).count(" bits  ") == 4
    assert ranking.to_dict()["captions"][0]["text"] == ranking.texts[0]


def test_a_ranking_is_the_retrieval_of_one_image() -> None:
    """Ranks of the true captions, of the same likelihoods, with guidance; equal captions are an error."""
    texts = ["red", "green", "blue", "red", "wall", "sky"]
    data, one = images(6, texts), model(text="learned")
    distinct = sorted(set(texts))
    for guidance in (1.0, 0.5):
        (metrics,) = caption_retrieval(one, data, candidates=5, guidances=(guidance,))
        rankings = rank_images(one, data, distinct, guidance=guidance)
        ranks = [1 + ranking.texts.index(text) for ranking, text in zip(rankings, texts, strict=True)]
        assert metrics.ranks[:, 0].tolist() == ranks
    with pytest.raises(pt.ConfigError, match=r"`texts\[1\]` .* reads as a caption before it"):
        pt.rank(one, data.batch([0]).levels, ["red", "  RED ", "blue"])


@pytest.mark.parametrize(
    ("texts", "settings", "sentence"),
    [
        ("a cat", {}, r"`texts` \(='a cat'\) must be a list of captions"),
        ([], {}, "must be a list of captions"),
        (["a cat", " "], {}, r"`texts\[1\]` \(=' '\) has no word"),
        (["a cat", "\U0001f408"], {}, r"`texts\[1\]` .* has no word that the text encoder of this model reads"),
        (["a cat", 3], {}, r"`text` \(=3\) must be a string"),
        (["a", "b"], {"prior": [1]}, r"`prior` \(=\[1\]\) must have a number of at least 0 for each of 2 captions"),
        (["a", "b"], {"prior": [1, -1]}, "at least 0"),
        (["a", "b"], {"prior": [0, 0]}, "not all of them 0"),
        (["a", "b"], {"prior": [1, float("nan")]}, "`prior`"),
        (["a", "b"], {"batch_size": 0}, r"`batch_size` \(=0\) must be a whole number, 1 or more"),
        (["a", "b"], {"guidance": -1}, "guidance"),
        (["a " * 9000, "b"], {}, "over the limit of 10,000"),
    ],
)
def test_captions_that_cannot_be_ranked(texts: Any, settings: dict[str, Any], sentence: str) -> None:
    one, x = model(text="learned"), images(1).batch([0]).levels
    with pytest.raises(pt.ConfigError, match=sentence):
        pt.rank(one, x, texts, **settings)
    with pytest.raises(pt.ConfigError, match="trained without text"):
        pt.rank(model(), x, ["a", "b"])


def test_copies_are_found() -> None:
    """Also mirrored ones; background that both have does not count, and cannot hide that the figures differ."""
    palette = ((0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255))
    spec = pt.ImageSpec(channels=1, height=2, width=3, levels=3, ordered=False, mode="palette", palette=palette)
    known = np.array([[[1, 0, 0], [2, 0, 0]], [[1, 1, 1], [1, 1, 1]]])[:, None]
    samples = np.array([[[0, 0, 1], [0, 0, 2]], [[2, 0, 0], [2, 0, 0]], [[1, 1, 1], [1, 1, 2]]])[:, None]
    share, which = nearest_training_match(samples, known, spec)
    np.testing.assert_allclose(share, [1, 0.5, 5 / 6])
    assert which.tolist() == [0, 0, 1]
    plain = pt.ImageSpec.infer((1, 2, 3), 3)
    np.testing.assert_allclose(nearest_training_match(samples[1:2], known, plain)[0], [5 / 6])
    colours = pt.ImageSpec.infer((3, 2, 3), 300)
    rgb = np.concatenate([known, known, known], 1) * 140  # a pixel agrees where all its channels do
    other = rgb.copy()
    other[:, 1, 0, 0], other[:, 2, 0, 0] = 256, 255
    found = nearest_training_match(other, rgb, colours)
    np.testing.assert_allclose(found[0], [5 / 6, 5 / 6])
    assert found[1].tolist() == [0, 1]
