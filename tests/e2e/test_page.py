"""The page as files: small, nothing from elsewhere, types that are those of the server."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Request, expect

import pointillist
from pointillist.images.visualization.html import SHARED
from pointillist.studio.export.page import script_text, style_text
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import opened, paint, pixels, point, serving, sticking_out
from tests.e2e.models import digits

from ..scripts import script

PAGE = Path(pointillist.__file__).parent / "studio" / "page"
FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
MOST_RUN = 450_000  # bytes as they are run, without any compression
MOST_SENT = 200_000  # bytes that are sent


def test_the_page_is_five_requests(browser: Browser, studio: Server) -> None:
    """All that a browser loads before the first painting, compressed and as it is run."""
    page = browser.new_page()
    requests: list[Request] = []
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(studio.url, wait_until="networkidle")
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    responses = {request.url: request.response() for request in requests}
    loaded = {Path(url).name: len(answer.body()) for url, answer in responses.items() if answer}
    sent = sum(request.sizes()["responseBodySize"] for request in {each.url: each for each in requests}.values())
    page.close()
    assert set(loaded) == {Path(studio.url).name, "main.js", "style.css", "icon.svg", "info"}
    assert sum(loaded.values()) < MOST_RUN
    assert sent < MOST_SENT


def test_files_are_small_and_name_no_other_host() -> None:
    """At most 400 lines each; the one address is that of the SVG standard, which nobody asks for."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400 or path.name == "messages.d.ts", path.name
        assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}, path.name


def test_scripts_lose_their_comments_and_nothing_else() -> None:
    """Each line of code of each module that is not an import or an export is in the joined script, in its order."""
    joined = iter(script_text("main.js").splitlines())
    for path in re.findall(r'^modules\["(.+?)"\] = ', script_text("main.js"), re.MULTILINE):
        text = (SHARED / Path(path).name if path.startswith("shared/") else PAGE / path).read_text(encoding="utf-8")
        code = re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL).splitlines()
        plain = [line for line in code if line.strip() and not re.match(r"\s*//|import |export ", line)]
        for line in (re.sub(r"\s+// [^\"'`]*$", "", line) for line in plain):
            assert any("".join(line.split()) == "".join(other.split()) for other in joined), (path, line)
        # indentation is lost, so no text may go on in the next line
        assert not [line for line in plain if re.sub(r'"[^"]*"', "", line).count("`") % 2], path
    assert not re.findall(r"^\s*(?://|/\*\*).*|\s// .*$", script_text("main.js"), re.MULTILINE)
    assert "/*" not in style_text()


def test_types_are_those_of_the_server() -> None:
    """`messages.d.ts` and `request_fields.js` are what tools/make_messages.py makes today."""
    maker = script("make_messages")
    for path, text in ((maker.FILE, maker.text()), (maker.FIELDS_FILE, maker.fields_text())):
        assert path.read_text(encoding="utf-8") == text, "run python tools/make_messages.py"


@pytest.mark.parametrize("others", [[], [digits]])
def test_what_is_wrong_with_a_model_is_said(browser: Browser, tmp_path: Path, others: list[Any]) -> None:
    """A model that cannot be loaded has its sentence, put away if others work; without, nothing can be painted."""
    service = StudioService([str(tmp_path / "nothing"), *(make() for make in others)])
    with serving(service, wait=False) as server, closing(browser.new_page()) as page:
        page.goto(server.url)
        expect(page.locator(".loading .failed")).to_contain_text("could not be loaded")
        if not others:
            expect(page.get_by_role("button", name="Paint", exact=True)).to_be_disabled()
            return
        paint(page)
        page.get_by_role("button", name="Close the message").click()
        expect(page.locator(".loading")).to_be_hidden()


def test_a_studio_that_went_away_is_said(page: Page) -> None:
    """In a sentence; the stage stays as it was, and the page works again when the studio is back."""
    paint(page, seed=8)
    before = pixels(page)
    page.context.set_offline(True)
    page.get_by_label("Seed", exact=True).fill("9")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The studio does not answer")
    np.testing.assert_array_equal(pixels(page), before)
    page.context.set_offline(False)
    paint(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_studio_that_hangs_is_said(page: Page) -> None:
    """After some seconds; the sentence goes when it answers again."""
    page.route("**/api/info", lambda route: None)
    expect(page.get_by_role("alert")).to_contain_text("has not answered for some seconds")
    page.unroute("**/api/info")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(browser: Browser, studio: Server, scheme: Literal["light", "dark"]) -> None:
    """390 pixels wide: nothing sticks out, panels take turns, and holding a pixel shows its panel."""
    with opened(browser, studio.url, viewport={"width": 390, "height": 844}, color_scheme=scheme) as page:
        paint(page, count=9)
        assert page.evaluate("() => document.scrollingElement.scrollWidth") == 390
        paint(page, seed=4)
        page.mouse.click(*point(page, 2, 2))
        expect(page.get_by_role("button", name="Repaint from here")).to_be_visible()
        expect(page.get_by_role("group", name="Label")).to_be_hidden()
        page.locator(".likeliest button:not(.observed)").first.click()
        expect(page.get_by_role("button", name="Shift")).to_be_visible()
        assert page.evaluate("() => document.scrollingElement.scrollWidth") == 390
        page.get_by_role("navigation", name="Panels").get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="PNG", exact=True)).to_be_visible()
        assert page.evaluate("() => document.scrollingElement.scrollWidth") == 390
        assert brightness(page) == (scheme == "light")
        page.get_by_role("button", name="Colours: automatic. Change").click()
        assert brightness(page)
        page.get_by_role("button", name="Colours: light. Change").click()
        assert not brightness(page)


@pytest.mark.parametrize("width", [870, 968, 1161])
def test_nothing_sticks_out_of_its_column(browser: Browser, studio: Server, width: int) -> None:
    """In a window, or a cell of a notebook, that is neither wide nor a phone's."""
    with opened(browser, studio.url, viewport={"width": width, "height": 760}) as page:
        paint(page)
        page.mouse.click(*point(page, 2, 2))
        expect(page.get_by_role("button", name="Repaint from here")).to_be_visible()
        expect(page.get_by_role("heading", name="Saliency")).to_be_visible()
        for column in (".panel.prompt-panel", ".panel.pixel", ".player", ".toolbar"):
            assert sticking_out(page, column) == [], column


def brightness(page: Page) -> bool:
    """Whether the ground is light."""
    ground = page.locator(".studio").evaluate("(el) => getComputedStyle(el).backgroundColor")
    return int(re.findall(r"\d+", ground)[0]) > 128
