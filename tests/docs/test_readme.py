"""The README runs as typed: its shell lines and then its Python, in order, in one empty folder.

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

from pointillist.cli import app

pytestmark = pytest.mark.proof

README = Path(__file__).parents[2] / "README.md"
SHORT = {"--steps": "3"}


def blocks(language: str) -> list[str]:
    """The blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


def lines() -> list[list[str]]:
    """The arguments of each `pointillist` line of the shell blocks, without their comments."""
    found = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    return [words for words in found if words]


def shortened(words: list[str]) -> list[str]:
    return [SHORT.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def run_all(short: bool) -> None:
    """Run every line in the working directory, in this process."""
    for words in lines():
        assert words[0] == "pointillist", words
        result = CliRunner().invoke(app, (shortened(words) if short else words)[1:])
        assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}\n{result.exception!r}"


def check_files() -> None:
    """Every file that a line names is there, and so is what the text promises."""
    for name in ("icons.png", "digits.png", "digits.gif", "dungeons.png"):
        with Image.open(name) as image:
            image.load()
    assert all("</html>" in Path(page).read_text(encoding="utf-8") for page in ("report.html", "odd.html"))
    assert (Path("runs/digits") / "model.safetensors").is_file()


def test_shell_lines_run_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_all(short=True)
    check_files()


def test_python_runs_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        block = re.sub(r'"steps": \d+', '"steps": 3', block)
        exec(compile(block, str(README), "exec"), {"__name__": "readme"})
    assert Path("three.png").is_file()
    assert Path("my-model-int8/model.safetensors").is_file()


def interval_of_the_tutorial() -> tuple[float, float]:
    """Return the 95 % interval of bits/dim that the first tutorial shows for the model that the README trains."""
    page = (README.parent / "docs" / "tutorial" / "first_model.md").read_text(encoding="utf-8")
    command = shlex.join(next(words for words in lines() if words[1] == "train"))
    assert command in page, "the tutorial trains another model"
    low, high = re.findall(r"^bits/dim +\S+ +\(95 % interval (\S+) to (\S+)\)", page, re.MULTILINE)[0]
    return float(low), float(high)


@pytest.mark.slow
def test_everything_runs_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is shortened, and the Python comes after the shell in the same folder, in a process of its own."""
    monkeypatch.chdir(tmp_path)
    run_all(short=False)
    check_files()
    low, high = interval_of_the_tutorial()
    result = CliRunner().invoke(app, ["evaluate", "runs/digits", "uci-digits", "--json"])
    assert low < json.loads(result.stdout)["bits_per_dim"] < high, "docs/tutorial/first_model.md shows another model"
    subprocess.run([sys.executable, "-c", "\n".join(blocks("python"))], check=True)


def test_the_readme_has_lines_to_run() -> None:
    assert len(lines()) >= 7
    assert len(blocks("python")) >= 1
    assert SHORT["--steps"] in shortened(["pointillist", "train", "x", "--steps", "1500"])
