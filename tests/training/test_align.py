"""Clusters made from captions and images: they are found, calibrated on what was not seen, and kept with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.clusters import cluster_listener
from pointillist.conditioning import CLUSTER, ClusterConfig, ClusterListener, subject
from pointillist.data import DataSplits, ImageDataset
from pointillist.errors import ConfigError
from pointillist.finetune import initialise_from
from pointillist.training import Interrupted
from pointillist.training import align as aligning
from pointillist.training.align import align
from pointillist.training.trainer import Trainer
from tests.datasets import dataset_of

from .helpers import assert_same_weights, run_two_processes, weights

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200), "grey": (120, 120, 120)}


def pairs(subjects: int, seed: int = 0) -> ImageDataset:
    """Noisy images of one colour, named by it and by a number that nothing shows."""
    draws = np.random.default_rng(seed)
    colours = [list(COLOURS)[i % 4] for i in range(subjects)]
    noise = draws.integers(-20, 21, (subjects, 8, 8, 3))
    pictures = np.array([COLOURS[name] for name in colours])[:, None, None] + noise
    texts = [f"{name} thing{seed}x{i}" for i, name in enumerate(colours)]
    return dataset_of(pictures.clip(0, 255).astype(np.uint8), texts=texts)


def model_of(data: ImageDataset, clusters: int = 4, text: str = "learned") -> pt.PretrainedPixelModel:
    torch.manual_seed(0)
    config = ClusterConfig(count=clusters, width=4, size=16, hidden=32, channels=8)
    return pt.build(
        "pixelcnn", image=data.spec, classes=data.classes, channels=6, layers=1, text=text, clusters=config,
        likelihood="mixture", mixtures=2,
    )  # fmt: skip


def listener_of(model: pt.PixelModel) -> ClusterListener:
    listener = cluster_listener(model)
    assert listener is not None
    return listener


def config_of(align_steps: int = 60, **settings: Any) -> pt.TrainConfig:
    return pt.TrainConfig.from_dict({"align_steps": align_steps, "precision": "fp32", **settings})


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_clusters_are_what_captions_tell(precision: str) -> None:
    """Each holds images of one colour, new ones too; and a new caption makes those of its colour likely."""
    data, new = pairs(120), pairs(24, seed=1)
    model = model_of(data, clusters=8)
    listener = listener_of(model)
    assert not listener.fitted
    done: list[tuple[int, int]] = []
    align(model, data, config_of(120, precision=precision), lambda *now: done.append(now))
    assert listener.fitted
    work = [*range(10, 1201, 10), *range(1201, 1921)]
    assert done == [(now, 1920) for now in work]
    own, colour = listener.of(data.batch(np.arange(120)).levels), torch.arange(120) % 4
    shares = torch.zeros(8, 4).index_put_((own, colour), torch.ones(120), accumulate=True)
    assert float(shares.amax(1).sum()) > 0.95 * 120
    meant = shares.argmax(1)
    found = meant[listener.of(new.batch(np.arange(24)).levels)] == torch.arange(24) % 4
    assert float(found.double().mean()) > 0.9
    prior = listener.log_prior(model.told(None, 4, [f"a {name} one" for name in COLOURS])).exp()
    right = torch.stack([prior[i, meant == i].sum() for i in range(4)])
    assert float(right.min()) > 0.6
    unsaid = listener.log_prior(model.told(None, 1))[0].exp()
    assert torch.allclose(unsaid, (shares.sum(1).double() + 1) / 128)


def test_alignment_is_the_same_each_time_and_leaves_random_numbers_alone() -> None:
    """Of torch; its own come from the seed."""
    data = pairs(40)
    model, others = model_of(data), [model_of(data), model_of(data)]
    before = torch.random.get_rng_state()
    align(model, data, config_of(5))
    assert torch.equal(torch.random.get_rng_state(), before)
    align(others[0], data, config_of(5))
    align(others[1], data, config_of(5, seed=1))
    assert_same_weights(weights(listener_of(model)), weights(listener_of(others[0])))
    assert not torch.equal(listener_of(model).means, listener_of(others[1]).means)


def test_captions_are_calibrated_by_towers_that_have_not_seen_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each subject is left out of one of five trainings, and its captions are read by that one."""
    data = pairs(40)
    texts = data.texts or ()
    trained: list[tuple[torch.nn.Module, set[str]]] = []
    read: list[tuple[torch.nn.Module, set[str]]] = []
    fit, say = aligning._fit, aligning._say

    def fitting(tower: Any, seeing: Any, images: Any, captions: Any, groups: Any, *rest: Any) -> None:
        trained.append((tower, {subject(texts[int(i)]) for group in groups for i in group}))
        fit(tower, seeing, images, captions, groups, *rest)

    def saying(tower: torch.nn.Module, captions: Any, index: np.ndarray, *rest: Any) -> torch.Tensor:
        read.append((tower, {subject(texts[int(i)]) for i in index}))
        return say(tower, captions, index, *rest)

    monkeypatch.setattr(aligning, "_fit", fitting)
    monkeypatch.setattr(aligning, "_say", saying)
    align(model_of(data), data, config_of(3))
    every = set(map(subject, texts))
    assert [seen == every for _, seen in trained] == [True, *[False] * 5, True]
    known = {id(tower): seen for tower, seen in trained}
    assert all(known[id(tower)] | names == every and not known[id(tower)] & names for tower, names in read)
    assert set.union(*(names for _, names in read)) == every


def test_labels_are_counted_and_weighed_beside_captions() -> None:
    """They change nothing of what captions say; a class in few clusters makes these likely, alone or with a caption."""
    plain = pairs(120)
    colours = [text.split()[0] for text in plain.texts or ()]
    classes = sorted(COLOURS)
    pictures = plain.batch(np.arange(len(plain))).levels.movedim(1, -1).numpy().astype(np.uint8)
    labelled = dataset_of(
        pictures, labels=np.array([classes.index(c) for c in colours]), classes=classes, texts=plain.texts
    )
    model, without = model_of(labelled, clusters=8), model_of(plain, clusters=8)
    for each, data in ((model, labelled), (without, plain)):
        align(each, data, config_of())
    known, other = weights(listener_of(model)), weights(listener_of(without))
    assert_same_weights({n: known[n] for n in other if not n.startswith("embedding")},
                        {n: w for n, w in other.items() if not n.startswith("embedding")})  # fmt: skip
    listener = listener_of(model)
    assert listener.by_label is not None
    assert not listener.by_label[-1].any()
    own = listener.of(labelled.batch(np.arange(len(labelled))).levels)
    for label, colour in enumerate(classes):
        counted = torch.bincount(own[torch.tensor([c == colour for c in colours])], minlength=8)
        wanted = (counted + 8 * listener.shares.exp()) / (counted.sum() + 8)
        prior = listener.log_prior(model.told(label, 1))[0].exp()
        assert torch.allclose(prior.float(), wanted / wanted.sum(), atol=1e-6)
    texts = [f"thing{i}" for i in range(4)]  # which say nothing of the colour
    told, untold = (listener.log_prior(model.told(label, 4, texts)) for label in (list(range(4)), None))
    right = torch.stack([torch.bincount(own[torch.tensor([c == name for c in colours])], minlength=8) > 5
                         for name in classes])  # fmt: skip
    assert bool(((told.exp() * right).sum(1) > (untold.exp() * right).sum(1)).all())


def test_a_run_makes_clusters_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run equals one that was not interrupted; what tells clusters apart does not change in training."""
    data = DataSplits(train=pairs(40), valid=pairs(8, seed=1), test=None)

    def config(folder: str) -> pt.TrainConfig:
        return config_of(
            4, steps=6, batch_size=4, save_every=2, evaluate_every=3, threads=1, out=tmp_path / folder,
            condition_dropout=0.3,
        )  # fmt: skip

    straight = pt.train(model_of(data.get("train")), data, config("a")).model
    original = Trainer.step

    def stepping(self: Trainer) -> tuple[float, list[int]]:
        if self.progress.step == 3:
            self.stop.asked = True
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", stepping)
        with pytest.raises(Interrupted):
            pt.train(model_of(data.get("train")), data, config("b"))
    with monkeypatch.context() as patch:
        patch.delattr("pointillist.training.start.align")  # they are not made again
        resumed = pt.train(model_of(data.get("train")), data, config("b"), resume=True).model
        assert_same_weights(weights(straight), weights(resumed))
        tuned = pt.train(pt.load(tmp_path / "a"), data, {"steps": 1, "batch_size": 4, "threads": 1}).model
        other = model_of(data.get("train"))
        initialise_from(other, straight)
        pt.train(other, data, {"steps": 1, "batch_size": 4, "threads": 1})
    aligned = model_of(data.get("train"))
    align(aligned, data.get("train"), config("c"))
    wanted = {n: w for n, w in weights(listener_of(aligned)).items() if not n.startswith("embedding")}
    for model in (straight, tuned, other):
        found = weights(listener_of(model))
        assert_same_weights({name: found[name] for name in wanted}, wanted)
        assert not torch.equal(found["embedding.weight"], listener_of(aligned).embedding.weight)


def test_two_processes_have_the_same_clusters(tmp_path: Path) -> None:
    """Both make some, and those of the first are kept."""
    first, second = run_two_processes(
        "import sys; from pathlib import Path; from safetensors.torch import save_file; import os\n"
        "from tests.training.test_align import *\n"
        "data = pairs(40); model = model_of(data); rank = os.environ['RANK']\n"
        "import pointillist.training.start as start; made, original = [], start.align\n"
        "def other(model, data, config, report):\n"
        "    made.append(original(model, data, config.model_copy(update={'seed': int(rank)}), report))\n"
        "start.align = other\n"
        "settings = {'steps': 2, 'batch_size': 4, 'threads': 1}\n"
        "pt.train(model, data, config_of(3).model_copy(update=settings))\n"
        'save_file(weights(model), Path(sys.argv[1]) / f"rank-{rank}.safetensors"); assert made\n',
        tmp_path,
    )
    assert_same_weights(first, second)
    assert first[f"{CLUSTER}.means"].any()


def test_too_few_subjects_are_refused() -> None:
    """One sentence, and what to do."""
    data = pairs(12)
    with pytest.raises(ConfigError, match=r"need captions of at least 16 subjects, and those of [^:]* are of 12: ask"):
        align(model_of(data, clusters=16), data, config_of())
