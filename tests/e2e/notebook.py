"""A notebook as small as can be: the ES module of a widget in a page, its messages carried to Python and back."""

from __future__ import annotations

import base64
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, Route

from pointillist.studio.bridge import Bridge
from pointillist.studio.guard import App
from pointillist.studio.widget import module_text
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
  const hearing = new Set();
  window.cells = 0;
  document.addEventListener("keydown", (event) => event.key === "b" && window.cells++);
  const model = {
    get: (name) => (name === "height" ? height : undefined),
    on: (event, hear) => hearing.add(hear),
    off: (event, hear) => hearing.delete(hear),
    send: (message, callbacks, buffers = []) => window.toKernel(message, buffers.map(base64)),
  };
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  window.end = await (await import(url)).default.render({ model, el: document.getElementById("output") });
  (async () => {
    for (;;) {
      for (const [message, buffers] of await window.fromKernel())
        hearing.forEach((hear) => hear(message, buffers.map(view)));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
}"""


class Kernel:
    """The other end of the messages.

    Attributes:
        busy: whether it hears nothing for now, as while a cell is running.
        asked: what was asked, in this order.
    """

    def __init__(self, app: App) -> None:
        self.busy = False
        self.asked: list[dict[str, Any]] = []
        self._late: list[tuple[dict[str, Any], list[bytes]]] = []
        self._told: queue.SimpleQueue[tuple[dict[str, Any], list[bytes]]] = queue.SimpleQueue()
        self.bridge = Bridge(app, lambda message, buffers: self._told.put((message, buffers)))

    def hear(self, source: Any, message: dict[str, Any], buffers: list[str]) -> None:
        """From the page."""
        self.asked.append(message)
        self._late.append((message, [base64.b64decode(buffer) for buffer in buffers]))
        self._work()

    def tell(self, source: Any) -> list[tuple[dict[str, Any], list[str]]]:
        """All that is new for the page."""
        self._work()
        told = [self._told.get() for _ in range(self._told.qsize())]
        return [(message, [base64.b64encode(buffer).decode() for buffer in buffers]) for message, buffers in told]

    def _work(self) -> None:
        while self._late and not self.busy:
            self.bridge.hear(*self._late.pop(0))


@contextmanager
def shown(browser: Browser, app: App, width: int = 1280, height: int = 600) -> Iterator[tuple[Page, Kernel]]:
    """The studio in the output of a cell. Afterwards: nothing was asked of any network, and no script failed."""
    inside = browser.new_context(viewport={"width": width, "height": 720}, accept_downloads=True)
    page = inside.new_page()
    page.set_default_timeout(SECONDS)
    asked: list[str] = []
    faults: list[str] = []

    def only_itself(route: Route) -> None:
        asked.append(route.request.url)
        if route.request.url == ADDRESS:
            route.fulfill(content_type="text/html", body=_HTML)
        else:
            route.abort()

    inside.route("**/*", only_itself)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    kernel = Kernel(app)
    page.expose_binding("toKernel", kernel.hear)
    page.expose_binding("fromKernel", kernel.tell)
    page.goto(ADDRESS)
    page.evaluate(_HOST, [module_text(), height])
    yield page, kernel
    inside.close()
    kernel.bridge.close()
    assert [url for url in asked if not url.startswith("blob:")] == [ADDRESS]
    assert faults == []
