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
from pointillist.errors import ConfigError
from pointillist.model.folder.generation import MeasuredPrompts, WordKinds
from pointillist.model.folder.grammar import Grammar
from pointillist.model.free_prompts import KnownWords
from pointillist.model.vocabulary import learned_words
from tests.model.test_prompt_names import model_of, notes_of, sampled_texts
from tests.scripts import script

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
    grammar=Grammar(
        words={"thing": ("cat", "owl", "birthday cake", "cake", "kitten"), "support": ("sofa", "bed")},
        nouns=("thing", "support"),
    ),
)
PROMPTS = ["a cat on a red sofa", "a catt, on beds", "kitten", "a zxcv on the sofa", "zxcv", "sofa bed", "cat cat"]
PROMPTS += ["birthday cake", "\U0001f600", "a \U0001f600 cat", "12 owls", "an zxcv cat", "a zxcv under a bed", "x"]
PROMPTS += [
    " ".join(f"zxcv{number}" for number in range(1000)) + " cat",
    "ein Owl!",
    '"zxcv"',
    "the  red   kittne",
    "x",
]


def scenes(captions: list[str] | None = None) -> pt.PixelModel:
    """Build a model that has learned the words of captions, with their kinds."""
    model = model_of(captions or CAPTIONS)
    model.measured_prompts = MeasuredPrompts(words=KINDS)
    return model


@pytest.mark.parametrize(
    ("typed", "sampled"),
    [
        ("a cat on a red sofa", "a cat on a red sofa"),
        ("a puppy on a bed", "a kitten on a bed"),
        ("a katze on a red sofa", "a cat on a red sofa"),
        ("a red armchair sofa", "a red sofa"),
        ("\U0001f408 on a bed", "cat on a bed"),
        ("cats", "cat"),
        ("birthday cake", "birthday cake"),
        ("a cat atop the bed", "a cat on top of the bed"),
        ("a zxcv on a sofa", "on a sofa"),
        ('"zxcv"', "zxcv"),
    ],
)
def test_new_words_are_sampled_as_known_ones(typed: str, sampled: str) -> None:
    """By spelling, by meaning in any language, an emoji by its name; others are left out."""
    model = scenes()
    assert sampled_texts(model, typed, 1) == [sampled]
    assert bool(notes_of(model, [typed])) == (sampled != typed)


def test_a_word_is_not_a_misspelling_of_another() -> None:
    """The vocabulary of the encoder has "horse": its meaning counts, not its letters; a page has no vectors."""
    words = ("house", "pony", "cat")
    assert KnownWords(words).read("a horse").text == "a pony"
    assert KnownWords(words).read("a huose").text == "a house"
    by_letters = KnownWords(words)
    by_letters.vectors = None
    with pytest.raises(ConfigError, match=r"such as 'house' \(the closest\)"):
        by_letters.read("a horse")
    (sentence,) = KnownWords(("house", "sofa")).read("a horse on a sofa").notes[:1]
    assert sentence.startswith("'horse' is unknown to this model, and is left out: the nearest are '")


def test_each_change_has_a_sentence() -> None:
    """What a word is sampled as, that it is left out and which words are near, that nothing is left; not too many."""
    model = scenes()
    assert notes_of(model, ["a katze on a sofa"]) == [
        "'katze' is sampled as 'cat', the nearest that this model knows: quote the prompt to sample it literally."
    ]
    (sentence,) = notes_of(model, ["a cat and zxcv"])[1:]
    assert sentence.startswith("'zxcv' is unknown to this model, and is left out: the nearest are '")
    for prompt in ("zxcv qwrt", "the \x1b\x02", "\U0001f600", "!?", "\u4e00\u4e8c"):
        with pytest.raises(ConfigError, match=r"knows, such as 'red', 'green' \(colour\), 'cat', 'owl' \(thing\), "):
            notes_of(model, [prompt])
    with pytest.raises(ConfigError, match=r"such as 'kitten' \(the closest\), 'red', "):
        notes_of(model, ["kixxxen"])
    sentences = notes_of(model, [" ".join(f"zxcv{number}" for number in range(1000)) + " cat"])
    assert len(sentences) == 9
    assert sentences[-1] == "992 more words are sampled as others, or left out."
    assert notes_of(model, [" "]) == ["The prompt is empty: images are sampled without one."]
    assert notes_of(model, ["", None]) == []


def test_a_long_prompt_is_not_cut_in_silence() -> None:
    """More different words than are read, or more words where their order is."""
    words = [f"w{number}x" for number in range(200)]
    model = model_of([" ".join(words)])
    (sentence,) = notes_of(model, [" ".join(words)])
    assert sentence == "The prompt has 200 different words, and this model reads the first 96 of them: shorten it."
    assert notes_of(model, [" ".join(words[:96])]) == []
    settings: dict[str, Any] = {"shape": (1, 4, 4), "levels": 2, "channels": 4, "layers": 1}
    text = TextConfig(encoder="learned", ngrams="words", length=8).completed()
    ordered = pt.build("gated-pixelcnn", text=text, **settings)
    ordered.training_record = model.training_record
    assert notes_of(ordered, [" ".join(words[:8])]) == []
    (sentence,) = notes_of(ordered, [" ".join(words[:2] * 5)])
    assert sentence == "The prompt has 10 words, and this model reads the first 8 of them: shorten it."


def test_a_likelihood_of_new_words_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It is of the prompt as it is, in a ranking and in a report; nothing is said of known words."""
    model = scenes()
    x = pt.sample(model, 1, text="a cat", seed=0).levels[0]
    pt.rank(model, x, ["a cat on a bed", "an owl"])
    assert caplog.messages == []
    pt.rank(model, x, ["a katze", "a zxcv"])
    pt.explain(model, x, text="a cat", exchange={"cat": ["owl", "zxcv"]})
    pt.evaluate(model, x[None], text="a zxcv on a bed")
    literal = [message.partition(" literally, and a sample does not: ") for message in caplog.messages]
    named = ("'katze' is sampled as 'cat', the", "'zxcv' is unknown", "'zxcv' is unknown", "'zxcv' is unknown")
    assert [first for first, *_ in literal] == [
        f"A likelihood takes '{text}'" for text in ("a katze", "a zxcv", "zxcv", "a zxcv on a bed")
    ]
    for (*_, note), start in zip(literal, named, strict=True):
        assert note.startswith((start, "The prompt "))


def test_kinds_are_kept_in_the_folder(tmp_path: Path) -> None:
    """With a model."""
    model = scenes()
    model.save_pretrained(tmp_path / "model")
    opened = pt.load(tmp_path / "model").measured_prompts.words
    assert opened == KINDS


@pytest.mark.parametrize("sentence", ["a {thing}", "[a {colour}]", "[a]", "[{thing=dog}]", "[[{thing}]]"])
def test_a_sentence_has_groups_of_known_kinds(sentence: str) -> None:
    with pytest.raises(ValidationError):
        WordKinds(kinds={"thing": ("cat",)}, sentence=sentence)


NO_WORD = "holds no word: write a name, as captions in training have."  # as `describe_prompts` says of a single letter


def read_by_page(known: KnownWords, prompts: list[str]) -> Any:
    """Return what an exported page samples for prompts, its notes or its error, and the prompt of a manifest."""
    script = (Path(pointillist.studio.__file__).parent / "page" / "offline" / "prompt_names.js").as_uri()
    given = ", ".join(json.dumps(each) for each in ([], [], " ".join(known.words), known.exported()))
    code = f"import {{ PromptNames }} from {json.dumps(script)}; const names = new PromptNames({given});"
    code += f"const prompts = {json.dumps(prompts)};"
    code += (
        "const each = prompts.map((prompt) => { try {"
        " return [names.read(prompt).text, names.notes([prompt]), names.literal(prompt)];"
        " } catch (error) { return [null, error.message, null]; } });"
    )
    code += "console.log(JSON.stringify(each));"
    done = subprocess.run(["node", "--input-type=module"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not here: install it to run the scripts")


@needs_node
def test_an_exported_page_has_the_words_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word misspells no other in a page either, which reads as Python does without its vectors."""
    words = "horse hose mouse moose boot cart bat cut fork wolf pen pan hut hit coat goat rug bug lamp fan table"
    words += " hosue catt froog elefant sfoa tabel yelow bok zxcv"
    known = learned_words(pt.load("scenes"))
    assert known is not None
    prompts = [f"a {word} on a sofa" for word in words.split()]
    by_meaning = [known.read(prompt).text for prompt in prompts]
    monkeypatch.setattr(known, "_by_meaning", lambda text: None)
    read = [known.read(prompt).text for prompt in prompts]
    assert [text for text, *_ in read_by_page(known, prompts)] == read
    assert sum(one == other for one, other in zip(read, by_meaning, strict=True)) > 20
    assert (read[0], read[words.split().index("hosue")]) == ("something on a sofa", "a house")


@needs_node
@pytest.mark.parametrize("words", [KINDS, WordKinds()], ids=["kinds", "no kinds"])
def test_an_exported_page_reads_words_alike(words: WordKinds) -> None:
    """By their letters, as it has no sentence encoder; its manifests quote what another reader might take otherwise."""
    known = KnownWords(list(model_of(CAPTIONS).training_record.captions.words), words)
    known.vectors = None
    for prompt, (sampled, notes, literal) in zip(PROMPTS, read_by_page(known, PROMPTS), strict=True):
        if prompt == '"zxcv"':
            assert (sampled, notes, literal) == ("zxcv", [], prompt)
            continue
        if sampled is None:
            with pytest.raises(ConfigError, match="has no word that this model knows") as error:
                known.read(prompt)
            assert notes == str(error.value) or not prompt.isascii()
            continue
        expected = known.read(prompt)
        assert sampled == expected.text
        wordless = [] if prompt != "x" or expected.notes else [f"The prompt 'x' {NO_WORD}"]
        assert notes == [*wordless, *expected.notes] or len(prompt) > 1000
        assert literal == (prompt if sampled == prompt else f'"{sampled}"' if sampled else "")


def test_sentences_that_no_form_covers_are_rewritten_or_named() -> None:
    """All of both lists of the benchmark, which prints the share."""
    is_read = script("measure_sentences").is_read
    lists = (Path(__file__).parents[2] / "benchmarks").glob("uncovered_*.txt")
    lines = [line for path in lists for line in path.read_text().splitlines()]
    assert [line for line in lines if not is_read(pt.load("scenes"), line)] == []


@pytest.mark.parametrize(
    ("typed", "sampled"),
    [
        ("a froog on a bedd", "a frog on a bed"),
        ("a cuup on a yelow table", "a cup on a yellow table"),
        ("a bok perched on a gren sfoa", "a book on a green sofa"),
        ("a cat nxt to a ryd tree", "a cat next to a red tree"),
        ("a cat or a sofa", "a cat a sofa"),
        ("a rose frog riding a car", "a frog on a car"),
        ("a cat inside a box", "a cat"),
        ("eine Katze auf einem Sofa", "cat on Sofa"),
        ("a cat \x00\x1b\U0001f600 on a sofa", None),
    ],
)
def test_words_are_read_by_letters_and_places(typed: str, sampled: str | None) -> None:
    """In Python and by an exported page, but for other languages."""
    known = learned_words(pt.load("scenes"))
    assert known is not None
    read = known.read(typed)
    assert read.notes
    assert sampled in (None, read.text)
    with pytest.raises(ConfigError, match="has learned no negation"):
        known.read(f"no {typed}")


@pytest.mark.parametrize(
    "grammar",
    [
        {"sentences": ["[{thing}"]},
        {"sentences": ["{dog}"]},
        {"rewritten": [["{thing}", "{2}"]]},
        {"nouns": ["dog"]},
        {"parts": {"a": "{b}", "b": "x"}},
        {"sentences": ["[a] " * 249] * 20},
        {"parts": {f"p{i}": f"[{{p{i - 1}}}]" if i else "x" for i in range(50)}},
        {"sentences": ["({thing}]"]},
    ],
)
def test_a_damaged_grammar_is_rejected(grammar: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"grammar|rewritten"):
        Grammar(words={"thing": ("cat",)}, **grammar)


@needs_node
def test_a_grammar_of_many_ways_is_parsed_in_time() -> None:
    """Of brackets inside each other, whose ways double with each, in Python and JavaScript."""
    forms = ("[a " * 32 + "]" * 32 + " x", "[a] [a] " * 31 + "x")
    parts = {f"p{i}": f"{{p{i - 1}}} {{p{i - 1}}}" if i else "[a] [a]" for i in range(20)}
    rewritten = (("{p19} [{p19}] cat", "{2} {1}"),)
    words = {"thing": ("cat",)}
    known = KnownWords(
        ("a",), WordKinds(grammar=Grammar(words=words, parts=parts, sentences=forms, rewritten=rewritten))
    )
    known.vectors = None
    path = (Path(pointillist.studio.__file__).parent / "page" / "offline" / "free_prompts.js").as_uri()
    code = f"import {{ promptReader }} from {json.dumps(path)};"
    code += f"console.log(JSON.stringify(promptReader(['a'], {json.dumps(known.exported())})('a '.repeat(60) + 'cat')))"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, check=True, timeout=60
    )
    read = known.read("a " * 60 + "cat")
    assert json.loads(done.stdout) == {"text": read.text, "notes": list(read.notes)}
