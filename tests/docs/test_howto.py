"""The how-to pages run as they stand: the code that extends the package passes the laws, commands work in order."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointillist.commands.cli.app import app

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
EXTENSIONS = {"add_a_network.md": "my_network.py", "add_a_condition.md": "my_condition.py"}
SLOW = pytest.mark.slow
GUIDES = [
    "../reference/file_formats.md",
    "quantize.md",
    "compress.md",
    "sixteen_bits.md",
    "export.md",
    "complete.md",
    "detect.md",
    "maps.md",
    "worlds.md",
    "larger_images.md",
    "choose_an_engine.md",
    pytest.param("condition_and_guide.md", marks=SLOW),
    pytest.param("fine_tune.md", marks=SLOW),
    pytest.param("jobs.md", marks=SLOW),
    pytest.param("resume_and_distribute.md", marks=SLOW),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("page", EXTENSIONS)
def test_a_stranger_extends_the_package(page: str, tmp_path: Path) -> None:
    """The first block is the file that the page names, of about 40 lines; the others run in order in one process."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    first, *others = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len([line for line in first.splitlines() if line.strip()]) <= 45
    (tmp_path / EXTENSIONS[page]).write_text(first, encoding="utf-8")
    (tmp_path / "use.py").write_text("\n".join(others), encoding="utf-8")
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import runpy; runpy.run_path('use.py')"
    done = subprocess.run([sys.executable, "-c", path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def shorten(text: str) -> str:
    """Divide the steps of a page by 500, and replace epochs by 2 steps."""
    text = re.sub(r"--epochs \d+", "--steps 2", text)
    text = re.sub(r'"epochs": \d+', '"steps": 2', text)
    text = re.sub(r'(--steps |"steps": )(\d+)', lambda m: f"{m[1]}{max(1, int(m[2]) // 500)}", text)
    return re.sub(r"(intervals\.save=)(\d+)", lambda m: f"{m[1]}{max(1, int(m[2]) // 500)}", text)


def run_command(line: str) -> None:
    """Run a line of a `bash` block: `pointillist` in this process, others in their own, where they are installed."""
    program, *arguments = shlex.split(line)
    if program == "torchrun":
        command = [sys.executable, "-m", "torch.distributed.run", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    if program in ("make", "node") or "/" in program:
        if shutil.which(program) is not None:
            subprocess.run(line, shell=True, check=True)
        return
    assert program == "pointillist"
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize("page", GUIDES)
def test_the_guide_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page in order, in an empty folder, with few steps; `text` blocks are output."""
    monkeypatch.chdir(tmp_path)
    text = shorten((ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8"))
    scope: dict[str, object] = {}
    blocks = BLOCK.findall(text)
    assert blocks
    for language, block in blocks:
        if language == "python":
            exec(compile(block, page, "exec"), scope)
        elif language == "bash":
            for line in block.splitlines():
                run_command(line)
        elif language in ("toml", "js"):
            name = block.partition("\n")[0].removeprefix("# ").removeprefix("// ")
            (tmp_path / name).write_text(block, encoding="utf-8")
        else:
            assert language in ("text", "json"), language
