"""The page of the studio as a notebook widget: one ES module with all scripts and the style, requests over a comm."""

from __future__ import annotations

import json
from typing import Any

import anywidget
import traitlets
from fastapi import FastAPI

from pointillist.studio.notebooks.comm_bridge import CommBridge
from pointillist.studio.page_text import script_text, style_text


def module_text() -> str:
    """Join all scripts of the page and the style to one module: no network needed."""
    show = f'modules["widget.js"].render(context, {json.dumps(style_text())})'
    return f"{script_text('widget.js')}\nexport default {{ render: (context) => {show} }};\n"


class Widget(anywidget.AnyWidget):
    """Shows the page, and forwards its requests to an application."""

    _esm = module_text()
    height: traitlets.Int[int, int] = traitlets.Int(760, help="screen pixels; narrow cells take more").tag(sync=True)

    def __init__(self, app: FastAPI, height: int) -> None:
        super().__init__(height=height)
        self.bridge: CommBridge = CommBridge(app, self.send)
        self.on_msg(self._receive)

    def _receive(self, widget: Any, message: dict[str, Any], buffers: list[memoryview]) -> None:
        self.bridge.receive(message, buffers)
