"""The formats of programs and archives are frozen: golden files stay as they are, and an unknown version is rejected.

That they are read as ever is tested where they are: `tests/portable/test_golden.py`, `tests/compression/test_golden.py`
and, by the second implementation, `tests/runtime/test_javascript.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import pointillist as pt
from pointillist.compression import container, decompress
from pointillist.compression.about import WORDS
from pointillist.engine.opcodes import OPCODES
from pointillist.model.portable import load
from pointillist.model.portable.files import VERSIONS
from tests.compression.golden.make import HERE as ARCHIVES
from tests.compression.golden.make import METADATA, MODELS
from tests.frozen_files import frozen_files, golden_files

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "program_format.md"


def test_no_golden_file_changes() -> None:
    """Each has the checksum that it had when its version was frozen; a new one is added by `tests.frozen_files`."""
    assert golden_files() == frozen_files()


def test_the_page_is_about_these_versions() -> None:
    """A new version of either format is written down on the page."""
    text = PAGE.read_text(encoding="utf-8")
    assert f"# Program format, versions {VERSIONS[0]} to {VERSIONS[-1]}\n" in text
    assert all(f"## Version {version}" in text for version in VERSIONS[1:])
    assert (container.VERSION, container.VERSION_OF_TILES, container.VERSION_OF_ARRAYS) == (1, 2, 3)
    assert (container.VERSION_OF_PACKED, container.VERSION_OF_LEARNED) == (4, 5)
    assert WORDS.decode() in text.replace("\n    ", "")


def test_the_page_names_every_opcode() -> None:
    """Those of integer programs, and no other."""
    parts = re.split(r"\n(?=## )", PAGE.read_text(encoding="utf-8"))
    lines = [line for part in parts if part.startswith(("## Opcodes", "## Version")) for line in part.splitlines()]
    named = {name for line in lines if line.startswith("| `") for name in re.findall(r"`([A-Z_]+)`", line)}
    assert named == {name for name, opcode in OPCODES.items() if opcode.has_integers}


@pytest.mark.parametrize("name", ["metadata", "named"])
def test_an_archive_with_metadata_is_read(name: str) -> None:
    """Pictures between two records of metadata, or between metadata in the header and a record."""
    archive, model = (ARCHIVES / f"{name}.pxl").read_bytes(), load(MODELS / "gated-pixelcnn")
    assert pt.Archive(archive, model).metadata == METADATA
    with np.load(ARCHIVES / "images.npz") as images:
        assert np.array_equal(decompress(archive, model), images["one"])


@pytest.mark.parametrize("flags", [0x00, 0x14, 0x18, 0x24, 0x34, 0x60])
def test_another_version_of_an_archive_is_rejected(flags: int) -> None:
    """Or flags that there are not."""
    archive = bytearray((ARCHIVES / "one.pxl").read_bytes())
    archive[3] = flags
    with pytest.raises(pt.ArchiveError, match="upgrade pointillist"):
        decompress(bytes(archive), load(MODELS / "gated-pixelcnn"))
