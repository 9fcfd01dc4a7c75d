"""`generation_config.json`: sampling settings that suit a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import pointillist as pt
from pointillist.files.arrays import GENERATION
from pointillist.model.folder.generation import ExampleHint, GenerationConfig
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding


def model() -> pt.PixelModel:
    """A tiny conditional model with random weights."""
    torch.manual_seed(0)
    built = pt.build("gated-pixelcnn", shape=(1, 5, 4), levels=3, classes=2, channels=8, layers=2)
    for weight in built.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return built.eval()


def test_a_model_without_the_file_is_sampled_as_it_is(tmp_path: Path) -> None:
    """Nothing is written for the defaults, and an old file does not stay."""
    built = model()
    (tmp_path / GENERATION).write_text('{"guidance": 3}')
    built.save_pretrained(tmp_path)
    assert not (tmp_path / GENERATION).exists()
    assert pt.load(tmp_path).generation_config == GenerationConfig()


def test_the_file_comes_back_and_gives_the_defaults_of_sampling(tmp_path: Path) -> None:
    """A setting that is given takes precedence; the likelihood does not depend on any of them."""
    built = model()
    built.generation_config = GenerationConfig(guidance=3.0, temperature=0.5, prompts=("heart",), labels=("1",))
    hint = ExampleHint(name="dot", rows=("...", ".#3"))
    assert hint.levels == [[0, 0, 0], [0, 1, 3]]
    built.generation_config = replace(built.generation_config, hints=(hint,))
    built.save_pretrained(tmp_path)
    loaded = pt.load(tmp_path)
    assert loaded.generation_config == built.generation_config
    usual = pt.sample(loaded, 4, label=1, seed=0)
    same = pt.sample(loaded, 4, label=1, seed=0, guidance=3.0, temperature=0.5, top_p=1.0)
    exact = pt.sample(loaded, 4, label=1, seed=0, guidance=1.0, temperature=1.0)
    assert equal(usual.levels, same.levels)
    assert not equal(usual.levels, exact.levels)
    nats = loaded.log_prob(usual.levels, label=[1] * 4).double()
    assert_close(usual.nats, nats, rtol=0, atol=network_rounding(loaded, nats))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "valid"),
        ("{", "not valid JSON"),
        ("[" * 60_000, "nested"),
        ('{"guidance": -1}', "guidance"),
        ('{"guidance": NaN}', "guidance"),
        ('{"temperature": "hot"}', "temperature"),
        ('{"seed": 1}', "seed"),
        ('{"prompts": [""]}', "prompts"),
        ('{"hints": [{"name": "a", "rows": ["..", "."]}]}', "one length"),
        ('{"hints": [{"name": "a", "rows": ["x"]}]}', "hints"),
        (" " * 70_000, "limit"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Naming the file and the setting."""
    model().save_pretrained(tmp_path)
    (tmp_path / GENERATION).write_text(text)
    with pytest.raises(pt.CheckpointError, match=words) as caught:
        pt.load(tmp_path)
    assert GENERATION in str(caught.value)
    assert len(str(caught.value)) < 600
