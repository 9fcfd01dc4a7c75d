"""The law of addresses: whatever control changes what is painted, its value is in the address.

No list of controls is kept here. Each control of the panel is changed in turn, and what the page then asks for is
compared with what a page asks for that opens its address elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import SECONDS, choose_file, opened, pixels, serving, wait_for_frame, wait_until_painted
from tests.e2e.models import outliner
from tests.studio.helpers import coded, coloured, labelled, mapper, numbered, upscaler
from tests.studio.test_offline_advanced import saved

WATCH = """
window.asked = [];
const asks = (address, body) => {
  const route = address.split("/").slice(-2);
  if (/sample|world/.test(route[1])) window.asked.push(JSON.stringify([route, JSON.parse(body)]));
};
const fetched = window.fetch;
window.fetch = (address, options) => (asks(String(address), options?.body), fetched(address, options));
const posted = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  const { content, buffers = [] } = message;
  if (content?.type === "request" && buffers.length) asks(content.address, new TextDecoder().decode(buffers[0]));
  return posted.call(this, message, ...rest);
};
"""
"""Note what is asked of a server, and of the worker of an exported page."""
MODELS: dict[str, tuple[Callable[[], pt.PixelModel], str]] = {
    "labels": (labelled, "label=dog"),
    "orders": (coloured, "temperature=0.9"),
    "attributes": (upscaler, "text=red&a.hair=blue&c.vector=1,2"),
    "numbers": (numbered, "numbers=0.5,-1"),
    "codes": (coded, "numbers=2"),
    "outline": (outliner, "text=red+heart&label=style+3&guidance=2&temperature=0.7"),
    "rules": (lambda: mapper("gated-pixelcnn"), "rules="),
}
"""Models of random weights that take every condition, and conditions to begin with."""
CONTROLS = ".prompt-panel :is(input, select, textarea):not([type=file])"


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """One studio with all of them, each opened by its number."""
    with serving(StudioService([build() for build, _ in MODELS.values()])) as server:
        yield server


def asked(page: Page) -> list[str]:
    """What was asked since the last call, in any order."""
    requests: list[str] = page.evaluate("window.asked.splice(0)")
    return sorted(requests)


def controls(page: Page) -> list[Locator]:
    """All controls of the panel, with everything unfolded."""
    page.locator(".prompt-panel details").evaluate_all("all => all.forEach((one) => (one.open = true))")
    wait_for_frame(page)
    return page.locator(CONTROLS).all()


def value(control: Locator) -> Any:
    """What a control shows."""
    return control.evaluate("one => (['checkbox', 'radio'].includes(one.type) ? one.checked : one.value)")


CHANGE = """one => {
  const [low, high] = [Number(one.min || 0), Number(one.max || 9)], isRadio = one.type === "radio";
  const last = (one.options?.length ?? 0) - 1;
  if (one.tagName === "SELECT") one.selectedIndex = one.selectedIndex < last ? last : last - 1;
  else if (one.type === "checkbox" || isRadio) return one.checked && isRadio ? undefined : one.click();
  else if (one.type === "range") one.value = String(low + 0.7 * (high - low));
  else if (one.type === "number") one.value = one.step === "any" ? "0.7" : "6";
  else one.value = /^1 /.test(one.placeholder) ? "3" : "0.25, 3";
  one.dispatchEvent(new Event("input", { bubbles: true }));
  one.dispatchEvent(new Event("change", { bubbles: true }));
}"""
"""Give a control another valid value: numbers where it takes text, which a prompt may be, too."""


ASKED = """milliseconds => new Promise((done, fail) => {
  const end = performance.now() + milliseconds;
  const look = () => {
    if (window.asked.length) done();
    else if (performance.now() > end) fail(new Error("nothing was asked for"));
    else setTimeout(look, 20);
  };
  look();
})"""
"""Wait in the page: an exported page forbids the `eval` with which Playwright looks again and again."""


def painted(page: Page) -> list[str]:
    """What a page asks for until its picture is there."""
    page.evaluate(ASKED, SECONDS)
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()
    wait_until_painted(page)
    wait_for_frame(page)  # of which the address is written
    return asked(page)


def go(page: Page, address: str) -> list[str]:
    """Open an address in a page that is open, and return what it asks for."""
    page.evaluate("address => (location.hash = address)", address)
    return painted(page)


def check_every_control(browser: Browser, url: str, base: str) -> list[str]:
    """Change each control in turn, and open what the address is then elsewhere; return those that change a picture.

    Elsewhere no control is ever changed: what another page shows comes from an address.
    """
    names: list[str] = []
    with (
        opened(browser, f"{url}#{base}&seed=5", WATCH) as page,
        opened(browser, f"{url}#{base}&seed=4", WATCH) as other,
    ):
        for each in (page, other):
            each.get_by_label("Speed", exact=True).select_option("Infinity")
        before = painted(page)
        painted(other)
        for number in range(len(controls(page))):
            assert go(page, f"{base}&seed=5&again={number}") == before
            control = controls(page)[number]
            label = control.evaluate("one => one.ariaLabel ?? one.closest('label, fieldset, .field')?.textContent")
            control.evaluate(CHANGE)
            shown = value(control)
            page.get_by_role("button", name="Paint", exact=True).click()
            now = painted(page)
            if now == before or any(page.get_by_role("alert").all_inner_texts()):
                continue  # it does not change what is painted, or does not fit another value
            names.append(label)
            address = page.evaluate("location.hash")
            assert go(other, address) == now, f"{label}: not in {address}"
            assert value(controls(other)[number]) == shown, f"{label}: {address} is painted, and not shown"
    return names


@pytest.mark.parametrize("kind", MODELS)
def test_every_control_is_in_the_address(browser: Browser, studio: Server, kind: str) -> None:
    """Of the studio."""
    model = studio.service.models.infos()[list(MODELS).index(kind)].id
    names = check_every_control(browser, studio.url, f"model={model}&{MODELS[kind][1]}")
    assert len(names) > 5, names


def elsewhere(browser: Browser, url: str, page: Page) -> np.ndarray:
    """Open the address of a page in another browser; return the picture that it shows there."""
    with opened(browser, url + page.evaluate("location.hash")) as other:
        other.get_by_label("Speed", exact=True).select_option("Infinity")
        expect(other.locator(".canvas-grid .words")).to_contain_text("a pixel")
        wait_until_painted(other)
        return pixels(other)


def test_files_that_change_a_picture_are_in_the_address(browser: Browser, studio: Server) -> None:
    """Numbers of a hint, which differ from pixel to pixel; the colours of a palette."""
    ids = dict(zip(MODELS, (info.id for info in studio.service.models.infos()), strict=True))
    numbers = np.random.default_rng(0).normal(size=32).astype(np.float32)
    with opened(browser, f"{studio.url}#model={ids['numbers']}&seed=5&numbers=0,0", WATCH) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        painted(page)
        page.get_by_role("textbox", name="Hint (numbers)").fill(" ".join(map(str, numbers)))
        page.get_by_role("button", name="Paint", exact=True).click()
        painted(page)
        assert "hint=" in page.evaluate("location.hash")
        np.testing.assert_array_equal(elsewhere(browser, studio.url, page), pixels(page))
    with opened(browser, f"{studio.url}#model={ids['orders']}&seed=5", WATCH) as page:
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        painted(page)
        before = pixels(page)
        page.keyboard.press("b")
        choose_file(page, ("two.hex", b"102030\nf0e0d0\n"), "Palette")
        wait_for_frame(page)
        wait_for_frame(page)
        assert not np.array_equal(pixels(page), before)
        np.testing.assert_array_equal(elsewhere(browser, studio.url, page), pixels(page))


def test_an_endless_map_is_in_the_address(browser: Browser) -> None:
    """Seed, rules, place, and what was changed by hand."""
    with serving(StudioService(["dungeons"])) as server:
        check_an_endless_map(browser, server.url)


def check_an_endless_map(browser: Browser, url: str) -> None:
    with opened(browser, f"{url}#world=7&at=0,0", WATCH) as page:
        inputs = page.locator(".world-page input")
        for number in range(inputs.count()):
            page.evaluate(ASKED, SECONDS)
            asked(page)
            before = page.evaluate("location.hash")
            inputs.nth(number).evaluate(CHANGE)
            page.wait_for_function("before => location.hash !== before", arg=before)
        page.evaluate(ASKED, SECONDS)
        (now,) = {declared(request) for request in asked(page)}
        values, address = [value(each) for each in inputs.all()], page.evaluate("location.hash")
    with opened(browser, f"{url}{address}&edits=0.0.1.h_-3.5.2", WATCH) as other:
        expect(other.locator(".world-page .note")).to_contain_text("2 cells were changed")
        assert {declared(request) for request in asked(other)} == {now}
        assert [value(each) for each in other.locator(".world-page input").all()] == values
        assert "edits=0.0.1.h_-3.5.2" in other.evaluate("location.hash")


def declared(request: str) -> str:
    """Return what a part of an endless map is drawn from."""
    query = json.loads(request)[1]
    return json.dumps([query["seed"], query["rules"]])


def test_every_control_of_an_exported_page_is_in_the_address(browser: Browser, tmp_path: Path) -> None:
    """The same law, of a model with conditions of several kinds; the controls of the studio can be seen."""
    conditions: dict[str, Any] = {"classes": ["cat", "dog"], "attributes": {"hair": ["red", "blue"]}, "vector": 2}
    folder = saved(tmp_path / "model", known=True, **conditions)
    pt.export(folder, html=tmp_path / "page.html")
    url, base = (tmp_path / "page.html").as_uri(), "label=dog&a.hair=blue&c.vector=1,2"
    names = " ".join(check_every_control(browser, url, base))
    for name in ("Tiles", "Best of", "hair", "Vector", "Guidance", "Seed"):
        assert name in names
    with opened(browser, f"{url}#{base}&seamless=x") as page:
        for control in (page.get_by_role("combobox", name="Tiles"), page.get_by_role("combobox", name="hair")):
            expect(control).to_be_visible()
        for name in ("Best of", "Vector"):
            expect(page.get_by_label(name, exact=True)).to_be_visible()


def test_an_exported_page_offers_what_it_can_paint(browser: Browser, tmp_path: Path) -> None:
    """No image that tiles, and no part that is drawn again, of a model that was not trained to complete images."""
    pt.export(saved(tmp_path / "model", classes=["cat", "dog"]), html=tmp_path / "page.html")
    with opened(browser, (tmp_path / "page.html").as_uri()) as page:
        expect(page.get_by_label("Best of", exact=True)).to_have_count(1)
        expect(page.get_by_role("combobox", name="Tiles", include_hidden=True)).to_have_count(0)
        expect(page.locator("option[value=replace]")).to_have_count(1)
        expect(page.locator("option[value=regions]")).to_have_count(0)
