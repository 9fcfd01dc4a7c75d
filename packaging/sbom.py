"""Hook of hatchling: a wheel gets the bill of materials of `tools/make_sbom.py`, in `.dist-info/sboms`."""

from __future__ import annotations

import json
import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SbomHook(BuildHookInterface[Any]):
    """Add the bill of materials to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it, and name it to hatchling."""
        root = Path(self.root)
        document = runpy.run_path(str(root / "tools" / "make_sbom.py"))["bill"](root, self.metadata.version)
        path = Path(tempfile.mkdtemp()) / "pointillist.cdx.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(path))
