"""Write a model as a script, for the site: `python tools/make_front_script.py MODEL FILE`.

`pointillist export --js` writes a module, which a browser does not load for a page that was opened from disk. The
script is the same text, and hands its function over as `openModel`. `make docs` writes it next to the site.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pointillist as pt

EXPORT = "export const open = "


def write(model: str, file: Path) -> None:
    """Write the script of a model.

    Raises:
        ValueError: if the module does not hand over one function.
    """
    with tempfile.TemporaryDirectory() as folder:
        pt.export(model, js=folder)
        text = Path(folder, f"{model}.js").read_text(encoding="utf-8")
    if text.count(EXPORT) != 1:
        raise ValueError(f"The module of {model} (={text.count(EXPORT)} times {EXPORT!r}) must hand over one function.")
    script = text.replace(EXPORT, "globalThis.openModel = ")
    script, _, _ = script.partition("\nexport default ")  # for `load` of the package
    file.write_text(f'(() => {{\n"use strict";\n{script}\n}})();\n', encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
