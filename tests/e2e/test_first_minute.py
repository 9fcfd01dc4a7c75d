"""What a visitor of the studio reads without having been told: bars, colours, models."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import COLOURS, DIGITS, OUTLINE, choose_model, opened, paint, point, wait_for_frame


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


def test_colours_have_names(page: Page) -> None:
    """Levels of a palette are colours, in the order of colours; the arrow keys go along the bars that are shown."""
    choose_model(page, COLOURS)
    paint(page, seed=2)
    page.mouse.click(*point(page, 3, 4))
    likeliest = page.locator(".likeliest button")
    expect(likeliest.first).to_be_visible()
    for text in likeliest.all_inner_texts():
        assert re.match(r"(transparent|(dark |light )?[a-z]+)\s", text)
    chart = page.locator(".channel .chart")
    fills = chart.locator("g rect").evaluate_all("all => all.map((one) => one.getAttribute('fill'))")
    places = chart.locator("g rect").evaluate_all("all => all.map((one) => Number(one.getAttribute('x')))")
    shown = [fill for _, fill in sorted(zip(places, fills, strict=True))]
    assert sorted(shown) == sorted(fills)
    chart.press("Home")
    expect(chart).to_have_attribute("aria-valuenow", "0")
    chart.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuenow", "1")
    assert page.locator(".channel .chart text").count() == 2  # shares; no number of a colour


def test_the_scale_of_normal_images_is_offered_with_a_detector_only(page: Page, service: StudioService) -> None:
    """The studio says which models have one: nothing is asked for in vain."""
    assert {info.id: info.detector for info in service.infos()}[DIGITS]
    for model, offered in ((DIGITS, True), (COLOURS, False)):
        choose_model(page, model)
        paint(page, seed=1)
        page.get_by_role("button", name="Surprise").click()
        expect(page.get_by_label("normal scale")).to_be_visible(visible=offered)


def test_a_grid_has_no_gap_where_none_is_needed(browser: Browser, studio: Server) -> None:
    """Sixteen canvases are four by four, as large as they would be otherwise; and no value is cut beside them."""
    with opened(browser, studio.url, viewport={"width": 1280, "height": 900}) as page:
        paint(page, seed=1, count=16)
        wait_for_frame(page)
        tops = page.locator(".canvas-view:not([hidden]):not(.hint-view) .frame").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().top)"
        )
        assert [tops.count(top) for top in sorted(set(tops))] == [4, 4, 4, 4]
        page.get_by_text("Variations of the canvas").click()
        sticks_out = "el => el.getBoundingClientRect().right - el.closest('.panel').getBoundingClientRect().right"
        for part in (".variations output", ".variations select"):
            assert page.locator(part).evaluate(sticks_out) <= 0


def test_the_header_says_what_a_model_is_for(page: Page) -> None:
    """What it paints, and from what; its network and size are in the tooltip."""
    about = page.locator(".header .about")
    choose_model(page, OUTLINE)
    expect(about).to_have_text("8 × 8 pictures in 4 colours by name and from an outline, in 40 styles")
    expect(about).to_have_attribute("title", re.compile(r"^pixelcnn · 8 × 8 palette, 4 colours · [\d,]+ weights$"))
    choose_model(page, DIGITS)
    expect(about).to_have_text("8 × 8 pictures in grey, by 10 labels")


def test_a_gallery_of_many_opens_at_once(page: Page) -> None:
    """Pictures are drawn as they come into view, and those of the strip once."""
    for seed in range(3):
        paint(page, seed=seed, count=16)
    first = page.locator(".thumbnails canvas").first
    first.evaluate("el => { el.kept = true; }")
    paint(page, seed=9)
    assert page.locator(".thumbnails canvas").evaluate_all("all => all.filter((one) => one.kept).length") == 1
    drawn = "all => all.filter((one) => one.getContext('2d').getImageData(0, 0, 8, 8).data.some(Boolean)).length"
    page.get_by_role("button", name="Gallery", exact=True).click()
    pictures = page.locator(".gallery-grid canvas")
    expect(pictures).to_have_count(49)
    page.wait_for_function(f"() => ({drawn})([...document.querySelectorAll('.gallery-grid canvas')]) > 0")
    assert pictures.evaluate_all(drawn) < 49
    pictures.last.scroll_into_view_if_needed()
    last = f"() => ({drawn})([...document.querySelectorAll('.gallery-grid canvas')].slice(-1)) === 1"
    page.wait_for_function(last)
