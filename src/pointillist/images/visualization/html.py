"""Pages in a single file: pieces of HTML with escaped text, the style sheet that pages share, ES modules as one script.

A module keeps its scope: it becomes a function that returns what it exports. Modules import each other by relative
paths, `import { a, b } from "../shared/dom.js";`, one import a line; modules of `shared` belong to every page.
"""

from __future__ import annotations

import base64
import io
import posixpath
import re
from collections.abc import Callable, Iterable
from graphlib import TopologicalSorter
from html import escape
from importlib.resources import files

import numpy as np
from PIL import Image

from pointillist.images import as_pil
from pointillist.images.visualization.pixels import diverging_colors, png_bytes, sequential_colors

_TICKS = 8  # parts of a scale, at most


def tokens_style(scope: str = ":root") -> str:
    """Return the style sheet of colours and type, for the elements of a selector."""
    style = (files("pointillist.images.visualization") / "tokens.css").read_text(encoding="utf-8")
    return style.replace(":root", scope)


def base_style() -> str:
    """Return the style sheet that reports share."""
    return tokens_style() + (files("pointillist.images.visualization") / "base.css").read_text(encoding="utf-8")


def data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def last_frame(gif: bytes) -> str:
    """Return the last frame of an animation as a data URI, for readers who prefer reduced motion."""
    with Image.open(io.BytesIO(gif)) as film:
        film.seek(getattr(film, "n_frames", 1) - 1)
        return data_uri(png_bytes(film.convert("RGB")), "png")


def pixels(array: np.ndarray, alt: str) -> str:
    """Render an image `h w c` at its own size; the style sheet enlarges it by whole numbers."""
    height, width = array.shape[:2]
    source = data_uri(png_bytes(as_pil(array)), "png")
    return (
        f'<img class="px" style="--w:{width};--h:{height}" width="{width}" height="{height}" '
        f'src="{source}" alt="{escape(alt)}">'
    )


def marked(picture: str, size: tuple[int, int], sites: Iterable[tuple[int, int]]) -> str:
    """Frame some pixels of a picture that `pixels` or one of the maps rendered.

    Args:
        picture: the rendered picture.
        size: its height and width, in pixels.
        sites: row and column of each pixel to frame.
    """
    height, width = size
    side = f"width:{100 / width:.4f}%;height:{100 / height:.4f}%"
    frames = "".join(
        f'<i style="left:{100 * column / width:.4f}%;top:{100 * row / height:.4f}%;{side}"></i>'
        for row, column in sites
    )
    return f'<span class="marked">{picture}{frames}</span>'


def sequential_map(values: np.ndarray, top: float, alt: str) -> str:
    """Render a map `h w` of numbers from 0 to `top`."""
    return pixels(sequential_colors(values, top), alt)


def diverging_map(values: np.ndarray, top: float, alt: str) -> str:
    """Render a map `h w` of numbers from -`top` to `top`."""
    return pixels(diverging_colors(values, top), alt)


def diverging_scale(top: float, unit: str) -> str:
    ramp = data_uri(png_bytes(as_pil(diverging_colors(np.linspace(-top, top, 256)[None], top))), "png")
    marks = "".join(f"<span><b>{tick}</b></span>" for tick in (f"\u2212{top:g} or less", "0", f"{top:g} or more"))
    return (
        f'<div class="scale"><img src="{ramp}" alt="Colour scale from {-top:g}, blue, to {top:g} {escape(unit)}, red">'
        f"<div>{marks}</div><p>{escape(unit)}</p></div>"
    )


def sequential_scale(top: float, over: bool, unit: str = "bits") -> str:
    """Render the colour scale from 0 to `top`; `over` says that there are larger numbers."""
    ramp = data_uri(png_bytes(as_pil(sequential_colors(np.linspace(0, top, 256)[None], top))), "png")
    step = next(k for k in range(1, int(top) + 1) if top % k == 0 and top / k <= _TICKS)
    ticks = [f"{k}" for k in range(0, int(top) + 1, step)]
    ticks[-1] += f" {unit} or more" if over else f" {unit}"
    marks = "".join(f"<span><b>{escape(tick)}</b></span>" for tick in ticks)
    return (
        f'<div class="scale"><img src="{ramp}" alt="Colour scale from 0, dark, to {top:g} {escape(unit)}, bright">'
        f"<div>{marks}</div></div>"
    )


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Render a table of names and values."""
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return f"<dl class='facts'>{body}</dl>"


SHARED = files("pointillist.images.visualization") / "page" / "shared"
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "(\.{1,2}/[\w./-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function\*?|class|const) (\w+))", re.MULTILINE)
# a comment after code has no quotes, so that `//` within a string is none
_COMMENTS = re.compile(r"[ \t]*/\*\*.*?\*/\n?|^[ \t]*//[^\n]*\n|[ \t]+// [^\n\"'`]*$|^\n", re.DOTALL | re.MULTILINE)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """Join a module and all that it imports.

    Args:
        entry: path of the module from the folder of the page.
        read: returns the text of a module by its path; modules of `shared/` are read here.

    Returns:
        Statements that define `modules`: the exports of each module by its path.

    Example:
        script = bundle("main.js", lambda path: (folder / path).read_text())
    """
    texts: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    unread = [entry]
    while unread:
        path = unread.pop()
        if path not in texts:
            folder, name = posixpath.split(path)
            texts[path] = (SHARED / name).read_text(encoding="utf-8") if folder == "shared" else read(path)
            imports[path] = [_resolve(path, target) for _, target in _IMPORT.findall(texts[path])]
            unread += imports[path]
    order = TopologicalSorter(imports).static_order()
    return "\n".join(["const modules = {};", *(_function(path, texts[path]) for path in order)])


def _resolve(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _function(path: str, text: str) -> str:
    """Return the statement that runs a module and keeps its exports, without types, comments and indentation."""

    def constant(match: re.Match[str]) -> str:
        return f'const {match[1].replace(" as ", ": ")} = modules["{_resolve(path, match[2])}"];'

    exports = _EXPORT.findall(text)
    text = re.sub(r"(?m)^[ \t]+", "", _EXPORT.sub("", _IMPORT.sub(constant, _COMMENTS.sub("", text))))
    return f'modules["{path}"] = (() => {{\n{text}\nreturn {{ {", ".join(exports)} }};\n}})();'
