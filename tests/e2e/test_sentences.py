"""A sentence is built by clicking words in the page, and a word is exchanged for another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

import pointillist as pt
from pointillist.analysis import ImageQuery, condition_gain
from pointillist.model.folder.generation import MeasuredPrompts
from pointillist.studio.service import StudioService
from tests.e2e.helpers import opened, paint, pixels, serving, wait_until_painted
from tests.e2e.test_accessibility import violations
from tests.model.test_free_prompts import CAPTIONS, KINDS
from tests.model.test_prompt_names import model_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model of learned words, with their kinds and an integer program."""
    path = tmp_path_factory.mktemp("sentences") / "model"
    torch.manual_seed(0)
    model = model_of(CAPTIONS)
    with torch.no_grad():  # words of a model that is not trained change next to nothing; by 12, integers saturate
        for name, weight in model.named_parameters():
            weight.mul_(6 if "words" in name or "head" in name or "output" in name else 1)
    model.measured_prompts = MeasuredPrompts(words=KINDS)
    pt.quantize_integer(model, np.random.default_rng(0).integers(0, 2, (4, 1, 4, 4)))
    model.save_pretrained(path)
    return path


def test_a_sentence_is_clicked_and_read_back(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """Each word repaints from one seed; an unknown word is named; a word is exchanged by one of its kind."""
    pt.export(str(folder), html=tmp_path / "page.html")
    with opened(browser, (tmp_path / "page.html").as_uri(), offline=True) as page:
        text = page.get_by_label("Text", exact=True)
        slots, words = page.locator(".slots").get_by_role("button"), page.locator(".choices-of-words")
        expect(slots).to_have_text(["colour", "thing", "relation", "colour", "support", "place"])
        expect(slots.nth(0)).to_be_disabled()
        page.get_by_label("Seed", exact=True).fill("7")
        sentences = ["an owl", "an owl on a bed", "an owl on a red bed", "a red owl on a red bed"]
        for slot, word, sentence in zip((1, 4, 3, 0), ("owl", "bed", "red", "red"), sentences, strict=True):
            slots.nth(slot).click()
            words.get_by_role("button", name=word, exact=True).click()
            expect(text).to_have_value(sentence)
            wait_until_painted(page)
            painted = pt.sample(str(folder), 1, text=sentence, seed=7)
            np.testing.assert_array_equal(pixels(page)[..., 0], painted.array[0][..., 0])
        assert violations(page) == []
        page.get_by_text("What each word did").click()
        panel = page.locator(".word-bits")
        panel.locator("> .prompt-words").get_by_role("button", name="owl").click()
        others = panel.get_by_label("Words in its place").get_by_role("button")
        expect(others).to_have_text(["cat", "cake", "kitten"])
        others.nth(0).click()
        image = ImageQuery.of(pt.load(str(folder)), painted.levels[0], text=sentence, engine="integer")
        (gain,) = condition_gain(image, {"owl": "cat"}).exchanges
        assert abs(gain.bits) > 0.5
        expect(others.nth(0)).to_contain_text(f"{gain.bits:+.1f}".replace("-", "\u2212"))
        expect(page.locator("canvas.map").first).to_be_visible()
        text.fill("a zxcv cat")
        page.get_by_role("button", name="Paint", exact=True).click()
        expect(page.get_by_text("'zxcv' is unknown to this model, and is left out.")).to_have_count(2)


@contextmanager
def address_of_scenes(where: str, folder: Path) -> Iterator[str]:
    """Write the exported page of `scenes`, or start its studio, and give the address."""
    if where == "page":
        pt.export("scenes", html=folder / "scenes.html")
        yield (folder / "scenes.html").as_uri()
        return
    with serving(StudioService(["scenes"])) as server:
        yield server.url


@pytest.mark.parametrize("where", ["studio", "page"])
def test_scenes_open_with_a_sentence(browser: Browser, where: str, tmp_path: Path) -> None:
    """Its first example is painted at once, to the bit; then a word that is clicked, and an unknown one."""
    with address_of_scenes(where, tmp_path) as url, opened(browser, url, offline=where == "page") as page:
        text, slots = page.get_by_label("Text", exact=True), page.locator(".slots").get_by_role("button")
        page.get_by_label("Speed", exact=True).select_option("Infinity")
        wait_until_painted(page, 1)
        expect(slots).to_have_text(["colour", "cat", "on", "red", "sofa", "place", "time"])
        slots.nth(1).click()
        page.locator(".choices-of-words").get_by_role("button", name="owl", exact=True).click()
        wait_until_painted(page, 2)
        sentence = "an owl sitting on a red sofa"
        expect(text).to_have_value(sentence)
        np.testing.assert_array_equal(pixels(page), pt.sample("scenes", 1, text=sentence, seed=1).array[0])
        text.fill("a pengiun on a red sofa")
        paint(page, seed=1)
        expect(page.locator(".reading :not(small)")).to_have_text(["pengiun", "\u2192 a penguin on a red sofa"])
        expected = pt.sample("scenes", 1, text="a penguin on a red sofa", seed=1).array[0]
        np.testing.assert_array_equal(pixels(page), expected)
