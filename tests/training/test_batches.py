"""Images are read ahead, captions are varied, and nothing else changes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.data import Batch, DataOptions, ImageDataset
from pointillist.files.settings_tree import expand, parse_assignment, read_toml
from pointillist.training.augmentation import augment_caption, augment_captions, mutate_batch
from pointillist.training.batches import BatchPrefetcher
from pointillist.training.config import CaptionSettings
from pointillist.training.runs.config import RunConfig
from tests.datasets import dataset_of
from tests.equality import equal
from tests.tolerances import standard_errors

from .helpers import tiny_config, tiny_data, tiny_model


def reader(**settings: Any) -> BatchPrefetcher:
    data = tiny_data().train
    config = tiny_config(**{"steps": 5, "batch_size": 8, **settings})
    return BatchPrefetcher(tiny_model(data), data, config, process=0, processes=1)


def test_what_is_read_ahead_is_what_is_read_when_asked() -> None:
    """In order, out of order, and twice: the same images, labels and hidden labels."""
    settings = {
        "grad_accumulation": 2,
        "augmentation": {"flip": True, "random_shift": 1, "mutation_rate": 0.2},
        "condition_dropout.label": 0.5,
    }
    ahead, jumping = reader(**settings), reader(**settings)
    indices = [(step, micro_step) for step in range(5) for micro_step in range(2)]
    batches = {index: ahead.read(*index) for index in indices}
    for index in [*reversed(indices), indices[3], indices[3]]:
        found, expected = jumping.read(*index), batches[index]
        assert equal(found.levels, expected.levels)
        assert found.indices == expected.indices
        assert equal(found.inputs.parts["label"].known, expected.inputs.parts["label"].known)
    assert len({tuple(batch.indices) for batch in batches.values()}) == len(indices)
    ahead.close()
    jumping.close()


def test_mutation_changes_its_share_of_the_sub_pixels() -> None:
    """Drawn uniformly, afresh for each image and epoch; the data set stays as it is."""
    data = tiny_data().train
    assert data is not None
    keys = np.arange(len(data))
    batch = data.batch(keys)
    found = mutate_batch(batch, keys, 1, 0.5, data.spec.levels).levels
    share = (found != batch.levels).mean()
    chance = 0.5 * (1 - 1 / data.spec.levels)
    assert share == pytest.approx(chance, abs=standard_errors(4, chance, found.size))
    one = mutate_batch(data.batch(keys[3:4]), keys[3:4], 1, 0.5, data.spec.levels).levels
    assert equal(one, found[3:4])
    assert not equal(mutate_batch(batch, keys, 2, 0.5, data.spec.levels).levels, found)
    assert equal(data.batch(keys).levels, batch.levels)
    assert 0 <= int(found.min()) <= int(found.max()) < data.spec.levels


def test_nothing_is_read_beyond_the_end() -> None:
    ours = reader()
    ours.read(4, 0)
    assert ours._ahead is None
    ours.close()


def test_a_fault_of_an_image_is_raised_when_its_step_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step before is finished first, so that its state can be saved."""
    ours, batch = reader(), ImageDataset.batch
    calls: list[str] = []

    def failing(self: ImageDataset, *args: Any, **kwargs: Any) -> Any:
        calls.append(threading.current_thread().name)
        if len(calls) == 2:
            raise pt.DataError("the second batch is damaged")
        return batch(self, *args, **kwargs)

    monkeypatch.setattr(ImageDataset, "batch", failing)
    ours.read(0, 0)
    with pytest.raises(pt.DataError, match="second batch"):
        ours.read(1, 0)
    assert calls[1].startswith("images")
    ours.close()


def test_no_thread_is_left_behind() -> None:
    data = tiny_data()
    pt.train(tiny_model(data.train), data, tiny_config(steps=2))
    assert not [t for t in threading.enumerate() if t.name.startswith("images")]


def test_the_time_spent_waiting_is_known() -> None:
    """Dynamic draws of large images, read for a model that asks at once: waiting is all there is."""
    images = np.random.default_rng(0).integers(0, 256, (64, 64, 64), dtype=np.uint8)
    data = dataset_of(images, options=DataOptions(binarise="dynamic"))
    model = pt.build("pixelcnn", shape=data.spec, channels=2, layers=1, head_channels=2)
    ours = BatchPrefetcher(model, data, tiny_config(steps=4, batch_size=32), process=0, processes=1)
    for step in range(4):
        ours.read(step, 0)
    assert ours.waited > 0
    ours.close()


def variant(text: str, seed: int = 0, **settings: Any) -> str:
    return augment_caption(text, np.random.default_rng(seed), CaptionSettings(**settings))


def test_captions_are_varied() -> None:
    """Every variant is found, and no other; punctuation stays; the result depends on the draws alone."""

    def variants(**settings: Any) -> set[str]:
        return {variant("a Red, dragon", seed, **settings) for seed in range(200)}

    assert variants() == {"a Red, dragon"}
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
    tree = dict(map(parse_assignment, ("train.captions.word_dropout=0.2", "train.captions.part_dropout=0.3")))
    run = RunConfig.from_dict(expand(tree))
    assert run.train.captions == CaptionSettings(word_dropout=0.2, part_dropout=0.3)
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
