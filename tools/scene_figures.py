"""The section of `docs/evidence/zoo.md` on the model `scenes`: figures of `benchmarks/measure_scenes.py`."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS, WEIGHTS

TARGETS = {"all": "0.92; 0.98", "exchanged": "0.93; 0.98", "sentence": "0.95; 1", "ranking": "0.98; 0.998"}
ATTRIBUTE_TARGETS = "0.96; 0.995"
ATTRIBUTES = {
    "thing": "the thing",
    "thing colour": "its colour",
    "ground": "what it is on, under or next to",
    "ground colour": "the colour of that",
    "relation": "the relation",
    "place": "the place",
    "time": "the time",
}
"""Attributes of scenes: names of `benchmarks/measure_scenes.py`, and what the page calls them."""
HELD = {"relation": "a relation that the thing never had", "form": "a form of sentence never seen"}
WORDS = {
    "thing, left out": "the name of the thing, left out",
    "ground colour, exchanged": "the colour of what it is on or next to, exchanged",
}
"""Words whose bits are compared with the true masks."""
HEAD = "| figure | value | target: minimum; goal | for comparison |\n|---|---|---|---|"
ABOUT = """
`python benchmarks/measure_scenes.py scenes scenes.npz --reader reader.pt --samples {samples} --ranked {ranked} --sheet
scenes-captions.png` ({date}, {machine}; guidance and temperature of the model, seed 0): a network that was trained on
other scenes reads what samples show. Captions, and the real scenes that are read for comparison, have combinations of
a thing, a colour and what it is on or next to that training never saw. The value is the share of samples that are read
right over the share of real scenes; no seed was chosen. The first [100 samples with their
captions](zoo/scenes-captions.png), and the first 16 of [one sentence](zoo/scenes-captions-sentence.png).
"""
Row = tuple[str, str, str, str]


def scene_section(measured: dict[str, Any] | None, folder: Path) -> str:
    """Render the table and what it is about; `folder` is that of the model."""
    if measured is None:
        return "not measured yet"
    rows = [*_samples(measured), *_likelihoods(measured), _size(folder)]
    lines = [HEAD, *("| " + " | ".join(row) + " |" for row in rows)]
    about = {name: measured[name] for name in ("date", "machine", "ranked")}
    return "\n".join(lines) + "\n" + ABOUT.format(samples=measured["samples"]["triple"]["count"], **about)


def _samples(measured: dict[str, Any]) -> list[Row]:
    """Return the figures of what samples show."""
    parts, sentence = measured["samples"], measured["sentence"]
    triple, swapped = parts["triple"], parts["triple"]["exchanged"]
    rows = [_judged("everything that the sentence says", triple, "all", TARGETS["all"])]
    rows += [_judged(what, triple, name, ATTRIBUTE_TARGETS) for name, what in ATTRIBUTES.items()]
    rows += [_judged(f"everything, {what}", parts[part], "all", "") for part, what in HELD.items()]
    single = ", ".join(f"{what} {sentence[name]:.2f}" for what, name in _SINGLE.items())
    return [
        *rows,
        (
            "colours of two things that did not change places",
            f"{1 - swapped['share']:.2f}",
            TARGETS["exchanged"],
            f"{swapped['count']} captions",
        ),
        (
            '"a cat sitting on a red sofa", 100 samples: everything',
            f"{sentence['all']:.2f}",
            TARGETS["sentence"],
            single,
        ),
        (
            "samples that are a training scene",
            f"{measured['copies']['sampled']:.3f}",
            "",
            f"{measured['copies']['real']:.3f} of real scenes",
        ),
    ]


_SINGLE = {"cat": "thing", "on it": "relation", "sofa": "ground", "red": "ground_colour"}


def _judged(what: str, part: dict[str, Any], name: str, targets: str) -> Row:
    """Return a row of the share of samples in which an attribute is right, over the share of real scenes."""
    shares = f"{part['sampled'][name]:.2f} of {part['count']} samples, {part['real'][name]:.3f} of real scenes"
    return what, f"{part['over_real'][name]:.2f}", targets, shares


def _likelihoods(measured: dict[str, Any]) -> list[Row]:
    """Return the figures of real scenes: ranked captions, pixels of words, nats."""
    ranking, nats = measured["ranking"], measured["likelihood"]
    kinds = ", ".join(f"{kind} {one['right']:.2f} of {one['count']}" for kind, one in ranking.items() if kind != "all")
    rows = [
        (
            "real scenes whose caption is likelier than each with one word exchanged",
            f"{ranking['all']['right']:.3f}",
            TARGETS["ranking"],
            f"{ranking['all']['count']} scenes; {kinds}",
        )
    ]
    for word, what in WORDS.items():
        bits = measured["pixels"][word]
        shares = f"{bits['share']:.2f} of {bits['bits']:.0f} bits, {bits['count']} scenes"
        rows.append((f"bits of {what}: in its true mask, over the area", f"{bits['times']:.1f} times", "5; 10", shares))
    over = f"{nats['given caption and artist'] / nats['left out']:.1f} times"
    given = "{given caption and artist:.1f} nats, {left out:.1f} left out, {alone:.1f} given neither".format(**nats)
    return [
        *rows,
        ("nats of a real scene given its caption, over those that the caption leaves out", over, "2; 1.3", given),
    ]


def _size(folder: Path) -> Row:
    """Return the size of weights and program."""
    files = [(folder / name).read_bytes() for name in (WEIGHTS, PROGRAM, PROGRAM_TENSORS)]
    size, deflated = (sum(map(len, each)) / 1e6 for each in (files, map(zlib.compress, files)))
    return "weights and integer program", f"{size:.1f} MB", "2; 1.2", f"{deflated:.1f} MB in a wheel"
