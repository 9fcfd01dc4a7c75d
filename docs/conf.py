"""Settings of the documentation site, `make docs`: the pages of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils.nodes import document
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import pointillist

project, author, copyright = "Pointillist", "the Pointillist authors", "the Pointillist authors, Apache-2.0"
release = version = pointillist.__version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
html_theme = "furo"
html_title = f"Pointillist {release}"
smartquotes = False  # `--help` is two hyphens


# pages that paint without a server, which the front page shows: written again, as they are the package's own
LIVE = ("digits", "dungeons")
MOST_BYTES = 1_500_000


def write_live_pages(app: Sphinx, error: Exception | None) -> None:
    """Write the exported pages of some bundled models next to the site."""
    if error is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "live"
    folder.mkdir(exist_ok=True)
    for name in LIVE:
        page = folder / f"{name}.html"
        page.unlink(missing_ok=True)
        pointillist.export(name, html=page)
        if page.stat().st_size > MOST_BYTES:
            raise ExtensionError(f"{page} has {page.stat().st_size:,} bytes, over {MOST_BYTES:,}: leave it out.")


class NotebookParser(MystParser):
    """Read a notebook as a page: its text, its code, and what came of it."""

    supported = ("ipynb",)

    def parse(self, inputstring: str, document: document) -> None:
        """Parse a notebook as Markdown."""
        cells = json.loads(inputstring)["cells"]
        super().parse("\n\n".join(part for cell in cells for part in parts_of(cell)), document)


def parts_of(cell: dict[str, Any]) -> list[str]:
    """Convert a cell of a notebook to Markdown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    parts = [f"```python\n{source}\n```"]
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            picture = "".join(data["image/png"]).replace("\n", "")
            parts.append(f'```{{raw}} html\n<img src="data:image/png;base64,{picture}" alt="What the cell shows">\n```')
        else:
            text = "".join(output.get("text", data.get("text/plain", []))).rstrip()
            parts.append(f"```text\n{text}\n```")
    return parts


def setup(app: Sphinx) -> None:
    """Add what `make docs` makes next to the pages of this folder."""
    app.add_source_suffix(".ipynb", "ipynb")
    app.add_source_parser(NotebookParser)
    app.connect("build-finished", write_live_pages)
