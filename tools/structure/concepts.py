"""Where a concept is implemented, and which files a change touches: the lists of `tests/concepts.toml`.

Each list has a pattern. Every file of the sources that it matches is on the list with its reason, and every file on the
list is matched: so a new implementation fails `tests/tools/test_structure.py` until it is explained, and the number of
places may only fall.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "tests" / "concepts.toml"
SOURCES = (
    "src/pointillist/**/*.py",
    "src/pointillist/**/*.js",
    "runtime/**/*.c",
    "runtime/*.js",
    "docs/reference/program_format.md",
)


@dataclass(frozen=True)
class Concept:
    """Places of a concept.

    Attributes:
        pattern: a regular expression that finds them in the sources.
        places: the reason for each file, by its path.
        generated: files that are written by a tool from those, which nobody touches.
    """

    pattern: str
    places: dict[str, str]
    generated: tuple[str, ...] = ()

    def matches(self) -> set[str]:
        """Files of the sources that the pattern matches, but for generated ones."""
        expression = re.compile(self.pattern, re.MULTILINE)
        paths = [path for glob in SOURCES for path in ROOT.glob(glob)]
        matching = [path for path in paths if expression.search(path.read_text(encoding="utf-8"))]
        return {path.relative_to(ROOT).as_posix() for path in matching} - {*self.generated}


@dataclass(frozen=True)
class Lists:
    """All concepts: those that are implemented, and changes with the files that they touch."""

    implementations: dict[str, Concept]
    changes: dict[str, Concept]


def read() -> Lists:
    """Read the lists."""
    document = tomllib.loads(LISTS.read_text(encoding="utf-8"))
    parts = {part: {name: Concept(**values) for name, values in document[part].items()} for part in document}
    return Lists(**parts)
