"""What cases of the newer roads share: files, models, values to choose from, and what counts as a failure."""

from __future__ import annotations

import random
import shutil
from contextlib import chdir
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

import pointillist as pt
from pointillist.cli import app
from pointillist.errors import MAX_MESSAGE, PointillistError
from pointillist.images import ImageSpec
from tests.silence.programs import Node, page_of
from tests.studio import helpers

from .sweep import NUMBERS, TEXTS, Case, fault, write_bases, write_files

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 3, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf"), -1e308, "", " ", "x", "x" * 5000, "\0",
    "caf\udcff", b"x", [], {}, [[]], [1, 2], ["a", None], {"a": {"b": []}}, (3, 4, 5), object(), print,
    Path("missing.png"), Path("."), np.zeros(0), np.zeros((2, 2)), np.full((28, 28), np.nan), np.array("x"),
    np.array([None]), np.zeros((1, 28, 28), np.int64), np.full((1, 28, 28), -1), np.full((1, 28, 28), 2**40),
    np.zeros((28, 28), complex), np.zeros((1, 2, 3, 4, 5)), np.ones((28, 28), bool), np.zeros((0, 28, 28), np.uint8),
)  # fmt: skip
"""Values of any kind for an argument of Python."""


class HostileError(AssertionError):
    """Hostile input was not answered with a sentence."""


@dataclass
class World:
    """A folder with the files of strangers, and programs that answer.

    ```python
    with World(folder) as world: ...
    ```
    """

    root: Path
    nodes: dict[str, Node] = field(default_factory=dict)
    built: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.root / "a" / "b"  # so that `../../x` lies within
        self.folder.mkdir(parents=True)
        write_bases(self.folder)
        names = write_files(self.folder)
        image = ImageSpec(channels=1, height=6, width=7, levels=65_536, ordered=True, mode="codes")
        sizes = {"channels": 4, "layers": 1}
        mixture = {"likelihood": "mixture", "mixtures": 2}
        pt.build("pixelcnn", shape=image, **mixture, **sizes).save_pretrained(self.folder / "many")
        helpers.upscaler().save_pretrained(self.folder / "mixed-conditions")
        helpers.mapper("gated-pixelcnn").save_pretrained(self.folder / "maps")
        (self.folder / "cells.csv").write_text("row,column,level\n3,4,15\n9,9,0\n")
        (self.folder / "rules.toml").write_text('border = ["wall"]\n')
        self.names = [*names, "many", "mixed-conditions", "maps", "cells.csv"]
        self.kept = {path.name for path in self.folder.iterdir()}

    def left(self) -> list[str]:
        """Return what was written besides the files of strangers."""
        return sorted({path.name for path in self.folder.iterdir()} - self.kept)

    def clean(self) -> None:
        """Remove what a case has written."""
        for name in self.left():
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def command(self, words: list[Any], written: tuple[str, ...] = ()) -> Any:
        """Run a command, which ends in a sentence or well; files that a case itself wrote are not counted as left."""
        texts = [str(word) for word in words]
        case = Case(tuple(texts))
        with chdir(self.folder):
            done = CliRunner().invoke(app, texts)
        why = fault(case, done, 0, 0.0, [name for name in self.left() if name not in written])
        if why is not None:
            raise HostileError(f"{str(case)!r}: {why}")
        return done

    def guess(self, call: Any, about: str) -> Any:
        """Call a function, which answers or raises the package's own error, or a TypeError with a sentence."""
        try:
            with chdir(self.folder):
                return call()
        except (PointillistError, TypeError, AttributeError, IndexError) as error:
            message = str(error)
            bare = not isinstance(error, PointillistError) and not message.rstrip().endswith((".", "?"))
            if bare or not message or len(message) > MAX_MESSAGE + 20 or "errors.pydantic.dev" in message:
                raise HostileError(f"{about[:300]}: {type(error).__name__}: {message[:300]!r}") from error
        return None

    @cached_property
    def studio(self) -> Any:
        """The HTTP interface of a studio, without a network."""
        from fastapi.testclient import TestClient

        from pointillist.studio.http.app import create_app

        models = [pt.load("dungeons"), helpers.labelled(), helpers.coloured(), helpers.upscaler()]
        limits = helpers.SMALL.model_copy(update={"timeout": 20.0})
        self._service = helpers.service(*models, limits=limits)
        return TestClient(create_app(self._service), base_url=helpers.HOST, raise_server_exceptions=False)

    def page(self, name: str) -> Node:
        """Return the exported page of a bundled model, in Node."""
        if name not in self.nodes:
            self.nodes[name] = page_of(name, name)
        return self.nodes[name]

    def module(self, name: str) -> Node:
        """Return the exported module of a bundled model, in Node."""
        key = f"{name}.js"
        if key not in self.nodes:
            pt.export(name, js=self.root / key)
            self.nodes[key] = Node.of_module(self.root / key, name)
        return self.nodes[key]

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes.values():
            node.close()
        if "studio" in self.__dict__:
            self._service.close()


def odd(rng: random.Random, world: World) -> str:
    """Return a hostile word: a number, a text or a file."""
    return rng.choice([*NUMBERS, *TEXTS, *rng.sample(world.names, 6)])


def mangled(rng: random.Random, text: str) -> str:
    """Return a text with a few characters changed, cut, repeated or replaced by hostile ones."""
    for _ in range(rng.randint(0, 3)):
        at = rng.randint(0, len(text))
        piece = rng.choice(["", "\0", "\n", ",", ";", "nan", "-1", "1e999", "9" * 400, '"', "é", "\t", text[:at]])
        text = text[:at] + piece + text[at + rng.randint(0, 3) :]
    return text
