"""Text encoders of strangers: a folder whose files are damaged is refused with one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

import pointillist as pt
from pointillist.conditioning.text_encoders.base import open_encoder
from pointillist.model.vocabulary import Vocabulary, describe_unseen_words

from .valid_files import encoder_files


def dropped(data: bytes) -> bytes:
    """Weights without one of them."""
    return save({name: t for name, t in load(data).items() if "position" not in name})


def broken(data: bytes) -> bytes:
    """Weights that are not numbers."""
    return save({name: torch.full_like(t, torch.nan) for name, t in load(data).items()})


def layered(data: bytes) -> bytes:
    """Settings of more layers than can be built: found by the fuzzer, which waited for them."""
    return json.dumps({**json.loads(data), "num_hidden_layers": 158_468_251_130_628_608}).encode()


@pytest.mark.parametrize("kind", ["minilm", "clip"])
def test_damaged_encoders_are_a_sentence(kind: str, tmp_path: Path) -> None:
    """Settings that are none, a tokenizer that is none, cut, missing and broken weights; the whole folder is read."""
    whole = encoder_files(kind)
    weights = whole["model.safetensors"]
    cases = {
        "settings": ("config.json", b"[]", "holds no settings"),
        "depth": ("config.json", b"[" * 100_000, "more than 64 deep"),
        "layers": ("config.json", layered(whole["config.json"]), "can hold" if kind == "clip" else "cannot be read"),
        "tokenizer": ("tokenizer.json", b"{}", "cannot be read"),
        "cut": ("model.safetensors", weights[:-50], "cannot be read"),
        "dropped": ("model.safetensors", dropped(weights), "position_embedding"),
        "broken": ("model.safetensors", broken(weights), "no vector of finite numbers"),
        "whole": ("config.json", whole["config.json"], ""),
    }
    for case, (name, data, words) in cases.items():
        folder = tmp_path / case
        folder.mkdir()
        for other, content in {**whole, name: data}.items():
            (folder / other).write_bytes(content)
        if not words:
            assert open_encoder(f"{kind}:{folder}").encode("a red dragon").shape == (8 if kind == "minilm" else 4,)
            continue
        with pytest.raises(pt.ConfigError, match=words) as caught:
            open_encoder(f"{kind}:{folder}")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["minilm", "clip"])
def test_tokens_without_weights_are_a_sentence(kind: str, tmp_path: Path) -> None:
    """A word whose token is none of the weights', found by the fuzzer, and a prompt that has no tokens."""
    for name, content in encoder_files(kind).items():
        (tmp_path / name).write_bytes(content.replace(b'"red":2', b'"red":22'))
    encoder = open_encoder(f"{kind}:{tmp_path}")
    assert encoder.encode("a dragon").shape == (encoder.size,)
    with pytest.raises(pt.ConfigError, match=r"the token 22 for the prompt 'a red dragon', and the weights next to it"):
        encoder.encode("a red dragon")
    with pytest.raises(pt.ConfigError, match="no token for the prompt"):
        encoder.encode("")


def test_words_of_a_stranger_are_words() -> None:
    """The vocabulary that a model stores is printed: nothing in it moves the cursor, and there is an end to it."""
    model = pt.build("pixelcnn", shape=(1, 2, 2), levels=2, preset="tiny", text="learned")
    model.training_record["captions"] = {"words": "heart \x1b[31mchart\x1b[0m " + "x" * 50_000, "complete": True}
    found = Vocabulary.of_record(model.training_record)
    assert found is not None
    assert found.words[0] == "heart"
    assert all(word.isprintable() for word in found.words)
    assert all(note.isprintable() for note in describe_unseen_words(model.training_record, ["a hart"]))
