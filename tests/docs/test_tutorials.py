"""The tutorials and the notebook work as typed: their blocks run in order in an empty folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tomllib
import venv
import warnings
from pathlib import Path

import pytest

from pointillist.commands.cli import app
from tests.scripts import script
from tests.tolerances import printed

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorial"
SMALLER = [  # so that a page takes seconds: fewer steps, images and files; nothing else changes
    (r"--steps \d+", "--steps 2"),
    (r'"steps": \d+', '"steps": 2'),
    (r" -n \d+", " -n 1"),
    (r'"train", \d+\), \("test", \d+', '"train", 12), ("test", 4'),
]
PRINTED = printed(3)
"""A probability of four decimals is that of the network in floating point; another processor rounds its logits."""


def run_blocks(blocks: list[tuple[str, str]], folder: Path) -> None:
    """Run Python and command-line blocks in order in this process, in a folder."""
    for pattern, replacement in SMALLER:
        blocks = [(language, re.sub(pattern, replacement, text)) for language, text in blocks]
    with contextlib.chdir(folder), warnings.catch_warnings(action="default"):
        for number, (language, text) in enumerate(blocks):
            if language == "python":
                exec(compile(text, f"block {number}", "exec"), {})
                continue
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    assert words[0] == "pointillist", line
                    assert not app(words[1:], standalone_mode=False), line


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Return the language and text of each `bash` and `python` block of a page."""
    return re.findall(r"^```(bash|python)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PAGES = {
    "first_model": ("digits.png", "digits.gif", "report.html", "three.png", "completed.png", "runs/digits/run.toml"),
    "own_folder": ("shapes.png", "circle.png", "runs/slower/run.toml"),
    "training_image": ("real/00000.npy", "maps/entropy.png", "maps/probability-1.npy"),
    "text_to_image": ("scenes.png", "bear.html", "icons.png", "circles.png", "words.png", "shapes.html"),
}
"""Files that the blocks of a page leave; the first page alone is quick."""


@pytest.mark.parametrize("page", [pytest.param(p, marks=[pytest.mark.slow] * (p != "first_model")) for p in PAGES])
def test_a_tutorial_runs(page: str, tmp_path: Path) -> None:
    run_blocks(blocks_of(TUTORIALS / f"{page}.md"), tmp_path)
    assert all((tmp_path / name).is_file() for name in PAGES[page])


@pytest.mark.slow
def test_inside(tmp_path: Path) -> None:
    """The page is what `tools/make_inside.py` writes, and its numbers are in the report or at the pixel it names."""
    make = script("make_inside")
    text = make.PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^\d+\. \*", text, re.MULTILINE)) == 10
    explanation = make.run(text, tmp_path)
    for passage, values in make.facts(explanation).items():
        assert make.fill(text, passage, values) == text, "run `python tools/make_inside.py`"
    (row, column) = map(int, re.findall(r"report\.html#(\d+),(\d+)", text)[0])
    view = explanation.distribution(row, column)
    (level, prob), *_ = view.top(1)
    assert level == view.observed
    of_pixel = {str(level), f"{100 * prob:.0f} %", f"{view.surprisal:.2f}"}
    report = re.sub("<[^>]+>", "", (tmp_path / "report.html").read_text(encoding="utf-8"))
    for number in re.findall(r"\*\*(.*?)\*\*", text):
        assert number in of_pixel or number in report, number


def numbers_of(text: str) -> tuple[str, list[float]]:
    """Return a text without its numbers, and the numbers."""
    number = r"-?\d+(?:\.\d+)?"
    return re.sub(number, "#", text), [float(found) for found in re.findall(number, text)]


@pytest.mark.slow
def test_notebook(tmp_path: Path) -> None:
    """Cells of the notebook share their names, and print the numbers that are stored."""
    make = script("make_notebooks")
    stored = json.loads((TUTORIALS / "views.ipynb").read_text(encoding="utf-8"))
    before, after = (list(map(numbers_of, make.texts(one))) for one in (stored, make.run(stored, tmp_path)))
    assert len(before) >= 5
    assert [words for words, _ in before] == [words for words, _ in after], "run `python tools/make_notebooks.py`"
    for (words, old), (_, new) in zip(before, after, strict=True):
        assert old == pytest.approx(new, abs=PRINTED), f"run `python tools/make_notebooks.py`: {words}"


def run_checked(name: str, checks: int, folder: Path) -> None:
    """Run a notebook as it stands, in a folder; at least so many of its cells check what its text says."""
    notebook = json.loads((TUTORIALS / name).read_text(encoding="utf-8"))
    assert sum("assert" in "".join(cell["source"]) for cell in notebook["cells"]) >= checks
    script("make_notebooks").run(notebook, folder)


@pytest.mark.slow
def test_notebook_of_odd_images(tmp_path: Path) -> None:
    """As it stands: its cells check what its text says, and the detector is stored."""
    run_checked("odd_images.ipynb", 2, tmp_path)
    assert (tmp_path / "runs" / "digits-normal" / "anomaly_detector.json").is_file()


@pytest.mark.slow
def test_notebook_of_known_answers(tmp_path: Path) -> None:
    """As it stands, on 4x4 sites: its cells compare formula, sum over all states, and importance weights."""
    run_checked("known_answers.ipynb", 4, tmp_path)


@pytest.mark.slow
def test_install(tmp_path: Path) -> None:
    """Its lines install a copy of the sources in a new environment, where dependencies are those of the tests."""
    clone, environment = tmp_path / "clone", tmp_path / "environment"
    for name in ("src", "runtime", "packaging", "tools"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    venv.create(environment)
    (python,) = environment.glob("*/python" + (".exe" if os.name == "nt" else ""))
    packages = [sysconfig.get_path("purelib", vars={"base": str(environment)}), sysconfig.get_path("purelib")]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(packages)}

    def typed(*words: str) -> str:
        done = subprocess.run([str(python), *words], cwd=clone, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    page = TUTORIALS / "install.md"
    lines = [line for _, text in blocks_of(page) for line in text.splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("pip install -e ")
        typed("-m", *shlex.split(line))
    assert "digits" in typed("-m", "pointillist", "models")
    shown = typed("-c", "import pointillist.errors as e; print(e.__file__, e.MissingExtraError('X', 'ray'))")
    assert shown.startswith(str(clone / "src"))
    assert "run `pip install -e '.[ray]'`" in shown
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    cells = re.findall(r"^\| (`.+?) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(.+?)`", cell)} <= set(extras)


def test_every_tutorial_is_run() -> None:
    """A new page needs a test of its own here."""
    pages = {path.name for path in TUTORIALS.iterdir() if path.suffix in {".md", ".ipynb"}}
    elsewhere = {"tour.md"}  # with the README, in test_readme.py
    notebooks = {"views.ipynb", "odd_images.ipynb", "known_answers.ipynb"}
    assert pages == {f"{page}.md" for page in PAGES} | {"install.md", "inside.md"} | notebooks | elsewhere
