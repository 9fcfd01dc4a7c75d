"""The structure of the source: figures only improve, and those of a package made up for the purpose are right."""

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


FILES = {
    "__init__.py": 'from made.factory import build\n\n__all__ = ["build"]\n',
    "factory.py": (
        '"""What is built."""\nfrom made.training.config import ModelConfig\n\n'
        'def build(name, *, width=3, **more):\n    """Build a model.\n\n    >>> build("a")\n    """\n'
    ),
    "lone.py": "found = {}  # beside\nall_found = (1,  2)  # fmt: skip\n",
    "training/config.py": (
        "class ModelConfig(BaseModel):\n    width: int = 3\n    depth: int = 2\n    _hidden: int = 0\n\n"
        "class SamplingConfig(BaseModel):\n    depth: int = 2\n"
    ),
    "parts/__init__.py": "",
    "parts/one.py": "def f(self, a, b, /, c, *d, e=1, g, h, i, j, k):\n    from made.parts import two\n",
    "parts/two.py": "from .one import f\nfrom made.factory import build\n",
    "cli/app.py": 'OPTIONS = [Setting("--width", "model.width", int), Option("--x", help="Width of the layers.")]\n',
    "cli/info.py": 'X = Field(3, description="Width of the layers.")\nclass SamplingConfig:\n    pass\n',
}


def test_the_structure_of_a_package(tmp_path: Path) -> None:
    """Counts, the longest path of imports, a cycle through an import in a function, and what stands more than once."""
    for name, text in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    result = script("measure_structure").measure(tmp_path / "made")
    held, places = result["held"], result["places"]
    assert (held["files"], held["loose modules"], held["units"]) == (9, 3, 6)
    assert held["arrows"] == 3  # __init__ -> factory -> config, parts -> factory
    assert held["layers"] == 3
    assert held["code lines"] == 50  # rounded up
    assert places["file cycles"] == ["parts/one.py, parts/two.py"]
    assert places["repeated settings"] == ["model.width: cli/app.py: option; factory.py: build(); training/config.py"]
    assert places["repeated help texts"] == ["Width of the layers.: cli/app.py:1; cli/info.py:1"]
    assert places["repeated class names"] == ["SamplingConfig: cli/info.py; training/config.py"]
    assert (held["longest argument list"], held["functions with more than eight arguments"]) == (9, 1)
    assert (held["odd docstrings"], held["fmt: skip"], held["crowded folders"]) == (1, 1, 0)
    assert result["words"]["found"] == 2
    assert result["phrases"]["beside"] == 1
    assert result["reported"]["exported names with an example"] == "1 of 1"
