"""Laws of `sample`: an image depends on the seed and its number, on what is asked for, and on nothing else."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.sampling.uniforms import seeded_uniforms

from .lab import PROMPTS, Lab, NothingComparedError, SilentError, Subject, law, listening, same, with_integers

TILES = {"border": [1]}


def numbers(samples: Any) -> list[Any]:
    """Levels, likelihoods, labels and prompts."""
    return [samples.levels, samples.nats, samples.labels, list(samples.texts or ())]


@law(2)
def again(rng: random.Random, lab: Lab) -> None:
    """The same call gives the same numbers, whatever is sampled between."""
    subject, n = lab.choose(rng), rng.randint(1, 4)
    how = subject.draw(rng)
    first = pt.sample(subject.model, n, **how)
    other = subject.draw(rng)
    pt.sample(subject.model, rng.randint(1, 3), **other)
    same(numbers(first), numbers(pt.sample(subject.model, n, **how)), f"{subject.name} {how} after {other}")


@law(3)
def batches(rng: random.Random, lab: Lab) -> None:
    """Neither the size of batches, nor threads, nor the number of images matters to one of them."""
    subject, n = lab.choose(rng, with_integers), rng.randint(2, 9)
    how, change = subject.draw(rng), rng.choice(["batch_size", "threads", "n"])
    first = pt.sample(subject.model, n, **how)
    less = rng.randint(1, n)
    changed = {"batch_size": less} if change == "batch_size" else {"threads": 2} if change == "threads" else {}
    count = less if change == "n" else n
    second = pt.sample(subject.model, count, **how, **changed)
    same(numbers(first[:count]), numbers(second), f"{subject.name} {how}, {change} {changed or count}")


@law(2)
def conditions_by_image(rng: random.Random, lab: Lab) -> None:
    """An image among others of other conditions is the one that is sampled with its conditions for all."""
    subject = lab.choose(rng, with_integers, lambda s: s.model.classes or s.text)
    n, how = rng.randint(2, 5), subject.draw(rng)
    lists: dict[str, list[Any]] = {}
    if subject.model.classes:
        lists["label"] = [rng.choice(subject.model.classes) for _ in range(n)]
    if subject.text:
        lists["text"] = [rng.choice(PROMPTS) for _ in range(n)]
    rest = {k: v for k, v in how.items() if k not in lists}
    together, i = pt.sample(subject.model, n, **lists, **rest), rng.randrange(n)
    alone = pt.sample(subject.model, n, **{k: v[i] for k, v in lists.items()}, **rest)
    same(numbers(together[i : i + 1]), numbers(alone[i : i + 1]), f"{subject.name} {lists} {rest}, image {i}")


@law(2)
def uniforms(rng: random.Random, lab: Lab) -> None:
    """The numbers of a seed, given as numbers, sample the images of the seed."""
    subject, n = lab.choose(rng, with_integers), rng.randint(1, 4)
    how = subject.draw(rng)
    height, width = how.get("size", subject.model.image.shape[1:])
    given = seeded_uniforms(how["seed"], range(n), (subject.model.image.channels, height, width))
    rest = {k: v for k, v in how.items() if k != "seed"}
    first, second = pt.sample(subject.model, n, **how), pt.sample(subject.model, n, uniforms=given, **rest)
    same(first.levels, second.levels, f"{subject.name} {how} by uniforms")
    same(first.nats, second.nats, f"{subject.name} {how} by uniforms, nats")


@law(1)
def opened_anyhow(rng: random.Random, lab: Lab) -> None:
    """A name, a folder, an open model and a saved copy of it are one model."""
    subject, n = lab.choose(rng), rng.randint(1, 3)
    how = subject.draw(rng)
    copy = lab.path()
    subject.model.save_pretrained(copy)
    results = [numbers(pt.sample(one, n, **how)) for one in (subject.model, subject.source, copy, pt.load(copy))]
    for road, result in zip(("name", "copy", "opened copy"), results[1:], strict=True):
        same(results[0], result, f"{subject.name} {how} by {road}")


def changes(rng: random.Random, subject: Subject, how: dict[str, Any]) -> dict[str, Any]:
    """Return values that must change what is sampled, of all settings that the model takes."""
    image, model = subject.model.image, subject.model
    given = {"label", "text", "vector", "attributes"} & how.keys()
    found: dict[str, Any] = {
        "seed": (how["seed"] + 1) % 2**53, "temperature": 3.0 if "top_p" in how else 0.0, "top_p": 0.3,
    }  # fmt: skip
    if model.classes:
        found["label"] = rng.choice([label for label in model.classes if label != how.get("label")] or [None])
    if subject.text:
        found["text"] = rng.choice([text for text in PROMPTS if text != how.get("text")])
    if given:
        found["guidance"] = 6.0
        found["best_of"] = 6
    if "text" in given:
        found["guidance"], found["negative_prompt"] = 6.0, next(t for t in PROMPTS if t != how["text"])
    if subject.takes("vector"):
        found["vector"] = [3.0, -2.0]
    if subject.takes("attributes"):
        found["attributes"] = {"hair": "blue" if how.get("attributes") == {"hair": "red"} else "red"}
    if subject.takes("hint"):
        rows = np.indices(model.image.shape[1:]).sum(0) % 2 if subject.bundled else np.indices((2, 2)).sum(0)
        found["hint"] = rows[None].astype(np.int64)
    if len(model.config.orders) > 1:
        found["order"] = next(o for o in model.config.orders if o != how.get("order", model.config.orders[0]))
    if image.mode == "codes" and image.channels == 1 and subject.size[0] > 3:
        found["rules"] = TILES
    return found


@law(8)
def one_change(rng: random.Random, lab: Lab) -> None:
    """Another seed, condition, order, temperature, top-p, guidance or rule changes something, or is answered."""
    subject = lab.choose(rng)
    how = subject.draw(rng)
    name, value = rng.choice(sorted(changes(rng, subject, how).items(), key=lambda one: one[0]))
    changed = {**how, name: value}
    if name == "negative_prompt" and changed.get("guidance", 1) == 1:
        changed["guidance"] = how["guidance"] = 2.0
    shapes = np.prod(how.get("size", subject.model.image.shape[1:])) * subject.model.image.channels
    n = max(4, int(200 / shapes))
    for attempt in range(4):  # a tiny image may be the same by chance
        seeds = {} if name == "seed" else {"seed": how["seed"] ^ attempt}
        base = pt.sample(subject.model, n, **{**how, **seeds})
        with listening() as said:
            try:
                other = pt.sample(subject.model, n, **{**changed, **seeds})
            except pt.PointillistError:
                return
        if said or not (np.array_equal(base.levels, other.levels) and np.array_equal(base.nats, other.nats)):
            return
        if name in ("seed", "temperature", "top_p") and len(np.unique(base.levels, axis=0)) == 1:
            raise NothingComparedError("the model is nearly certain of one image")
    raise SilentError(f"{subject.name} {how}: {name}={value} changes nothing")


@law(2)
def defaults(rng: random.Random, lab: Lab) -> None:
    """What a model does by default is what the values say that it stores."""
    subject, n = lab.choose(rng), rng.randint(1, 3)
    how = {k: v for k, v in subject.draw(rng).items() if k not in ("guidance", "temperature", "top_p")}
    conditioned = {"label", "text", "vector", "attributes"} & how.keys()
    stored = subject.model.generation_config.sampling
    written = {"temperature": 1.0, "top_p": 1.0, "order": subject.model.config.orders[0], **stored}
    written = {"guidance": 1.0, **written} if conditioned else {k: v for k, v in written.items() if k != "guidance"}
    if "order" in how:
        written.pop("order")
    name = rng.choice(sorted(written))
    same(
        numbers(pt.sample(subject.model, n, **how)),
        numbers(pt.sample(subject.model, n, **how, **{name: written[name]})),
        f"{subject.name} {how}: the default {name}={written[name]}",
    )


@law(2)
def likelihood(rng: random.Random, lab: Lab) -> None:
    """The likelihood of a sample is the one that `evaluate` computes of it, under the same conditions."""
    subject, n = lab.choose(rng, with_integers), rng.randint(1, 5)
    how = subject.draw(rng)
    samples = pt.sample(subject.model, n, **how)
    given = {k: v for k, v in how.items() if k in ("label", "text", "vector", "attributes", "order")}
    if samples.texts is not None:
        given["text"] = list(samples.texts)
    scored = pt.evaluate(subject.model, samples.levels, **given).nats_per_image
    same(-samples.nats, scored, f"{subject.name} {how}: nats of samples and of `evaluate`")


@law(1)
def seamless(rng: random.Random, lab: Lab) -> None:
    """Images that tile do not depend on their number or batch."""
    subject, n = lab.choose(rng, with_integers, lambda s: min(s.size) >= 4), rng.randint(2, 3)
    how = {k: v for k, v in subject.draw(rng).items() if k not in ("order",)}
    sides = rng.choice(["x", "y", "both"])
    keywords = {**how, "sides": sides}
    try:
        many = pt.sample_seamless(subject.model, n, **keywords)
    except pt.PointillistError:
        raise NothingComparedError("no images that tile") from None
    again = pt.sample_seamless(subject.model, n, **keywords, batch_size=1)
    same(many.levels, again.levels, f"{subject.name} {keywords}: batches of one")
