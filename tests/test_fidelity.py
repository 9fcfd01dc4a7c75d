"""Conditional metrics: bits saved, Bayes classification, caption retrieval; and memorization."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.data import ImageDataset
from pointillist.evaluation.conditioning import (
    MeanWithCI,
    RetrievalMetrics,
    _ranks,
    bayes_classify,
    caption_retrieval,
    conditional_gain,
)
from pointillist.evaluation.likelihood import guided_log_prob
from pointillist.evaluation.memorization import nearest_training_match
from tests.datasets import dataset_of
from tests.laws.strategies import randomise_weights
from tests.tolerances import network_rounding

SPEC = pt.ImageSpec.infer((1, 3, 3), 4)


def images(count: int, texts: list[str] | None = None) -> ImageDataset:
    x = np.random.default_rng(0).integers(0, 4, (count, 3, 3), np.uint8)
    return dataset_of(x, np.arange(count) % 3, texts=texts, classes=("b", "a", "c"), spec=SPEC)


def model(**conditions: object) -> pt.PixelModel:
    return randomise_weights(pt.build("gated-pixelcnn", image=SPEC, channels=6, layers=2, **conditions), 0.4).eval()  # type: ignore[arg-type]


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
    assert _ranks(scores, np.zeros(4, int)).tolist() == [1, 3, 2, 1.5]
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
    assert np.array_equal(found.ranks, np.stack([_ranks(table, truth)] * 2, 1))  # all five of them
    again = [caption_retrieval(one, data, candidates=3, seed=s)[0].ranks for s in (1, 1)]
    assert np.array_equal(*again)
    under = caption_retrieval(one, data, guidances=(0.5, 1.0), candidates=5, repeats=2)
    assert np.array_equal(under[1].ranks, found.ranks)
    x, half = one.check(x), []
    for text in sorted(set(texts)):
        inputs = one.conditions.inputs(None, 6, text, size=(3, 3))
        half.append(guided_log_prob(one, x, inputs, 0.5).flatten(1).sum(1).detach().numpy())
    assert np.array_equal(under[0].ranks, np.stack([_ranks(np.stack(half, 1), truth)] * 2, 1))
    with pytest.raises(pt.DataError, match="5 different captions"):
        caption_retrieval(one, data, candidates=6)
    with pytest.raises(pt.ConfigError, match="conditioned on text"):
        caption_retrieval(model(), data)


def test_copies_are_found() -> None:
    """Also mirrored ones; background that both have does not count, and cannot hide that the figures differ."""
    palette = ((0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 255, 255))
    spec = pt.ImageSpec(channels=1, height=2, width=3, levels=3, ordered=False, mode="palette", palette=palette)
    known = torch.tensor([[[1, 0, 0], [2, 0, 0]], [[1, 1, 1], [1, 1, 1]]])[:, None]
    samples = torch.tensor([[[0, 0, 1], [0, 0, 2]], [[2, 0, 0], [2, 0, 0]], [[1, 1, 1], [1, 1, 2]]])[:, None]
    share, which = nearest_training_match(samples, known, spec)
    np.testing.assert_allclose(share, [1, 0.5, 5 / 6])
    assert which.tolist() == [0, 0, 1]
    plain = pt.ImageSpec.infer((1, 2, 3), 3)
    np.testing.assert_allclose(nearest_training_match(samples[1:2], known, plain)[0], [5 / 6])
    colours = pt.ImageSpec.infer((3, 2, 3), 300)
    rgb = torch.cat([known, known, known], 1) * 140  # a pixel agrees where all its channels do
    other = rgb.clone()
    other[:, 1, 0, 0], other[:, 2, 0, 0] = 256, 255
    found = nearest_training_match(other, rgb, colours)
    np.testing.assert_allclose(found[0], [5 / 6, 5 / 6])
    assert found[1].tolist() == [0, 1]
