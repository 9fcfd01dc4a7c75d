"""Write every generated page and file that needs no measurement: `python tools/make_docs.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGES = (
    "api",
    "cli",
    "settings",
    "models --text",
    "speed",
    "zoo_page",
    "walk",
    "messages",
    "listing",
    "stubs",
    "opcodes",
)

if __name__ == "__main__":
    for name, *options in map(str.split, PAGES):
        subprocess.run([sys.executable, str(Path(__file__).with_name(f"make_{name}.py")), *options], check=True)
