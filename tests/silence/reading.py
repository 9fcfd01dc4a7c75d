"""Laws of what reads images: each is read by itself, in any order, batch and form."""

from __future__ import annotations

import random

import numpy as np

import pointillist as pt

from .lab import PROMPTS, Lab, SilentError, Subject, law, near, same


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
