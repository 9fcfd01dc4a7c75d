"""Layouts: what is in view, what stays in place, and what has room, in windows of many shapes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pointillist.studio.http.server import Server
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    OUTLINE,
    canvas,
    choose,
    choose_model,
    opened,
    paint,
    point,
    wait_for_frame,
)

SIDES = [(667, 375), (844, 390), (932, 430)]  # of phones
IN_VIEW = ("Paint", "Image", "Pencil (B)", "Move the selection (X)", "Undo (Ctrl+Z)", "Zoom in (+)", "Play (space)")


def name_of(size: tuple[int, int]) -> str:
    """A size as the name of a case."""
    return f"{size[0]}x{size[1]}"


def x_of(part: Locator) -> float:
    """The left edge of an element, in pixels."""
    box = part.bounding_box()
    assert box
    return box["x"]


def select_a_rectangle(page: Page) -> None:
    page.get_by_role("button", name="Select a rectangle (M)").click()
    page.mouse.move(*point(page, 2, 2))
    page.mouse.down()
    page.mouse.move(*point(page, 5, 5))
    page.mouse.up()
    expect(page.get_by_role("button", name="Fill", exact=True)).to_be_visible()


def covered(page: Page) -> list[str]:
    """Names of buttons in view at whose middle another element lies; candidates scroll in a row of their own."""
    found: list[str] = page.locator(".middle").evaluate(
        """middle => [...middle.querySelectorAll("button:not(.candidates *), select")].filter((el) => {
          const box = el.getBoundingClientRect(), around = middle.getBoundingClientRect();
          if (!box.width || box.bottom > around.bottom || box.top < around.top) return false;
          const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
          return top !== el && !el.contains(top) && !top?.closest(".player");
        }).map((el) => el.ariaLabel || el.textContent)"""
    )
    return found


@pytest.mark.parametrize("size", SIDES, ids=name_of)
def test_a_phone_on_its_side(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """Canvas, tools, player, a panel and Paint are in view at once, and nothing scrolls or sticks out."""
    width, height = size
    with opened(browser, studio.url, viewport={"width": width, "height": height}) as page:
        paint(page, seed=3)
        box = canvas(page).bounding_box()
        assert box
        assert box["height"] >= 160
        scrolled = "() => [document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
        assert page.evaluate(scrolled) == [width, height]
        for name in IN_VIEW:
            expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
        expect(page.get_by_label("Speed", exact=True)).to_be_in_viewport(ratio=1)
        page.mouse.click(*point(page, 2, 2))
        expect(page.get_by_role("button", name="Repaint from here")).to_be_attached()
        expect(page.get_by_role("group", name="Label")).to_be_hidden()  # panels take turns
        select_a_rectangle(page)
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_in_viewport()
        assert covered(page) == []
        assert page.evaluate(scrolled) == [width, height]


@pytest.mark.parametrize("size", SIDES, ids=name_of)
def test_one_draws_on_a_phone_on_its_side(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """With a tool in hand the canvas is as high as before, colours are one row, and every tool is in view."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}) as page:
        choose_model(page, COLOURS)
        before = canvas(page).bounding_box()
        page.get_by_role("button", name="Pencil (B)").click()
        swatches = page.locator(".options .swatch")
        expect(swatches.first).to_be_in_viewport(ratio=1)
        box = canvas(page).bounding_box()
        assert before
        assert box
        assert box["height"] >= max(before["height"], 0.5 * size[1])
        expect(canvas(page)).to_be_in_viewport(ratio=1)
        assert len(set(swatches.evaluate_all("all => all.map((one) => one.getBoundingClientRect().top)"))) == 1
        for name in IN_VIEW:
            if name != "Image":  # comes back with the tool that inspects
                expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("size", [(390, 844), (844, 390), (1000, 700), (1280, 720)], ids=name_of)
def test_the_speed_stays_in_place(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """When there is an image, and when Fill appears beside it."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}) as page:
        speed = page.get_by_label("Speed", exact=True)
        before = x_of(speed)
        paint(page, seed=3)
        assert x_of(speed) == before
        select_a_rectangle(page)
        assert x_of(speed) == before


@pytest.mark.parametrize("size", [(1000, 700), (1280, 560)], ids=name_of)
def test_nothing_lies_over_anything_in_a_low_window(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """With tool options and candidates around the canvas."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}) as page:
        paint(page, seed=3)
        select_a_rectangle(page)
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_visible()
        page.get_by_role("button", name="Pencil (B)").click()
        assert covered(page) == []


def test_captions_of_many_canvases_have_room(page: Page) -> None:
    """Values are read in full below small canvases, and all captions are of one form."""
    captions = page.locator(".canvas-view:not([hidden]) .caption")
    choose(page, "Canvases", "16")
    page.get_by_role("combobox", name="Compare").select_option("temperature")
    page.get_by_label("Values of temperature").fill("0.25, 0.5, 0.75, 1, 1.25, 1.5")
    page.get_by_role("combobox", name="and, in columns").select_option("guidance")
    page.get_by_label("Values of guidance").fill("0, 1, 2, 3, 4, 5")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(captions).to_have_count(36)
    expect(captions.nth(8)).to_have_text("0.5 · 2")
    expect(captions.nth(8)).to_have_attribute("title", "temperature 0.5 · guidance 2")
    wait_for_frame(page)
    assert captions.evaluate_all("all => all.filter((one) => one.scrollWidth > one.clientWidth).length") == 0


def test_many_canvases_keep_a_size_at_which_one_can_see_something(browser: Browser, studio: Server) -> None:
    """On a phone they go below each other, and nothing is cut off at the side."""
    with opened(browser, studio.url, viewport={"width": 390, "height": 844}) as page:
        paint(page, count=16)
        box = canvas(page).bounding_box()
        assert box
        assert box["width"] >= 48
        assert page.locator(".viewport").evaluate("(el) => el.scrollWidth - el.clientWidth") == 0


def test_sixteen_canvases_use_the_stage(page: Page) -> None:
    """At 1280x720 each is more than 80 pixels wide, and all are in view."""
    paint(page, count=16)
    box = canvas(page).bounding_box()
    assert box
    assert box["width"] >= 80
    expect(canvas(page, 15)).to_be_in_viewport(ratio=1)


def test_a_menu_closes_with_escape_and_a_click_elsewhere(page: Page) -> None:
    """Without releasing the pixel that is held."""
    paint(page, seed=3)
    page.mouse.click(*point(page, 2, 2))
    entry = page.get_by_role("button", name="Contact sheet")
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator(".header h1").click()):
        page.locator(".menu summary").click()
        expect(entry).to_be_visible()
        close()
        expect(entry).to_be_hidden()
    expect(page.locator(".mark.held")).to_be_visible()


def test_a_panel_writes_into_the_request_that_is_painted(page: Page) -> None:
    """Also after its model was chosen once more, which begins a request."""
    choose_model(page, DIGITS)
    choose_model(page, DIGITS)
    paint(page, count=4)
    expect(page.locator(".canvas-view:not([hidden])")).to_have_count(4)


def test_the_focus_ring_of_the_chart_covers_nothing(page: Page) -> None:
    """Neither the levels below it nor the sentence above."""
    paint(page, seed=5)
    page.mouse.click(*point(page, 3, 4))
    chart = page.locator(".channel .chart").first
    expect(page.locator(".likeliest button").first).to_be_visible()
    chart.focus()
    page.keyboard.press("ArrowRight")
    ring = chart.evaluate(
        "(el) => parseFloat(getComputedStyle(el).outlineWidth) + parseFloat(getComputedStyle(el).outlineOffset)"
    )
    above, below = chart.bounding_box(), page.locator(".likeliest").first.bounding_box()
    assert above
    assert below
    assert 0 < ring < below["y"] - (above["y"] + above["height"])


SCREENS = [(1440, 900), (1280, 720), (390, 844), (844, 390)]
PLACES = """() => Object.fromEntries(
  [...document.querySelectorAll(".middle, .middle *, .header *, .tabs, .tabs button, .go *, .export-actions *")]
    .filter((el) => el.checkVisibility() && !el.closest("svg"))
    .map((el, i) => {
      const { x, y, width, height } = el.getBoundingClientRect();
      const top = el.closest(".go") ? y : y + scrollY; // the button for painting stays where it is on the screen
      return [`${i} ${el.className || el.tagName}`, [x, top, width, height].map(Math.round).join()];
    }),
)"""
UNDER_ANOTHER = """(all) => all.filter((el) => {
  const box = el.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return top !== el && !el.contains(top) && !el.closest("label")?.contains(top);
}).map((el) => el.outerHTML)"""


@pytest.mark.parametrize("size", SCREENS, ids=name_of)
def test_a_notice_moves_neither_stage_nor_control(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """It has a place in view, at the cost of a panel that scrolls."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}) as page:
        paint(page, seed=3)
        page.get_by_role("combobox", name="Compare").select_option("temperature")
        values = page.get_by_label("Values of temperature")
        values.fill("abc")
        wait_for_frame(page)
        before = page.evaluate(PLACES)
        values.press("Enter")
        expect(page.locator(".notice")).to_be_in_viewport(ratio=1)
        wait_for_frame(page)
        after = page.evaluate(PLACES)
        assert {name: (before.get(name), place) for name, place in after.items() if place != before.get(name)} == {}
        page.get_by_role("button", name="Close the message").click()
        expect(page.locator(".notice")).to_be_hidden()


def test_what_is_changed_most_is_in_view_at_1280x720(page: Page) -> None:
    """Seed, comparison and number of canvases, also of a model with text, labels and a hint; nothing lies over them."""
    choose_model(page, OUTLINE)
    compare, counts = page.get_by_role("combobox", name="Compare"), page.get_by_role("group", name="Canvases")
    for part in (page.get_by_label("Seed", exact=True), compare, counts.get_by_text("16", exact=True)):
        expect(part).to_be_in_viewport(ratio=1)
        assert part.evaluate_all(UNDER_ANOTHER) == []


def test_a_phone_shows_the_prompt_and_candidates_next_to_the_canvas(browser: Browser, studio: Server) -> None:
    """Text, examples and Paint are in view without scrolling; so are canvas, candidates and player after a fill."""
    with opened(browser, studio.url, viewport={"width": 390, "height": 844}) as page:
        paint(page, seed=3)
        page.evaluate("() => scrollTo(0, 0)")
        for part in (page.get_by_role("group", name="Label"), page.get_by_role("button", name="Paint", exact=True)):
            expect(part).to_be_in_viewport(ratio=1)
        assert page.get_by_role("group", name="Label").locator("span").first.evaluate_all(UNDER_ANOTHER) == []
        select_a_rectangle(page)
        page.get_by_role("button", name="Fill", exact=True).click()
        for part in (page.locator(".candidates button").first, canvas(page), page.get_by_label("Speed", exact=True)):
            expect(part).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [961, 1080, 1280])
def test_the_numbers_of_canvases_take_one_row(browser: Browser, studio: Server, width: int) -> None:
    """Also in a page that is embedded, and next to the first steps, which take two lines at most."""
    with opened(browser, studio.url, viewport={"width": width, "height": 800}) as page:
        labels = page.get_by_role("group", name="Canvases").locator("label")
        assert (
            len({round(y) for y in labels.evaluate_all("(all) => all.map((el) => el.getBoundingClientRect().y)")}) == 1
        )
        steps = page.get_by_role("region", name="First steps").bounding_box()
        assert steps
        assert steps["height"] <= TWO_LINES


FINGER, MAIN, SMALL, TWO_LINES = 44, 64, 36, 60
"""Pixels of what fingers press: all day, the button for painting, and on a phone on its side what has little room."""
TARGETS = """(smallest) => [...document.querySelectorAll(
  ":is(.toolbar, .options, .below, .player, .tabs, .go) :is(button, select), .batch label:has([type=radio])",
)]
  .filter((el) => el.checkVisibility())
  .map((el) => [el.ariaLabel || el.textContent, el.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < smallest)
  .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""


@pytest.mark.parametrize(
    ("size", "smallest", "main"),
    [((390, 844), FINGER, MAIN), ((360, 640), SMALL, MAIN), ((844, 390), SMALL, FINGER)],
    ids=["upright", "small", "side"],
)
def test_fingers_find_their_targets(
    browser: Browser, studio: Server, size: tuple[int, int], smallest: int, main: int
) -> None:
    """Tools, colours, views, player, tabs and numbers of canvases; the button for painting is larger."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}, has_touch=True) as page:
        choose_model(page, COLOURS)
        paint(page, seed=3)
        page.get_by_role("button", name="Pencil (B)").click()
        box = page.get_by_role("button", name="Paint", exact=True).bounding_box()
        assert box
        assert box["height"] >= main
        assert page.evaluate(TARGETS, smallest) == []
        tools = page.locator(".toolbar .tools button").evaluate_all("(all) => all.map((el) => el.offsetWidth)")
        assert min(tools) >= FINGER


def test_nothing_lies_over_the_button_for_painting(browser: Browser, studio: Server) -> None:
    """On a phone, wherever the page is scrolled to."""
    with opened(browser, studio.url, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        choose_model(page, OUTLINE)
        paint = page.get_by_role("button", name="Paint", exact=True)
        for y in range(0, page.evaluate("() => document.scrollingElement.scrollHeight"), 50):
            page.evaluate("(y) => scrollTo(0, y)", y)
            box = paint.bounding_box()
            assert box
            if box["y"] + box["height"] <= 844:
                assert paint.evaluate_all(UNDER_ANOTHER) == [], y
