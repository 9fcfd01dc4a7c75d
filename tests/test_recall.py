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
from pointillist.explaining import integrated_gradients, layer_bits
from pointillist.images import ImageSpec
from pointillist.networks.copying import Agreement, Copying, Following
from pointillist.passes import FullPass
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


def model_of(
    kind: str = "palette", count: int = 2, *, copying: bool = False, **settings: Any
) -> tuple[pt.PretrainedPixelModel, torch.Tensor]:
    """A model that recalls, with weights that matter, and the images that it remembers."""
    torch.manual_seed(0)
    spec = KINDS[kind]
    recall = RecallConfig(captions=CAPTIONS, count=count, width=6, copying=copying)
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


@pytest.mark.parametrize("order", ["raster", "raster-tr"])
@pytest.mark.parametrize("engine", ["step", "cpu"])
def test_what_is_recalled_may_be_copied(order: str, engine: str) -> None:
    """By every engine alike; with gates wide open, and nothing else to say, the image that is recalled is painted."""
    model, remembered = model_of("codes", copying=True, orders=("raster", "raster-tr"))
    asked = {"text": ["red cat", "old house"], "seed": 3, "order": order}
    painted = pt.sample(model, 2, engine=engine, **asked).levels
    assert torch.equal(painted, pt.sample(model, 2, engine="naive", **asked).levels)
    first = recalling(model).resolve(asked["text"], 2, (4, 5)).values[:, 0]
    for parameter in model.backbone.parameters():
        torch.nn.init.zeros_(parameter)
    assert isinstance(model.backbone, Copying)
    bias = model.backbone.get_parameter("network.output.bias")
    bias.data[-2] = 50.0  # the gate of the first of two images
    assert torch.equal(pt.sample(model, 2, engine=engine, **asked).levels, remembered[first])


def test_gates_add_up_and_agreement_is_exact() -> None:
    """A gate goes to the level of its image; what is not there points nowhere and agrees with nothing."""
    levels = torch.tensor([2.0, 2, 0, NOTHING]).reshape(1, 4, 1, 1)
    gates = torch.tensor([0.5, 1, -3, 8]).reshape(1, 4, 1, 1)
    assert FullPass().point("gates", gates, levels, 3).flatten().tolist() == [-3.0, 0.0, 1.5]
    for level, agree in ((2, [1, 1, 0, 0]), (0, [0, 0, 1, 0]), (1, [0, 0, 0, 0])):
        x = torch.tensor([0.7, level]).reshape(1, 2, 1, 1)
        assert Agreement()(x, FullPass(), levels).flatten().tolist() == [x[0, 0, 0, 0].item(), *agree]


def test_shares_are_of_the_sites_before() -> None:
    """Rows above and columns to the left, up to the reach; outside the image nothing agrees."""
    same = torch.randint(0, 2, (1, 2, 5, 6)).float()
    reach, each = 2, torch.eye(2)
    found = Following(2)._share(same, FullPass(), reach, each)
    for i, row, column in np.ndindex(2, 5, 6):
        before = [(y, x) for y in range(row - reach, row) for x in range(column - reach, column + reach + 1)]
        before += [(row, x) for x in range(column - reach, column)]
        inside = [same[0, i, y, x] for y, x in before if 0 <= y < 5 and 0 <= x < 6]
        torch.testing.assert_close(found[0, i, row, column], sum(inside, torch.zeros(())) / len(before))


def test_all_images_are_followed_alike() -> None:
    """Images in another order have their gates in that order."""
    same = torch.randint(0, 2, (2, 3, 5, 6)).float()
    following = Following(3)
    assert torch.allclose(following(same, FullPass())[:, [2, 0, 1]], following(same[:, [2, 0, 1]], FullPass()))


def test_what_cannot_be_copied_is_told() -> None:
    """Several channels, too many levels, a likelihood without names, a network of two walks."""
    recall = RecallConfig(captions=CAPTIONS, copying=True)
    wide = ImageSpec(channels=1, height=4, width=5, levels=300, ordered=False)
    for image, model, likelihood in (
        (KINDS["rgb"], "pixelcnn", "auto"), (wide, "pixelcnn", "auto"),
        (ImageSpec(channels=1, height=4, width=5, levels=2), "pixelcnn", "bernoulli"),
    ):  # fmt: skip
        with pytest.raises(pt.ConfigError, match="`copying` is of levels by name: images of"):
            pt.build(model, image=image, recall=recall, text="learned", likelihood=likelihood)
    with pytest.raises(pt.ConfigError, match="`copying` needs a network that paints in one walk, not multiscale"):
        pt.build("multiscale-pixelrnn", image=KINDS["codes"], recall=recall, text="learned")


def test_a_model_that_copies_is_explained() -> None:
    """Its layers, what each pixel owes to those before it, and the page."""
    model, remembered = model_of("codes", copying=True)
    assert layer_bits(model, remembered[0], text="red cat").bits.shape[0] == 3
    owed = integrated_gradients(model, remembered[0], 2, 3, text="red cat", baseline=remembered[1])
    assert owed.values.shape == model.image.shape
    assert not owed.values.reshape(-1)[2 * 5 + 3 :].any()
    assert pt.explain(model, remembered[0], text="red cat").to_html().startswith("<!doctype html>")
