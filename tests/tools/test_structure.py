"""The ratchet: figures of `tools/measure_structure.py` only improve; `--lower` writes an improvement down."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.scripts import script

COMMITTED = json.loads((Path(__file__).parents[1] / "structure.json").read_text(encoding="utf-8"))
PACKAGE = Path(__file__).parents[2] / "src" / "pointillist"


@cache
def measured() -> dict[str, Any]:
    """Measure once for all tests of a process."""
    result: dict[str, Any] = script("measure_structure").measure(PACKAGE)
    return result


@pytest.mark.parametrize("figure", COMMITTED["held"])
def test_a_figure_is_not_worse(figure: str) -> None:
    """Each figure is at most the committed one."""
    now, before = measured()["held"][figure], COMMITTED["held"][figure]
    where = "\n".join(measured()["places"].get(figure, []))
    assert now <= before, f"{figure}: {now}, and {before} before. See `python tools/measure_structure.py`.\n{where}"


def test_every_figure_is_held() -> None:
    """The committed file names what the tool measures."""
    for part in ("held", "words", "phrases"):
        assert COMMITTED[part].keys() == measured()[part].keys(), "run `python tools/measure_structure.py --lower`"


LISTS = script("measure_structure").concepts.read()


@pytest.mark.parametrize("part", ["implementations", "changes"])
def test_every_place_of_a_concept_is_listed_with_its_reason(part: str) -> None:
    """A second implementation needs a reason in `tests/concepts.toml`; one that is gone leaves the list."""
    for name, concept in getattr(LISTS, part).items():
        assert concept.matches() == concept.places.keys(), (
            f"{name}: {sorted(concept.matches() ^ concept.places.keys())}"
        )
        assert all(concept.places.values()), name


def test_lines_of_code_are_counted_without_words(tmp_path: Path) -> None:
    """Docstrings, comments, blanks and imports do not count; a string over two lines does."""
    text = '"""A file."""\n\nimport os\n\nX = 1  # one\n"""Of X."""\n# a comment\nY = """a\nb"""\n'
    (tmp_path / "a.py").write_text(text)
    tree = script("measure_structure").Tree(tmp_path)
    assert script("measure_structure").code_lines(tree.texts["a.py"], tree.nodes["a.py"]) == 3


def test_lowering_never_raises() -> None:
    """A lower figure replaces the committed one, a higher does not; a new figure is added; parts not measured stay."""
    lowered = script("measure_structure").lowered
    committed = {"held": {"arrows": 5, "layers": 3, "gone": 1}, "words": {"own": 9}}
    result = lowered(committed, {"held": {"arrows": 4, "layers": 4, "units": 2}})
    assert result == {"held": {"arrows": 4, "layers": 3, "units": 2}, "words": {"own": 9}}
