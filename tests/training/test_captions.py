"""Caption augmentation, and its settings in a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.data import Batch
from pointillist.files.settings_tree import assign, parse_assignment, read_toml
from pointillist.training.augmentation import augment_caption, augment_captions
from pointillist.training.config import CaptionSettings
from pointillist.training.runs.config import RunConfig


def variant(text: str, seed: int = 0, **settings: Any) -> str:
    return augment_caption(text, np.random.default_rng(seed), CaptionSettings(**settings))


def test_captions_are_varied() -> None:
    """Every variant is found, and no other; punctuation stays; the result depends on the draws alone."""

    def variants(**settings: Any) -> set[str]:
        return {variant("a Red, dragon", seed, **settings) for seed in range(200)}

    synonyms = {"red": ("crimson", "scarlet")}
    assert variants() == {"a Red, dragon"}
    assert variants(synonyms=synonyms) == {"a Red, dragon", "a crimson, dragon", "a scarlet, dragon"}
    assert variants(templates=("{}", "picture of {}")) == {"a Red, dragon", "picture of a Red, dragon"}
    assert variants(word_dropout=0.5) == {"a Red, dragon", "Red, dragon", "a dragon", "a Red,"}
    assert variant("dragon", word_dropout=0.99) == "dragon"
    assert variants(part_dropout=0.5) == {"a Red, dragon", "a Red", "dragon"}
    assert variant("dragon", part_dropout=0.99) == "dragon"


def test_a_variant_depends_on_seed_and_image_alone() -> None:
    texts = tuple(f"thing {i}, red" for i in range(50))
    batch, keys = Batch(np.zeros((50, 1, 1, 1), np.int64), texts=texts), np.arange(50)
    settings = CaptionSettings(word_dropout=0.5, part_dropout=0.3)
    whole = augment_captions(batch, keys, 3, settings).texts
    part = augment_captions(Batch(batch.levels[20:30], texts=texts[20:30]), keys[20:30], 3, settings).texts
    assert whole is not None
    assert part == whole[20:30]
    assert augment_captions(batch, keys, 4, settings).texts != whole
    assert augment_captions(batch, keys, 3, CaptionSettings()) is batch
    assert augment_captions(Batch(batch.levels), keys, 3, settings).texts is None


def test_settings_of_captions_are_a_table(tmp_path: Path) -> None:
    """`--set train.captions.NAME`, TOML and back; a wrong key or value is named in full."""
    tree: dict[str, Any] = {}
    for text in ("train.captions.word_dropout=0.2", 'train.captions.templates=["a {}"]'):
        assign(tree, *parse_assignment(text))
    assign(tree, "train.captions.synonyms", {"red": ["crimson"]})
    run = RunConfig.from_dict(tree)
    wanted = CaptionSettings(word_dropout=0.2, templates=("a {}",), synonyms={"red": ("crimson",)})
    assert run.train.captions == wanted
    (tmp_path / "run.toml").write_text(run.to_toml())
    assert RunConfig.from_dict(read_toml(tmp_path / "run.toml")) == run
    assert pt.TrainConfig.from_dict({"captions": {"word_dropout": 0.2}}).captions == CaptionSettings(word_dropout=0.2)
    for wrong, message in (
        ({"word_drop": 0.2}, "`train.captions.word_drop` is not a setting: did you mean `train.captions.word_dropout`"),
        ({"word_dropout": 2}, r"`train.captions.word_dropout` \(=2\) must be less than 1"),
        (0.5, r"`train.captions` \(=0.5\) must hold settings, as a TOML table"),
    ):
        with pytest.raises(pt.ConfigError, match=message):
            RunConfig.from_dict({"train": {"captions": wrong}})
