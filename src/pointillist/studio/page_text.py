"""The files of the page, joined: for the server and for an exported page."""

from __future__ import annotations

import re
from importlib.resources import files

from pointillist.engine.library import runtime_text
from pointillist.images.visualization.html import bundle, tokens_style

PAGE = files("pointillist.studio").joinpath("page")
_STYLES = ("tools.css", "studio.css", "layouts.css")  # later ones override earlier ones


def page_text(path: str) -> str:
    """Return the text of a file of the page; files of `runtime/` are the decoder in JavaScript."""
    folder, _, name = path.rpartition("/")
    return runtime_text(name) if folder == "runtime" else PAGE.joinpath(path).read_text(encoding="utf-8")


def script_text(entry: str) -> str:
    """Join a module of the page and all that it imports; see `bundle`."""
    return bundle(entry, page_text)


def style_text(*more: str) -> str:
    """Join the style sheets of the page, and further ones, without comments."""
    sheets = tokens_style(".studio") + "".join(page_text(name) for name in (*_STYLES, *more))
    return re.sub(r"[ \t]*/\*.*?\*/\n?", "", sheets, flags=re.DOTALL)
