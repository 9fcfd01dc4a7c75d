"""The studio in a notebook: a frame on a local server, which only a page of this machine may show."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, expect

import pointillist as pt
from tests.e2e.helpers import SECONDS, grey
from tests.e2e.models import digits

PIXELS = "c => Array.from(c.getContext('2d').getImageData(0, 0, 8, 8).data).filter((_, i) => i % 4 === 0)"


@pytest.fixture(scope="module")
def model() -> pt.PixelModel:
    return digits()


@pytest.fixture(scope="module")
def studio(model: pt.PixelModel) -> Iterator[pt.Studio]:
    with pt.Studio(model, height=600) as studio:
        yield studio.wait(60)


@contextmanager
def framed(browser: Browser, studio: pt.Studio, host: str) -> Iterator[Frame]:
    """The frame of a cell in a notebook of a server at a host."""
    cell = f"<!doctype html><title>Notebook</title><p>The output:</p>{studio._repr_html_()}".encode()

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(cell)

        def log_message(self, *args: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer((host, 0), Notebook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(f"http://{host}:{server.server_port}/lab/")
    frame = page.locator("iframe").element_handle().content_frame()
    assert frame is not None
    yield frame
    page.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_notebook_here_paints(browser: Browser, model: pt.PixelModel, studio: pt.Studio, host: str) -> None:
    """The image of `sample`, in a frame of the height that was chosen."""
    with framed(browser, studio, host) as frame:
        frame.get_by_label("Seed", exact=True).fill("7")
        frame.get_by_label("Speed", exact=True).select_option("Infinity")
        frame.get_by_role("group", name="Label").get_by_role("radio", name="any", exact=True).check()
        frame.get_by_role("button", name="Paint", exact=True).click()
        expect(frame.locator(".thumbnails canvas")).to_have_count(1)
        expect(frame.get_by_role("button", name="Play (space)")).to_be_visible()
        expected = grey(pt.sample(model, 1, seed=7).levels[0, 0])
        shown = frame.locator(".canvas-view:not([hidden]) canvas.image").first.evaluate(PIXELS)
        np.testing.assert_array_equal(np.reshape(shown, (8, 8)), expected)
        assert frame.evaluate("innerHeight") == 600


def test_a_page_of_another_name_may_not_frame_it(browser: Browser, studio: pt.Studio) -> None:
    """Here another address of this machine, which the policy does not name."""
    said: list[str] = []
    with framed(browser, studio, "127.0.0.2") as frame:
        frame.page.on("console", lambda message: said.append(message.text))
        frame.page.reload()
        assert frame.page.frames[1].locator(".studio").count() == 0
        frame.page.wait_for_timeout(100)
    assert any("frame-ancestors" in text for text in said)
