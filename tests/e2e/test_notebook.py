"""The studio in a notebook: the same page from one text, its requests by messages, and the notebook left in peace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

pytest.importorskip("anywidget", reason="the studio in a notebook needs the extra `notebook`")

import pointillist as pt
from pointillist.analysis import ImageQuery, distribution
from pointillist.studio.http.app import create_app
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    DIGITS,
    at_work,
    choose_file,
    emptied,
    grey,
    paint,
    paint_and_stop,
    paintings_wait,
    pixels,
    point,
    saved,
    wait_until_painted,
)
from tests.e2e.notebook import Kernel, shown


@pytest.fixture
def notebook(browser: Browser, studio: Server) -> Iterator[tuple[Page, Kernel]]:
    """The studio shown by a cell, ready."""
    with shown(browser, create_app(studio.service)) as (page, kernel):
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
        yield page, kernel


def test_paint_hover_and_keep(notebook: tuple[Page, Kernel], service: StudioService, tmp_path: Path) -> None:
    """Images of `sample`, the distribution under the pointer, a file and back: text, streams and bytes both ways."""
    page, kernel = notebook
    model = service.models[DIGITS].model
    paint(page, seed=7, count=2, label="3")
    expected = pt.sample(model, 2, label="3", seed=7).levels
    for place in range(2):
        np.testing.assert_array_equal(pixels(page, place)[..., 0], grey(expected[place, 0]))
    paint(page, seed=5, label="any")
    point(page, 3, 4)
    levels = pt.sample(model, 1, seed=5).levels[0]
    surprisal = distribution(ImageQuery.of(model, levels), 3, 4).surprisal
    expect(page.locator(".pixel > .numbers")).to_contain_text(f"{surprisal:.2f} bits")
    exact = saved(page, "PNG", tmp_path)
    assert exact.read_bytes().startswith(b"\x89PNG")
    choose_file(page, exact)
    expect(page.get_by_role("alert")).to_have_text("Identical to the bit.")  # the file carries its manifest
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(levels[0]))
    asked = {message["address"].rpartition("/")[2] for message in kernel.requests}
    assert asked >= {"info", "sample", "pixel", "png", "reproduce"}


def test_a_painting_is_stopped_while_others_are_asked(notebook: tuple[Page, Kernel], service: StudioService) -> None:
    """The stream arrives piece by piece; the work ends with it, and so it does when the output is cleared."""
    page, kernel = notebook
    paint_and_stop(page, service)
    (painting,) = [message["id"] for message in kernel.requests if message.get("address", "").endswith("/sample")]
    assert {"type": "cancel", "id": painting} in kernel.requests
    with paintings_wait():
        page.get_by_role("button", name="Paint", exact=True).click()
        at_work(page, service)  # the count may still be that of the painting before
        page.evaluate("() => window.end()")
        emptied(service)
    expect(page.locator(".studio")).to_have_count(0)


def test_a_busy_kernel_is_said_and_nothing_is_lost(notebook: tuple[Page, Kernel], service: StudioService) -> None:
    """What was asked meanwhile is answered afterwards."""
    page, kernel = notebook
    expect(page.locator(".silent")).to_be_hidden()
    kernel.busy = True
    page.get_by_label("Seed", exact=True).fill("4")
    page.get_by_label("Speed", exact=True).select_option("Infinity")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".silent")).to_contain_text("while a cell is running")
    kernel.busy = False
    wait_until_painted(page, images=1)
    expect(page.locator(".silent")).to_be_hidden()
    expected = pt.sample(service.models[DIGITS].model, 1, seed=4).levels
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0]))


def test_neither_style_nor_keys_mix_with_the_notebook(notebook: tuple[Page, Kernel]) -> None:
    """Keys within the studio are its own, those outside are not; colours follow the notebook's ground."""
    page, _ = notebook
    looks = page.get_by_role("button", name="Paint", exact=True).evaluate(
        "(el) => ['fontStyle', 'letterSpacing', 'textTransform', 'transform'].map((name) => getComputedStyle(el)[name])"
    )
    assert looks == ["normal", "normal", "none", "none"]
    assert page.evaluate("() => getComputedStyle(document.body).margin") == "40px"
    assert page.locator(".studio").evaluate("(el) => el.offsetHeight") == 600
    assert page.locator(".studio").evaluate("(el) => getComputedStyle(el).colorScheme") == "dark"
    paint(page)
    page.keyboard.press("b")
    pencil = page.get_by_role("button", name="Pencil (B)")
    expect(pencil).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("() => window.cells") == 0
    page.keyboard.press("v")
    page.get_by_text("Below the output").click()
    page.keyboard.press("b")
    assert page.evaluate("() => window.cells") == 1
    expect(pencil).to_have_attribute("aria-pressed", "false")


def test_a_narrow_cell_is_laid_out_as_a_phone(browser: Browser, studio: Server) -> None:
    """However wide the window is, the place counts."""
    with shown(browser, create_app(studio.service), width=700) as (page, _):
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
        expect(page.get_by_role("navigation", name="Panels")).to_be_visible()
        page.get_by_role("navigation", name="Panels").get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="PNG", exact=True)).to_be_visible()
        expect(page.get_by_role("group", name="Label")).to_be_hidden()
