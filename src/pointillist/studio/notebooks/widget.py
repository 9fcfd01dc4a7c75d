"""The page of the studio as a notebook widget: one ES module with all scripts and the style, requests over a comm."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from fastapi import FastAPI

from pointillist.studio.notebooks.comm_bridge import CommBridge
from pointillist.visualization.scripts import bundle

PAGE = files("pointillist.studio").joinpath("page")
_STYLES = ("tools.css", "studio.css", "layouts.css")  # in the order of index.html


def module_text() -> str:
    """Join all scripts of the page and the style to one module: no network needed."""
    script = bundle("widget.js", lambda path: PAGE.joinpath(path).read_text(encoding="utf-8"))
    style = "".join(PAGE.joinpath(name).read_text(encoding="utf-8") for name in _STYLES)
    show = f'modules["widget.js"].render(context, {json.dumps(style)})'
    return f"{script}\nexport default {{ render: (context) => {show} }};\n"


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
