"""Queries about an image: the results are those of brute force and of `explaining`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from pointillist.analysis import ImageQuery, condition_gain, surprisal_maps
from pointillist.model.pixel_model import PixelModel
from pointillist.studio.service import StudioService
from tests.studio.helpers import decoded, encoded
from tests.tolerances import network_rounding

MODELS = ["gated-pixelcnn", "pixelcnn-pp", "locally-masked-pixelcnn"]


def image_of(model: PixelModel, seed: int = 0) -> np.ndarray:
    """Random levels."""
    return np.random.default_rng(seed).integers(0, model.image.levels, model.image.shape)


def query(client: TestClient, model: str, what: str, levels: Any, **question: Any) -> dict[str, Any]:
    """An answer that is a success."""
    answer = client.post(f"/api/models/{model}/{what}", json={"levels": encoded(levels), **question})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def enumerated(model: PixelModel, levels: np.ndarray, place: tuple[int, int, int], **conditions: Any) -> np.ndarray:
    """The distribution of a sub-pixel (channel, row, column), by trying every level there."""
    every = torch.from_numpy(levels).expand(model.image.levels, *levels.shape).clone()
    every[:, *place] = torch.arange(model.image.levels)
    with torch.no_grad():
        return model.log_prob_map(every, **conditions)[:, *place].exp().numpy()


@pytest.mark.parametrize("name", MODELS)
def test_score_is_the_likelihood(client: TestClient, service: StudioService, name: str) -> None:
    """Surprise is -log2 p, entropy that of `surprisal_maps`; totals are their sums; the sequence is the order."""
    model = service.models[name].model
    levels = image_of(model)
    found = query(client, name, "score", levels)
    x = torch.from_numpy(levels)[None]
    surprise = -model.log_prob_map(x)[0].detach().numpy() / math.log(2)
    within = network_rounding(model, surprise)
    np.testing.assert_allclose(decoded(found["surprisal"]), surprise, rtol=0, atol=within)
    maps = surprisal_maps(ImageQuery.of(model, x))
    np.testing.assert_allclose(decoded(found["entropy"]), maps.entropy, rtol=0, atol=within)
    assert found["bits"] == pytest.approx(surprise.sum(), abs=network_rounding(model, surprise.sum()))
    assert found["bits_per_dim"] == pytest.approx(found["bits"] / levels.size)
    entropy = decoded(found["entropy"]).sum()
    assert found["expected"] == pytest.approx(entropy, abs=network_rounding(model, entropy))
    uncertain = network_rounding(model, surprise.sum(), entropy)
    assert found["z"] == pytest.approx(maps.z_score, abs=2 * uncertain / float(np.sqrt(maps.variance.sum())))
    places = model.generation_rank(*levels.shape[1:])
    assert (places.ravel()[found["sequence"]] == np.arange(places.size)).all()


def test_sampling_probs_apply_guidance_temperature_and_top_p(client: TestClient, service: StudioService) -> None:
    """By their definitions, from the distributions with and without the label."""
    model = service.models["gated-pixelcnn"].model
    levels = image_of(model)
    settings = {"guidance": 3.0, "temperature": 0.5, "top_p": 0.8}
    found = query(client, "gated-pixelcnn", "pixel", levels, row=1, column=1, conditions={"label": "cow"}, **settings)
    for channel, answer in enumerate(found["channels"]):
        conditional = enumerated(model, levels, (channel, 1, 1), label="cow")
        unconditional = enumerated(model, levels, (channel, 1, 1))
        within = network_rounding(model, np.log(conditional), np.log(unconditional))
        guided = (unconditional * (conditional / unconditional) ** 3) ** 2  # 2 = 1 / temperature
        guided /= guided.sum()
        order = np.argsort(-guided)
        kept = order[: 1 + int((guided[order].cumsum() < 0.8).sum())]
        expected = np.zeros_like(guided)
        expected[kept] = guided[kept] / guided[kept].sum()
        np.testing.assert_allclose(answer["sampling_probs"], expected, rtol=2 * (3 + 2) * within)
        np.testing.assert_allclose(answer["probs"], conditional, rtol=within)


@pytest.mark.parametrize(
    ("what", "question", "status", "words"),
    [
        ("pixel", {"row": 4, "column": 0}, 400, "row"),
        ("pixel", {"column": 0}, 422, "row"),
        ("saliency", {"row": 0, "column": 0, "channel": 3}, 400, "channel"),
        ("edit", {"edits": [{"row": 0, "column": 0, "level": 4}]}, 400, "level"),
        ("score", {"order": "raster-bl"}, 400, "order"),
        ("score", {"conditions": {"label": "horse"}}, 400, "no class 'horse'"),
    ],
)
def test_invalid_queries_are_rejected_in_a_sentence(
    client: TestClient, what: str, question: dict[str, Any], status: int, words: str
) -> None:
    """It names the field."""
    levels = encoded(np.zeros((3, 4, 5)))
    answer = client.post(f"/api/models/gated-pixelcnn/{what}", json={"levels": levels, **question})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]


def test_an_edit_that_changes_nothing_is_rejected(client: TestClient) -> None:
    """The answer would be zeros that mean nothing."""
    question = {"levels": encoded(np.zeros((3, 4, 5))), "edits": [{"row": 0, "column": 0, "level": 0}]}
    answer = client.post("/api/models/gated-pixelcnn/edit", json=question)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_words_are_those_of_the_conditional_gain(client: TestClient, service: StudioService) -> None:
    """Summed over the channels, with the other conditions of the image; no prompt and too long a one have no maps."""
    name = "gated-pixelcnn-2"
    model = service.models[name].model
    levels = image_of(model)
    text = "a red cat, \U0001f408"
    conditions = {"text": text, "attributes": {"hair": "red"}}
    found = query(client, name, "words", levels, conditions=conditions)
    gain = condition_gain(ImageQuery.of(model, levels, text=text, attributes={"hair": "red"}))
    expected = [{"text": g.word.text, "index": g.word.index, "bits": g.bits, "read": g.read} for g in gain.words]
    assert [word["text"] for word in found["words"]] == ["a", "red", "cat", "\U0001f408"]
    saved = np.stack([g.saved.sum(0) for g in gain.words])
    within = network_rounding(model, gain.conditional)
    np.testing.assert_allclose(decoded(found["saved"]), saved, rtol=0, atol=2 * within)
    for word, wanted in zip(found["words"], expected, strict=True):
        assert word["bits"] == pytest.approx(wanted["bits"], abs=2 * within * levels.size)
        assert (word["index"], word["read"]) == (wanted["index"], wanted["read"])
    assert (found["prompt"], found["note"]) == (text, "")
    swapped = query(client, name, "words", levels, conditions=conditions, exchange={"index": 1, "replacement": "blue"})
    image = ImageQuery.of(model, levels, text=text, attributes={"hair": "red"})
    (wanted,) = condition_gain(image, {"red": "blue"}).exchanges
    np.testing.assert_allclose(decoded(swapped["saved"])[0], wanted.saved.sum(0), rtol=0, atol=2 * within)
    assert [(word["text"], word["replacement"]) for word in swapped["words"]] == [("red", "blue")]
    nothing = query(client, name, "words", levels)
    assert (nothing["prompt"], nothing["words"], decoded(nothing["saved"]).shape) == ("", [], (0, 4, 4))
    long = query(client, name, "words", levels, conditions={"text": "cat " * 200})
    assert long["words"] == []
    assert "The prompt has 200 words, over the limit of 100" in long["note"]
    plain = client.post("/api/models/pixelcnn-pp/words", json={"levels": encoded(np.zeros((1, 6, 6)))})
    assert plain.json()["words"] == []
