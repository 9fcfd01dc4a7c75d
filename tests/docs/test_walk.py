"""The walk through the code and the other explanations: links, order, length, and Python that runs."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import script

# named where they are run elsewhere: when a model is recorded and rewritten, and where a platform has no library
ELSEWHERE = {"record", "frequencies", "transform_frequencies"}
TRACED = """
import json, sys
calls = {}
def note(frame, event, argument):
    if event == "call" and "pointillist" in frame.f_code.co_filename:
        calls.setdefault((frame.f_code.co_filename, frame.f_code.co_name), len(calls))
sys.setprofile(note)
from pointillist.commands.cli import main
sys.argv[1:] = json.loads(sys.argv[1])
try:
    main()
finally:
    sys.setprofile(None)
    open("calls.json", "w").write(json.dumps([[*place, at] for place, at in calls.items()]))
"""


def test_the_walk_is_current() -> None:
    """`docs/explanation/walk.md` is what `tools/make_walk.py` writes, in at most 100 lines."""
    maker = script("make_walk")
    page = maker.PAGE.read_text(encoding="utf-8")
    assert page == maker.text(), "run python tools/make_walk.py"
    assert len(page.splitlines()) <= 100
    assert len(maker.LINK.findall(page)) >= 10


def test_the_command_takes_the_steps_of_the_walk_in_their_order(tmp_path: Path) -> None:
    """Each Python function of the numbered steps is called, the first time after the one before it."""
    maker = script("make_walk")
    page = maker.PAGE.read_text(encoding="utf-8")
    command = re.search(r"```bash\npointillist (.*)\n```", page)
    assert command is not None
    subprocess.run([sys.executable, "-c", TRACED, json.dumps(command[1].split())], cwd=tmp_path, check=True)
    calls = {(Path(file).name, name): at for file, name, at in json.loads((tmp_path / "calls.json").read_text())}
    steps = [line for line in re.split(r"\n(?=\d+\. |\n|#)", page) if re.match(r"\d+\. ", line)]
    named = [(Path(path).name, name) for step in steps for name, path in maker.LINK.findall(step)]
    functions = [(file, name) for file, name in named if file.endswith(".py") and name.islower()]
    walked = [place for place in functions if place[1] not in ELSEWHERE]
    missing = [place for place in walked if place not in calls]
    assert not missing
    order = [calls[place] for place in walked]
    assert order == sorted(order), [place for _, place in sorted(zip(order, walked, strict=True))]


PAGES = sorted((Path(__file__).parents[2] / "docs" / "explanation").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_python_runs(page: Path) -> None:
    """Every Python block of a page, in order."""
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, page.name, "exec"), scope)


def test_architecture_is_short() -> None:
    """At most 150 lines: why things are as they are belongs to the decisions."""
    page = next(page for page in PAGES if page.name == "architecture.md")
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150


def test_bits_of_a_picture() -> None:
    """What the page of one picture prints is what it says, and the numbers of its table are those of its code."""
    page = next(page for page in PAGES if page.name == "bits.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, dict[str, float]] = {}
    for block in blocks:
        said = re.findall(r"^print\(.*\)  # (.*)$|^# (.*)$", block, re.MULTILINE)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, "bits.md", "exec"), scope)
        assert printed.getvalue().splitlines() == ["".join(line) for line in said]
    table = re.findall(r"^\| the model, .*? \| (?:\*\*)?([\d.]+)", page, re.MULTILINE)
    assert table == [f"{scope['cost'][who]:.1f}" for who in ("nothing", "set", "word", "both", "wrong")]
