"""Hostile model folders, encoders and texts: refused when loaded, and read in time that grows with their length."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors.torch import load, save

import pointillist as pt
from pointillist.conditioning.text_encoders.cache import open_encoder
from pointillist.data.raw import RawImages
from pointillist.files.arrays import open_weights, read_config
from pointillist.files.reading import MAX_NAME, MAX_TEXT
from pointillist.files.tensors import read_tensors, write_folder
from pointillist.model.batches import check_likelihood
from pointillist.model.portable.decode import IntegerDocument
from pointillist.model.portable.files import fingerprint_of, load_integer_model
from pointillist.model.training_record import TrainingRecord
from pointillist.model.vocabulary import describe_unseen_words
from pointillist.zoo import resolve

from .valid_files import encoder_files

VALUES = {"nan": math.nan, "infinite": math.inf, "minus-infinite": -math.inf, "absurd": 1e30}


def spoilt(folder: Path, tensor: str, value: float) -> Path:
    """A copy of the model `digits` with one number of a tensor replaced, its checksums right."""
    source = resolve("digits")
    assert source is not None
    tensors = read_tensors(source / "model.safetensors")
    tensors[tensor] = tensors[tensor].float().clone()
    tensors[tensor].view(-1)[-1] = value
    write_folder(folder, tensors, read_config(source), "")
    return folder


def a_tensor(kind: str) -> str:
    """The name of a tensor of the model `digits`: a matrix, a bias, or the scales of int8."""
    source = resolve("digits")
    assert source is not None
    names = read_tensors(source / "model.safetensors")
    return next(name for name, t in names.items() if t.is_floating_point() and kind in name)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("kind", ["bias", "weight"])
def test_weights_are_refused_when_loaded(tmp_path: Path, kind: str, value: float) -> None:
    """By the name of the tensor."""
    tensor = a_tensor(kind)
    folder = spoilt(tmp_path / "m", tensor, value)
    with pytest.raises(pt.CheckpointError, match="tensor") as caught:
        pt.load(folder)
    assert tensor.removesuffix("_scale") in str(caught.value)


def test_weights_that_overflow_together_give_no_likelihood() -> None:
    """Each is allowed, their product is not a number: no image and no figure comes of it."""
    with pytest.raises(pt.CheckpointError, match="not a number"):
        check_likelihood(np.array([0.0, math.nan]))
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(pt.CheckpointError, match="not a number"):
        pt.sample(model, 1, seed=0, engine="naive")
    with pytest.raises(pt.CheckpointError, match="not a number"):
        pt.evaluate(model, torch.zeros(1, 1, 4, 4, dtype=torch.long))


def test_prompts_and_names_are_limited(tmp_path: Path) -> None:
    """By one rule, in data, models, prompts and the studio."""
    model = pt.build("pixelcnn", shape=(1, 4, 4), levels=4, preset="tiny", text="learned")
    assert len(pt.sample(model, 1, text="x" * MAX_TEXT, seed=0, engine="naive")) == 1
    for text, words in (("x" * (MAX_TEXT + 1), "10,001 characters"), ("\ud800", "half of a character")):
        with pytest.raises(pt.ConfigError, match=words):
            pt.sample(model, 1, text=text, seed=0)
        with pytest.raises(pt.DataError, match=words):
            RawImages(values=np.zeros((1, 1, 4, 4), np.uint8), kind="pictures", name="x", texts=(text,))
    with pytest.raises(pt.ConfigError, match="501 characters"):
        pt.build("pixelcnn", shape=(1, 4, 4), classes=("a", "b" * (MAX_NAME + 1)))


@pytest.mark.parametrize("change", ["key", "channels", "kind"])
def test_a_program_that_reads_an_undeclared_condition(tmp_path: Path, change: str) -> None:
    """With a right fingerprint: the condition that an instruction names, its width and its kind are compared."""
    source = resolve("digits")
    assert source is not None
    folder = tmp_path / "m"
    shutil.copytree(source, folder)
    document = json.loads((folder / "program.json").read_text())
    program = document["programs"][0]
    instruction = next(i for part in program["code"] for i in part if i["op"] == "INPUT")
    declared = program["inputs"][instruction["key"]]
    if change == "key":
        instruction["key"] = "x"
    elif change == "kind":
        declared["kind"] = "map" if declared["kind"] == "vector" else "vector"
    else:
        declared["channels"] += 1
    inner = {k: v for k, v in document.items() if k in IntegerDocument.model_fields}
    document["fingerprint"] = fingerprint_of(
        inner, safetensors.numpy.load((folder / "program.safetensors").read_bytes())
    )
    (folder / "program.json").write_text(json.dumps(document))
    with pytest.raises(pt.CheckpointError, match=r"INPUT|array"):
        load_integer_model(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_weights_that_may_not_be_read_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library says that there is no such file."""
    (tmp_path / "model.safetensors").write_bytes(b"x")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(pt.CheckpointError, match="may not be read"), open_weights(tmp_path / "model.safetensors"):
        pass


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
        "settings": ("config.json", b"[]", "is not a JSON object"),
        "depth": ("config.json", b"[" * 100_000, "more than 64 deep"),
        "layers": ("config.json", layered(whole["config.json"]), "can hold"),
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
    stored = {"words": "heart \x1b[31mchart\x1b[0m " + "x" * 50_000, "complete": True}
    model.training_record = TrainingRecord.model_validate({"captions": stored})
    found = model.training_record.captions
    assert found is not None
    assert found.words[0] == "heart"
    assert all(word.isprintable() for word in found.words)
    assert all(note.isprintable() for note in describe_unseen_words(model.training_record, ["a hart"]))
