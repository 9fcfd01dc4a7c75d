"""axe-core finds nothing to mend, whatever the page shows, in light and in dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.commands import demo as command
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.commands.test_demo import SMALL
from tests.e2e.helpers import COLOURS, OUTLINE, choose_model, drag, opened, paint, point, serving
from tests.e2e.models import digits
from tests.e2e.test_training import write_checkpoint

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core (the extra `e2e`) is not installed")

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Scheme = Literal["light", "dark"]


def violations(page: Page) -> list[str]:
    """What axe-core finds: the rule, and the first element."""
    found = axe.Axe().run(page, options={"runOnly": TAGS, "resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} ({one['nodes'][0]['failureSummary']})" for one in found]


def painted(page: Page) -> None:
    paint(page, seed=5)


def surprise(page: Page) -> None:
    paint(page, seed=5)
    page.get_by_role("button", name="Surprise").click()
    expect(page.locator("canvas.map").first).to_be_visible()


def held(page: Page) -> None:
    paint(page, seed=5)
    page.mouse.click(*point(page, 3, 4))
    page.locator(".likeliest button:not(.observed)").first.click()
    page.get_by_text("Look inside the network").click()
    expect(page.locator(".inside")).to_contain_text("Root mean square")
    page.get_by_role("button", name="Saliency").click()


def several(page: Page) -> None:
    paint(page, seed=5, count=9)


def drawing(page: Page) -> None:
    choose_model(page, COLOURS)
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="Level 2, #781414").or_(page.locator(".swatch").first).first).to_be_visible()


def filled(page: Page) -> None:
    paint(page, seed=5)
    page.get_by_role("button", name="Select a rectangle (M)").click()
    drag(page, (2, 2), (5, 5))
    page.get_by_role("button", name="Fill", exact=True).click()
    expect(page.locator(".candidates button").first).to_be_visible()


def hint(page: Page) -> None:
    choose_model(page, OUTLINE)
    expect(page.locator("canvas.hint-image")).to_be_visible()


def grid(page: Page) -> None:
    page.get_by_role("combobox", name="Compare").select_option("temperature")
    page.get_by_label("Values of temperature").fill("abc")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def gallery(page: Page) -> None:
    paint(page, seed=5, count=2)
    page.get_by_role("button", name="Gallery", exact=True).click()


def keys(page: Page) -> None:
    page.get_by_role("button", name="Keys").click()


def menu(page: Page) -> None:
    paint(page, seed=5)
    page.locator(".menu summary").click()


def named(page: Page) -> None:
    paint(page, seed=5)
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a demo that trained for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "NETWORK", SMALL)
        out = tmp_path_factory.mktemp("demo") / "out"
        command.run_demo(out, steps=6, threads=1)
        return out / command.PAGE


STATES = [painted, surprise, held, several, drawing, filled, hint, grid, keys, menu, named, gallery]


def test_nothing_to_mend_at_first(page: Page) -> None:
    """The page as it opens, and with an image."""
    assert violations(page) == []
    painted(page)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_nothing_to_mend(browser: Browser, studio: Server, state: Callable[[Page], None], scheme: Scheme) -> None:
    """Every panel and dialog."""
    with opened(browser, studio.url, color_scheme=scheme) as page:
        state(page)
        assert violations(page) == []


@pytest.mark.parametrize("size", [(390, 844), (844, 390)], ids=["upright", "on its side"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_to_mend_on_a_phone(browser: Browser, studio: Server, scheme: Scheme, size: tuple[int, int]) -> None:
    """Each of the panels that take turns."""
    with opened(browser, studio.url, color_scheme=scheme, viewport={"width": size[0], "height": size[1]}) as page:
        paint(page)
        for name in ("Prompt", "Pixel", "Save"):
            page.get_by_role("navigation", name="Panels").get_by_role("button", name=name).click()
            assert violations(page) == []


def test_nothing_to_mend_beside_a_training(browser: Browser, tmp_path: Path) -> None:
    """The panel of a run."""
    write_checkpoint(tmp_path, 100)
    with serving(StudioService([], run=tmp_path), wait=False) as server, opened(browser, server.url) as page:
        expect(page.get_by_role("button", name="Show the canvas of step 100")).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_to_mend_in_the_demo(browser: Browser, demo: Path, scheme: Scheme) -> None:
    """Its page."""
    page = browser.new_page(color_scheme=scheme)
    page.goto(demo.as_uri())
    assert violations(page) == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_to_mend_in_a_report(browser: Browser, tmp_path: Path, scheme: Scheme) -> None:
    """That of `explain`."""
    model = digits()
    file = pt.explain(model, torch.zeros(1, 8, 8, dtype=torch.int64), "3").save(tmp_path / "report.html")
    page = browser.new_page(color_scheme=scheme)
    page.goto(file.as_uri())
    expect(page.locator("html.live")).to_be_visible()
    assert violations(page) == []
    page.close()
