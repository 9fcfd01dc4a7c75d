"""The page: it needs nothing but itself, stays small, and shows the numbers of the library."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pointillist as pt
from pointillist.analysis import calibration, condition_gain
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.report import explorer
from pointillist.distributions.kinds import LikelihoodName
from pointillist.images.visualization.html import bundle
from tests.laws.strategies import make_model, randomise_weights
from tests.tolerances import rounding

from .helpers import KINDS, grey, tiny

LIMIT = 3_000_000
OF_TABLES = 0.02
"""For what the page computes of probabilities that it stores as bytes, in steps of 1/255 and less."""
# what makes a browser fetch: an address in an attribute or a style, or a call that loads
OUTSIDE = (
    r"https?:", r"[\"'(]//", r"@import", r"url\(", r"\bfetch\s*\(", r"XMLHttpRequest", r"sendBeacon", r"WebSocket",
    r"\bimport\s*[({\"']", r"EventSource",
)  # fmt: skip

ROUNDED = 0.5e-4
"""A number in the table has four digits."""


def page_data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


class Sources(HTMLParser):
    """Everything that a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        assert tag not in ("iframe", "object", "embed", "base", "form")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_needs_nothing_else(kind: str) -> None:
    model = tiny(kind, labels=True)
    x = torch.randint(model.image.levels, model.image.shape)
    explanation = pt.explain(model, x, "dog", calibration=calibration(model, x[None]))
    page = replace(explanation, title="<b>&", source="runs/<b> & c").to_html()
    sources = Sources()
    sources.feed(page)
    assert sources.found
    assert all(source.startswith(("data:", "#")) for source in sources.found)
    page = page.replace('"http://www.w3.org/2000/svg"', "")  # the name of the SVG standard, which no browser fetches
    for pattern in OUTSIDE:
        assert not re.search(pattern, page), f"{pattern} in the page"
    assert "<b>&amp" not in page
    assert "<b>&<" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "pointillist sample &#x27;runs/&lt;b&gt; &amp; c&#x27; -n 8" in page  # the model that was explained
    assert "$" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_a_page_of_the_largest_kind_stays_under_3_mb() -> None:
    """64 x 64, RGB, 256 levels, noise in and out, which deflates worst."""
    explanation = pt.explain(large("categorical"), torch.randint(256, (3, 64, 64)), continuations=0)
    assert len(explanation.sites) == 195
    explanation.__dict__["gradient_maps"] = np.random.default_rng(0).normal(size=(195, 64, 64))
    page = explanation.to_html()
    assert len(page.encode()) < LIMIT
    assert page_data(page)["table"]["count"] == explorer.LIKELIEST
    assert "too large for one page" in page


def test_a_mixture_of_the_largest_kind_has_room() -> None:
    """Distributions of 64 x 64 mixtures of 10, as noise."""
    query = ImageQuery.of(large("mixture"), torch.randint(256, (3, 64, 64)))
    packed = explorer.encode_distributions(query)
    assert len(packed.data) <= explorer.TABLE_BYTES


def test_a_mixture_that_is_not_trained_has_finite_numbers() -> None:
    """However large the outputs of its network are."""
    model = make_model("pixelcnn", KINDS["mixture"][0], {"layers": 1}, mixtures=2, likelihood="mixture").float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1000)
    explanation = pt.explain(model, torch.randint(3, model.image.shape))
    assert np.isfinite(explanation.gradient_maps).all()
    data = page_data(explanation.to_html())
    json.dumps(data, allow_nan=False)
    views = [explanation.distribution(row, column, 0).to_dict() for row, column in explanation.sites]
    json.dumps(views, allow_nan=False)


def large(likelihood: LikelihoodName) -> pt.PixelModel:
    settings = {"channels": 6, "layers": 1, "head_channels": 6}
    image = pt.ImageSpec.infer((3, 64, 64), 256)
    return randomise_weights(make_model("pixelcnn", image, settings, mixtures=10, likelihood=likelihood)).float()


def test_unused_room_is_not_taken() -> None:
    model = grey(8, 8, 17)
    page = pt.explain(model, torch.randint(17, model.image.shape)).to_html()
    assert len(page) < 150_000


def described(model: pt.PixelModel, x: torch.Tensor) -> list[dict[str, Any]]:
    """What the page's own script makes of every sub-pixel, run by Node."""
    page = pt.explain(model, x, continuations=0, max_attributions=0).to_html()
    folder = files("pointillist.analysis.report") / "page"
    script = bundle("decode.js", lambda path: (folder / path).read_text(encoding="utf-8"))
    channels, height, width = model.image.shape
    run = f"""
const page = {json.dumps(page_data(page))}, {{ decodeArrays, decodeDistributions }} = modules["decode.js"];
decodeArrays(page.arrays).then(async (arrays) => {{
  const ask = await decodeDistributions(page), out = [];
  for (let site = 0; site < {height * width}; site++) for (let c = 0; c < {channels}; c++) {{
    const d = ask(site, c);
    out.push({{ probs: Array.from(d.probs), levels: d.stored, mean: d.mean, quantiles: d.quantiles, rest: d.rest,
      surprisal: arrays.surprisal[c * {height * width} + site] }});
  }}
  console.log(JSON.stringify(out));
}});"""
    done = subprocess.run(["node", "-"], input=script + run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed: the page's script is not run")
@pytest.mark.parametrize("kind", [*KINDS, "many"])
def test_the_script_reads_what_was_packed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities, mean and quantiles of every sub-pixel, as the library has them."""
    if kind == "many":  # so many levels that only the likeliest are stored
        monkeypatch.setattr(explorer, "_RAW_BYTES", 0)
        model = grey(2, 3, 300)
    else:
        model = tiny(kind)
    x = torch.randint(model.image.levels, model.image.shape)
    explanation = pt.explain(model, x)
    told, stored = iter(described(model, x)), rounding(1.0, terms=2, dtype=torch.float32)
    for row, column, channel in np.ndindex(*np.array(model.image.shape)[[1, 2, 0]]):
        view, found = explanation.distribution(row, column, channel), next(told)
        levels = found["levels"] or range(model.image.levels)
        within = (
            explorer._error(float(-np.log2(view.probs.min()))) + stored
        )  # none is stored less exactly than the least
        assert np.allclose(np.array(found["probs"])[list(levels)], view.probs[list(levels)], rtol=within, atol=0)
        assert found["surprisal"] == pytest.approx(view.surprisal, rel=stored)
        if view.mean is None:
            assert found["mean"] is None
        else:
            assert found["mean"] == pytest.approx(view.mean, rel=OF_TABLES, abs=OF_TABLES)
            assert len(found["quantiles"]) == 5  # type: ignore[arg-type]
        if kind == "many":
            assert found["levels"] == [level for level, _ in view.top(16)]
            assert view.quantiles is not None
            assert list(found["quantiles"].values()) == list(view.quantiles.values())
            assert found["rest"] == pytest.approx(1 - sum(p for _, p in view.top(16)), abs=OF_TABLES)


def test_eight_bits_are_as_near_as_the_page_says() -> None:
    p = np.exp2(-np.linspace(0, 30, 10_000))
    back = np.exp2(-explorer.MAX_BITS * (explorer.encode_log_probs(np.log(p)) / 255.0) ** 2)
    worst = np.abs(back / p - 1)
    assert worst[np.log2(p) > -1].max() < explorer._error(1.0) + 1e-9
    assert worst[np.log2(p) > -8].max() < explorer._error(8.0) + 1e-9


def test_gradients_are_packed_by_their_square_root() -> None:
    """On the scale of the studio: with sign for ordered levels, else as sizes."""
    maps = np.array([[[0, 2, 0.5], [-0.5, -2, 1e-9]]], np.float32)
    data = explorer.encode_gradient_maps(maps, signed=True)
    found = np.frombuffer(zlib.decompress(base64.b64decode(data["data"])), np.uint8)
    assert found.tolist() == [128, 255, 192, 64, 1, 128]
    assert (data["top"], data["signed"]) == ([2.0], True)
    data = explorer.encode_gradient_maps(np.abs(maps), signed=False)
    found = np.frombuffer(zlib.decompress(base64.b64decode(data["data"])), np.uint8)
    assert found.tolist() == [0, 255, 128, 128, 255, 0]
    assert explorer.encode_gradient_maps(np.zeros((1, 2, 2), np.float32), signed=True)["top"] == [0.0]


def test_every_model_has_a_page_of_what_it_has() -> None:
    """Sections are there where a view is defined, and only there."""
    for kind, name, labels, sections in (
        ("grey", "gated-pixelcnn", True, {"Bits saved by the conditions", "Layer by layer"}),
        ("mixture", "pixelcnn-pp", False, set()),
        ("codes", "pixelsnail", False, {"Layer by layer"}),
    ):
        model = tiny(kind, name, labels=labels)
        x = torch.zeros(model.image.shape, dtype=torch.int64)
        page = pt.explain(model, x, continuations=0, max_attributions=0).to_html()
        for title in ("Bits saved by the conditions", "Layer by layer", "Calibration"):
            assert (f"<h2>{title}</h2>" in page) == (title in sections), title


def test_the_page_opens_with_three_stops_and_ends_with_the_numbers() -> None:
    """The stops are pixels of the maps; the table has the bits of every sub-pixel; many labels are folded."""
    model = tiny("grey", labels=True)
    explanation = pt.explain(model, torch.randint(3, model.image.shape), continuations=0, max_attributions=0)
    page, maps = explanation.to_html(), explanation.maps
    width = maps.surprisal.shape[2]
    for values in (maps.surprisal, maps.entropy):
        row, column = divmod(int(values.sum(0).argmax()), width)
        assert f'<a href="#{row},{column}">' in page
    found = re.search(r'download="bits.csv" href="data:text/csv;base64,([^"]+)"', page)
    assert found is not None
    lines = base64.b64decode(found[1]).decode().splitlines()
    bits = [float(line.split(",")[4]) for line in lines[1:]]
    np.testing.assert_allclose(sum(bits), maps.bits, atol=len(bits) * ROUNDED)
    view = explanation.conditions
    assert view is not None
    saved = view.unconditional.sum() - view.class_bits
    shown = re.findall(r">([^<>]+)</text>", view.chart(1).svg())
    assert model.config.classes[int(saved.argmax())] in shown
    assert model.config.classes[int(saved.argmin())] not in shown


def test_what_being_told_is_worth_in_words() -> None:
    """Told a label, a misleading one, and nothing."""
    model = tiny("grey", labels=True)
    x = torch.randint(3, model.image.shape)
    names = [model.config.classes[i] for i in np.argsort(condition_gain(ImageQuery.of(model, x)).class_bits)]
    few: dict[str, Any] = {"continuations": 0, "max_attributions": 0}
    pages = [pt.explain(model, x, label, **few).to_html() for label in (names[0], names[-1], None)]
    assert f"The conditions (label {names[0]}) save " in pages[0]
    assert "mislead the model" in pages[1]
    assert f"The image has no condition. The label that explains it best, {names[0]}, " in pages[2]


def test_palettes_and_large_codes_have_pages() -> None:
    colours = tuple((i * 20, 255 - i, i, 255 * (i > 0)) for i in range(6))
    palette = pt.ImageSpec(channels=1, height=3, width=4, levels=6, ordered=False, mode="palette", palette=colours)
    for image in (palette, pt.ImageSpec(channels=1, height=3, width=4, levels=1000, ordered=False)):
        model = make_model("pixelcnn", image)
        explanation = pt.explain(model, torch.randint(image.levels, image.shape))
        assert "<h2>What if</h2>" in explanation.to_html()
        with Image.open(io.BytesIO(explanation._repr_png_())) as picture:
            assert picture.width > 200


def test_what_if_frames_the_pixels_that_were_changed() -> None:
    """In the edited image and in the map of shifts, at the place of each; the scale of the shifts has its unit."""
    model = grey(4, 5)
    x = torch.zeros(model.image.shape, dtype=torch.int64)
    page = pt.explain(model, x, edits=({(1, 2): 3}, {(0, 0): 1, (3, 4): 2}), continuations=0).to_html()
    pictures = re.findall(r'<span class="marked"><img [^>]*alt="([^"]*)"[^>]*>(.*?)</span>', page)
    assert [alt for alt, _ in pictures] == ["The edited image", "Divergence of each later distribution"] * 2
    places = [
        [(float(top) * 4 / 100, float(left) * 5 / 100) for left, top in re.findall(r"left:([\d.]+)%;top:([\d.]+)%", i)]
        for _, i in pictures
    ]
    assert places == [[(1, 2)]] * 2 + [[(0, 0), (3, 4)]] * 2
    assert "bits of shift" in page


def test_an_explanation_shows_itself_and_saves(tmp_path: Path) -> None:
    model = grey(3, 3, labels=True)
    explanation = pt.explain(model, torch.randint(5, model.image.shape), "cat", edits=({(1, 1): 2},), seed=4)
    path = explanation.save(tmp_path / "a.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert explanation._repr_html_().startswith('<iframe srcdoc="&lt;!doctype html')
    numbers = explanation.to_dict()
    json.dumps(numbers)
    assert numbers["bits"] == explanation.maps.bits
    assert numbers["counterfactuals"][0]["edits"][0]["level"] == 2
    assert f"{explanation.maps.bits:,.1f}&nbsp;bits" in path.read_text(encoding="utf-8")
    with pytest.raises(pt.ConfigError, match="'fish'"):
        pt.explain(model, torch.zeros(1, 3, 3, dtype=torch.int64), "fish")


def test_the_limit_decides_what_is_stored() -> None:
    model = grey(4, 4, 64)
    query = ImageQuery.of(model, torch.randint(64, model.image.shape))
    assert explorer.encode_distributions(query).count == 64
    assert explorer.encode_distributions(query, limit=100).count == explorer.LIKELIEST
