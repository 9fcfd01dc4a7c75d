"""The scripts that measure the shape of the source: figures of a package made up for the purpose."""

from __future__ import annotations

from pathlib import Path

from tests.scripts import script

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
