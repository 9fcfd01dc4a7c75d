"""Look inside: the receptive field of the pixel under the pointer, layers and activations of a held one."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.analysis import ImageQuery, logit_lens, word_gains
from pointillist.studio.service import StudioService
from tests.e2e.helpers import COLOURS, DIGITS, OUTLINE, canvas, choose_model, paint, pixels_of, point, wait_for_frame

BLUE = (107, 164, 214)


def test_the_inside_of_the_network_is_shown(page: Page, service: StudioService) -> None:
    """What a pixel can depend on, its bits after each layer, and an activation by name."""
    model = service.models[DIGITS].model
    paint(page, seed=5)
    page.get_by_text("Look inside the network").click()
    expect(page.locator(".inside")).to_contain_text("Point at a pixel.")
    point(page, 3, 4)
    field = pt.receptive_field(model, 3, 4)
    panel = page.locator(".inside")
    expect(panel).to_contain_text(f"can depend on {field.num_seen} of the 28 pixels before it")
    shown = pixels_of(panel.locator("canvas").first)[..., :3]
    np.testing.assert_array_equal((shown == BLUE).all(-1), field.depends[0] & field.earlier[0])
    expect(panel).to_contain_text("Click the pixel to see the layers")
    levels = pt.sample(model, 1, seed=5).levels[0]
    lens = logit_lens(ImageQuery.of(model, levels))  # before the studio looks inside the same model, in its own thread
    bits = lens.surprisal[:, 0, 3, 4]
    page.mouse.click(*point(page, 3, 4))
    chart = panel.get_by_role("img")
    expect(chart).to_have_attribute("aria-label", f"Bits of this pixel after each layer: {words(lens.names, bits)}")
    panel.get_by_label("Layer", exact=True).select_option(label=lens.names[2])
    total = lens.saved[1].sum()
    decimals = 2 if abs(total) < 10 else 1
    expect(panel).to_contain_text(f"It {'saves' if total > 0 else 'costs'} {abs(total):.{decimals}f} bits")
    panel.get_by_label("Activation", exact=True).select_option(label="layers.1.hook_skip")
    expect(panel).to_contain_text("Root mean square of its 8 features")


def test_a_network_without_a_lens_says_so(page: Page) -> None:
    """And its receptive field is shown all the same."""
    choose_model(page, COLOURS)
    paint(page, seed=1)
    page.mouse.click(*point(page, 2, 2, (4, 4)))
    page.get_by_text("Look inside the network").click()
    panel = page.locator(".inside")
    expect(panel).to_contain_text("The logit lens is not defined")
    expect(panel).to_contain_text("of the 10 pixels before it")


def test_a_word_lights_up_its_pixels_and_a_pixel_its_words(page: Page, service: StudioService) -> None:
    """Over the image in grey, until the word is left or, clicked, is clicked again; without a prompt there is none."""
    choose_model(page, OUTLINE)
    page.get_by_label("Text", exact=True).fill("red red heart")
    paint(page, seed=5)
    model = service.models[OUTLINE].model
    page.get_by_text("What each word did").click()
    panel = page.locator(".prompt-words")
    buttons = panel.get_by_role("button")
    expect(buttons).to_have_count(3)
    levels = pt.sample(model, 1, text="red red heart", seed=5, guidance=2.0, temperature=0.7).levels[0]
    gains = word_gains(ImageQuery.of(model, levels, text="red red heart"))
    expect(buttons.nth(0)).to_contain_text("not read")
    expect(buttons.nth(2)).to_contain_text(f"{gains[2].bits:+.1f}".replace("-", "\u2212"))
    overlay, saved = page.locator("canvas.map").first, gains[2].saved[0]
    assert overlay.is_hidden()
    buttons.nth(2).hover()
    drawn = pixels_of(overlay).astype(int)
    strong = np.abs(saved) > 0.5 * np.abs(saved).max()
    assert np.array_equal(np.sign(drawn[strong][:, 2] - drawn[strong][:, 0]), np.sign(saved[strong]))  # blue saves
    buttons.nth(0).hover()
    drawn = pixels_of(overlay).astype(int)
    assert (drawn[..., 0] == drawn[..., 2]).all()
    row, column = (int(i) for i in np.unravel_index(int(np.abs(saved).argmax()), saved.shape))
    point(page, row, column)
    expect(page.locator(".word-bits")).to_contain_text(f"heart {saved[row, column]:+.1f}".replace("-", "\u2212"))
    assert overlay.is_hidden()
    assert buttons.nth(2).evaluate("b => b.style.background") != ""
    assert buttons.nth(0).evaluate("b => b.style.background") == ""
    for pressed in ("true", "false"):
        buttons.nth(2).click()
        expect(buttons.nth(2)).to_have_attribute("aria-pressed", pressed)
    buttons.nth(2).click()
    point(page, 0, 0)
    wait_for_frame(page)
    expect(overlay).to_be_visible()
    page.get_by_label("Text", exact=True).fill("")
    paint(page, seed=6)
    expect(page.get_by_text("What each word did")).to_be_hidden()
    assert overlay.is_hidden()
    assert canvas(page).is_visible()


def words(names: tuple[str, ...], bits: np.ndarray) -> str:
    """The depths and their bits, as the chart says them."""
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(names, bits, strict=True))
