"""Layouts: what is in view, what stays in place, and what has room, in windows of many shapes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from pointillist.studio.http.server import Server
from tests.e2e.helpers import COLOURS, OUTLINE, canvas, choose_model, drag, opened, paint, point, wait_for_frame

SIDES = [(667, 375), (844, 390), (932, 430)]  # of phones
IN_VIEW = ("Paint", "Image", "Pencil (B)", "Move the selection (X)", "Undo (Ctrl+Z)", "Zoom in (+)", "Play (space)")


def name_of(size: tuple[int, int]) -> str:
    """A size as the name of a case."""
    return f"{size[0]}x{size[1]}"


def select_a_rectangle(page: Page) -> None:
    page.get_by_role("button", name="Select a rectangle (M)").click()
    drag(page, (2, 2), (5, 5))
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


@pytest.mark.parametrize("size", [(1000, 700), (1280, 560), (1280, 720)], ids=name_of)
def test_nothing_lies_over_anything_in_a_low_window(browser: Browser, studio: Server, size: tuple[int, int]) -> None:
    """With tool options and candidates around the canvas, which has three fifths of the height of a laptop."""
    with opened(browser, studio.url, viewport={"width": size[0], "height": size[1]}) as page:
        paint(page, seed=3)
        boxes = [canvas(page).bounding_box()]
        select_a_rectangle(page)
        page.get_by_role("button", name="Fill", exact=True).click()
        expect(page.locator(".candidates button").first).to_be_visible()
        boxes.append(canvas(page).bounding_box())
        page.get_by_role("button", name="Pencil (B)").click()
        assert covered(page) == []
        least = size[1] * (0.6 if size == (1280, 720) else 0.3)
        assert all(box and box["height"] >= least for box in [*boxes, canvas(page).bounding_box()])


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
