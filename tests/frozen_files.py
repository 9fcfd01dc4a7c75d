"""Checksums of the golden programs and archives, which stay as they are for ever.

    python -m tests.frozen_files

adds the files that are new, and changes no entry: the formats are frozen. Another version has other files.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parent
PATH = ROOT / "frozen_files.json"
FOLDERS = ("portable/golden", "compression/golden")
SUFFIXES = ("program.json", ".safetensors", ".pxl", ".npz")


def golden_files() -> dict[str, str]:
    """Return the SHA-256 of each golden file, by its path below `tests`."""
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.name.endswith(SUFFIXES))
    return {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def frozen_files() -> dict[str, str]:
    """Return the committed checksums."""
    result: dict[str, str] = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    return result


def main() -> None:
    """Add new files."""
    PATH.write_text(json.dumps(golden_files() | frozen_files(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
