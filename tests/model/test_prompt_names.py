"""Names and words of prompts: forms of a name are sampled as it, aloud; words that no caption had are named."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pointillist as pt
import pointillist.studio
from pointillist.conditioning.text_encoders.spelling import edit_distance
from pointillist.errors import CheckpointError
from pointillist.files.arrays import PROMPTS
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.training_record import TrainingRecord, Vocabulary, split_words
from pointillist.model.vocabulary import describe_unmeasured_prompts, describe_unseen_words, read_prompts
from tests.equality import equal

NAMES = ["heart", "key", "shopping cart", "battery", "umbrella", "glasses", "leaf", "house"]
CAPTIONS_SEEN = [*NAMES, "glass", "mouse", "keys", "arrows"]


def measured_model() -> pt.PixelModel:
    """Build a model that shows the names but for two, which were measured and missed."""
    model = model_of(CAPTIONS_SEEN)
    model.measured_prompts = MeasuredPrompts(recognised=tuple(NAMES), missed=("tree", "trees"))
    return model


@pytest.mark.parametrize(
    ("typed", "sampled"),
    [
        ("keys", "key"),
        ("the Keys, outline", "key, outline"),
        ("batteries", "battery"),
        ("leaves,small", "leaf,small"),
        ("shopping carts", "shopping cart"),
        ("umbrela", "umbrella"),
        ("hart", "heart"),
        ("haert", "heart"),
        ("shoping cart", "shopping cart"),
        ('"keys"', "keys"),
        (' "keys, outline" ', "keys, outline"),
        ('"keys", outline', "keys, outline"),
        ('"keys" and "locks"', '"keys" and "locks"'),
    ],
)
def test_other_forms_of_a_name_are_sampled_as_it(typed: str, sampled: str) -> None:
    """Plurals, misspellings that no caption had, and what is quoted as it is."""
    assert sampled_texts(measured_model(), typed, 2) == [sampled] * 2


@pytest.mark.parametrize(
    "typed", ["", "key", "A key", "cart shopping", "glass", "mouse", "trees", "kee", "zebra", "two keys", '""', "12"]
)
def test_other_prompts_are_sampled_as_typed(typed: str) -> None:
    """A name in any form, words that captions had, names that were missed, short ones, and what is near none."""
    assert sampled_texts(measured_model(), typed, 1) == [typed]
    assert sampled_texts(measured_model(), None, 1) is None


def test_a_model_without_a_list_or_without_words_guesses_nothing() -> None:
    """Nothing is a misspelling without the words of captions, or of two names; nothing a plural without names."""
    assert sampled_texts(model_of(CAPTIONS_SEEN, "use"), ["keys", "umbrela"], 2) == ["keys", "umbrela"]
    model = measured_model()
    model.training_record = TrainingRecord(record={})
    assert sampled_texts(model, ["keys", "umbrela"], 2) == ["key", "umbrela"]
    model.measured_prompts = MeasuredPrompts(recognised=("house", "mouse"))
    model.training_record = measured_model().training_record
    assert sampled_texts(model, ["rouse"], 1) == ["rouse"]  # of either


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_a_single_edit_is_symmetric_and_close(text: str, other: str) -> None:
    """All texts that differ by an edit, found by trying each."""
    edits = {text[:i] + text[i + 1 :] for i in range(len(text))}
    edits |= {text[:i] + letter + text[i:] for i in range(len(text) + 1) for letter in "abc"}
    edits |= {text[:i] + letter + text[i + 1 :] for i in range(len(text)) for letter in "abc"}
    edits |= {text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in range(len(text) - 1)}
    assert (edit_distance(text, other) == 1) == (edit_distance(other, text) == 1) == (other in edits - {text})


def test_samples_and_completions_are_those_of_the_name(caplog: pytest.LogCaptureFixture) -> None:
    """The same levels, and a sentence; what is quoted is another picture."""
    model = measured_model()
    name, other, quoted = (pt.sample(model, 2, text=text, seed=3) for text in ("key", "keys", '"keys"'))
    assert equal(name.levels, other.levels)
    assert (name.texts, other.texts, quoted.texts) == (("key",) * 2, ("key",) * 2, ("keys",) * 2)
    assert not equal(quoted.nats, name.nats)
    sentence = "'keys' is sampled as 'key', a name that this model shows: quote it to sample it literally."
    assert sentence in caplog.messages
    caplog.clear()
    known = np.zeros((4, 4), bool)
    known[0] = True
    completed = [pt.inpaint(model, name.levels[0], known, n=2, text=text, seed=0) for text in ("key", "keys")]
    assert equal(completed[0].levels, completed[1].levels)
    assert caplog.messages == [sentence]


def test_likelihoods_are_of_prompts_as_they_are() -> None:
    """A data set may have plurals in its captions."""
    model, x = measured_model(), torch.zeros((1, 1, 4, 4), dtype=torch.long)
    assert not equal(model.log_prob(x, text="key"), model.log_prob(x, text="keys"))


def test_the_nearest_names_are_told() -> None:
    """Of prompts that are none, and of those that samples seldom showed."""
    (sentence,) = describe_unmeasured_prompts(NAMES, ["glass"])
    assert sentence.startswith("This model was not measured to show 'glass': ")
    assert sentence.endswith(" the nearest is 'glasses'.")


def test_names_in_any_form_are_not_named() -> None:
    """With an article, style words, capitals or another order; and nothing is said without a list."""
    assert describe_unmeasured_prompts(NAMES, ["a Key", "the heart, outline", "cart shopping", ""]) == []
    assert describe_unmeasured_prompts([], ["zxcv"]) == []
    (sentence,) = describe_unmeasured_prompts(NAMES, ["keys"], missed=["keys"])
    assert sentence.startswith("Samples seldom showed 'keys': ")
    (sentence,) = describe_unmeasured_prompts(NAMES, ["zxcv"])
    assert "the nearest are 'heart', " in sentence


def test_example_prompts_are_those_that_the_model_shows() -> None:
    """Of a bundled model: what the studio offers first was recognised, or is a sentence of words that it knows."""
    measured = [model for model in pt.list_pretrained() if (model.folder / PROMPTS).is_file()]
    assert measured
    for model in measured:
        shown, examples = MeasuredPrompts.read(model.folder), list(GenerationConfig.read(model.folder).prompts)
        if shown.recognised:
            assert set(examples) <= set(shown.recognised), model.name
        else:  # its words are listed by kind
            assert sampled_texts(pt.load(model.folder), examples, len(examples)) == examples


def test_measured_prompts_are_read_from_the_folder(tmp_path: Path) -> None:
    """A missing file is an empty list; a damaged one is an error with its path."""
    assert MeasuredPrompts.read(tmp_path) == MeasuredPrompts()
    (tmp_path / PROMPTS).write_text('{"recognised": ["heart"], "missed": ["key"]}')
    assert MeasuredPrompts.read(tmp_path).recognised == ("heart",)
    model = model_of(NAMES)
    model.measured_prompts = MeasuredPrompts.read(tmp_path)
    model.save_pretrained(tmp_path / "saved")
    assert pt.load(tmp_path / "saved").measured_prompts == model.measured_prompts
    model.measured_prompts = MeasuredPrompts()
    model.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / PROMPTS).exists()
    for text in ("{", '{"recognised": "heart"}', '{"names": []}', '{"recognised": [""]}', " " * 300_000):
        (tmp_path / PROMPTS).write_text(text)
        with pytest.raises(CheckpointError, match=PROMPTS):
            MeasuredPrompts.read(tmp_path)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the scripts of the page")
def test_an_exported_page_reads_prompts_alike() -> None:
    """It samples the same names, and says the same, but for the nearest names of a prompt that is none."""
    script = (Path(pointillist.studio.__file__).parent / "page" / "offline" / "prompt_names.js").as_uri()
    prompts = [
        "keys",
        "a Heart, outline",
        "cart shopping",
        "batteries",
        "the leaves,small",
        "glass",
        "zxcv",
        "",
        "12 x",
    ]
    prompts += [
        "umbrela",
        "haert",
        "hart",
        "rouse",
        "kee",
        "trees",
        '"keys"',
        ' "keys, outline" ',
        '"keys", outline',
        '"a" "b"',
        '""',
        "two keys",
    ]
    model = measured_model()
    captions = " ".join(model.training_record.captions.words)
    given_names = ", ".join(json.dumps(each) for each in (NAMES, list(model.measured_prompts.missed), captions))
    code = f"import {{ PromptNames }} from {json.dumps(script)}; const names = new PromptNames({given_names});"
    code += f"const prompts = {json.dumps(prompts)};"
    code += "console.log(JSON.stringify([prompts.map((prompt) => names.read(prompt).text), names.notes(prompts)]));"
    done = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    sampled, notes = json.loads(done.stdout)
    assert sampled == sampled_texts(model, prompts, len(prompts))
    said = notes_of(model, prompts)
    assert notes == [sentence.partition(": of the names")[0].removesuffix(".") + "." for sentence in said]


def sampled_texts(model: pt.PixelModel, value: Any, count: int) -> list[str] | None:
    """Return the prompts that are sampled."""
    read = read_prompts(model, value, count)
    return None if read is None else read.texts


def notes_of(model: pt.PixelModel, prompts: list[Any]) -> list[str]:
    """Return the sentences on prompts."""
    read = read_prompts(model, prompts, len(prompts))
    return [] if read is None else list(read.notes)


def model_of(captions: list[str], text: str = "learned") -> pt.PixelModel:
    """Build a model whose record has the words of captions."""
    settings: dict[str, Any] = {"shape": (1, 4, 4), "levels": 2, "channels": 4, "layers": 1, "text": text}
    model = pt.build("gated-pixelcnn", **settings)
    model.training_record = TrainingRecord(record={}, captions=Vocabulary.of_captions(captions))
    return model


def unseen(model: pt.PixelModel, prompts: list[str]) -> list[str]:
    """Return the sentences for a model."""
    return describe_unseen_words(
        model.training_record,
        prompts,
        model.conditions.prompt_reader.vectors if model.conditions.prompt_reader else None,
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
    monkeypatch.setattr("pointillist.model.training_record.MAX_WORDS", 2)
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
    assert pt.load(tmp_path / "a").training_record.captions == Vocabulary.of_captions(["red heart", "dragons"])
    model.training_record = TrainingRecord(record={})
    assert model.training_record.captions is None
