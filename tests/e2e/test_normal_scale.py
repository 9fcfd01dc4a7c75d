"""Surprise on the scale of normal images: the map and the verdict of the model's detector."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, Route, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from pointillist.visualization import diverging_colors
from tests.e2e.helpers import COLOURS, DIGITS, choose_model, paint, pixels_of, point, wait_for_frame


def test_surprise_on_the_scale_of_normal_images(page: Page, service: StudioService) -> None:
    """The map and the p-value are the detector's; the switch goes back to bits; a hole is not judged."""
    paint(page, seed=5)
    page.get_by_role("button", name="Surprise").click()
    switch = page.get_by_label("normal scale")
    expect(switch).not_to_be_checked()
    switch.check()
    words = page.locator(".verdict-words")
    expect(words).to_contain_text("p = ")
    entry = service.models[DIGITS]
    record = service.detectors.find(entry).explain(pt.sample(entry.model, 1, seed=5).levels[0])
    said = words.inner_text()
    assert f"p = {record.p_value:.3f}" in said
    assert (
        f"Most unusual is {record.top_statistic}, {abs(record.statistics[record.top_statistic]):.1f} standard" in said
    )
    assert ("below" if record.statistics[record.top_statistic] < 0 else "above") in said
    assert (": odd at" if record.pred_label else ": normal at") in said
    expect(page.locator(".legend .ends")).to_contain_text(f"{record.top:.1f}")
    shown = pixels_of(page.locator("canvas.map").first)[..., :3].astype(int)
    assert np.abs(shown - diverging_colors(record.z_map, record.top)).max() <= 3  # 256 steps
    page.get_by_role("button", name="Eraser").click()
    page.mouse.click(*point(page, 3, 3))
    expect(words).to_contain_text("unpainted pixels")
    switch.uncheck()
    expect(words).to_be_hidden()
    expect(page.locator(".legend")).to_contain_text("surprise in bits")


def test_a_model_without_a_detector_says_how_to_make_one(page: Page) -> None:
    """Once, in one sentence with the command, asked for once; the map of surprise stays all the time."""
    choose_model(page, COLOURS)
    paint(page, seed=1, count=4)
    page.get_by_role("button", name="Surprise").click()
    surprise = pixels_of(page.locator("canvas.map").first)
    assert surprise[..., 3].all()
    asked: list[Route] = []
    page.route("**/anomaly", lambda route: asked.append(route))  # a built-in method cannot be a handler
    switch = page.get_by_label("normal scale")
    switch.click()
    expect(page.locator(".verdict-words")).to_have_text("Comparing with normal images \u2026")
    np.testing.assert_array_equal(pixels_of(page.locator("canvas.map").first), surprise)
    expect(page.locator(".legend")).to_contain_text("surprise in bits")
    page.keyboard.press("g")  # the page is drawn anew while the query runs
    wait_for_frame(page)
    asked[0].continue_()
    said = "locally-masked-pixelcnn has no detector: pointillist detect MODEL DATA --fit NORMAL"
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(switch).to_be_hidden()
    expect(page.locator(".legend")).to_contain_text("surprise in bits")
    np.testing.assert_array_equal(pixels_of(page.locator("canvas.map").first), surprise)
    paint(page, seed=2)
    wait_for_frame(page)
    assert len(asked) == 1
