"""You against the model: pixels are asked, both pay in bits, and the sums are what the probabilities say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import choose_model, serving
from tests.tolerances import printed

ROUNDS, SURE, LEVELS = 12, 80, 16
ROUNDED = 1.01
"""Of a number that lies half-way between two texts, one is farther off by the rounding of its decimal fraction."""


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """Bundled models of digits, and of photographs, whose pixels have too many levels to be asked."""
    with serving(StudioService(["digits", "photos"])) as server:
        yield server


def bits_in(text: str) -> list[float]:
    """All numbers of bits in a text."""
    return [float(number.replace("\u2212", "-")) for number in re.findall(r"([\u2212\d.]+) bits", text)]


def start(page: Page) -> Locator:
    """Open the game on digits."""
    choose_model(page, "digits")
    page.get_by_role("button", name="You against the model").click()
    dialog = page.get_by_role("dialog", name="You against the model")
    expect(dialog.get_by_text(re.compile("^Pixel 1 of"))).to_be_visible(timeout=60_000)
    return dialog


def test_every_guess_pays_its_bits(page: Page) -> None:
    """A level with 80 %: 0.32 bits if right; the rest is shared by the other levels. The sums are of all rounds."""
    dialog = start(page)
    right, wrong = -math.log2(SURE / 100), -math.log2((1 - SURE / 100) / (LEVELS - 1))
    you = model = 0.0
    for number in range(1, ROUNDS + 1):
        expect(dialog.get_by_text(re.compile(f"^Pixel {number} of {ROUNDS}"))).to_be_visible()
        dialog.get_by_role("radio").first.click()
        dialog.get_by_label("How sure you are, in percent").fill(str(SURE))
        dialog.get_by_role("button", name="Guess").click()
        answer = dialog.locator(".guess-answer p").inner_text()
        paid, of_model = bits_in(answer)
        assert paid == pytest.approx(right if answer.startswith("Right") else wrong, abs=ROUNDED * printed(2))
        you, model = you + paid, model + of_model
        shown = bits_in(page.locator(".guess-scores").inner_text())
        assert shown == pytest.approx([you, model, number * math.log2(LEVELS)], abs=(number + 1) * printed(1))
        dialog.get_by_role("button", name="Next pixel" if number < ROUNDS else "The end").click()
    expect(dialog.get_by_text(re.compile("^(You|The model) won by"))).to_be_visible()
    total = bits_in(dialog.locator(".guess-question").inner_text())[-1]
    dialog.get_by_role("button", name="Show it on the canvas").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".studio").get_by_text(f"{total:.1f} bits").first).to_be_visible()


def test_an_address_opens_the_game(page: Page) -> None:
    """`?view=game`, as the site embeds it; models of three colours have none."""
    choose_model(page, "photos")
    expect(page.get_by_role("button", name="You against the model")).to_have_count(0)
    page.goto(page.url.split("#")[0] + "?view=game")
    expect(
        page.get_by_role("dialog", name="You against the model").get_by_text(re.compile("^Pixel 1 of"))
    ).to_be_visible()
