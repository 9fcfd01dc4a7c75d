"""Selections: lasso and wand, moving, copying and pasting; the terms."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Page, expect

from tests.e2e.helpers import choose, drag, paint, pixels, point, wait_for_frame


def draw_square(page: Page) -> None:
    """A filled square of level 9 at rows and columns 1 and 2, on an empty canvas."""
    page.keyboard.press("b")
    page.get_by_role("button", name="Level 9", exact=True).click()
    for row, column in ((1, 1), (1, 2), (2, 1), (2, 2)):
        page.mouse.click(*point(page, row, column))
    assert known(page) == {(1, 1), (1, 2), (2, 1), (2, 2)}


def known(page: Page) -> set[tuple[int, int]]:
    """The pixels that are not empty."""
    return {(int(row), int(column)) for row, column in np.argwhere(pixels(page)[..., 3] > 0)}


def selected(page: Page) -> str:
    """The outline of the selection, where one is shown."""
    wait_for_frame(page)
    outline = page.locator(".canvas-view:not([hidden]) .selection")
    return (outline.locator("path").first.get_attribute("d") or "") if outline.is_visible() else ""


def test_a_wand_selects_one_colour_and_move_carries_it(page: Page) -> None:
    """What is moved leaves a hole; undo brings it back."""
    draw_square(page)
    page.keyboard.press("w")
    page.mouse.click(*point(page, 1, 1))
    assert selected(page)
    page.keyboard.press("x")
    drag(page, (1, 1), (4, 5))
    assert known(page) == {(4, 5), (4, 6), (5, 5), (5, 6)}
    page.keyboard.press("Control+z")
    assert known(page) == {(1, 1), (1, 2), (2, 1), (2, 2)}


def test_a_lasso_selects_freely_and_is_erased(page: Page) -> None:
    """The pixels within its path; the others stay."""
    paint(page, seed=3)
    page.keyboard.press("q")
    drag(page, (0, 0), (0, 4), (4, 0), (0, 0))
    assert selected(page)
    page.keyboard.press("Delete")
    erased = {(row, column) for row in range(8) for column in range(8)} - known(page)
    assert {(0, 0), (0, 3), (1, 1), (3, 0)} <= erased
    assert (4, 4) not in erased
    assert (7, 7) not in erased


def test_copy_cut_and_paste(page: Page) -> None:
    """A copy lands under the pointer; a cut leaves a hole; with Ctrl+D nothing is selected."""
    draw_square(page)
    page.keyboard.press("m")
    drag(page, (1, 1), (2, 2))
    page.keyboard.press("Control+c")
    point(page, 5, 0)
    page.keyboard.press("Control+v")
    assert known(page) == {(1, 1), (1, 2), (2, 1), (2, 2), (5, 0), (5, 1), (6, 0), (6, 1)}
    page.keyboard.press("Control+x")  # what was pasted is selected
    assert known(page) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    page.keyboard.press("Control+a")
    assert selected(page)
    page.keyboard.press("Control+d")
    assert not selected(page)


def test_terms_explain_themselves(page: Page) -> None:
    """On hover and on focus, and to a screen reader."""
    paint(page, seed=3)
    page.mouse.click(*point(page, 3, 3))
    term = page.locator(".pixel > .numbers .term", has_text="surprise").first
    expect(term).to_have_attribute("aria-description", re.compile("1 bit is a coin toss"))
    term.focus()
    shown = term.evaluate("(el) => getComputedStyle(el, '::after').content")
    assert "coin toss" in shown


def test_single_keys_can_be_switched_off(page: Page) -> None:
    """In the list of keys; those with Ctrl stay."""
    draw_square(page)
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox", name="Letters and digits").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Pencil (B)")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Control+z")
    assert len(known(page)) == 3
    choose(page, "Canvases", "1")
