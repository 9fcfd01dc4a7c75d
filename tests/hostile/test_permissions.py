"""Folders that may not be read or written, as an ordinary user: one sentence, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ORDINARY = 65_534  # `nobody`

PROGRAM = """
import os, sys
from pathlib import Path
from typer.testing import CliRunner
import pointillist
from pointillist.commands.cli import app

lines = sys.stdin.read().splitlines()
user, closed, opened = int(sys.argv[1]), *sys.argv[2:]
if os.getuid() == 0:
    # once as root, in a folder like the other, so that all is imported that the user may not be allowed to read
    os.chdir(opened)
    for line in lines:
        CliRunner().invoke(app, line.split())
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
if not os.access(Path(pointillist.__file__).parent / "zoo" / "digits" / "config.json", os.R_OK):
    sys.exit("unreadable")
os.chdir(closed)
for line in lines:
    result = CliRunner().invoke(app, line.split())
    sentences = [text for text in result.output.splitlines() if text.startswith("Error: ")]
    # a path that an option itself checks is named in the box of a wrong usage
    shown = sentences[0] if len(sentences) == 1 else " ".join(result.output.split())
    print(result.exit_code, type(result.exception).__name__, shown)
"""

CASES = {
    "sample digits -n 1 --engine numpy --out closed/a.png": "closed",
    "sample digits -n 1 --engine numpy --out closed/a/": "closed",
    "sample digits -n 1 --engine numpy --out closed/a.npz": "closed",
    "evaluate digits images.npz --set data.size=28x28 --per-image closed/a.csv": "closed",
    "quantize digits images.npz --set data.size=28x28 --out closed/q": "closed",
    "train images.npz --steps 1 --out closed/r": "closed",
    "info secret.npz": "secret.npz",
    "train secret.npz --steps 1 --out r": "secret.npz",
    "train --config secret.toml --out r": "secret.toml",
    "sample digits -n 1 --palette secret.hex --out a.png": "secret.hex",
    "sample secret -n 1 --out a.png": "secret",
    "reproduce digits secret.json": "secret.json",
    "explain digits secret.png": "secret.png",
}


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that every user may enter, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def prepare(folder: Path) -> Path:
    """A folder with images, and with files and folders that only root may read or write."""
    folder.mkdir()
    np.savez(folder / "images.npz", x=np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8) % 16)
    for name in ("secret.npz", "secret.toml", "secret.hex", "secret.json", "secret.png"):
        (folder / name).write_text("x")
        (folder / name).chmod(0)
    (folder / "secret").mkdir(mode=0)
    (folder / "closed").mkdir(mode=0o555)
    folder.chmod(0o777)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_permissions(everybodys: Path) -> None:
    """What may not be read or written is named; the folder stays as it was."""
    closed, opened = prepare(everybodys / "a"), prepare(everybodys / "b")
    program = [sys.executable, "-c", PROGRAM, str(ORDINARY), str(closed), str(opened)]
    places = {"HOME": str(closed), "XDG_CACHE_HOME": str(closed / "cache"), "TMPDIR": str(closed)}
    text = "\n".join(CASES)
    done = subprocess.run(program, input=text, capture_output=True, text=True, env={**os.environ, **places})
    for folder in (closed, opened):
        (folder / "secret").chmod(0o755)
    if done.stderr.strip() == "unreadable":
        pytest.skip("this is root, and an ordinary user cannot read the installation")
    lines = done.stdout.splitlines()
    assert len(lines) == len(CASES), done.stderr
    for line, (command, words) in zip(lines, CASES.items(), strict=True):
        assert line.startswith("2 SystemExit "), (command, line)
        assert words in line, (command, line)
    assert not list((closed / "closed").iterdir())
