"""Laws of completing: what is known stays, a completion is its own, and tables of cells have no order."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import pointillist as pt

from .lab import Lab, NothingComparedError, SilentError, Subject, law, listening, same, with_integers


def hole_of(rng: random.Random, size: tuple[int, int]) -> np.ndarray:
    """Return the known pixels around a random rectangle, or random pixels."""
    known = np.ones(size, bool)
    if rng.random() < 0.7:
        top, left = rng.randrange(size[0]), rng.randrange(size[1])
        known[top : top + rng.randint(1, 6), left : left + rng.randint(1, 6)] = False
    else:
        known = np.random.default_rng(rng.randrange(999)).random(size) < 0.7
        known[-1, -1] = False
    return known


def drawn(rng: random.Random, subject: Subject) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return an image, its known pixels and keywords of `inpaint`."""
    x = pt.sample(subject.model, 1, seed=rng.randrange(999), size=subject.size).levels[0]
    given = {k: v for k, v in subject.draw_conditions(rng).items() if k in ("label", "text")}
    if given and rng.random() < 0.3:
        given["guidance"] = 2.0
    if rng.random() < 0.3:
        given["temperature"] = 0.7
    return x, hole_of(rng, subject.size), {"seed": rng.randrange(2**53), **given}


@law(4)
def known_pixels(rng: random.Random, lab: Lab) -> None:
    """By every method they are as they were, and the same call gives the same."""
    subject, n = lab.choose(rng), rng.randint(1, 4)
    x, known, how = drawn(rng, subject)
    how["method"] = rng.choice(["auto", "smc", "sequential"])
    if how["method"] == "smc":
        how |= {"particles": rng.choice([4, 16]), "moves": rng.choice([0, 2])}
    about = f"{subject.name} {how}, {int((~known).sum())} unknown"
    try:
        first = pt.inpaint(subject.model, x, known, n, **how)
    except pt.PointillistError:
        raise NothingComparedError("no such completion") from None
    if (first.levels[:, :, known] != x[:, known]).any():
        raise SilentError(f"{about}: a known pixel changed")
    second = pt.inpaint(subject.model, x, known, n, **how)
    same([first.levels, first.nats, first.numbers], [second.levels, second.nats, second.numbers], f"{about}, again")


@law(3)
def unknown_is_not_read(rng: random.Random, lab: Lab) -> None:
    """The levels of an image where it is not known have no influence."""
    subject = lab.choose(rng)
    x, known, how = drawn(rng, subject)
    how["method"] = rng.choice(["auto", "sequential"])
    other = np.where(known, x, np.random.default_rng(1).integers(0, subject.model.image.levels, x.shape))
    first, second = (pt.inpaint(subject.model, one, known, 2, **how, particles=8) for one in (x, other))
    same(first.levels, second.levels, f"{subject.name} {how}: other levels in the hole")
    same(first.nats, second.nats, f"{subject.name} {how}: nats with other levels in the hole")


@law(4)
def completions_are_their_own(rng: random.Random, lab: Lab) -> None:
    """Completion i is that of (seed, i), whatever n, batch and threads, except by `smc`."""
    subject, n = lab.choose(rng, with_integers), rng.randint(2, 5)
    x, known, how = drawn(rng, subject)
    first = pt.inpaint(subject.model, x, known, n, **how, particles=8)
    change = rng.choice(["n", "batch_size", "threads"])
    fewer = rng.randint(1, n)
    more = {"batch_size": fewer} if change == "batch_size" else {"threads": 2} if change == "threads" else {}
    if first.method == "smc" and change == "n":
        raise NothingComparedError("particles share histories")
    second = pt.inpaint(subject.model, x, known, fewer if change == "n" else n, **how, **more, particles=8)
    by_number = [dict(zip(one.numbers.tolist(), one.levels, strict=True)) for one in (first, second)]
    for number, levels in by_number[1].items():
        same(levels, by_number[0][number], f"{subject.name} {how}: completion {number} of {n}, {change} {fewer}")


@law(3)
def another_seed(rng: random.Random, lab: Lab) -> None:
    """Another seed, class, temperature or number of particles changes something, or it is said."""
    subject = lab.choose(rng)
    x, known, how = drawn(rng, subject)
    if (~known).sum() * x.shape[0] * np.log2(subject.model.image.levels) < 40:
        known[: max(3, len(known) // 2)] = False
    changes: dict[str, Any] = {"seed": how["seed"] ^ 1, "temperature": 0.0}
    if subject.model.classes:
        changes["label"] = rng.choice([label for label in subject.model.classes if label != how.get("label")] or [None])
    name = rng.choice(sorted(changes))
    first = pt.inpaint(subject.model, x, known, 4, **how, particles=8)
    if first.nats.min() > np.log(0.5):
        raise NothingComparedError("there is one likely completion")
    with listening() as said:
        second = pt.inpaint(subject.model, x, known, 4, **{**how, name: changes[name]}, particles=8)
    if np.array_equal(first.levels, second.levels) and np.array_equal(first.nats, second.nats) and not said:
        raise SilentError(f"{subject.name} {how}: {name}={changes[name]} changes nothing")


@law(2)
def variations(rng: random.Random, lab: Lab) -> None:
    """Variation i is that of (seed, i); pixels that stay are as they were; another seed or pattern is another one."""
    subject, n = lab.choose(rng), rng.randint(2, 3)
    x, _, how = drawn(rng, subject)
    share, pattern = rng.choice([0.2, 0.5]), rng.choice(["regions", "scattered"])
    how |= {"particles": 8, "pattern": pattern}
    first, fewer = pt.vary(subject.model, x, share, n, **how), rng.randint(1, n - 1)
    for levels, known in zip(first.levels, first.known, strict=True):
        same(levels[known], x[known], f"{subject.name} {how}: pixels that stay")
    second = pt.vary(subject.model, x, share, fewer, **how)
    same(first.levels[:fewer], second.levels, f"{subject.name} {how}: {fewer} of {n} variations")
    last = pt.vary(subject.model, x, share, 1, **how, first=n - 1)
    same(first.levels[-1:], last.levels, f"{subject.name} {how}: variation {n - 1} alone")
    other = pt.vary(subject.model, x, share, n, **{**how, "seed": how["seed"] ^ 1})
    if np.array_equal(first.known, other.known) and np.array_equal(first.levels, other.levels):
        raise SilentError(f"{subject.name} {how}: another seed changes nothing")
