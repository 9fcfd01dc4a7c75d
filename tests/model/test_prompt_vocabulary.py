"""Words that no caption of the training had are named, with those that are near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
from pointillist.model.vocabulary import (
    CAPTIONS,
    Vocabulary,
    describe_prompts,
    describe_unseen_words,
    split_words,
)


def model_of(captions: list[str], text: str = "learned") -> pt.PixelModel:
    """Build a model whose record has the words of captions."""
    settings: dict[str, Any] = {"shape": (1, 4, 4), "levels": 2, "channels": 4, "layers": 1, "text": text}
    model = pt.build("gated-pixelcnn", **settings)
    model.training_record = {"record": {}, CAPTIONS: Vocabulary.of_captions(captions).to_record()}
    return model


def unseen(model: pt.PixelModel, prompts: list[str]) -> list[str]:
    """Return the sentences for a model."""
    return describe_unseen_words(
        model.training_record, prompts, model.prompt_reader.vectors if model.prompt_reader else None
    )


def test_words_are_counted() -> None:
    assert split_words("A red Dragon, 2x 14") == ["red", "dragon", "2x"]
    found = Vocabulary.of_captions(["a red heart", "heart, small", "hearts"])
    assert found.words[0] == "heart"
    assert set(found.words) == {"red", "heart", "small", "hearts"}
    assert (found.commas, found.complete) == (True, True)


def test_unseen_words_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that are seen, or seen in the plural; by spelling without an encoder; not where words are missing."""
    model = model_of(["red heart", "dragons", "small house"])
    assert unseen(model, ["red hearts", "a dragon"]) == []
    (sentence,) = unseen(model, ["hart", "a red hart"])
    assert sentence == "No caption in training is near 'hart': nearest are heart."
    assert "separate several prompts by semicolons" in unseen(model, ["heart, house"])[0]
    assert unseen(pt.load("digits"), ["zxcv"]) == []
    monkeypatch.setattr("pointillist.model.vocabulary.MAX_WORDS", 2)
    assert unseen(model_of(["red heart", "dragons"]), ["zxcv"]) == []


def test_an_encoder_understands_synonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that no caption had, but that means the same, is near; one without meaning is not."""
    monkeypatch.setenv("POINTILLIST_CACHE", str(tmp_path))
    model = model_of(["dog", "house", "heart", "tree"], "use")
    assert unseen(model, ["pooch"]) == []
    (sentence,) = unseen(model, ["zxcv"])
    assert sentence.startswith("No caption in training is near 'zxcv': nearest are ")


def test_the_words_stay_with_the_model(tmp_path: Path) -> None:
    """Through saving and loading."""
    model = model_of(["red heart", "dragons"])
    model.save_pretrained(tmp_path / "a")
    found = Vocabulary.of_record(pt.load(tmp_path / "a").training_record)
    assert found == Vocabulary.of_captions(["red heart", "dragons"])
    model.training_record = {"record": {}}
    assert Vocabulary.of_record(model.training_record) is None


@pytest.mark.parametrize("prompt", ['"', '""', "\U0001f3a8", "%", "%s%n", "a"])
def test_a_prompt_without_a_word_is_noted(prompt: str) -> None:
    """By every model of texts, in one sentence; a prompt with a word is not."""
    model = model_of(["a heart"])
    (said,) = describe_prompts(model, [prompt, "heart"])
    quoted = f"The prompt {prompt!r} holds no word: write a name, as captions in training have."
    assert said in (quoted, f"The prompt {prompt!r} has no word that this model knows: it is left out.")
    assert describe_prompts(model, ["heart"]) == []
