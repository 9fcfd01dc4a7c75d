"""Surprise on the scale of normal images: the map and the verdict of the model's detector."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from pointillist.visualization import diverging_colors
from tests.e2e.helpers import DIGITS, paint, pixels_of, point


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
