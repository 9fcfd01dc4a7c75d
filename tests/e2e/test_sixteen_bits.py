"""Scans of 16 bits in the page: opened, shown from their least level to their greatest, saved with every bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import choose_file, opened, paint, pixels, point, saved, serving

SCAN = np.arange(1000, 1000 + 64 * 20, 20).astype(np.uint16).reshape(8, 8)


def model() -> pt.PixelModel:
    """8x8, 65,536 levels, weights as at the beginning of a training."""
    return pt.build("pixelcnn", shape=(1, 8, 8), levels=65_536, likelihood="mixture", channels=4, layers=1)


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """A studio of this model."""
    with serving(StudioService([model()])) as server:
        yield server


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_scan_is_opened_shown_and_saved(page: Page, ending: str, tmp_path: Path) -> None:
    """All 16 bits in and out; black is its least level, white its greatest; the chart shows the levels that matter."""
    expect(page.locator(".header .about")).to_have_text("8 × 8 pictures in 65,536 greys")
    Image.fromarray(SCAN).save(tmp_path / f"scan.{ending}")
    choose_file(page, tmp_path / f"scan.{ending}")
    expect(page.locator(".panel.pixel")).to_contain_text("Where the bits go")
    shown = np.rint(255 * (SCAN - 1000.0) / (SCAN.max() - 1000.0))
    assert np.abs(pixels(page)[..., 0] - shown).max() <= 1  # halves may be rounded up or down
    with Image.open(saved(page, "PNG", tmp_path)) as picture:
        assert picture.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(picture), SCAN)
    point(page, 4, 4)
    chart = page.locator(".channels svg")
    expect(chart).to_be_visible()
    expect(page.locator(".channels .note")).to_contain_text(f"Observed level {SCAN[4, 4]}.")
    assert 16 <= chart.locator("g rect").count() <= 256


def test_an_exported_page_saves_16_bits(browser: Browser, tmp_path: Path) -> None:
    """The PNG is written by the page: the levels of the command line."""
    pt.export("grey16", html=tmp_path / "deep.html")
    with opened(browser, (tmp_path / "deep.html").as_uri()) as page:
        paint(page, seed=3)
        for name, scale in (("PNG", 1), ("PNG large", 42)):
            with Image.open(saved(page, name, tmp_path)) as picture:
                assert picture.mode == "I;16"
                levels = np.asarray(picture)
            expected = pt.sample("grey16", 1, seed=3).levels[0, 0]
            np.testing.assert_array_equal(levels, expected.repeat(scale, 0).repeat(scale, 1))
