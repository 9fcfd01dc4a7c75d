"""The page of the studio as a notebook widget: its modules and its style in one text, its requests by messages."""

from __future__ import annotations

import json
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from fastapi import FastAPI

from pointillist.studio.bridge import Bridge

PAGE = files("pointillist.studio").joinpath("page")
_IMPORT = re.compile(r'^import .* from "\./([\w-]+\.js)";$', re.MULTILINE)

# every module becomes a blob of the page that shows it, with the addresses of those it imports: no network is needed
_START = """
const sources = %(sources)s, style = %(style)s, made = {};
for (const [name, text] of sources) {
  let linked = text;
  for (const [other, url] of Object.entries(made)) linked = linked.replaceAll(`from "./${other}";`, `from "${url}";`);
  made[name] = URL.createObjectURL(new Blob([linked], { type: "text/javascript" }));
}
const { render } = await import(made["widget.js"]);
Object.values(made).forEach((url) => URL.revokeObjectURL(url));
export default { render: (where) => render(where, style) };
"""


def module_text() -> str:
    """One module that brings all others, each after those that it imports, and the style."""
    texts: dict[str, str] = {}
    unread = ["widget.js"]
    while unread:
        name = unread.pop()
        if name not in texts:
            texts[name] = PAGE.joinpath(name).read_text(encoding="utf-8")
            unread += _IMPORT.findall(texts[name])
    order = TopologicalSorter({name: _IMPORT.findall(text) for name, text in texts.items()}).static_order()
    style = PAGE.joinpath("studio.css").read_text(encoding="utf-8")
    return _START % {"sources": json.dumps([[name, texts[name]] for name in order]), "style": json.dumps(style)}


class Widget(anywidget.AnyWidget):
    """Shows the page, and carries its requests to an application."""

    _esm = module_text()
    height = traitlets.Int(760, help="pixels of the screen; a narrow one takes more").tag(sync=True)

    def __init__(self, app: FastAPI, height: int) -> None:
        super().__init__(height=height)
        self.bridge = Bridge(app, self.send)
        self.on_msg(self._hear)

    def _hear(self, widget: Any, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.bridge.hear(message, buffers)
