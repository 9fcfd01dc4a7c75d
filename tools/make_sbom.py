"""Bill of materials of a wheel (PEP 770), CycloneDX 1.6: a build of a wheel adds it, and this script prints it.

It names what a scanner cannot see from Python: the libraries in C with their hashes, sources and compiler. They are
built with `-nostdlib`, so that no other library is linked into them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

LIBRARIES = "src/pointillist/engine/c/lib"


def bill(root: Path, version: str) -> dict[str, Any]:
    """Make the document of a source tree."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    licence = [{"license": {"id": project["license"]}}]
    compiler = next(name for name in project["optional-dependencies"]["runtime"] if name.startswith("ziglang"))
    main = {"type": "library", "bom-ref": "pointillist", "name": "pointillist", "version": version}
    libraries = [
        {
            "type": "library",
            "bom-ref": path.name,
            "name": path.name,
            "version": version,
            "licenses": licence,
            "description": "runtime/pointillist.c and the files that it includes, compiled without a standard library",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
            "properties": [
                {"name": "file", "value": f"pointillist/engine/c/lib/{path.name}"},
                {"name": "compiler", "value": f"clang of {compiler}"},
            ],
        }
        for path in sorted((root / LIBRARIES).iterdir())
        if path.suffix != ".py"
    ]
    needed = [re.findall(r"^[\w.-]+", requirement)[0] for requirement in project["dependencies"]]
    python = [{"type": "library", "bom-ref": f"pypi:{name}", "name": name, "scope": "required"} for name in needed]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**main, "licenses": licence, "description": project["description"]}},
        "components": [*libraries, *python],
        "dependencies": [
            {"ref": "pointillist", "dependsOn": [part["bom-ref"] for part in (*libraries, *python)]},
            *({"ref": part["bom-ref"], "dependsOn": []} for part in (*libraries, *python)),
        ],
    }


if __name__ == "__main__":
    print(json.dumps(bill(Path(__file__).parents[1], "0"), indent=2))
