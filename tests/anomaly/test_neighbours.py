"""The distance to normal images: exact, weighed on normal images alone, and never a way around valid p-values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

import pointillist as pt
from pointillist.anomaly.combination import COUNT, Measured, NearestImages, combine
from pointillist.anomaly.fitting import KINDS, synthetic_anomalies
from tests.tolerances import CONFIDENCE

from .helpers import samples, truth
from .test_detector import as_many_as_asked


def digits_without(digit: int, count: int) -> tuple[pt.PixelModel, dict[str, np.ndarray]]:
    """A model that knows nothing, and digits: `train`, `fit`, `test` of all classes but one, `odd` of that one."""
    data = pt.load_data("uci-digits").get("all")
    batch = data.batch(range(len(data)))
    normal = np.random.default_rng(0).permutation(np.flatnonzero(batch.labels != digit))
    parts = np.split(normal, [count, count + 120, count + 320])[:3]
    images = {name: batch.levels[part] for name, part in zip(("train", "fit", "test"), parts, strict=True)}
    model = pt.build("pixelcnn", shape=data.spec, channels=4, layers=1).eval()
    return model, {**images, "odd": batch.levels[batch.labels == digit]}


def test_distances_are_those_of_scikit_learn() -> None:
    """Euclidean for ordered levels, the number of other levels for names; the image itself can be left out."""
    rng = np.random.default_rng(0)
    reference, images = rng.integers(0, 9, (40, 2, 3, 4)), rng.integers(0, 9, (7, 2, 3, 4))
    for ordered, metric, unit in ((True, "euclidean", 1), (False, "hamming", 24)):
        neighbours = NearestImages(reference.astype(np.uint8), ordered)
        search = NearestNeighbors(n_neighbors=COUNT + 1, metric=metric).fit(reference.reshape(40, -1))
        nearest = search.kneighbors(images.reshape(7, -1))[0] * unit
        np.testing.assert_allclose(neighbours.distances(images), nearest[:, :COUNT].mean(1))
        own = search.kneighbors(reference[:5].reshape(5, -1))[0] * unit
        np.testing.assert_allclose(neighbours.distances(reference[:5], skip=1), own[:, 1:].mean(1))
    few = NearestImages(reference[:2], True)
    assert few.distances(images, skip=1).shape == (7,)


@pytest.mark.parametrize("shape", [(6, 1, 8, 8), (5, 3, 1, 7), (2, 1, 2, 1)])
def test_odd_images_are_made_of_normal_ones(shape: tuple[int, ...]) -> None:
    """One of each kind for each image, of its size and levels, the same at every call."""
    levels = np.random.default_rng(0).integers(0, 5, shape)
    made, again = synthetic_anomalies(levels), synthetic_anomalies(levels)
    assert tuple(made) == KINDS
    for kind, images in made.items():
        assert images.shape == shape
        assert set(np.unique(images)) <= set(np.unique(levels))
        np.testing.assert_array_equal(images, again[kind])
    np.testing.assert_array_equal(made["mirrored"][..., ::-1], levels)
    if min(shape[2:]) > 2:
        assert ((made["block of noise"] != levels).reshape(shape[0], -1).mean(1) < 0.2).all()


def test_the_statistic_that_knows_gets_the_weight() -> None:
    """A distance of pure chance gets none; next to statistics of pure chance, a distance that sees gets most."""
    rng = np.random.default_rng(0)
    neighbours = NearestImages(np.zeros((9, 1, 1, 1), np.uint8), True)

    def measured(statistics: float, distance: float) -> Measured:
        return Measured(rng.normal(statistics, 1, (80, 1, 2)), rng.normal(distance, 1, 80))

    for shift, weights in (((2.5, 0.0), (0.0,)), ((0.0, 2.5), (0.9,))):
        result = combine(measured(0, 0), {"a": measured(*shift), "b": measured(*shift)}, neighbours, "gaussian")
        assert result.weight in weights
        assert result.trial is not None
        assert result.trial.count == 160
        assert result.trial.together > 0.85 > 0.7 > min(result.trial.model, result.trial.neighbours)
    assert combine(measured(0, 0), {}, neighbours, "gaussian").weight == 0


def test_an_unseen_class_is_found_and_false_alarms_are_those_asked_for() -> None:
    """By a model that knows nothing, with training images as neighbours, or with half of the normal ones."""
    model, images = digits_without(4, 1_000)
    detector = pt.AnomalyDetector(model).fit(images["fit"], neighbours=images["train"])
    assert detector.combination_.weight == 0.9
    assert len(detector.combination_.neighbours.reference) == 1_000
    assert as_many_as_asked(detector, images["test"]) > 0.01
    scores = [detector.score_samples(images[name]) for name in ("test", "odd")]
    assert (scores[0][:, None] > scores[1]).mean() > 0.97  # the AUROC
    half = pt.AnomalyDetector(model).fit(images["fit"])
    assert len(half.combination_.neighbours.reference) == 60
    assert as_many_as_asked(half, images["test"]) > 0.01


def test_neighbours_that_are_the_normal_images_are_left_out() -> None:
    """Their distance would be 0, and every other normal image odd; what does not fit is one sentence."""
    model, x = truth(), samples(400, 0).numpy()
    detector = pt.AnomalyDetector(model).fit(x[:100], neighbours=x)
    assert len(detector.combination_.neighbours.reference) == 300
    assert as_many_as_asked(detector, samples(400, 1)) > 0.01
    with pytest.raises(pt.DataError, match="`neighbours` are 0 images besides the normal ones"):
        pt.AnomalyDetector(model).fit(x[:100], neighbours=x[:100])
    with pytest.raises(pt.ShapeError, match="`neighbours` must be images of 10x10"):
        pt.AnomalyDetector(model).fit(x[:100], neighbours=x[..., :7])


def test_splits_bring_their_training_images() -> None:
    """Which the model may have seen: the distance does not ask it."""
    digits = pt.load_data("uci-digits")
    model = pt.build("pixelcnn", shape=digits.train.spec, channels=4, layers=1).eval()
    assert len(pt.AnomalyDetector(model).fit(digits).combination_.neighbours.reference) == len(digits.train)


def test_a_model_that_knows_nothing_is_named() -> None:
    """It needs more bits than a file format; a model of its own samples does not."""
    model, images = digits_without(1, 300)
    detector = pt.AnomalyDetector(model).fit(images["fit"])
    warning = detector.model_fit_.warning(detector.combination_)
    assert warning is not None
    assert "so it is far from trained" in warning
    with torch.no_grad():
        bits = -model.log_prob(images["fit"]).double().numpy() / np.log(2) / images["fit"][0].size
    error = bits.std() / np.sqrt(len(bits) / 2)  # the fit is that of a half of the images
    assert abs(detector.model_fit_.bits_per_dim - bits.mean()) < CONFIDENCE * error
    known = pt.AnomalyDetector(truth()).fit(samples(200, 0))
    assert known.model_fit_.warning(known.combination_) is None
