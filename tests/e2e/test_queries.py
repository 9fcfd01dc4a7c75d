"""Question: any pixel tells what the model held possible there, how the network sees it, and how normal it is."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, Response, expect

import pointillist as pt
from pointillist.analysis import ImageQuery, counterfactual, distribution, gradient, logit_lens
from pointillist.studio.service import StudioService
from tests.e2e.helpers import COLOURS, DIGITS, choose_model, grey, paint, pixels, pixels_of, point, wait_until_painted
from tests.tolerances import network_rounding, rounding

PIXELS = 0.02
"""Sum of the rounding errors of bars, which end at whole pixels, as a share of the chart."""


def test_hovering_shows_a_distribution_that_sums_to_1(page: Page, service: StudioService) -> None:
    """That of the model, bar by bar and in numbers."""
    paint(page, seed=5)
    with page.expect_response(lambda response: pixel_of(response) == (3, 4)) as found:
        point(page, 3, 4)
    (channel,) = found.value.json()["channels"]
    assert sum(channel["probs"]) == pytest.approx(
        1, abs=rounding(1.0, terms=len(channel["probs"]), dtype=torch.float32)
    )
    model = service.models[DIGITS].model
    levels = pt.sample(model, 1, seed=5).levels[0]
    expected = distribution(ImageQuery.of(model, levels), 3, 4)
    np.testing.assert_allclose(channel["probs"], expected.probs, rtol=0, atol=network_rounding(model, 1.0))
    expect(page.locator(".pixel h2")).to_have_text("Row 3, column 4")
    expect(page.locator(".pixel > .numbers")).to_contain_text(f"{expected.surprisal:.2f} bits")
    shares = [bar_height(d) for d in bars(page)]
    assert sum(shares) * scale_top(page) == pytest.approx(1, abs=PIXELS)


def test_a_held_pixel_can_be_another_and_is_repainted_from(page: Page, service: StudioService) -> None:
    """All before it stays, it is what was chosen, and the rest is an exact sample given these."""
    model = service.models[DIGITS].model
    paint(page, seed=5)
    page.mouse.click(*point(page, 2, 6))
    before = pt.sample(model, 1, seed=5).levels[0]
    option = page.locator(".likeliest button:not(.observed)").first
    name = option.get_attribute("aria-label") or ""
    level = int(re.findall(r"level (\d+)", name)[0])
    option.click()
    cost = counterfactual(ImageQuery.of(model, before), {(2, 6): level}).bits_change
    expect(page.locator(".edit-cost")).to_contain_text(f"{abs(cost):.1f} bits {'less' if cost < 0 else 'more'}")
    page.get_by_role("button", name="Shift").click()
    expect(page.locator("canvas.map").first).to_be_visible()
    page.get_by_label("Seed", exact=True).fill("9")
    page.get_by_role("button", name="Repaint from here").click()
    wait_until_painted(page, images=2)
    known = np.arange(64).reshape(8, 8) <= 2 * 8 + 6
    changed = before.copy()
    changed[0, 2, 6] = level
    expected = pt.inpaint(model, changed, known, 1, "sequential", seed=9).levels[0]
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0]))
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(pixels(page)[..., 0], grey(before[0]))


def test_a_saliency_map(page: Page, service: StudioService) -> None:
    """The gradient lies over the image; nothing that comes later has a say."""
    model = service.models[DIGITS].model
    paint(page, seed=5)
    page.mouse.click(*point(page, 3, 3))
    page.get_by_role("button", name="Saliency").click()
    expect(page.locator(".legend")).to_contain_text("bits per level")
    shown = pixels_of(page.locator("canvas.map").first)[..., :3].astype(int)
    levels = pt.sample(model, 1, seed=5).levels[0]
    slopes = gradient(ImageQuery.of(model, levels), 3, 3).values[0]
    ground = shown[7, 7]
    assert (shown[np.arange(64).reshape(8, 8) >= 3 * 8 + 3] == ground).all()
    strongest = np.unravel_index(np.abs(slopes).argmax(), slopes.shape)
    alike = shown[np.sign(slopes) == np.sign(slopes[strongest])]  # red and blue do not end at one brightness
    assert np.abs(shown[strongest] - ground).sum() == np.abs(alike - ground).sum(-1).max()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Saliency")).to_be_hidden()


def pixel_of(response: Response) -> tuple[int, int] | None:
    """The pixel that an answer is about."""
    if not response.url.endswith("/pixel"):
        return None
    question = response.request.post_data_json
    return question["row"], question["column"]


def bars(page: Page) -> list[str]:
    """The outlines of all bars of the first chart."""
    outlines = page.locator(".channel .chart").first.locator("path.bar")
    paths = outlines.evaluate_all("all => all.map((e) => e.getAttribute('d'))")
    return [bar for path in paths if path for bar in path.split("M") if bar]


def bar_height(outline: str) -> float:
    """As a share of the chart's height."""
    return -float(re.findall(r"v(-[\d.]+)h", outline)[0]) / 90


def scale_top(page: Page) -> float:
    """The probability at the top of the chart."""
    return float(page.locator(".channel .chart").first.locator("text").nth(1).text_content() or 0)


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
    panel.get_by_label("Activation", exact=True).select_option(label="layers 1 skip")
    expect(panel).to_contain_text("Root mean square of its 8 features")


def test_a_network_without_a_lens_has_no_such_part(page: Page) -> None:
    """And its receptive field and its activations are shown all the same."""
    choose_model(page, COLOURS)
    paint(page, seed=1)
    page.mouse.click(*point(page, 2, 2, (4, 4)))
    page.get_by_text("Look inside the network").click()
    panel = page.locator(".inside")
    expect(panel).to_contain_text("of the 10 pixels before it")
    expect(panel.get_by_label("Activation", exact=True)).to_be_visible()
    expect(panel.get_by_text("Layer by layer")).to_be_hidden()


def words(names: tuple[str, ...], bits: np.ndarray) -> str:
    """The depths and their bits, as the chart says them."""
    return ", ".join(f"{name} {value:.2f}" for name, value in zip(names, bits, strict=True))
