"""Images that a prompt brings to mind: found by captions, never the image's own, packed, kept, and heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.checkpoint import WEIGHTS, write_tensors
from pointillist.conditioning import RecallConfig, RecallListener, worth_remembering
from pointillist.conditioning.recall import NOTHING, Memory
from pointillist.data import ImageDataset
from pointillist.images import ImageSpec
from pointillist.rounding import round_weights
from pointillist.storing import RECALLED, compact
from pointillist.telling import Telling

CAPTIONS = ("red cat", "blue cat", "old house", "new house")
KINDS = {
    "palette": ImageSpec(
        channels=1, height=4, width=5, levels=5, ordered=False, palette=tuple((i * 40, 9, 200, 255) for i in range(5))
    ),
    "codes": ImageSpec(channels=1, height=4, width=5, levels=5, ordered=False),
    "rgb": ImageSpec(channels=3, height=4, width=5, levels=5),
}


def model_of(kind: str = "palette", count: int = 2, **settings: Any) -> tuple[pt.PretrainedPixelModel, torch.Tensor]:
    """A model that recalls, with weights that matter, and the images that it remembers."""
    torch.manual_seed(0)
    spec = KINDS[kind]
    recall = RecallConfig(captions=CAPTIONS, count=count, width=6)
    settings = {"channels": 6, "layers": 2, "text": "learned", **settings}
    model = pt.build("gated-pixelcnn", image=spec, recall=recall, **settings)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    remembered = torch.from_numpy(np.random.default_rng(1).integers(0, 5, (len(CAPTIONS), *spec.shape)))
    recalling(model).remember(remembered)
    return model.eval(), remembered


def recalling(model: pt.PixelModel) -> RecallListener:
    """The listener."""
    found = model.listeners["recall"]
    assert isinstance(found, RecallListener)
    return found


def test_the_nearest_captions_are_recalled_and_never_the_own_one() -> None:
    """By words that both have; nothing without a prompt. Images of another size are refused."""
    model, _ = model_of()
    listener = recalling(model)
    part = listener.resolve(["a red cat", "house", ""], 3, (4, 5))
    assert set(part.values[0].tolist()) == {0, 1}
    assert part.values[0, 0] == 0
    assert set(part.values[1].tolist()) == {2, 3}
    assert part.values[2].tolist() == [NOTHING, NOTHING]
    assert part.known.tolist() == [True, True, False]
    other = listener.resolve(["red cat"], 1, (4, 5), without=["red cat"])
    assert 0 not in other.values[0].tolist()
    assert other.values[0, 0] == 1
    same = listener.resolve(["red cat"], 1, (4, 5), without=["animal,  Red cat"])
    assert torch.equal(same.values, other.values)
    with pytest.raises(pt.ShapeError, match="recalls images and knows only 4x5"):
        pt.sample(model, 1, text="red cat", size=(8, 8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["naive", "step", "cpu"])
def test_what_is_recalled_is_heard(kind: str, engine: str) -> None:
    """By every engine alike; hidden, it has no influence; another memory is another picture."""
    model, remembered = model_of(kind)
    asked = {"text": ["red cat", "old house"], "seed": 3}
    painted = pt.sample(model, 2, engine=engine, **asked).levels
    assert torch.equal(painted, pt.sample(model, 2, engine="naive", **asked).levels)
    x = torch.randint(0, 5, (2, *model.image.shape))
    told, before = model.told(None, 2, asked["text"]), model.log_prob(x, text=asked["text"])
    hidden = model.told_log_prob(x, told.hidden({"recall": torch.ones(2, dtype=torch.bool)}))
    recalling(model).remember(4 - remembered)
    assert not torch.allclose(before, model.log_prob(x, text=asked["text"]))
    told = model.told(None, 2, asked["text"])
    assert torch.equal(hidden, model.told_log_prob(x, told.hidden({"recall": torch.ones(2, dtype=torch.bool)})))


def test_a_model_keeps_what_it_remembers(tmp_path: Path) -> None:
    """To the bit, also rounded; numbers that are no level are taken for the highest one."""
    model, remembered = model_of()
    x = torch.randint(0, 5, (2, *model.image.shape))
    for kept in (model, round_weights(model, "int8"), round_weights(model, "bf16")):
        kept.save_pretrained(tmp_path / "m")
        again = pt.load(tmp_path / "m")
        assert torch.equal(recalling(again).levels, remembered)
        assert torch.equal(again.log_prob(x, text="new house"), kept.log_prob(x, text="new house"))
    recalling(model).images.fill_(255)
    recalling(model).load_state_dict(recalling(model).state_dict())
    assert int(recalling(model).levels.max()) == 4


def test_images_to_recall_are_compressed(tmp_path: Path) -> None:
    """Levels of two bytes too; bytes that are not xz, too few, too many or cut short are refused by name."""
    wide = ImageSpec(channels=1, height=4, width=5, levels=60_000, ordered=False)
    recall = RecallConfig(captions=CAPTIONS, count=2, width=6)
    model = pt.build("gated-pixelcnn", image=wide, recall=recall, channels=6, layers=1, text="learned", level_width=4)
    recalling(model).remember(torch.arange(80).reshape(4, 1, 4, 5) * 700)
    model.save_pretrained(tmp_path)
    assert torch.equal(recalling(pt.load(tmp_path)).levels, recalling(model).levels)
    whole = compact(model.state_dict())
    raw = model.state_dict()[RECALLED]
    for images in (raw, whole[RECALLED][:-1], *(compact({RECALLED: raw[:n]})[RECALLED] for n in (0, 159))):
        write_tensors(tmp_path / WEIGHTS, {**whole, RECALLED: images})
        with pytest.raises(pt.CheckpointError, match="not the 160 bytes that the settings promise"):
            pt.load(tmp_path)
    bomb = compact({RECALLED: torch.zeros(1 << 24, dtype=torch.uint8)})[RECALLED]
    assert len(bomb) < 10_000
    write_tensors(tmp_path / WEIGHTS, {**whole, RECALLED: bomb})
    with pytest.raises(pt.CheckpointError, match="not the 160 bytes"):
        pt.load(tmp_path)
    for images in (raw.reshape(4, -1), raw.float()):
        write_tensors(tmp_path / WEIGHTS, {**whole, RECALLED: images})
        with pytest.raises(pt.CheckpointError, match=r"recall\.images"):
            pt.load(tmp_path)


def test_training_images_do_not_recall_themselves() -> None:
    """However their caption is said."""
    model, remembered = model_of()
    data = ImageDataset(remembered.numpy().astype(np.uint8), model.image, texts=list(CAPTIONS))
    telling, index = Telling(model, data), np.arange(4)
    batch = data.batch(index)
    for texts in (CAPTIONS, ("red", "blue", "old", "new")):
        told = telling(index, batch.__class__(batch.levels, texts=texts))
        for i, places in enumerate(told.parts["recall"].values.tolist()):
            assert i not in places


def test_gradients_reach_the_reader() -> None:
    """And, for names without colours, their vectors."""
    for kind in KINDS:
        model, remembered = model_of(kind)
        model.log_prob(remembered, text=list(CAPTIONS)).sum().backward()
        for name, parameter in recalling(model).named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_faults_are_told() -> None:
    """Each in a sentence."""
    with pytest.raises(pt.ConfigError, match="`recall` needs a model that listens to text"):
        pt.build("pixelcnn", image=KINDS["rgb"], channels=6, layers=1, recall=RecallConfig(captions=CAPTIONS))
    with pytest.raises(pt.ConfigError, match="must not be empty"):
        pt.build("pixelcnn", image=KINDS["rgb"], recall={"captions": ["a", " "]}, text="learned")
    model, remembered = model_of()
    with pytest.raises(pt.ConfigError, match="Images to recall of shape"):
        recalling(model).remember(remembered[:2])
    wide = ImageSpec(channels=3, height=4096, width=4096)
    with pytest.raises(pt.ConfigError, match="over the limit of"):
        pt.build(
            "pixelcnn",
            image=wide,
            channels=6,
            layers=1,
            text="learned",
            recall=RecallConfig(captions=tuple("abcdefg")),
        )


def test_what_is_remembered_and_what_comes_first() -> None:
    """Three images of a subject; those of the nearest subjects, by the whole caption or by the subject alone."""
    assert worth_remembering(["x, b", "a", " ", "y,B", "b", "a, b", " "]) == [0, 1, 3, 4]
    memory = Memory(["place, red wall", "monster, red dragon", "place, red wall", "item, red", "dragon"], None)
    assert memory("red dragon", 1).tolist() == [1]
    assert memory("monster, red dragon", 1).tolist() == [1]
    assert memory("red wall", 2).tolist() == [0, 2]
    assert memory("red wall", 5, without="thing,  Red Wall").tolist()[0] not in (0, 2)
    assert sorted(memory("red", 9).tolist()) == [0, 1, 2, 3, 4]
    assert sorted(memory("red", 9, without="red dragon").tolist()) == [0, 2, 3, 4]
    assert len(Memory(["a"], None)("a", 3, without="a")) == 0
