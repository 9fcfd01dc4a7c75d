"""Words that no caption of the training had are named, with those that are near."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
import pointillist.studio
from pointillist.errors import CheckpointError
from pointillist.model.folder.generation import PROMPTS, GenerationConfig, MeasuredPrompts
from pointillist.model.vocabulary import (
    CAPTIONS,
    MAX_DESCRIBED,
    Vocabulary,
    describe_prompts,
    describe_unmeasured_prompts,
    describe_unseen_words,
    split_words,
)

from .cli.helpers import run


def model_of(captions: list[str], text: str = "learned") -> pt.PixelModel:
    """Build a model whose record has the words of captions."""
    settings: dict[str, Any] = {"shape": (1, 4, 4), "levels": 2, "channels": 4, "layers": 1, "text": text}
    model = pt.build("gated-pixelcnn", **settings)
    model.training_record = {"record": {}, CAPTIONS: Vocabulary.of_captions(captions).to_record()}
    return model


def unseen(model: pt.PixelModel, prompts: list[str]) -> list[str]:
    """Return the sentences for a model."""
    return describe_unseen_words(model.training_record, prompts, model.conditions.prompt_vectors)


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
    """Through saving, loading and quantizing."""
    model = model_of(["red heart", "dragons"])
    pt.quantize_weights(model, "int8").save_pretrained(tmp_path / "a")
    found = Vocabulary.of_record(pt.load(tmp_path / "a").training_record)
    assert found == Vocabulary.of_captions(["red heart", "dragons"])
    model.training_record = {"record": {}}
    assert Vocabulary.of_record(model.training_record) is None


NAMES = ["heart", "key", "shopping cart", "battery", "umbrella", "glasses", "leaf"]


@pytest.mark.parametrize(
    ("prompt", "nearest"),
    [
        ("keys", "'key'"),
        ("batteries", "'battery'"),
        ("leaves", "'leaf'"),
        ("umbrela", "'umbrella'"),
        ("glass", "'glasses'"),
        ("shopping carts", "'shopping cart'"),
    ],
)
def test_plurals_and_misspellings_are_named(prompt: str, nearest: str) -> None:
    """One name, the one that is meant."""
    (sentence,) = describe_unmeasured_prompts(NAMES, [prompt])
    assert sentence.startswith(f"This model was not measured to show {prompt!r}: ")
    assert sentence.endswith(f" the nearest is {nearest}.")


def test_names_in_any_form_are_not_named() -> None:
    """With an article, style words, capitals or another order; and nothing is said without a list."""
    assert describe_unmeasured_prompts(NAMES, ["a Key", "the heart, outline", "cart shopping", ""]) == []
    assert describe_unmeasured_prompts([], ["zxcv"]) == []
    (sentence,) = describe_unmeasured_prompts(NAMES, ["keys"], missed=["keys"])
    assert sentence.startswith("Samples seldom showed 'keys': ")
    (sentence,) = describe_unmeasured_prompts(NAMES, ["zxcv"])
    assert "the nearest are 'heart', " in sentence


def test_example_prompts_are_those_that_the_model_shows() -> None:
    """Of a bundled model whose prompts were measured: what the studio offers first was recognised."""
    measured = [model for model in pt.list_pretrained() if (model.folder / PROMPTS).is_file()]
    assert measured
    for model in measured:
        shown = MeasuredPrompts.read(model.folder).recognised
        assert set(GenerationConfig.read(model.folder).prompts) <= set(shown), model.name


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


def test_python_and_command_say_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The sentence of a prompt is that of `describe_prompts`, once for each prompt; the studio sends it as well."""
    model = model_of(NAMES)
    model.measured_prompts = MeasuredPrompts(recognised=("heart", "key"), missed=("glasses",))
    model.save_pretrained(tmp_path / "model")
    prompts = ["keys", "heart", "keys", "glasses"]
    sentences = describe_prompts(model, prompts)
    assert [sentence.split(":")[0] for sentence in sentences] == [
        "This model was not measured to show 'keys'",
        "Samples seldom showed 'glasses'",
    ]
    pt.sample(model, text=prompts, seed=0)
    assert caplog.messages == sentences
    model_name, sheet = str(tmp_path / "model"), str(tmp_path / "sheet.png")
    noted = run("sample", model_name, "-n", "1", "--text", ";".join(prompts), "--out", sheet).output
    assert all(sentence in " ".join(noted.split()) for sentence in sentences)
    assert (
        len(describe_prompts(model, [f"{number} zxcv{number}" for number in range(2 * MAX_DESCRIBED)])) == MAX_DESCRIBED
    )
    assert describe_prompts(model, None) == describe_prompts(model, ["", None]) == []


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the scripts of the page")
def test_an_exported_page_names_the_same_prompts() -> None:
    """With the name of a plural; it knows neither misspellings nor meanings."""
    script = (Path(pointillist.studio.__file__).parent / "page" / "offline" / "prompt_notes.js").as_uri()
    prompts = ["keys", "a Heart, outline", "cart shopping", "batteries", "leaves", "glass", "zxcv", "", "12 x", "keys"]
    code = f"import {{ promptNotes }} from {json.dumps(script)};"
    code += f"console.log(JSON.stringify(promptNotes({json.dumps(NAMES)}, {json.dumps(prompts)})));"
    done = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    said = describe_unmeasured_prompts(NAMES, list(dict.fromkeys(prompts)))
    assert json.loads(done.stdout) == [*said[:-1], "This model was not measured to show 'zxcv'."]
    assert said[-1].startswith("This model was not measured to show 'zxcv': ")
