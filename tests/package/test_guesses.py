"""Guesses at the Python API by somebody who knows other libraries: each works, or is answered with the right name.

The classes are those in which a newcomer's 106 guesses were counted; the guesses themselves are written anew.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

import pointillist as pt
from tests.equality import equal

WORKS = ""
"""In place of the name that an answer must hold: the guess works."""


@pytest.fixture(scope="module")
def scope(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Names of the guesses."""
    folder = tmp_path_factory.mktemp("guesses")
    splits = pt.load_data("uci-digits")
    assert splits.train is not None
    model = pt.build("pixelcnn", shape=splits.train.spec, classes=splits.train.classes, channels=4, layers=1)
    model.save_pretrained(folder / "model")
    batch = splits.train.batch(range(4))
    x, labels = torch.from_numpy(batch.levels), torch.from_numpy(batch.labels)
    samples = pt.sample(model, 3, seed=0)
    return {
        "pt": pt, "np": np, "torch": torch, "Image": Image, "Path": Path, "copy": copy,
        "DataLoader": DataLoader, "TensorDataset": TensorDataset, "folder": folder, "splits": splits, "model": model,
        "x": x, "samples": samples, "labels": labels,
        "pictures": [Image.fromarray(a) for a in splits.train.spec.to_images(x)[..., 0]],
        "archive": pt.compress("digits", np.zeros((1, 1, 28, 28), np.int64)),
    }  # fmt: skip


GUESSES: list[tuple[str, str]] = [
    # load, build, look at
    ("pt.load(folder / 'model')", WORKS),
    ("pt.PixelModel.from_pretrained(folder / 'model')", WORKS),
    ("pt.load('digits', device='cuda')", r'`pt.load\(name\).to\("cuda"\)`'),
    ("pt.list_pretrained_models()", r"`pt.list_pretrained\(\)`"),
    ("model.predict(x)", r"`pt.sample\(model, n\)` for new images, or `pt.explain\(model, image\)`"),
    ("model.summary()", r"`print\(model\)`"),
    ("pt.models", r"`pt.list_pretrained\(\)`"),
    ("pt.PixelCNN(3)", r"`pt.build\(name"),
    ("pt.build('pixelcnn', shape=(1, 8, 8), num_classes=10)", "`classes`"),
    ("pt.build('pixelcnn', image_size=8)", r"`shape`|\(channels, height, width\)"),
    ("pt.build('pixelcnn', shape=(1, 8, 8), hidden_channels=8)", "`channels`"),
    ("pt.build('pixelcnn', shape=(1, 8, 8), chanels=8)", "`channels`"),
    ("pt.build('pixelrnn', shape=(1, 8, 8))", "multiscale-pixelrnn"),
    ("model.device", WORKS),
    ("model.dtype", WORKS),
    ("model.num_params", r"`model.num_parameters\(\)`"),
    ("model.num_parameters()", WORKS),
    ("model.image_size", "`model.image.shape`"),
    ("model.labels", "`model.classes`"),
    ("model.save(folder / 'other')", r"`model.save_pretrained\(folder\)`"),
    # score
    ("model(x)", WORKS),
    ("model(x, 3)", r"`model.log_prob\(x, label=3\)`"),
    ("model.log_prob(x.numpy())", WORKS),
    ("model.log_prob(pictures[0])", WORKS),
    ("model.log_prob(x, label=labels)", WORKS),
    ("model.log_prob(x, label=['0', '1', '2', '3'])", WORKS),
    ("model.log_prob(x, labels=labels)", "`label`"),
    ("model.nll(x)", r"`model.log_prob\(x\)`"),
    ("model.evaluate(splits)", r"`pt.evaluate\(model, data\)`"),
    ("pt.evaluate(model, splits.test, batch_size=360).bits_per_dim", WORKS),
    ("pt.evaluate(model, x).bpd", "`evaluation.bits_per_dim`"),
    ("pt.evaluate(model, x, device='cpu')", r"`model.to\(device\)`"),
    # sample
    ("pt.sample(model, 2).images[0].size", WORKS),
    ("pt.sample(model, 2, 3)", WORKS),
    ("pt.sample(model, label=[1, 2])", WORKS),
    ("pt.sample(model)", WORKS),
    ("pt.sample(model, 2.0)", "`n`.*whole number"),
    ("pt.sample(16, model)", "`model` is a int"),
    ("pt.sample(model, labels=[1, 2])", "`label`"),
    ("pt.sample(model, 1, prompt='heart')", "`text`"),
    ("pt.sample(model, num_samples=4)", "`n`"),
    ("pt.sample(model, 1, temprature=0.9)", "`temperature`"),
    ("pt.sample(model, 1, cfg_scale=2)", "`guidance`"),
    ("pt.sample(model, 1, steps=50)", "without steps"),
    ("pt.sample(model, 1, top_k=5)", "`top_p`"),
    ("pt.sample(model, 1, random_state=0)", "`seed`"),
    ("pt.sample(model, 1, device='cuda')", r"`model.to\(device\)`"),
    ("pt.sample(model, 1, backend='cpu')", "`engine`"),
    ("model.sample(4)", r"`pt.sample\(model, n\)`"),
    ("pt.manual_seed(0)", r"`pt.sample\(model, n, seed=0\)`"),
    ("(torch.manual_seed(0), pt.sample(model, 1, seed=0))", WORKS),
    # samples
    ("samples[0].save(folder / 'a.png')", WORKS),
    ("samples[-1].size", WORKS),
    ("len(samples[1:3]) == 2 or 1 / 0", WORKS),
    ("samples.save(folder / 'b.png')", WORKS),
    ("samples.save(folder / 'b.npz')", "`samples.array`"),
    ("samples.show()", r"`samples.sheet\(\)`"),
    ("samples.shape", "`samples.levels.shape`"),
    ("samples.log_prob", "`samples.nats`"),
    ("np.asarray(samples).shape == (3, 8, 8) or 1 / 0", WORKS),
    # train and read
    ("model.fit(splits)", r"`pt.train\(model, data\)`"),
    ("pt.train(model, splits, epochs=1)", "`config`"),
    ("pt.train(copy.deepcopy(model), splits, {'steps': 1})", WORKS),
    ("next(iter(DataLoader(splits.train, batch_size=4)))", WORKS),
    ("pt.load_data(TensorDataset(x, labels))", WORKS),
    ("pt.load_data(pictures)", WORKS),
    ("splits['train']", WORKS),
    ("splits.validation", "`splits.valid`"),
    # find, complete, store, quantize
    ("pt.detect(model, x)", r"`pt.AnomalyDetector\(model\).fit"),
    ("model.inpaint(x)", r"`pt.inpaint\(model, image, known\)`"),
    ("pt.inpaint(model, x[0], mask=np.ones((8, 8), bool))", "`known`|'known'"),
    ("pt.compress('digits', np.zeros((1, 1, 28, 28), int), labels=[3])", "`label`"),
    ("pt.decompress(archive)", WORKS),
    ("pt.quantize_exact(model)", r"`pt.quantize_integer\(model, data\)`"),
    # as any module of torch
    ("torch.save(model, folder / 'model.pt')", WORKS),
    ("copy.deepcopy(model).double().log_prob(x)", WORKS),
    ("model.load_state_dict(model.state_dict())", WORKS),
    ("torch.nn.DataParallel(model)(x)", WORKS),
    ("model(x).sum().backward()", WORKS),
]  # fmt: skip


def answered(scope: dict[str, Any], guess: str, name: str) -> str | None:
    """Return None if a guess works or its answer has the name, else what came instead."""
    try:
        eval(guess, dict(scope))
    except Exception as error:
        text = str(error)
        good = bool(name) and re.search(name, text) is not None and "\n" not in text
        return None if good else f"{type(error).__name__}: {text}"
    return None if name == WORKS else "it works"


@pytest.mark.parametrize(("guess", "name"), GUESSES, ids=[guess for guess, _ in GUESSES])
def test_a_guess_works_or_is_answered(scope: dict[str, Any], guess: str, name: str) -> None:
    assert answered(scope, guess, name) is None


def test_two_prompts_are_two_images() -> None:
    """`n` follows from the conditions; a seed gives the same images with and without it."""
    samples = pt.sample("icons", text=["heart", "home"], seed=0)
    assert samples.texts == ("heart", "home")
    assert equal(samples.levels, pt.sample("icons", 2, text=["heart", "home"], seed=0).levels)


def test_a_part_of_samples_keeps_what_belongs_to_each(scope: dict[str, Any]) -> None:
    """Also of completions: their weights and numbers."""
    whole = pt.sample(scope["model"], label=[4, 5, 6], seed=1)
    part = whole[1:]
    assert part.labels.tolist() == [5, 6]
    assert equal(part.nats, whole.nats[1:])
    assert part[0].tobytes() == whole[1].tobytes() == whole.images[1].tobytes()
    with pytest.raises(IndexError):
        whole[3]
    known = np.ones((8, 8), bool)
    known[4:] = False
    completions = pt.inpaint(scope["model"], scope["x"][0], known, n=3, seed=0)
    assert completions[[2, 0]].numbers.tolist() == completions.numbers[[2, 0]].tolist()
    assert len(completions[:2].log_weights) == 2


def test_hasattr_is_false_and_private_names_are_plain(scope: dict[str, Any]) -> None:
    """Libraries ask for attributes that may be missing; the answer is for people."""
    for thing in (scope["model"], scope["samples"], scope["splits"], pt):
        assert not hasattr(thing, "sampel_images")
        with pytest.raises(AttributeError, match="has no attribute '_private'"):
            thing._private  # noqa: B018
