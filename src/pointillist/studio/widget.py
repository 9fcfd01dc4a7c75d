"""The page of the studio as a notebook widget: one ES module with all scripts and the style, requests over a comm."""

from __future__ import annotations

import json
import posixpath
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from fastapi import FastAPI

from pointillist.studio.comm_bridge import CommBridge

PAGE = files("pointillist.studio").joinpath("page")
_STYLES = ("tools.css", "studio.css", "layouts.css")  # in the order of index.html
_IMPORT = re.compile(r'^(import .* from ")(\.{1,2}/[\w./-]+\.js)(";)$', re.MULTILINE)
_PAGE_IMPORT = re.compile(r'^(import .* from ")([\w/-]+\.js)(";)$', re.MULTILINE)

# every module becomes a blob URL of the page that shows it, with its imports linked to other blobs: no network needed
_START = """
const sources = %(sources)s, style = %(style)s, urls = {};
for (const [name, text] of sources) {
  let linked = text;
  for (const [other, url] of Object.entries(urls)) linked = linked.replaceAll(`from "${other}";`, `from "${url}";`);
  urls[name] = URL.createObjectURL(new Blob([linked], { type: "text/javascript" }));
}
const { render } = await import(urls["widget.js"]);
Object.values(urls).forEach((url) => URL.revokeObjectURL(url));
export default { render: (context) => render(context, style) };
"""


def module_text() -> str:
    """Join all scripts of the page, each after its imports, and the style to one module."""
    texts: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    unread = ["widget.js"]
    while unread:
        name = unread.pop()
        if name not in texts:
            texts[name] = _with_page_paths(name, PAGE.joinpath(name).read_text(encoding="utf-8"))
            imports[name] = [path for _, path, _ in _PAGE_IMPORT.findall(texts[name])]
            unread += imports[name]
    style = "".join(PAGE.joinpath(name).read_text(encoding="utf-8") for name in _STYLES)
    sources = [[name, texts[name]] for name in TopologicalSorter(imports).static_order()]
    return _START % {"sources": json.dumps(sources), "style": json.dumps(style)}


def _with_page_paths(name: str, text: str) -> str:
    """Write the imports of a script as paths from the folder of the page: `../widgets/dom.js` as `widgets/dom.js`."""
    folder = posixpath.dirname(name)
    return _IMPORT.sub(lambda m: m[1] + posixpath.normpath(posixpath.join(folder, m[2])) + m[3], text)


class Widget(anywidget.AnyWidget):
    """Shows the page, and forwards its requests to an application."""

    _esm = module_text()
    height = traitlets.Int(760, help="screen pixels; narrow cells take more").tag(sync=True)

    def __init__(self, app: FastAPI, height: int) -> None:
        super().__init__(height=height)
        self.bridge = CommBridge(app, self.send)
        self.on_msg(self._receive)

    def _receive(self, widget: Any, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.bridge.receive(message, buffers)
