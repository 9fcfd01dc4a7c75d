"""The pages on extending the package: their code runs as it stands, and passes the laws."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {"add_a_network.md": "my_network.py", "add_a_condition.md": "my_condition.py"}


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_extends_the_package(page: str, tmp_path: Path) -> None:
    """The first block is the file that the page names, of about 40 lines; the others run in order in one process."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    first, *others = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len([line for line in first.splitlines() if line.strip()]) <= 45
    (tmp_path / PAGES[page]).write_text(first, encoding="utf-8")
    (tmp_path / "use.py").write_text("\n".join(others), encoding="utf-8")
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import runpy; runpy.run_path('use.py')"
    done = subprocess.run([sys.executable, "-c", path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
