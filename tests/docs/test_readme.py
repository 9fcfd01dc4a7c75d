"""README and tour run as typed: their shell lines and then their Python, in order, each in one empty folder.

The fast tests shorten the trainings by their own documented setting, `steps`; the slow one types every line as it is.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from pointillist.commands.cli import app

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
README, TOUR = ROOT / "README.md", ROOT / "docs" / "tutorial" / "tour.md"
SHORT = {"--steps": "3"}


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def lines(page: Path) -> list[list[str]]:
    """The arguments of each `pointillist` line of the shell blocks, without their comments."""
    found = [shlex.split(line, comments=True) for block in blocks(page, "bash") for line in block.splitlines()]
    return [words for words in found if words]


def shortened(words: list[str]) -> list[str]:
    return [SHORT.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def run_all(page: Path, short: bool) -> None:
    """Run every line in the working directory, in this process."""
    for words in lines(page):
        assert words[0] == "pointillist", words
        result = CliRunner().invoke(app, (shortened(words) if short else words)[1:])
        assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}\n{result.exception!r}"


def check_files(page: Path) -> None:
    """Every file that a line names is there, and so is what the text promises."""
    written = {words[words.index("--out") + 1] for words in lines(page) if "--out" in words}
    for name in {"digits.gif", *(name for name in written if name.endswith(".png"))}:
        with Image.open(name) as image:
            image.load()
    pages = [word for words in lines(page) for word in words if word.endswith(".html")]
    assert all("</html>" in Path(name).read_text(encoding="utf-8") for name in pages)
    assert all(Path(name).exists() for name in written)
    assert (Path("runs/digits") / "model.safetensors").is_file()


@pytest.mark.parametrize("page", [README, TOUR], ids=lambda page: page.stem)
def test_shell_lines_run_in_an_empty_folder(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_all(page, short=True)
    check_files(page)


def test_python_runs_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(TOUR, "python"):
        block = re.sub(r'"steps": \d+', '"steps": 3', block)
        exec(compile(block, str(TOUR), "exec"), {"__name__": "tour"})
    assert Path("three.png").is_file()
    assert Path("my-model/model.safetensors").is_file()


def interval_of_the_tutorial() -> tuple[float, float]:
    """Return the 95 % interval of bits/dim that the first tutorial shows for the model that README and tour train."""
    page = (README.parent / "docs" / "tutorial" / "first_model.md").read_text(encoding="utf-8")
    for typed in (README, TOUR):
        command = shlex.join(next(words for words in lines(typed) if words[1] == "train"))
        assert command in page, "the tutorial trains another model"
    low, high = re.findall(r"^95 % interval +(\S+) to (\S+)", page, re.MULTILINE)[0]
    return float(low), float(high)


@pytest.mark.slow
def test_everything_runs_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is shortened, and the Python comes after the shell in the same folder, in a process of its own."""
    monkeypatch.chdir(tmp_path)
    run_all(TOUR, short=False)
    check_files(TOUR)
    low, high = interval_of_the_tutorial()
    result = CliRunner().invoke(app, ["evaluate", "runs/digits", "uci-digits", "--json"])
    assert low < json.loads(result.stdout)["bits_per_dim"] < high, "docs/tutorial/first_model.md shows another model"
    subprocess.run([sys.executable, "-c", "\n".join(blocks(TOUR, "python"))], check=True)


def test_the_pages_have_lines_to_run() -> None:
    """Five in the README, whose commands are among the tour's."""
    assert len(lines(README)) == 5
    assert len(lines(TOUR)) >= 9
    assert len(blocks(TOUR, "python")) >= 1
    assert {words[1] for words in lines(README)} <= {words[1] for words in lines(TOUR)}
    assert SHORT["--steps"] in shortened(["pointillist", "train", "x", "--steps", "1500"])
