"""Details of trials by users: what is said and for how long, what fits, what is read without having been told."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    DIGITS,
    OUTLINE,
    RGB,
    SLOW,
    choose,
    choose_model,
    emptied,
    opened,
    paint,
    pixels,
    point,
    serving,
    sticking_out,
    wait_until_painted,
)
from tests.e2e.models import slow
from tests.laws.strategies import randomise_weights


def test_a_studio_that_ends_while_it_paints_is_said(browser: Browser) -> None:
    """In a sentence, not in the browser's words; what is there stays."""
    service = StudioService([slow()])
    with serving(service) as server, opened(browser, server.url) as page:
        choose(page, "Canvases", "16")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_label("Pixels painted")).not_to_have_value("0")
        server.close()
        service.close()
        expect(page.get_by_role("alert")).to_contain_text(re.compile("interrupted|stopped|closed|answer"))
        assert "network error" not in page.get_by_role("alert").inner_text()
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()


def test_enter_paints_what_was_typed_also_during_a_painting(page: Page, service: StudioService) -> None:
    """The painting at work ends, and one of the new seed begins."""
    choose_model(page, SLOW)
    choose(page, "Canvases", "16")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_label("Seed", exact=True).fill("77")
    page.get_by_label("Seed", exact=True).press("Enter")
    expect(page.locator(".status .words")).to_contain_text("seed 77")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    emptied(service)


def test_the_pencil_takes_the_levels_of_another_model(page: Page) -> None:
    """The lightest of 4 levels is not the fourth of 17."""
    choose_model(page, RGB)
    page.keyboard.press("b")
    choose_model(page, DIGITS)
    page.mouse.click(*point(page, 2, 2))
    assert pixels(page)[2, 2].tolist() == [255, 255, 255, 255]


def test_repainted_bits_are_labelled_and_the_focus_stays(page: Page) -> None:
    """The curve is that of the pixels painted last; the focus falls to the studio, which takes the next key."""
    paint(page, seed=3)
    page.mouse.click(*point(page, 3, 3))
    page.locator(".channel .chart").first.focus()
    page.keyboard.press("r")
    wait_until_painted(page, images=2)
    assert page.evaluate("() => document.activeElement.closest('.studio') !== null")
    page.get_by_role("button", name="Release").click()  # it stays held, so that the next key repaints from it again
    expect(page.locator(".image-summary h3")).to_have_text("Where the bits go (the 36 pixels painted last)")


def test_reduced_motion_shows_the_image_at_once(browser: Browser, studio: Server) -> None:
    """Without a replay, unless a speed is chosen."""
    with opened(browser, studio.url, reduced_motion="reduce") as page:
        expect(page.get_by_label("Speed", exact=True)).to_have_value("Infinity")


def test_long_and_many_names_of_classes(browser: Browser) -> None:
    """Long ones wrap, and none reverses the text around it. More than there are canvases are not cut in silence."""
    reversing = "\u202eevil"
    long = [
        reversing,
        "a class with a name that goes on and on, and on",
        "b",
        "anotherclasswithoutanyspaceinitsendlessname",
    ]
    settings = {"shape": (1, 6, 6), "levels": 4, "channels": 4, "layers": 1}
    models = [
        randomise_weights(pt.build("pixelcnn", classes=classes, **settings))
        for classes in (long, [f"class {number}" for number in range(40)])
    ]
    with serving(StudioService(models)) as server, opened(browser, server.url) as page:
        assert sticking_out(page, ".panel.prompt-panel") == []
        choose(page, "Label", "\ufffdevil")
        assert reversing not in page.locator(".studio").inner_text()
        choose_model(page, "pixelcnn-2")
        page.get_by_role("combobox", name="Compare").select_option("label")
        page.get_by_label("Names of labels").fill("")
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("40 labels are more than 36 canvases: name those")


def test_bars_have_a_legend(page: Page) -> None:
    """Of what is drawn there: a chosen level is named once there is one, and guidance where it changed the bars."""
    key = page.locator(".bars-key")
    page.get_by_label("Temperature", exact=True).fill("0.5")
    paint(page, seed=5, label="3")
    expect(key).to_be_hidden()
    page.mouse.click(*point(page, 3, 4))
    expect(key).to_contain_text("the level that is there")
    expect(key).to_contain_text("after guidance, temperature and top-p")
    expect(key).not_to_contain_text("that you chose")
    page.locator(".likeliest button:not(.observed)").first.click()
    expect(key).to_contain_text("the level that you chose")


def test_the_header_says_what_a_model_is_for(page: Page) -> None:
    """What it paints, and from what; its network and size are in the tooltip."""
    about = page.locator(".header .about")
    choose_model(page, OUTLINE)
    expect(about).to_have_text("8 × 8 pictures in 4 colours by name and from an outline, in 40 styles")
    expect(about).to_have_attribute("title", re.compile(r"^pixelcnn · 8 × 8 palette, 4 colours · [\d,]+ weights$"))
    choose_model(page, DIGITS)
    expect(about).to_have_text("8 × 8 pictures in grey, by 10 labels")
