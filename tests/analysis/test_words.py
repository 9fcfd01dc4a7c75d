"""Bits saved by each word of a prompt: exact at each sub-pixel, by enumeration, and told for every prompt."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import ImageQuery, condition_gain, prompt_words
from pointillist.analysis.condition_gain import MAX_WORDS
from pointillist.analysis.report import explorer
from pointillist.conditioning import TextConfig
from pointillist.images import ImageSpec
from tests.laws.strategies import make_model, randomise_weights
from tests.laws.text_encoder import random_text_encoder
from tests.tolerances import FORMULA

from .helpers import every_image

RUSSIAN, HINDI = "\u043a\u043e\u0442", "\u0939\u093f\u0928\u094d\u0926\u0940"
PROMPT = "a red cat, on the red sofa"
LEARNED = TextConfig(encoder="learned", ngrams="words", buckets=64)
FROZEN = TextConfig(encoder="use", fingerprint="f" * 64, size=4)
KINDS = {
    "learned": LEARNED,
    "frozen": FROZEN,
    "both": TextConfig(encoder="use+learned", fingerprint="f" * 64, size=4, buckets=64),
    "tokens": TextConfig(encoder="learned+tokens", num_tokens=8, buckets=64),
}


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> Iterator[pt.PixelModel]:
    """A model of two by two pixels of three levels with labels, conditioned on text, in float64."""
    with random_text_encoder(KINDS[request.param]):
        yield captioned(KINDS[request.param], labels=True)


def captioned(text: TextConfig, *, labels: bool = False) -> pt.PixelModel:
    """A tiny model that is conditioned on text."""
    image = ImageSpec.infer((1, 2, 2), 3)
    return randomise_weights(make_model("gated-pixelcnn", image, {"layers": 2}, labels=labels, text=text))


def surprisals(model: pt.PixelModel, x: np.ndarray, **conditions: str) -> np.ndarray:
    """Bits of each sub-pixel given those before it, from the probabilities of all images alone."""
    images = every_image(model)
    with torch.no_grad():
        p = model.log_prob(images, **conditions).exp().numpy()
    keep = np.ones(len(images), bool)
    bits, total = np.zeros(x.shape), float(p.sum())
    for place in np.ndindex(x.shape):
        keep &= images[(slice(None), *place)].numpy() == x[place]
        bits[place] = -np.log2(p[keep].sum() / total)
        total = float(p[keep].sum())
    return bits


def test_bits_of_words_by_enumeration(model: pt.PixelModel) -> None:
    """Each word, left out or exchanged, at each sub-pixel; in all the difference of two likelihoods."""
    x = np.array([[[1, 0], [2, 1]]])
    query = ImageQuery.of(model, x, "cat", PROMPT)
    gain = condition_gain(query, {"red": ["blue", "dark green"], "Sofa": "bed"})
    with_prompt = surprisals(model, x, label="cat", text=PROMPT)
    others = [
        "red cat, on the red sofa",
        "a cat, on the red sofa",
        "a red on the red sofa",
        "a red cat, the red sofa",
        "a red cat, on red sofa",
        "a red cat, on the sofa",
        "a red cat, on the red",
        "a blue cat, on the red sofa",
        "a red cat, on the blue sofa",
        "a dark green cat, on the red sofa",
        "a red cat, on the dark green sofa",
        "a red cat, on the red bed",
    ]
    gains = (*gain.words, *gain.exchanges)
    assert [each.name for each in gain.words] == ["a", "red", "cat", "on", "the", "red", "sofa"]
    assert [each.name for each in gain.exchanges] == [
        *["red, not blue"] * 2, *["red, not dark green"] * 2, "sofa, not bed",
    ]  # fmt: skip
    for each, other in zip(gains, others, strict=True):
        wanted = surprisals(model, x, label="cat", text=other) - with_prompt
        np.testing.assert_allclose(each.saved, wanted, atol=FORMULA)
        with torch.no_grad():
            logs = [model.log_prob(torch.from_numpy(x)[None], "cat", text=text).item() for text in (PROMPT, other)]
        assert each.bits == pytest.approx((logs[0] - logs[1]) / np.log(2), abs=FORMULA)
        assert each.read == bool(np.abs(wanted).max() > 0)
    assert max(abs(each.bits) for each in gain.words) > 1e-3


def test_a_prompt_of_one_word_is_compared_with_none() -> None:
    """Without its only word a prompt is empty, which is the unconditional model; other conditions stay."""
    model = captioned(LEARNED, labels=True)
    x = torch.zeros(1, 2, 2, dtype=torch.int64)
    (word,) = condition_gain(ImageQuery.of(model, x, text="cat!")).words
    assert word.word.left_out_of("cat!") == ""
    unconditional, label_alone = ImageQuery.of(model, x), ImageQuery.of(model, x, "dog")
    assert word.bits == pytest.approx(unconditional.bits - ImageQuery.of(model, x, text="cat!").bits)
    (word,) = condition_gain(ImageQuery.of(model, x, "dog", "cat")).words
    assert word.bits == pytest.approx(label_alone.bits - ImageQuery.of(model, x, "dog", "cat").bits)
    assert condition_gain(ImageQuery.of(model, x)).words == ()
    assert condition_gain(ImageQuery.of(model, x, text="")).words == ()
    assert condition_gain(ImageQuery.of(model, x, text="...")).words == ()


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("  a  cat\ton\na sofa ", ["a", "cat", "on", "a", "sofa"]),
        ("\u201ca cat\u201d, (red) \u2014 it's half-asleep!", ["a", "cat", "red", "it's", "half-asleep"]),
        (f"un chat\u2026 {RUSSIAN}, {RUSSIAN}.", ["un", "chat", RUSSIAN, RUSSIAN]),
        ("\u8d64\u3044\u732b\u3002\u8d64\u3044\u732b", ["\u8d64\u3044\u732b\u3002\u8d64\u3044\u732b"]),
        (f"{HINDI} \u0628\u064a\u062a", [HINDI, "\u0628\u064a\u062a"]),  # ends with a vowel sign; Arabic
        ("\U0001f408 on \U0001f6cb\ufe0f", ["\U0001f408", "on", "\U0001f6cb\ufe0f"]),
        ("(red:1.5) cat", ["red:1.5", "cat"]),  # no weight, but a word: prompts have no such marks
        ("a $5 coin = 1", ["a", "$5", "coin", "=", "1"]),
    ],
)  # fmt: skip
def test_words_of_prompts(prompt: str, words: list[str]) -> None:
    """Between spaces, without the marks around them, in every script; the others stay in their order."""
    read = prompt_words(prompt)
    assert [word.text for word in read] == words
    for word in read:
        parts = prompt.split()
        assert word.left_out_of(prompt) == " ".join(part for i, part in enumerate(parts) if i != word.index)
        assert word.exchanged_in(prompt, word.text) == " ".join(parts)


def test_what_an_encoder_does_not_read_saves_nothing() -> None:
    """Learned words are a set without symbols: an emoji, and a word that comes again, cannot matter; this is told."""
    model = captioned(TextConfig(encoder="learned", buckets=4096))
    x = torch.ones(1, 2, 2, dtype=torch.int64)
    gain = condition_gain(ImageQuery.of(model, x, text="cat \U0001f408 cat sofa"))
    assert [each.read for each in gain.words] == [False, False, False, True]
    assert [each.bits for each in gain.words[:3]] == [0, 0, 0]
    turned = condition_gain(ImageQuery.of(model, x, text="sofa cat"))
    assert turned.words[0].bits == pytest.approx(gain.words[3].bits)
    page = pt.explain(model, x, text="cat \U0001f408 cat sofa", continuations=0, max_attributions=0).to_html()
    assert page.count("<small>not read</small>") == 3


def test_a_prompt_of_a_thousand_words_has_a_sentence() -> None:
    """Up to the limit each word has its map; above it none has, and the page and the numbers say so."""
    model = captioned(TextConfig(encoder="learned", buckets=512))
    x = torch.ones(1, 2, 2, dtype=torch.int64)
    at_most = " ".join(f"word{i}" for i in range(MAX_WORDS))
    gain = condition_gain(ImageQuery.of(model, x, text=at_most))
    assert (len(gain.words), gain.too_long) == (MAX_WORDS, "")
    explanation = pt.explain(model, x, text=" ".join(["word"] * 1000), continuations=0, max_attributions=0)
    assert explanation.conditions is not None
    assert explanation.conditions.words == ()
    assert explanation.to_dict()["conditions"]["num_words"] == 1000
    assert "The prompt has 1,000 words, over the limit of 100" in explanation.to_html()
    with pytest.raises(pt.ConfigError, match="no word whose bits"):
        explanation.conditions.words_image()
    with pytest.raises(pt.ConfigError, match="1,000 exchanges, over the limit of 100"):
        pt.explain(model, x, text=" ".join(["word"] * 1000), exchange={"word": "other"})


@pytest.mark.parametrize(
    ("exchange", "sentence"),
    [
        ({"blue": "red"}, r"`exchange` \(='blue'\) must name a word of the prompt, which has 'a', 'red', 'cat'"),
        ({"red cat": "dog"}, "must name a word of the prompt"),
        ({"red": " "}, r"`exchange` of 'red' \(=' '\) must be a word to put in its place"),
        ({"red": [3]}, r"`exchange` of 'red' \(=3\) must be a word"),
        ({"red": 3}, r"`exchange` of 'red' \(=3\) must be a word"),
        ({3: "red"}, r"`exchange` \(=3\) must name a word of the prompt"),
    ],
)
def test_an_exchange_that_cannot_be(exchange: dict[str, str], sentence: str) -> None:
    model, x = captioned(LEARNED), torch.ones(1, 2, 2, dtype=torch.int64)
    with pytest.raises(pt.ConfigError, match=sentence):
        pt.explain(model, x, text="a red cat", exchange=exchange)
    with pytest.raises(pt.ConfigError, match="which is empty"):
        pt.explain(model, x, exchange=exchange)
    with pytest.raises(pt.ConfigError, match=r"`exchange` \(=3\) must be a dictionary"):
        pt.explain(model, x, text="a red cat", exchange=3)


def test_words_of_the_integer_program() -> None:
    """The bits are those of the program, which samples: differences of its likelihoods, to the bit."""
    image = ImageSpec(channels=1, height=4, width=4, levels=4, ordered=False)
    model = randomise_weights(make_model("gated-pixelcnn", image, {"layers": 2}, text=LEARNED)).float().eval()
    x = torch.randint(4, (3, *image.shape))
    pt.quantize_integer(model, x)
    query = ImageQuery.of(model, x[0], text=PROMPT, engine="integer")
    assert query.in_integers
    for each in condition_gain(query, {"cat": "dog"}).words:
        other = ImageQuery.of(model, x[0], text=each.word.left_out_of(PROMPT), engine="integer")
        assert np.array_equal(each.saved, other.surprisal - query.surprisal)
        exact = pt.evaluate(model, x[:1], text=each.word.left_out_of(PROMPT)).nats
        assert other.bits * np.log(2) == pytest.approx(exact, abs=FORMULA)


def test_the_report_has_the_prompt_and_its_maps() -> None:
    """The words in their order with their bits, escaped; the maps that the page stores are the gains."""
    model, x = captioned(LEARNED, labels=True), torch.tensor([[[0, 1], [2, 0]]])
    explanation = pt.explain(
        model, x, "cat", 'a "red" <b>cat</b>', exchange={"red": "blue"}, continuations=0, max_attributions=0
    )
    page, gain = explanation.to_html(), explanation.conditions
    assert gain is not None
    shown = re.findall(r'data-word="(\d)" data-name="([^"]*)"[^>]*>[^<]*<small>([^<]*)</small>', page)
    gains = (*gain.words, *gain.exchanges)
    assert [int(number) for number, _, _ in shown] == list(range(len(gains)))
    assert [name for _, name, _ in shown] == ["a", "red", "&lt;b&gt;cat&lt;/b&gt;", "red, not blue"]
    assert [bits.replace("\u2212", "-") for _, _, bits in shown] == [f"{each.bits:+,.1f}" for each in gains]
    assert "<b>cat</b></button>" not in page
    packed = explorer.encode_words(gains)
    assert packed["words"] == [0, 1, 2, 3]
    stored = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "<i2").reshape(4, 2, 2)
    for share, top, each in zip(stored, packed["top"], gains, strict=True):
        assert top == np.abs(each.saved).max()
        np.testing.assert_allclose(share * top / packed["steps"], each.saved[0], atol=top / packed["steps"])
    assert explorer.encode_words([gains[1]] * 3)["words"] == [0, 1, 2]
    facts = explanation.to_dict()["conditions"]
    json.dumps(facts)
    assert [each["saved_bits"] for each in facts["words"]] == [each.bits for each in gain.words]
    assert facts["exchanges"][0]["replacement"] == "blue"
    assert gain.words_image().width > 100


def test_a_page_without_a_prompt_has_no_words() -> None:
    model, x = captioned(LEARNED, labels=True), torch.ones(1, 2, 2, dtype=torch.int64)
    page = pt.explain(model, x, "cat", continuations=0, max_attributions=0).to_html()
    assert 'id="words"' not in page
