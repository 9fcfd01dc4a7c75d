"""Words that a model has not learned are sampled as the nearest that it knows, or left out, and always aloud."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import pointillist as pt
import pointillist.studio
from pointillist.conditioning import TextConfig
from pointillist.model.folder.generation import MeasuredPrompts, WordKinds
from pointillist.model.free_prompts import KnownWords
from pointillist.model.vocabulary import describe_prompts, resolve_prompts
from tests.model.test_prompt_names import model_of

CAPTIONS = [
    "a cat on a red sofa",
    "an owl under the green bed",
    "birthday cake in the snow",
    "two kittens on top of it",
]
KINDS = WordKinds(
    kinds={
        "colour": ("red", "green"),
        "thing": ("cat", "owl", "birthday cake", "cake", "kitten"),
        "relation": ("on", "under", "on top of"),
        "support": ("sofa", "bed"),
        "place": ("in the snow",),
        "number": ("two",),
    },
    sentence="[a/an {colour} {thing}] [{relation=on} a/an {colour} {support}] [{place}]",
)
PROMPTS = ["a cat on a red sofa", "a catt, on beds", "kitten", "a zxcv on the sofa", "zxcv", "sofa bed", "cat cat"]
PROMPTS += ["birthday cake", "\U0001f600", "a \U0001f600 cat", "12 owls", "an zxcv cat", "a zxcv under a bed", "x"]
PROMPTS += [" ".join(f"zxcv{number}" for number in range(1000)) + " cat", "ein Owl!", '"zxcv"', "the  red   kittne"]


def scenes(captions: list[str] | None = None) -> pt.PixelModel:
    """Build a model that has learned the words of captions, with their kinds."""
    model = model_of(captions or CAPTIONS)
    model.measured_prompts = MeasuredPrompts(words=KINDS)
    return model


@pytest.mark.parametrize(
    ("typed", "sampled"),
    [
        ("a cat on a red sofa", "a cat on a red sofa"),
        ("a puppy-cat", "a kitten-cat"),
        ("a katze on a red sofa", "a cat on a red sofa"),
        ("a cat on a sofa bed", "a cat on a sofa"),
        ("a red armchair sofa", "a red sofa"),
        ("\U0001f408 on a bed", "cat on a bed"),
        ("cats", "cat"),
        ("birthday cake", "birthday cake"),
        ("a cat atop the bed", "a cat on top of the bed"),
        ("a zxcv on a sofa", "on a sofa"),
        ("zxcv qwrt", ""),
        ('"zxcv"', "zxcv"),
    ],
)
def test_new_words_are_sampled_as_known_ones(typed: str, sampled: str) -> None:
    """By spelling, by meaning in any language, an emoji by its name; two nouns in a row as one; others are left out."""
    model = scenes()
    assert resolve_prompts(model, typed, 1) == [sampled]
    assert bool(describe_prompts(model, [typed])) == (sampled != typed)


def test_a_word_is_not_a_misspelling_of_another() -> None:
    """The vocabulary of the encoder has "horse": its meaning counts, not its letters; a page has no vectors."""
    words = ("house", "pony", "cat")
    assert KnownWords(words).read("a horse").text == "a pony"
    assert KnownWords(words).read("a huose").text == "a house"
    assert KnownWords(words, spelling=True).read("a horse").text == "a house"
    (sentence,) = KnownWords(("house", "sofa")).read("a horse on a sofa").sentences[:1]
    assert sentence.startswith("'horse' is unknown to this model, and is left out: the nearest are '")


def test_each_change_has_a_sentence() -> None:
    """What a word is sampled as, that it is left out and which words are near, that nothing is left; not too many."""
    model = scenes()
    assert describe_prompts(model, ["a cat on a sofa bed"]) == [
        "'sofa bed' is sampled as 'sofa', the nearest that this model knows: quote the prompt to sample it literally."
    ]
    (sentence,) = describe_prompts(model, ["a cat and zxcv"])[1:]
    assert sentence.startswith("'zxcv' is unknown to this model, and is left out: the nearest are '")
    assert describe_prompts(model, ["zxcv"]) == ["The prompt 'zxcv' has no word that this model knows: it is left out."]
    sentences = describe_prompts(model, [" ".join(f"zxcv{number}" for number in range(1000)) + " cat"])
    assert len(sentences) == 9
    assert sentences[-1] == "992 more words of the prompt are sampled as others, or left out."
    assert describe_prompts(model, [" "]) == ["The prompt is empty: images are sampled without one."]
    assert describe_prompts(model, ["", None]) == []


def test_a_long_prompt_is_not_cut_in_silence() -> None:
    """More different words than are read, or more words where their order is."""
    words = [f"w{number}x" for number in range(200)]
    model = model_of([" ".join(words)])
    (sentence,) = describe_prompts(model, [" ".join(words)])
    assert sentence == "The prompt has 200 different words, and this model reads the first 96 of them: shorten it."
    assert describe_prompts(model, [" ".join(words[:96])]) == []
    settings: dict[str, Any] = {"shape": (1, 4, 4), "levels": 2, "channels": 4, "layers": 1}
    text = TextConfig(encoder="learned", ngrams="words", length=8).completed()
    ordered = pt.build("gated-pixelcnn", text=text, **settings)
    ordered.training_record = model.training_record
    assert describe_prompts(ordered, [" ".join(words[:8])]) == []
    (sentence,) = describe_prompts(ordered, [" ".join(words[:2] * 5)])
    assert sentence == "The prompt has 10 words, and this model reads the first 8 of them: shorten it."


def test_a_likelihood_of_new_words_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It is of the prompt as it is, in a ranking and in a report; nothing is said of known words."""
    model = scenes()
    x = pt.sample(model, 1, text="a cat", seed=0).levels[0]
    pt.rank(model, x, ["a cat on a bed", "an owl"])
    assert caplog.messages == []
    pt.rank(model, x, ["a katze", "a zxcv"])
    pt.explain(model, x, text="a cat", exchange={"cat": ["owl", "zxcv"]})
    rest = "a likelihood takes the prompt as it is."
    unknown = f"This model has not learned 'zxcv': {rest}"
    near = f"This model has not learned 'katze', and the nearest that it knows is 'cat': {rest}"
    assert caplog.messages == [near, unknown, unknown]


def test_kinds_are_kept_in_the_folder(tmp_path: Path) -> None:
    """With a model, and as its groups say."""
    model = scenes()
    model.save_pretrained(tmp_path / "model")
    opened = pt.load(tmp_path / "model").measured_prompts.words
    assert opened == KINDS
    assert opened.nouns == {"cat", "owl", "birthday cake", "cake", "kitten", "sofa", "bed"}
    assert opened.groups[1][0] == ("relation", "on")


@pytest.mark.parametrize("sentence", ["a {thing}", "[a {colour}]", "[a]", "[{thing=dog}]", "[[{thing}]]"])
def test_a_sentence_has_groups_of_known_kinds(sentence: str) -> None:
    with pytest.raises(ValidationError):
        WordKinds(kinds={"thing": ("cat",)}, sentence=sentence)


NO_WORD = "holds no word: write a name, as captions in training have."  # as `describe_prompts` says of a single letter


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the scripts of the page")
@pytest.mark.parametrize("words", [KINDS, WordKinds()], ids=["kinds", "no kinds"])
def test_an_exported_page_reads_words_alike(words: WordKinds) -> None:
    """By their letters, as it has no sentence encoder; its manifests quote what another reader might take otherwise."""
    script = (Path(pointillist.studio.__file__).parent / "page" / "offline" / "prompt_names.js").as_uri()
    known = KnownWords(model_of(CAPTIONS).training_record["captions"]["words"].split(), words, spelling=True)
    given = ", ".join(json.dumps(each) for each in ([], [], " ".join(known.words), words.model_dump(mode="json")))
    code = f"import {{ PromptNames }} from {json.dumps(script)}; const names = new PromptNames({given});"
    code += f"const prompts = {json.dumps(PROMPTS)};"
    code += (
        "const each = prompts.map((prompt) => [names.resolve(prompt), names.notes([prompt]), names.literal(prompt)]);"
    )
    code += "console.log(JSON.stringify(each));"
    done = subprocess.run(["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    for prompt, (sampled, notes, literal) in zip(PROMPTS, json.loads(done.stdout), strict=True):
        if prompt == '"zxcv"':
            assert (sampled, notes, literal) == ("zxcv", [], prompt)
            continue
        expected = known.read(prompt)
        assert sampled == expected.text
        wordless = [] if prompt != "x" or expected.sentences else [f"The prompt 'x' {NO_WORD}"]
        assert notes == [*wordless, *expected.sentences] or len(prompt) > 1000
        assert literal == (prompt if sampled == prompt else f'"{sampled}"' if sampled else "")
