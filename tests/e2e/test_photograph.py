"""A model that compresses shows what it is for: a photograph, its bits, its size as a file, a hole to fill."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import pointillist as pt
from pointillist.studio.http.server import Server
from pointillist.studio.service import StudioService
from tests.e2e.helpers import opened, pixels, serving

MODEL = "photos"
INTEGERS = 0.01
"""Relative: the page measures by integers, which cost some thousandths of 3 bits/dim, and this test by floats."""


@pytest.fixture(scope="module")
def studio() -> Iterator[Server]:
    """The bundled model of photographs."""
    with serving(StudioService([MODEL])) as server:
        yield server


def shown_example(page: Page) -> None:
    """The photograph is on the canvas at first, with its size by the model, smaller than that of other formats."""
    model = pt.load(MODEL)
    [picture] = model.generation_config.pictures
    levels = picture.level_array(model.image)
    sizes = page.locator(".sizes-of-file")
    expect(sizes).to_contain_text("bytes by this model")
    np.testing.assert_array_equal(pixels(page)[..., :3], levels[0].transpose(1, 2, 0))
    said = re.search(r"takes ([\d,]+) bytes", sizes.inner_text())
    assert said
    own = int(said[1].replace(",", ""))
    with torch.no_grad():
        bits = -float(model.log_prob(torch.from_numpy(levels))) / math.log(2)
    assert own == pytest.approx(bits / 8, rel=INTEGERS)
    assert own < min(picture.sizes.values())
    for name, size in picture.sizes.items():
        expect(sizes).to_contain_text(f"{name} {size:,}")


def test_the_size_as_png_is_of_the_file() -> None:
    """The picture is kept as the PNG whose size is named."""
    [picture] = pt.load(MODEL).generation_config.pictures
    data = base64.b64decode(picture.png)
    again = io.BytesIO()
    with Image.open(io.BytesIO(data)) as opened_file:
        opened_file.save(again, "PNG", optimize=True)
    assert picture.sizes["PNG"] == len(data) == len(again.getvalue())


def test_a_photograph_has_bits_and_a_hole(page: Page) -> None:
    """One click for the map, one for candidates of an erased part; then the size is not shown any more."""
    shown_example(page)
    expect(page.locator(".header .about")).to_have_text("photographs in colour: their bits, and holes to fill")
    expect(page.locator(".lines").first).to_be_hidden()  # a grid, which would hide a photograph
    page.get_by_role("button", name="Map of its bits").click()
    expect(page.locator("canvas.map").first).to_be_visible()
    before = pixels(page)
    page.get_by_role("button", name="Erase a part and fill it").click()
    expect(page.locator(".candidates button").first).to_be_visible()
    expect(page.locator(".sizes-of-file")).not_to_contain_text("bytes by this model")
    changed = (pixels(page) != before).any(-1)
    assert changed[20:28, 30:42].any()
    changed[20:28, 30:42] = False
    assert not changed.any()
    page.get_by_role("button", name="Show it").click()
    expect(page.locator(".sizes-of-file")).to_contain_text("bytes by this model")


def test_an_exported_page_begins_with_it(browser: Browser, tmp_path: Path) -> None:
    """The same picture and the same size, without a server."""
    pt.export(MODEL, html=tmp_path / "photos.html")
    with opened(browser, (tmp_path / "photos.html").as_uri()) as page:
        shown_example(page)
