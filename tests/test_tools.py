"""The scripts that measure the shape of the source: figures of a package made up for the purpose."""

from __future__ import annotations

from pathlib import Path

from .scripts import script

FILES = {
    "__init__.py": 'from made.factory import build\n\n__all__ = ["build"]\n',
    "config.py": (
        "class ModelConfig(BaseModel):\n    width: int = 3\n    depth: int = 2\n    _hidden: int = 0\n\n"
        "class SamplingConfig(BaseModel):\n    depth: int = 2\n"
    ),
    "factory.py": (
        '"""What is built."""\nfrom made.config import ModelConfig\n\n'
        'def build(name, *, width=3, **more):\n    """Build a model.\n\n    >>> build("a")\n    """\n'
    ),
    "parts/__init__.py": "",
    "parts/one.py": "def f(self, a, b, /, c, *d, e=1):\n    from made.parts import two\n",
    "parts/two.py": "from .one import f\nfrom made.factory import build\n",
    "cli/app.py": 'OPTIONS = [Setting("--width", "model.width", int)]\n',
}


def test_the_structure_of_a_package(tmp_path: Path) -> None:
    """Counts, the longest path of imports, a cycle through an import in a function, and a setting in three places."""
    for name, text in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    found = script("measure_structure").measure(tmp_path / "made")
    assert found["lines"] == sum(len(text.splitlines()) for text in FILES.values())
    assert (found["files"], found["loose_modules"], found["units"]) == (7, 3, 5)
    assert found["arrows"] == 3  # __init__ -> factory -> config, parts -> factory
    assert found["layers"] == 3
    assert found["cycles"] == [["parts/one.py", "parts/two.py"]]
    assert found["repeated"] == {"width": ["cli/app.py: option", "config.py: ModelConfig", "factory.py: build()"]}
    assert found["repeated_settings_extra"] == 2
    assert found["longest_arguments"] == [4, "parts/one.py: f"]
    assert found["examples"] == found["examples_of_the_root"] == {"with": 1, "of": 1}
    assert found["odd_docstrings"] == 1


def test_hops_and_returns() -> None:
    """A return enters a file again; calls inside the engine are no hops."""
    hops = script("trace_flows").hops
    assert hops([]) == (0, 0)
    assert hops([("a.py", "b.py"), ("b.py", "c.py")]) == (2, 0)
    assert hops([("a.py", "b.py"), ("a.py", "c.py")]) == (3, 1)
    assert hops([("a.py", "engine/b.py"), ("engine/b.py", "engine/c.py")]) == (1, 0)


def test_calls_are_traced(tmp_path: Path) -> None:
    """The second run counts, and a call through another library belongs to the nearest function of the package.

    A call that sets up the meta device is no hop.
    """
    import sys
    import threading

    (tmp_path / "a.py").write_text("def a(b, meta_init):\n    meta_init()\n    return sorted([1, 2], key=b)\n")
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "b.py").write_text("def b(x):\n    return -x\n")
    (tmp_path / "c.py").write_text("def meta_init():\n    pass\n")
    scopes: dict[str, dict[str, object]] = {"a.py": {}, "engine/b.py": {}, "c.py": {}}
    for name, scope in scopes.items():
        exec(compile((tmp_path / name).read_text(), str(tmp_path.resolve() / name), "exec"), scope)
    before, before_threads = sys.getprofile(), threading.getprofile()
    tracer = script("trace_flows").Tracer(tmp_path)
    try:
        found = tracer.trace(lambda: scopes["a.py"]["a"](scopes["engine/b.py"]["b"], scopes["c.py"]["meta_init"]))  # type: ignore
    finally:
        sys.setprofile(before)
        threading.setprofile(before_threads)  # type: ignore[arg-type]
    assert (found["files"], found["files_without_engine"]) == (3, 2)
    assert (found["functions"], found["edges"], found["edges_without_engine"]) == (3, 2, 1)
    assert (found["hops"], found["returns"]) == (1, 0)
