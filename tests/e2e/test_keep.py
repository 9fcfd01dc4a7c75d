"""Save: pictures, animations, manifests; work, gallery and settings survive a reload; files carry their settings."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.reproduce import read_manifest
from pointillist.studio.service import StudioService
from tests.e2e.helpers import (
    COLOURS,
    DIGITS,
    RGB,
    choose_file,
    choose_model,
    grey,
    kept,
    opened,
    paint,
    pixels,
    point,
    press_in_gallery,
    press_in_menu,
    saved,
    saved_atlas,
    wait_until_painted,
)


def test_work_gallery_and_settings_survive_a_reload(page: Page) -> None:
    """With favourites and names; a button deletes all of it, after a question."""
    paint(page, seed=4, count=2, label="7")
    first = pixels(page, 1)
    page.get_by_role("button", name="Favourite").click()
    page.get_by_role("button", name="Name", exact=True).click()
    page.get_by_role("dialog").get_by_label("Name").fill("my seven")
    page.get_by_role("dialog").get_by_role("button", name="Name", exact=True).click()
    page.get_by_label("Temperature, as a number").fill("0.8")
    kept(page)
    page.reload()
    expect(page.locator(".thumbnails canvas")).to_have_count(2)
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    np.testing.assert_array_equal(pixels(page, 1), first)
    expect(page.get_by_role("button", name="Favourite", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("4")
    expect(page.get_by_label("Temperature, as a number")).to_have_value("0.8")
    expect(page.get_by_role("group", name="Label").get_by_role("radio", name="7", exact=True)).to_be_checked()
    expect(page.locator(".thumbnails .favourite button")).to_have_attribute("title", "my seven, " + bits(page))
    expect(page.get_by_role("button", name="Manifest", exact=True)).to_be_enabled()
    press_in_menu(page, "Delete everything …")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".thumbnails canvas")).to_have_count(2)
    press_in_menu(page, "Delete everything …")
    page.get_by_role("dialog").get_by_role("button", name="Delete everything").click()
    expect(page.locator(".thumbnails canvas")).to_have_count(0)
    kept(page)
    page.reload()
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    expect(page.locator(".thumbnails canvas")).to_have_count(0)


def bits(page: Page) -> str:
    """The bits of the active canvas, as its thumbnail says them."""
    text = page.locator(".canvas-view:not([hidden]) .caption").first.inner_text()
    return text.rpartition(" · ")[2]


def test_an_image_gives_its_settings_back(page: Page, service: StudioService, tmp_path: Path) -> None:
    """A PNG opens with all of them, whatever was chosen since; a click in the gallery, too."""
    paint(page, seed=8, label="2")
    expected = pixels(page)
    path = saved(page, "PNG", tmp_path)
    with Image.open(path) as picture:
        manifest = json.loads(picture.info["pointillist-manifest"])
    assert manifest["request"]["samples"][0]["seed"] == 8
    assert read_manifest(path).request.samples[0].conditions.label == 2
    choose_model(page, RGB)
    page.get_by_label("Seed", exact=True).fill("99")
    choose_file(page, path)
    expect(page.get_by_role("alert")).to_have_text("Identical to the bit.")
    np.testing.assert_array_equal(pixels(page), expected)
    expect(page.get_by_label("Model", exact=True)).to_have_value(DIGITS)
    expect(page.get_by_label("Seed", exact=True)).to_have_value("8")
    expect(page.get_by_role("group", name="Label").get_by_role("radio", name="2", exact=True)).to_be_checked()
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The same seed and settings paint the same image")
    wait_until_painted(page, 1)
    np.testing.assert_array_equal(pixels(page), expected)
    choose_model(page, RGB)
    page.locator(".thumbnails button").first.click()
    expect(page.get_by_label("Model", exact=True)).to_have_value(DIGITS)


def test_all_are_saved_as_one_file(page: Page, service: StudioService, tmp_path: Path) -> None:
    """A ZIP of exact pictures with their settings; a sheet; an atlas of exact pixels with their places."""
    paint(page, seed=8, count=4)
    with page.expect_download() as found:
        press_in_gallery(page, "ZIP")
    path = tmp_path / "all.zip"
    found.value.save_as(path)
    expected = pt.sample(service.models[DIGITS].model, 4, seed=8).levels[:, 0]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = sorted(archive.namelist())
        assert len(names) == 4
        for name, image in zip(names, expected[::-1], strict=True):  # the newest first
            with archive.open(name) as file, Image.open(file) as picture:
                np.testing.assert_array_equal(np.array(picture.convert("L")), grey(image))
                assert "pointillist-manifest" in picture.info
    with page.expect_download() as found:
        press_in_gallery(page, "Sheet")
    found.value.save_as(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 176 + 16, 2 * 198 + 16)
    atlas, places = saved_atlas(page, tmp_path)
    np.testing.assert_array_equal(
        atlas[..., 0], grey(np.block([[expected[3], expected[2]], [expected[1], expected[0]]]))
    )
    assert [(one["x"], one["y"]) for one in places] == [(0, 0), (8, 0), (0, 8), (8, 8)]


def test_each_model_keeps_its_draft_and_undo_survives_a_reload(page: Page) -> None:
    """Canvas, prompt and settings of a model are there after a reload, also where another tab painted since."""
    page.keyboard.press("b")
    page.mouse.click(*point(page, 2, 2))
    page.mouse.click(*point(page, 5, 5))
    drawn = pixels(page)
    page.get_by_label("Temperature, as a number").fill("0.7")
    choose_model(page, COLOURS)
    assert not np.array_equal(pixels(page), drawn)
    expect(page.get_by_label("Temperature, as a number")).to_have_value("1")
    kept(page)
    other = page.context.new_page()
    other.goto(page.url)
    paint(other, seed=3)
    kept(other)
    page.reload()
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_enabled()
    expect(page.get_by_label("Model", exact=True)).to_have_value(COLOURS)
    choose_model(page, DIGITS)
    np.testing.assert_array_equal(pixels(page), drawn)
    expect(page.get_by_label("Temperature, as a number")).to_have_value("0.7")
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert (pixels(page)[..., 3] == 255).sum() == 1
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(pixels(page), drawn)


def test_the_gallery_is_a_page(page: Page, tmp_path: Path) -> None:
    """Filters, a search, several at once; a name is in the name of the file; the menu closes by itself."""
    paint(page, seed=1, count=4)
    page.get_by_role("button", name="Name", exact=True).click()
    field = page.get_by_role("dialog").get_by_label("Name")
    page.keyboard.type("apple")  # what was there is selected
    expect(field).to_have_value("apple")
    page.get_by_role("dialog").get_by_role("button", name="Name", exact=True).click()
    page.get_by_role("button", name="Favourite").click()
    assert saved(page, "PNG", tmp_path).name.startswith("apple-")
    page.locator(".menu summary").click()
    page.keyboard.press("Escape")
    expect(page.locator(".menu")).not_to_have_attribute("open", "")
    page.get_by_role("button", name="Gallery", exact=True).click()
    gallery = page.get_by_role("dialog", name="Gallery")
    images = gallery.get_by_role("list", name="Images").get_by_role("listitem")
    expect(images).to_have_count(4)
    gallery.get_by_label("Search names and prompts").fill("APP")
    expect(images).to_have_count(1)
    gallery.get_by_label("Search names and prompts").fill("")
    gallery.get_by_label("favourites").check()
    expect(images).to_have_count(1)
    gallery.get_by_label("favourites").uncheck()
    for i in (0, 1):
        images.nth(i).get_by_role("checkbox").check()
    gallery.get_by_role("button", name="Side by side").click()
    expect(gallery).to_be_hidden()
    expect(page.locator(".canvas-view:not([hidden]) canvas.image")).to_have_count(2)


def test_a_project_is_one_file(browser: Browser, studio: Server, page: Page, tmp_path: Path) -> None:
    """Names and settings come back elsewhere, to the manifest; an image that was changed in the file is said."""
    paint(page, seed=8, count=2)
    page.get_by_role("button", name="Name", exact=True).click()
    page.keyboard.type("apple")
    page.get_by_role("dialog").get_by_role("button", name="Name", exact=True).click()
    page.get_by_role("button", name="Gallery", exact=True).click()
    with page.expect_download() as found:
        page.get_by_role("dialog", name="Gallery").get_by_role("button", name="Project", exact=True).click()
    path = tmp_path / "project.json"
    found.value.save_as(path)
    project = json.loads(path.read_text())
    with opened(browser, studio.url) as other:
        choose_file(other, path)
        expect(other.locator(".notice")).to_contain_text("2 images were added to the gallery.")
        expect(other.locator(".thumbnails canvas")).to_have_count(2)
        other.get_by_role("button", name="Gallery", exact=True).click()
        other.get_by_role("dialog", name="Gallery").get_by_role("button", name="Show apple").click()
        page.get_by_role("dialog", name="Gallery").get_by_role("button", name="Show apple").click()
        np.testing.assert_array_equal(pixels(other), pixels(page))
        assert json.loads(saved(other, "Manifest", tmp_path).read_text())["sha256"] == [
            image["manifest"]["sha256"][0] for image in project["images"] if image["name"] == "apple"
        ]
        project["images"][0]["levels"], project["images"][0]["name"] = project["images"][1]["levels"], "other"
        project["images"][1]["model"]["sha256"] = "0" * 64
        path.write_text(json.dumps(project))
        choose_file(other, path)
        expect(other.get_by_role("alert")).to_contain_text("2 were left out")
        expect(other.get_by_role("alert")).to_contain_text("is not the image of its manifest")
        expect(other.get_by_role("alert")).to_contain_text("is not open here")


def test_a_damaged_manifest_does_not_hide_the_picture(page: Page, tmp_path: Path) -> None:
    """The picture is opened, and the sentence says why it has no settings."""
    paint(page, seed=8)
    path = saved(page, "PNG", tmp_path)
    expected = pixels(page)
    damaged = PngInfo()
    damaged.add_text("pointillist-manifest", "{not JSON")
    with Image.open(path) as picture:
        picture.save(tmp_path / "damaged.png", pnginfo=damaged)
    page.get_by_role("button", name="New", exact=True).click()
    choose_file(page, tmp_path / "damaged.png")
    expect(page.get_by_role("alert")).to_contain_text("Its manifest is damaged")
    np.testing.assert_array_equal(pixels(page), expected)


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
    choose_file(page, manifest)
    expect(page.get_by_role("alert")).to_have_text("Identical to the bit.")
    expect(page.locator(".verdict").first).to_have_class("verdict same")
    np.testing.assert_array_equal(pixels(page), expected)
    other = json.loads(manifest.read_text())
    other["request"]["samples"][0]["seed"] = 12345
    manifest.write_text(json.dumps(other))
    choose_file(page, manifest)
    expect(page.get_by_role("alert")).to_contain_text("The image differs")
    expect(page.locator(".verdict").first).to_have_text("differs")
    manifest.write_text("{}")
    choose_file(page, manifest)
    expect(page.get_by_role("alert")).to_contain_text("not a manifest")
