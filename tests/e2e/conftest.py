"""One studio and one headless Chromium for all tests of the page; skipped with a sentence where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from pointillist.studio.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.models import digits, slow
from tests.studio.helpers import coloured, labelled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

if find_spec("playwright") is None:  # the extra `e2e`
    collect_ignore_glob = ["test_*.py"]

CHROMIUM = os.environ.get("POINTILLIST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-default-apps", "--disable-sync", "--no-first-run", "--no-default-browser-check",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system."""
    if CHROMIUM is None:
        pytest.skip("The page is tested in Chromium, which is not here: `apt-get install chromium`, or set "
                    "POINTILLIST_CHROMIUM to its path.")  # fmt: skip
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def service() -> Iterator[StudioService]:
    """Four models with random weights: digits with labels, colours of a palette, RGB, and a slow one."""
    found = StudioService([digits(), coloured(), labelled(), slow()])
    yield found
    found.close()


@pytest.fixture(scope="session")
def studio(service: StudioService) -> Iterator[Server]:
    """The studio, once its models are ready."""
    server = Server(service)
    server.start()
    service.models.wait(600)
    assert [(info.state, info.error) for info in service.models.infos()] == [("ready", None)] * 4
    yield server
    server.close()


@pytest.fixture
def page(browser: Browser, studio: Server) -> Iterator[Page]:
    """The page, with its models ready. Afterwards: it asked nobody but the studio, and no script failed."""
    from tests.e2e.helpers import opened

    with opened(browser, studio.url) as found:
        yield found
