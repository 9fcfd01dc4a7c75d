"""What the cases of the sweep for silence share: models to draw from, comparisons to the bit, sentences that were said.

A *law* is a function of random numbers and of the laboratory: it does one thing in two ways, and fails with
`SilentError` if what should be equal differs, or what should differ is equal and no sentence says why.
"""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.conditioning import TextConfig
from tests.portable.networks import CASES, integer_case
from tests.studio import helpers

from .programs import Node, page_of

LARGE, SMALL = (8, 9), 12
"""Size of images where a model of larger ones takes any; pixels from which two draws must differ."""
PROMPTS = ("heart", "red apple", "a small house", "green dragon", "star, outline", "red orb")


NEAR_ZERO = 1e-4
"""Nats of a pixel that is nearly certain: a sum of float32 logits of about 10 is wrong by some 1e-5."""


class SilentError(AssertionError):
    """Two things disagree, and nothing was said."""


class NothingComparedError(Exception):
    """A case ended before it compared anything, such as by options that contradict."""


Law = Callable[[random.Random, "Lab"], None]
LAWS: dict[str, tuple[Law, int]] = {}
"""Laws by name, with the weight by which the sweep draws them."""


def law(weight: int = 1) -> Callable[[Law], Law]:
    """Register a law, which is drawn with a weight.

    ```python
    @law(3)
    def threads(rng, lab): ...
    ```
    """

    def register(function: Law) -> Law:
        LAWS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = (function, weight)
        return function

    return register


def same(one: Any, other: Any, about: str) -> None:
    """Fail unless two things are equal to the bit: arrays, texts, bytes, or sequences of them."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            raise SilentError(f"{about}: {len(one)} and {len(other)}")
        for a, b in zip(one, other, strict=True):
            same(a, b, about)
        return
    if not np.array_equal(np.asarray(one), np.asarray(other)):
        a, b = np.asarray(one), np.asarray(other)
        count = f"{int((a != b).sum())} of {a.size} numbers" if a.shape == b.shape else f"{a.shape} and {b.shape}"
        raise SilentError(f"{about}: {count} differ")


def near(one: Any, other: Any, about: str, relative: float = 1e-5) -> None:
    """Fail unless numbers are equal to the rounding of float32 over a network."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if a.shape != b.shape or not np.allclose(a, b, rtol=relative, atol=NEAR_ZERO):
        worst = float(np.abs(a - b).max()) if a.shape == b.shape else np.nan
        raise SilentError(f"{about}: {a.shape} and {b.shape}, at most {worst:.2e} apart")


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect what the package says within the block: its log and warnings."""
    said: list[str] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ears, log = Ears(), logging.getLogger("pointillist")
    log.addHandler(ears)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += [str(each.message) for each in caught]
    finally:
        log.removeHandler(ears)


@dataclass(frozen=True)
class Subject:
    """A model, by the name or folder that every road takes."""

    source: str
    model: Any = field(repr=False)
    bundled: bool

    @property
    def name(self) -> str:
        return Path(self.source).name

    @property
    def text(self) -> bool:
        return self.model.conditions.reader("text") is not None

    @cached_property
    def integer(self) -> bool:
        """True if the model is sampled from its integer program."""
        return str(pt.sample(self.model, 1, seed=0, size=self.size).engine) == "integer"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that cases begin with: small, where the model takes any size."""
        image = self.model.image
        whole = (image.height, image.width)
        return whole if self.model.fixed_size or not self.bundled or self.takes("hint") else LARGE

    def takes(self, kind: str) -> bool:
        """True if the model has a condition."""
        return self.model.conditions.reader(kind) is not None

    def draw_conditions(self, rng: random.Random, share: float = 0.7) -> dict[str, Any]:
        """Return random conditions of all images, each with a probability."""
        chosen: dict[str, Any] = {}
        if self.model.classes and rng.random() < share:
            chosen["label"] = rng.choice(self.model.classes)
        if self.text and rng.random() < share:
            chosen["text"] = rng.choice(PROMPTS)
        if self.takes("vector") and rng.random() < share:
            chosen["vector"] = [round(rng.uniform(-1, 1), 2), round(rng.uniform(-1, 1), 2)]
        if self.takes("attributes") and rng.random() < share:
            chosen["attributes"] = {"hair": rng.choice(["red", "blue"])}
        return chosen

    def draw_settings(self, rng: random.Random, conditions: Mapping[str, Any]) -> dict[str, Any]:
        """Return random settings of sampling; guidance where something is given."""
        chosen: dict[str, Any] = {}
        if conditions and rng.random() < 0.5:
            chosen["guidance"] = rng.choice([0.5, 2.0, 3.0])
        if rng.random() < 0.4:
            chosen["temperature"] = rng.choice([0.5, 0.8, 1.3])
        if rng.random() < 0.3:
            chosen["top_p"] = rng.choice([0.5, 0.9])
        if rng.random() < 0.5 and len(self.model.config.orders) > 1:
            chosen["order"] = rng.choice(self.model.config.orders)
        return chosen

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return random keywords of `pt.sample`, without `n`."""
        conditions = self.draw_conditions(rng)
        size = {} if self.size == self.model.image.shape[1:] else {"size": self.size}
        seed = rng.choice([rng.randrange(1000), rng.randrange(2**53)])
        return {"seed": seed, **size, **conditions, **self.draw_settings(rng, conditions)}


@dataclass
class Lab:
    """A folder, the models, and the programs that run beside Python.

    ```python
    with Lab(folder) as lab: ...
    ```
    """

    folder: Path
    number: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)

    def path(self, ending: str = "") -> Path:
        """Return a path that no other case has."""
        self.number += 1
        return self.folder / f"case-{self.number}{ending}"

    @cached_property
    def subjects(self) -> list[Subject]:
        """All bundled models, small ones of each network, and some with other conditions."""
        subjects = [Subject(each.name, pt.load(each.name), bundled=True) for each in pt.list_pretrained()]
        small = {name: integer_case(name)[0] for name in CASES}
        made = {"labelled": helpers.labelled(), "mixed": helpers.upscaler(), "palette": helpers.coloured()}
        maps = {"maps": helpers.mapper("gated-pixelcnn")}
        for name, model in {**small, **made, **maps}.items():
            folder = self.folder / "models" / name
            model.save_pretrained(folder)
            subjects.append(Subject(str(folder), pt.load(folder), bundled=False))
        return subjects

    def choose(self, rng: random.Random, *wanted: Callable[[Subject], Any]) -> Subject:
        """Return a random model that has all that is wanted; a bundled one in one of three cases."""
        fitting = [subject for subject in self.subjects if all(want(subject) for want in wanted)]
        bundled = rng.random() < 1 / 3
        return rng.choice([subject for subject in fitting if subject.bundled == bundled] or fitting)

    def __getitem__(self, name: str) -> Subject:
        return next(subject for subject in self.subjects if subject.name == name)

    def page(self, subject: Subject) -> Node:
        """Return the exported page of a model, which answers in Node."""
        key = f"page {subject.source}"
        if key not in self.nodes:
            self.nodes[key] = page_of(subject.name, subject.source)
        return self.nodes[key]

    def module(self, subject: Subject) -> Node:
        """Return the exported module of a model, in Node."""
        key = f"module {subject.source}"
        if key not in self.nodes:
            folder = self.path()
            pt.export(subject.source, js=folder)
            self.nodes[key] = Node.of_module(folder, subject.name)
        return self.nodes[key]

    @cached_property
    def studio(self) -> Any:
        """The HTTP interface of a studio of all models, without a network."""
        from fastapi.testclient import TestClient

        from pointillist.studio.http.app import create_app
        from pointillist.studio.service import LIMITS, StudioService

        service = StudioService([subject.source for subject in self.subjects], LIMITS)
        service.models.start()
        service.models.wait(600)
        self._service = service
        return TestClient(create_app(service), base_url=helpers.HOST)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes.values():
            node.close()
        if "studio" in self.__dict__:
            self._service.close()


def with_integers(subject: Subject) -> bool:
    """Return True if a model has an integer program."""
    return subject.integer


def with_text_parts(subject: Subject) -> bool:
    """Return True if a model reads prompts by a frozen encoder, whose vectors a page holds for some prompts alone."""
    config = subject.model.condition(TextConfig) if hasattr(subject.model, "condition") else None
    return config is not None and config.frozen is not None
