"""Settings of the documentation site, `make docs`: the pages of this folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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
html_static_path = ["site", "../src/pointillist/images/visualization/tokens.css"]
html_css_files = ["tokens.css", "site.css"]
# the address of the site, of the setting by which `pointillist sample` prints links to its live pages
html_baseurl = os.environ.get("POINTILLIST_SITE", "").rpartition("live/")[0]
html_favicon = "../src/pointillist/studio/page/icon.svg"
COLOURS = {
    "background-primary": "paper",
    "background-secondary": "card",
    "background-border": "line",
    "foreground-primary": "ink",
    "foreground-secondary": "soft",
    "sidebar-caption-text": "soft",
    "brand-primary": "accent-text",
    "brand-content": "accent-text",
    "brand-visited": "accent-text",
}
"""Variables of the theme, with those of the package's style sheet, which is light and dark."""
VARIABLES = {f"color-{name}": f"var(--{ours})" for name, ours in COLOURS.items()}
html_theme_options = {"light_css_variables": VARIABLES, "dark_css_variables": VARIABLES}

# pages that paint without a server, to which the front page links, and the script that paints on it: written again, as
# they are the package's own
LIVE = ("scenes", "digits", "dungeons", "icons", "outline-to-tile", "photos")
SCRIPTS = ("digits", "icons", "scenes", "dungeons", "outline-to-tile")  # of the front page, its cards and the article
MOST_BYTES = 3_500_000  # of a page or a script
MOST_FRONT = 1_300_000  # of the model that the front page loads at once, with less than 200,000 besides
TOOLS = Path(__file__).parents[1] / "tools"


def write_live_pages(app: Sphinx, error: Exception | None) -> None:
    """Write the exported pages of some bundled models next to the site."""
    if error is not None or app.builder.format != "html" or app.srcdir != app.confdir:
        return
    folder = Path(app.outdir) / "live"
    folder.mkdir(exist_ok=True)
    for name in LIVE:
        page = folder / f"{name}.html"
        page.unlink(missing_ok=True)
        pointillist.export(name, html=page)
        check_size(page, MOST_BYTES)
    for name in SCRIPTS:
        script = folder / f"{name}.js"
        subprocess.run([sys.executable, str(TOOLS / "make_front_script.py"), name, str(script)], check=True)
        check_size(script, MOST_FRONT if name == "digits" else MOST_BYTES)


def check_size(file: Path, most: int) -> None:
    """Refuse a file that a visitor would wait for."""
    if file.stat().st_size > most:
        raise ExtensionError(f"{file} has {file.stat().st_size:,} bytes, over {most:,}: leave it out.")


# what axe-core finds in the pages of the theme: pairs of a pattern and what takes its place
MENDS = (
    (r'<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    (r'<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="Site">'),
    (r'<aside class="toc-drawer', '<aside aria-label="This page" class="toc-drawer'),
    (
        r'<div class="content-icon-container">',
        '<div class="content-icon-container" role="navigation" aria-label="Page">',
    ),
    (r"<pre>", '<pre tabindex="0">'),  # code and tables that scroll can be reached by keys
    (r'<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    (r'<th class="head">(<p></p>)?</th>', "<td></td>"),
    (r'(?s)(?<!"Top">)(<a href="#" class="back-to-top.*?</a>)', r'<nav aria-label="Top">\1</nav>'),
    (r'(?<=<meta content=")(?=_images/[^"]*" property="og:image")', html_baseurl),  # whole, as chats want it
)


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend what the theme writes, in every page."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).glob("**/*.html"):
            if "live" not in page.parts:
                text = page.read_text(encoding="utf-8")
                page.write_text(mended(text), encoding="utf-8")


def mended(text: str) -> str:
    """Return a page in which axe-core finds nothing; what was mended stays as it is."""
    for pattern, replacement in MENDS:
        text = re.sub(pattern, replacement, text)
    return text


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
    app.connect("build-finished", mend_pages, priority=400)  # before the live pages are there
    app.connect("build-finished", write_live_pages)
