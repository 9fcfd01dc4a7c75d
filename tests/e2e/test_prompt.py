"""Prompt: every condition has a field, and models are compared from the same random numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import choose_model, grey, opened, paint, pixels, wait_until_painted
from tests.e2e.models import digits
from tests.studio.helpers import coded, numbered, upscaler


@pytest.fixture(scope="module")
def others() -> Iterator[Server]:
    """Two models of one kind of image; one conditioned on attributes, a vector, a small picture and words; one on
    numbers; one on codes."""
    server = Server(StudioService([digits(), digits(), upscaler(), numbered(), coded()]))
    server.start()
    server.service.models.wait(600)
    yield server
    server.close()


def test_every_condition_has_a_field(browser: Browser, others: Server) -> None:
    """What is typed and chosen arrives as `sample` takes it."""
    small = np.array([[[0, 7], [3, 4]]])
    file = io.BytesIO()
    Image.fromarray(grey(small[0], 8)).save(file, "PNG")
    with opened(browser, others.url) as page:
        choose_model(page, "gated-pixelcnn-3")
        page.get_by_role("textbox", name="Text").fill("a red dragon")
        page.get_by_role("combobox", name="hair").select_option("blue")
        expect(page.get_by_role("textbox", name="Vector")).to_have_attribute("placeholder", "2 numbers")
        page.get_by_role("textbox", name="Vector").fill("0.5, -1")
        page.get_by_label("Paint while I draw").uncheck()
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Picture", exact=True).click()
        chooser.value.set_files({"name": "small.png", "mimeType": "image/png", "buffer": file.getvalue()})
        expect(page.locator(".prompt-panel")).to_contain_text("small.png")
        page.get_by_label("Guidance, as a number").fill("2")
        paint(page, seed=2)
        model = others.service.models["gated-pixelcnn-3"].model
        conditions = {"attributes": {"hair": "blue"}, "vector": [0.5, -1], "hint": small, "text": "a red dragon"}
        expected = pt.sample(model, 1, seed=2, guidance=2.0, **conditions).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        expect(page.locator(".words")).to_contain_text("“a red dragon”, blue, hint, vector")


def test_a_hint_of_numbers(browser: Browser, others: Server) -> None:
    """One for each channel, typed; all of them, from a file of NumPy; what does not fit is said."""
    model = others.service.models["pixelcnn"].model
    everywhere = np.full((2, 4, 4), 0.5, np.float32)
    everywhere[1] = -1
    anywhere = np.random.default_rng(0).normal(size=(2, 4, 4))
    file = io.BytesIO()
    np.save(file, anywhere)
    wrong = io.BytesIO()
    np.save(wrong, anywhere[:, :3])
    with opened(browser, others.url) as page:
        choose_model(page, "pixelcnn")
        field = page.get_by_role("textbox", name="Hint (numbers)")
        field.fill("0.5, -1, 3")
        expect(page.locator(".prompt-panel")).to_contain_text("expects 2, one for each channel, or 2 × 4 × 4")
        field.fill("0.5, -1")
        paint(page, seed=2)
        expected = pt.sample(model, 1, seed=2, hint=everywhere).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        bring_numbers(page, "wrong.npy", wrong.getvalue())
        expect(page.get_by_role("alert")).to_contain_text("An array of shape [2, 3, 4] is not a hint")
        bring_numbers(page, "hint.npy", file.getvalue())
        expect(page.locator(".prompt-panel")).to_contain_text("hint.npy")
        paint(page, seed=2)
        expected = pt.sample(model, 1, seed=2, hint=anywhere.astype(np.float32)).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        bring_numbers(page, "hint.csv", "\n".join(map(str, everywhere.ravel())).encode())
        expect(page.locator(".prompt-panel")).to_contain_text("hint.csv")
        bring_numbers(page, "words.txt", b"none at all")
        expect(page.get_by_role("alert")).to_contain_text("numbers and nothing else")


def test_a_hint_of_codes(browser: Browser, others: Server) -> None:
    """One for all places, typed, or each, from a file; what is not a code of the model is said."""
    model = others.service.models["pixelcnn-2"].model
    codes = np.random.default_rng(0).integers(0, 5, (1, 4, 4))
    file = io.BytesIO()
    np.save(file, codes)
    with opened(browser, others.url) as page:
        choose_model(page, "pixelcnn-2")
        field = page.get_by_role("textbox", name="Hint (codes)")
        for given, hint in (("3", np.full((1, 4, 4), 3)), (" ".join(map(str, codes.ravel())), codes)):
            field.fill(given)
            paint(page, seed=2)
            expected = pt.sample(model, 1, seed=2, hint=hint).levels
            np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))
        field.fill("5")
        expect(page.locator(".prompt-panel")).to_contain_text("whole numbers from 0 to 4")
        bring_numbers(page, "codes.npy", file.getvalue())
        expect(page.locator(".prompt-panel")).to_contain_text("codes.npy")
        paint(page, seed=3)
        expected = pt.sample(model, 1, seed=3, hint=codes).levels
        np.testing.assert_array_equal(pixels(page)[..., 0], grey(expected[0, 0], 8))


def bring_numbers(page: Page, name: str, content: bytes) -> None:
    """A file of numbers as the hint."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open numbers").click()
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def test_models_side_by_side(browser: Browser, others: Server) -> None:
    """Each paints what it would alone; one that paints other images is not among them."""
    with opened(browser, others.url) as page:
        page.get_by_role("combobox", name="Compare").select_option("model")
        page.get_by_label("Seed", exact=True).fill("5")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        page.get_by_role("button", name="Paint", exact=True).click()
        wait_until_painted(page, images=2)
        shown = [pixels(page, place)[..., 0] for place in range(2)]
        for place, name in enumerate(("gated-pixelcnn", "gated-pixelcnn-2")):
            expected = pt.sample(others.service.models[name].model, 1, seed=5).levels
            np.testing.assert_array_equal(shown[place], grey(expected[0, 0]))
        assert (shown[0] != shown[1]).any()
        expect(page.locator(".canvas-view:not([hidden])")).to_have_count(2)
