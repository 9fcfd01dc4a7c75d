"""Laws of what reads images: each is read by itself, in any order, batch and form."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import pointillist as pt

from .lab import PROMPTS, Lab, SilentError, Subject, law, near, same, with_integers


def images_of(rng: random.Random, subject: Subject, n: int) -> np.ndarray:
    """Return levels that the model painted, of its own size or a small one."""
    return pt.sample(subject.model, n, seed=rng.randrange(1000), size=subject.size).levels


def pictured(subject: Subject) -> bool:
    """Return True if the levels of a model are the colours of pictures."""
    return subject.model.image.mode in ("grey", "rgb", "rgba") and subject.model.image.levels <= 256


@law(4)
def order_of_images(rng: random.Random, lab: Lab) -> None:
    """The likelihood of an image is its own, whatever comes before it, in batches of any size."""
    subject, n = lab.choose(rng), rng.randint(2, 7)
    x, given = images_of(rng, subject, n), subject.draw_conditions(rng)
    engine = "torch" if rng.random() < 0.3 else "auto"
    moved = np.array(rng.sample(range(n), n))
    first = pt.evaluate(subject.model, x, **given, engine=engine).nats_per_image
    second = pt.evaluate(subject.model, x[moved], **given, engine=engine, batch_size=rng.randint(1, n)).nats_per_image
    compare = near if engine == "torch" or not subject.integer else same
    compare(first[moved], second, f"{subject.name} {given} {engine}: nats in the order {moved}")


@law(3)
def forms(rng: random.Random, lab: Lab) -> None:
    """Levels, a tensor, pictures, an `.npz`, an `.npy`, a folder of PNG: one set of images."""
    subject, n = lab.choose(rng, pictured, lambda s: not s.takes("hint")), rng.randint(1, 4)  # a folder has hints, too
    x = images_of(rng, subject, n)
    samples = pt.sample(subject.model, n, seed=0, size=subject.size)
    pictures = replace(samples, levels=x).images
    form = rng.choice(["tensor", "pictures", "npz", "npy", "folder"])
    expected = pt.evaluate(subject.model, x).nats_per_image
    path = lab.path({"npz": ".npz", "npy": ".npy"}.get(form, ""))
    given: Any = path
    if form == "tensor":
        import torch

        given = torch.from_numpy(x)
    elif form == "pictures":
        given = pictures
    elif form == "npz":
        np.savez(path, images=np.stack([np.asarray(one) for one in pictures]))
    elif form == "npy":
        np.save(path, np.stack([np.asarray(one) for one in pictures]))
    else:
        path.mkdir()
        for number, picture in enumerate(pictures):
            picture.save(path / f"{number}.png")
    if given is path:
        given = pt.load_data(path, spec=subject.model.image).get("all")
    same(expected, pt.evaluate(subject.model, given).nats_per_image, f"{subject.name}: nats by {form}")


@law(3)
def one_number(rng: random.Random, lab: Lab) -> None:
    """`evaluate`, `log_prob` in floats, `explain` and the model itself give the same likelihood."""
    subject = lab.choose(rng)
    x, given = images_of(rng, subject, 1), subject.draw_conditions(rng)
    engine = rng.choice(["auto", "torch"])
    expected = pt.evaluate(subject.model, x, **given, engine=engine).nats
    explained = pt.explain(subject.model, x[0], **given, engine=engine, max_attributions=0)
    nats = explained.maps.bits * np.log(2)
    near(expected, nats, f"{subject.name} {given} {engine}: nats of `explain`", 1e-6)
    if engine == "torch":
        import torch

        with torch.no_grad():
            log_prob = subject.model.log_prob(torch.from_numpy(x), **given)
        near(-expected, float(log_prob.sum()), f"{subject.name} {given}: `log_prob`")


@law(2)
def another_condition(rng: random.Random, lab: Lab) -> None:
    """Another class or prompt, or none, is another likelihood."""
    subject = lab.choose(rng, lambda s: s.model.classes or s.text or s.takes("vector") or s.takes("attributes"))
    x, given = images_of(rng, subject, 2), subject.draw_conditions(rng, 1.0)
    other = dict(given)
    name = rng.choice(sorted(given))
    replaced = {
        "label": [c for c in subject.model.classes if c != given.get("label")],
        "text": [*PROMPTS],
        "vector": [],
    }
    values = [value for value in replaced.get(name, []) if value != given[name]]
    if values and rng.random() < 0.7:
        other[name] = rng.choice(values)
    else:
        other.pop(name)
    first, second = (pt.evaluate(subject.model, x, **one).nats_per_image for one in (given, other))
    if np.array_equal(first, second):
        raise SilentError(f"{subject.name}: {given} and {other} give the same nats")


@law(2)
def mixtures(rng: random.Random, lab: Lab) -> None:
    """Models of a mixture in any order; a mixture of a model with itself is the model."""
    subject = lab.choose(rng)
    x, copy = images_of(rng, subject, 3), lab.path()
    subject.model.save_pretrained(copy)
    alone = pt.evaluate(subject.model, x).nats_per_image
    near(alone, pt.evaluate([subject.model, copy], x).nats_per_image, f"{subject.name}: with itself", 1e-12)
    if subject.name == "icons":
        return
    others = [one for one in lab.subjects if one.model.image == subject.model.image and one.source != subject.source]
    for other in others[:1]:
        pair = [subject.model, other.model]
        near(pt.evaluate(pair, x).nats_per_image, pt.evaluate(pair[::-1], x).nats_per_image, "mixture turned", 1e-12)


@law(3)
def captions(rng: random.Random, lab: Lab) -> None:
    """A ranking does not depend on the order of captions or on batches, and is the likelihood under each."""
    subject = lab.choose(rng, lambda s: s.text and s.integer)
    x, k = images_of(rng, subject, 1)[0], rng.randint(2, len(PROMPTS))
    texts, prior = rng.sample(PROMPTS, k), [rng.randint(1, 5) for _ in range(k)]
    given = {k: v for k, v in subject.draw_conditions(rng).items() if k != "text"}
    moved = rng.sample(range(k), k)
    first = pt.rank(subject.model, x, texts, prior=prior, **given)
    second = pt.rank(
        subject.model,
        x,
        [texts[i] for i in moved],
        prior=[prior[i] for i in moved],
        batch_size=rng.randint(1, k),
        **given,
    )
    by_text = [dict(zip(r.texts, zip(r.log_likelihood, r.saved, strict=True), strict=True)) for r in (first, second)]
    same([by_text[0][t] for t in texts], [by_text[1][t] for t in texts], f"{subject.name} {texts} in the order {moved}")
    posteriors = [dict(zip(r.texts, r.posterior, strict=True)) for r in (first, second)]
    near([posteriors[0][t] for t in texts], [posteriors[1][t] for t in texts], f"{subject.name}: posterior", 1e-9)
    text = rng.choice(texts)
    with_text = pt.evaluate(subject.model, x[None], text=text, **given).nats
    near(-with_text, by_text[0][text][0], f"{subject.name} {text!r}: `rank` and `evaluate`", 1e-12)


@law(4)
def archives(rng: random.Random, lab: Lab) -> None:
    """What is decompressed is what was compressed; threads change nothing, the order of pictures only their order."""
    subject, n = lab.choose(rng, with_integers), rng.randint(1, 5)
    x = images_of(rng, subject, n)
    label = rng.choice(subject.model.classes) if subject.model.classes and rng.random() < 0.5 else None
    how = {"order": rng.choice([None, *subject.model.config.orders]), "per_record": rng.choice([None, 1, 2])}
    archive = pt.compress(subject.model, x, label=label, **how)
    about = f"{subject.name} {label} {how}"
    given = subject.model if not subject.bundled or rng.random() < 0.5 else None
    same(x, pt.decompress(archive, given, threads=rng.randint(1, 2)), f"{about}: decompressed")
    same(archive, pt.compress(subject.source, x, label=label, **how, threads=2), f"{about}: by folder, two threads")
    moved = rng.sample(range(n), n)
    same(
        x[moved],
        pt.decompress(pt.compress(subject.model, x[moved], label=label, **how), subject.model),
        f"{about} moved",
    )
    one = rng.randrange(n)
    same(x[one], pt.Archive(archive, subject.model)[one], f"{about}: picture {one}")


@law(1)
def code_lengths(rng: random.Random, lab: Lab) -> None:
    """An archive is as long as the likelihood says, within its overhead."""
    subject = lab.choose(rng, with_integers)
    x = images_of(rng, subject, 4)
    label = rng.choice(subject.model.classes) if subject.model.classes else None
    bits = pt.evaluate(subject.model, x, label=label).nats_per_image.sum() / np.log(2)
    archive = pt.compress(subject.model, x, label=label)
    if not -8 <= 8 * len(archive) - bits <= 8 * 400:
        raise SilentError(f"{subject.name} {label}: {len(archive)} bytes for {bits / 8:.0f}")


@law(2)
def detectors(rng: random.Random, lab: Lab) -> None:
    """A score is that of an image alone: in any order, batch, and by a saved detector; the fit in any batch."""
    subject = lab.choose(rng, with_integers, lambda s: s.size[0] * s.size[1] >= 20 and s.model.image.levels <= 256)
    normal, n = images_of(rng, subject, 60), rng.randint(2, 5)
    normal[0] = (normal[0] + 1) % subject.model.image.levels  # a spread, also where all samples are alike
    x = images_of(rng, subject, n)
    x[0] = np.random.default_rng(rng.randrange(99)).integers(0, subject.model.image.levels, x[0].shape)
    first = pt.AnomalyDetector(subject.model, contamination=0.1).fit(normal)
    second = pt.AnomalyDetector(subject.model, contamination=0.1, batch_size=rng.randint(1, 20)).fit(normal)
    moved = rng.sample(range(n), n)
    scores = first.score_samples(x)
    same(scores[moved], second.score_samples(x[moved]), f"{subject.name}: scores in the order {moved}")
    same(scores[:1], first.score_samples(x[:1]), f"{subject.name}: the first alone")
    folder = lab.path()
    first.save(folder)
    loaded = pt.AnomalyDetector.load(folder, subject.model)
    same(scores, loaded.score_samples(x), f"{subject.name}: by the saved detector")
    same(first.p_value(x), loaded.p_value(x), f"{subject.name}: p-values by the saved detector")


@law(1)
def per_image(rng: random.Random, lab: Lab) -> None:
    """Names of files do not matter but for their order."""
    subject, n = lab.choose(rng, pictured, with_integers), rng.randint(2, 5)
    samples = pt.sample(subject.model, n, seed=rng.randrange(99), size=subject.size)
    folder: Path = lab.path()
    folder.mkdir()
    names = [f"{rng.choice('abcxyz')}{i} {rng.choice(['', 'ä', '#', '%20'])}.png" for i in range(n)]
    for name, picture in zip(names, samples.images, strict=True):
        picture.save(folder / name)
    expected = dict(zip(names, pt.evaluate(subject.model, samples.levels).nats_per_image.tolist(), strict=True))
    data = pt.load_data(folder, spec=subject.model.image).get("all")
    scored = pt.evaluate(subject.model, data).nats_per_image.tolist()
    if sorted(scored) != sorted(expected.values()):
        raise SilentError(f"{subject.name}: a folder of {names} has other numbers")
