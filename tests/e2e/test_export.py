"""Save: pictures, animations, manifests, and the images of this session."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

import pointillist as pt
from pointillist.studio.service import StudioService
from tests.e2e.helpers import DIGITS, grey, paint, pixels, saved, wait_until_painted


def test_pictures_are_exact_and_enlarged(page: Page, service: StudioService, tmp_path: Path) -> None:
    """And the animation ends with the image."""
    paint(page, seed=8, label="2")
    expected = grey(pt.sample(service.models[DIGITS].model, 1, label="2", seed=8).levels[0, 0])
    exact = saved(page, "PNG", tmp_path)
    assert exact.name == "gated-pixelcnn-2-seed-8.png"
    np.testing.assert_array_equal(np.array(Image.open(exact).convert("L")), expected)
    large = np.array(Image.open(saved(page, "PNG large", tmp_path)).convert("L"))
    assert large.shape == (512, 512)
    np.testing.assert_array_equal(large, expected.repeat(64, 0).repeat(64, 1))
    with Image.open(saved(page, "GIF", tmp_path)) as animation:
        assert getattr(animation, "n_frames", 1) > 30


def test_a_manifest_is_reproduced_and_the_page_says_whether_it_is_the_same(page: Page, tmp_path: Path) -> None:
    """Identical to the bit; or, when it was changed by hand, different, and why."""
    paint(page, seed=8, count=2, label="2")
    page.locator("canvas.image").nth(1).focus()
    manifest = saved(page, "Manifest", tmp_path)
    expected = pixels(page, 1)
    paint(page, seed=9)
    opened(page, manifest)
    expect(page.get_by_role("alert")).to_have_text("Identical to the bit.")
    expect(page.locator(".verdict").first).to_have_class("verdict same")
    np.testing.assert_array_equal(pixels(page), expected)
    other = json.loads(manifest.read_text())
    other["request"]["samples"][0]["seed"] = 12345
    manifest.write_text(json.dumps(other))
    opened(page, manifest)
    expect(page.get_by_role("alert")).to_contain_text("The image differs")
    expect(page.locator(".verdict").first).to_have_text("differs")
    manifest.write_text("{}")
    opened(page, manifest)
    expect(page.get_by_role("alert")).to_contain_text("not a manifest")


def test_the_images_of_this_session_come_back(page: Page) -> None:
    """With everything that is known of them."""
    paint(page, seed=1)
    first = pixels(page)
    paint(page, seed=2)
    expect(page.locator(".thumbnails li")).to_have_count(2)
    page.locator(".thumbnails button").nth(1).click()
    wait_until_painted(page)
    np.testing.assert_array_equal(pixels(page), first)
    expect(page.locator(".thumbnails button").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Manifest", exact=True)).to_be_enabled()


def opened(page: Page, manifest: Path) -> None:
    """Choose a manifest in the file dialog."""
    with page.expect_file_chooser() as found:
        page.get_by_role("button", name="Open a picture or a manifest").click()
    found.value.set_files(manifest)
