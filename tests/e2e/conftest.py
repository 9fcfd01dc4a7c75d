"""One studio and one headless Chromium for all tests of the page; skipped with a sentence where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from pointillist.studio.room import Room
from pointillist.studio.server import Server
from tests.e2e import helpers
from tests.studio.helpers import coloured, labelled

playwright = pytest.importorskip("playwright.sync_api", reason="The page is tested with the extra `e2e` (playwright).")

CHROMIUM = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-default-apps", "--disable-sync", "--no-first-run", "--no-default-browser-check",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright.Browser]:
    """Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("The page is tested in Chromium, which is not here: `apt-get install chromium`, or set "
                    "POINTILLIST_CHROMIUM to its path.")  # fmt: skip
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def room() -> Iterator[Room]:
    """Four models with random weights: digits told a label, colours of a palette, RGB, and a slow one."""
    found = Room([helpers.digits(), coloured(), labelled(), helpers.slow()])
    yield found
    found.close()


@pytest.fixture(scope="session")
def studio(room: Room) -> Iterator[Server]:
    """The studio, once its models are ready."""
    server = Server(room)
    server.start()
    room.shelf.wait(120)
    assert [info.error for info in room.shelf.infos()] == [None] * 4
    yield server
    server.close()


@pytest.fixture
def page(browser: playwright.Browser, studio: Server) -> Iterator[playwright.Page]:
    """The page, with its models ready. Afterwards: it asked nobody but the studio, and no script failed."""
    with helpers.opened(browser, studio.url) as found:
        yield found


def pytest_configure() -> None:
    """Nothing of the tests goes through a proxy."""
    host = urlsplit("http://127.0.0.1").hostname
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), host]))
