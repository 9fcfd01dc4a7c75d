"""A notebook as small as can be: the ES module of a widget in a page, its messages carried to Python and back."""

from __future__ import annotations

import base64
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Route

from pointillist.studio.http.security import App
from pointillist.studio.notebooks.comm_bridge import CommBridge
from pointillist.studio.notebooks.widget import module_text
from tests.e2e.helpers import SECONDS

ADDRESS = "http://notebook.test/"
# its styles and its keys are of the rude kind
_HTML = """<!doctype html><title>Notebook</title>
<style>
  body { margin: 40px; background: #111; color: #eee; font: italic 30px serif; letter-spacing: 4px; }
  button { border-radius: 40px; transform: rotate(2deg); } * { text-transform: uppercase; }
</style>
<p>Above the output.</p><div id="output"></div><p>Below the output.</p>"""

_HOST = """async ([text, height]) => {
  const base64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
  const view = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const listeners = new Set();
  window.cells = 0;
  document.addEventListener("keydown", (event) => event.key === "b" && window.cells++);
  const model = {
    get: (name) => (name === "height" ? height : undefined),
    on: (event, listener) => listeners.add(listener),
    off: (event, listener) => listeners.delete(listener),
    send: (message, callbacks, buffers = []) => window.toKernel(message, buffers.map(base64)),
  };
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  window.end = await (await import(url)).default.render({ model, el: document.getElementById("output") });
  (async () => {
    for (;;) {
      for (const [message, buffers] of await window.fromKernel())
        listeners.forEach((receive) => receive(message, buffers.map(view)));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
}"""


class Kernel:
    """The other end of the messages.

    Attributes:
        busy: whether it handles no message for now, as while a cell is running.
        requests: messages of the page, in this order.
    """

    def __init__(self, app: App) -> None:
        self.busy = False
        self.requests: list[dict[str, Any]] = []
        self._late: list[tuple[dict[str, Any], list[bytes]]] = []
        self._messages: queue.SimpleQueue[tuple[dict[str, Any], list[bytes]]] = queue.SimpleQueue()
        self.bridge = CommBridge(app, lambda message, buffers: self._messages.put((message, buffers)))

    def receive(self, source: Any, message: dict[str, Any], buffers: list[str]) -> None:
        """From the page."""
        self.requests.append(message)
        self._late.append((message, [base64.b64decode(buffer) for buffer in buffers]))
        self._work()

    def send(self, source: Any) -> list[tuple[dict[str, Any], list[str]]]:
        """All that is new for the page."""
        self._work()
        messages = [self._messages.get() for _ in range(self._messages.qsize())]
        return [(message, [base64.b64encode(buffer).decode() for buffer in buffers]) for message, buffers in messages]

    def _work(self) -> None:
        while self._late and not self.busy:
            self.bridge.receive(*self._late.pop(0))


@contextmanager
def shown(browser: Browser, app: App, width: int = 1280, height: int = 600) -> Iterator[tuple[Page, Kernel]]:
    """The studio in the output of a cell. Afterwards: nothing was asked of any network, and no script failed."""
    inside = browser.new_context(viewport={"width": width, "height": 720}, accept_downloads=True)
    page = inside.new_page()
    page.set_default_timeout(SECONDS)
    asked: list[str] = []
    errors: list[str] = []

    def only_itself(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.url == ADDRESS:
            route.fulfill(content_type="text/html", body=_HTML)
        else:
            route.abort()

    inside.route("**/*", only_itself)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    kernel = Kernel(app)
    page.expose_binding("toKernel", kernel.receive)
    page.expose_binding("fromKernel", kernel.send)
    page.goto(ADDRESS)
    page.evaluate(_HOST, [module_text(), height])
    yield page, kernel
    inside.close()
    kernel.bridge.close()
    assert [url for url in asked if not url.startswith("blob:")] == [ADDRESS]
    assert errors == []
