"""Details of a trial by a user: what is said and for how long, what fits, where the focus goes, what is kept."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.page_text import script_text
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    OUTLINE,
    RGB,
    SLOW,
    choose,
    choose_model,
    count,
    emptied,
    opened,
    paint,
    paint_and_stop,
    pixels,
    point,
    wait_until_painted,
)
from tests.e2e.models import slow
from tests.laws.strategies import randomise_weights


def compare(page: Page, by: str, field: str, values: str) -> None:
    """Press Paint with values to compare."""
    page.get_by_role("combobox", name="Compare").select_option(by)
    page.get_by_label(field).fill(values)
    page.get_by_role("button", name="Paint", exact=True).click()


def test_a_notice_covers_nothing_and_goes_away(page: Page) -> None:
    """By itself, after half a minute; until then it has a place of its own."""
    paint(page, seed=3)
    page.clock.install()
    compare(page, "temperature", "Values of temperature", "abc")
    notice = page.locator(".notice")
    expect(notice).to_contain_text("abc")
    box = notice.bounding_box()
    assert box
    for other in (".canvas-grid", ".player", ".toolbar", ".panel.pixel", ".panel.prompt-panel"):
        there = page.locator(other).bounding_box()
        assert there
        apart = box["y"] + box["height"] <= there["y"] + 1 or there["y"] + there["height"] <= box["y"] + 1
        assert apart or box["x"] + box["width"] <= there["x"] + 1 or there["x"] + there["width"] <= box["x"] + 1, other
    page.clock.fast_forward(31_000)
    expect(notice).to_be_hidden()


def test_too_many_values_are_said(page: Page) -> None:
    """Nothing is cut in silence."""
    compare(page, "temperature", "Values of temperature", "1 2 3 4 5 6 7 8 9")
    expect(page.get_by_role("alert")).to_contain_text("9 values are more than 8")


def test_a_studio_that_ends_while_it_paints_is_said(browser: Browser) -> None:
    """In a sentence, not in the browser's words; what is there stays."""
    service = StudioService([slow()])
    server = Server(service)
    server.start()
    service.models.wait(600)
    with opened(browser, server.url) as page:
        choose(page, "Canvases", "16")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_label("Pixels painted")).not_to_have_value("0")
        server.close()
        service.close()
        expect(page.get_by_role("alert")).to_contain_text(re.compile("interrupted|stopped|closed|answer"))
        assert "network error" not in page.get_by_role("alert").inner_text()
        expect(page.get_by_role("button", name="Paint", exact=True)).to_be_visible()


def test_undo_brings_back_a_stopped_painting_as_it_was(page: Page, service: StudioService) -> None:
    """With as many pixels as it had, not with all."""
    paint_and_stop(page, service)
    before = count(page)
    page.get_by_role("button", name="Empty the canvas").click()
    page.keyboard.press("Control+z")
    assert count(page) == before


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


def test_another_order_in_the_panel_leaves_a_repainting_alone(page: Page, service: StudioService) -> None:
    """The canvas goes on in the order in which it was painted."""
    model = service.models[COLOURS].model
    choose_model(page, COLOURS)
    paint(page, seed=2)
    page.locator("details.more summary", has_text="More").click()
    page.locator("details.more select:has(option[value=raster-bl])").select_option("raster-bl")
    page.mouse.click(*point(page, 1, 1, (4, 4)))
    page.get_by_label("Seed", exact=True).fill("9")
    page.get_by_role("button", name="Repaint from here").click()
    wait_until_painted(page, images=2)
    before = pt.sample(model, 1, seed=2).levels[0]
    rank = model.generation_rank(4, 4)
    expected = pt.inpaint(model, before, rank <= rank[1, 1], 1, "sequential", seed=9).levels[0]
    colours = np.array(model.image.palette)[expected[0]]
    shown = pixels(page)[::2, ::2]  # twice as large, for the chequers below what is transparent
    opaque = colours[..., 3] > 0
    np.testing.assert_array_equal(shown[opaque], colours[opaque])


def test_reduced_motion_shows_the_image_at_once(browser: Browser, studio: Server) -> None:
    """Without a replay, unless a speed is chosen."""
    with opened(browser, studio.url, reduced_motion="reduce") as page:
        expect(page.get_by_label("Speed", exact=True)).to_have_value("Infinity")


def test_the_prompt_comes_before_the_canvas(page: Page) -> None:
    """In the order of the tab key."""
    order = page.evaluate(
        "() => [...document.querySelectorAll('.studio button, .studio canvas.image')]"
        ".map((el) => el.matches('canvas') ? 'canvas' : el.textContent)"
    )
    assert order.index("Paint") < order.index("canvas")


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
    service = StudioService(models)
    server = Server(service)
    server.start()
    service.models.wait(600)
    try:
        with opened(browser, server.url) as page:
            found = page.locator(".panel.prompt-panel").evaluate(
                "column => [...column.querySelectorAll('*')].filter((el) => el.offsetParent"
                " && el.getBoundingClientRect().right > column.getBoundingClientRect().right).map((el) => el.outerHTML)"
            )
            assert found == []
            choose(page, "Label", "\ufffdevil")
            assert reversing not in page.locator(".studio").inner_text()
            choose_model(page, "pixelcnn-2")
            compare(page, "label", "Names of labels", "")
            expect(page.get_by_role("alert")).to_contain_text("40 labels are more than 36 canvases: name those")
    finally:
        server.close()
        service.close()


def test_a_comparison_begins_with_examples(page: Page) -> None:
    """Labels and prompts of the model, as many as fit, and not all of its labels."""
    choose_model(page, OUTLINE)
    wait_until_painted(page, 1)  # the picture with which the model opens
    page.get_by_role("combobox", name="Compare").select_option("text")
    expect(page.get_by_label("Prompts, with a semicolon between them")).to_have_value("red heart; green apple")
    page.get_by_role("combobox", name="and, in columns").select_option("label")
    expect(page.get_by_label("Names of labels")).to_have_value("style 3")
    page.get_by_role("button", name="Paint", exact=True).click()
    wait_until_painted(page, images=3)


def test_chances_are_numbers_that_one_can_read(page: Page) -> None:
    """Without exponents, in the studio and in reports."""
    shown = page.evaluate(
        f"() => {{ {script_text('shared/dom.js')}; "
        "return [0.01, 1, 10, 24.3, 60].map(modules['shared/dom.js'].oneIn) }"
    )
    assert shown == ["as good as certain", "1 in 2.0", "1 in 1,024", "1 in 21,000,000", "1 in 2 to the 60"]
