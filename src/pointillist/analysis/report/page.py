"""The page: one file that needs nothing else, opens from disk and works without a network."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from pointillist.analysis.color_scales import Z_TOP, picture_of
from pointillist.analysis.report import sections
from pointillist.analysis.report.encoding import TABLE_BYTES, pack, pack_arrays, pack_sizes
from pointillist.analysis.report.facts import describe_conditions, describe_z, table_rows
from pointillist.analysis.views import Views
from pointillist.images import as_pil
from pointillist.visualization import diverging_colors, html, png_bytes, sequential_colors

_SCRIPTS = ("data.js", "draw.js", "page.js")
PAGE_BYTES = 2_950_000  # of a page, some room for what the table says of itself left out
_SMALL = 128  # pixels of the screen that the longer side of a small map takes


def render(views: Views) -> str:
    """The page as HTML."""
    room = files("pointillist.analysis")
    read = {name: (room / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", *_SCRIPTS)}
    maps, (_, height, width) = views.maps, views.asked.shape
    parts = {
        "title": escape(f"{views.title}: an image of {maps.bits:.0f} bits"),
        "style": html.base_style() + read["page.css"],
        "width": str(width),
        "height": str(height),
        "k": str(max(1, round(_SMALL / max(height, width)))),
        "bits": f"{maps.bits:,.1f}",
        "lead": _lead(views),
        "tabs": _tabs(views),
        "scales": _scales(views),
        "look_left": _look(views) if len(maps.names) > 1 else "",
        "look_right": _look(views) if len(maps.names) == 1 else "",  # where one chart leaves room
        "sections": sections.render_sections(views),
        "script": "\n".join(read[name] for name in _SCRIPTS),
    }
    data = _data(views)
    taken = sum(map(len, parts.values())) + len(read["page.html"]) + len(_json(data))
    table = pack(views.asked, limit=min(TABLE_BYTES, (PAGE_BYTES - taken) * 3 // 4))  # base 64 takes 4 for 3
    parts["data"] = _json({**data, "table": table.to_dict()})
    parts["table"] = html.table(table_rows(views, table.note))
    return Template(read["page.html"]).substitute(parts)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/")


def _data(views: Views) -> dict[str, Any]:
    """What the script of the page works with, but for the distributions."""
    asked, maps, image = views.asked, views.maps, views.asked.model.image
    channels, height, width = asked.shape
    arrays: dict[str, np.ndarray] = {
        "x": asked.levels,
        "surprise": maps.surprise,
        "entropy": maps.entropy,
        "variance": maps.variance,
        "places": maps.places.min(0) // channels,
    }
    if views.conditions is not None:
        arrays["saved"] = views.conditions.saved
    ramp = np.linspace(0, 1, 256)
    looks = None
    if views.sites:
        looks = {"sites": [r * width + c for r, c in views.sites], **pack_sizes(views.sizes)}
    open_most = int(maps.surprise.sum(0).argmax())
    return {
        "shape": [channels, height, width],
        "levels": image.levels,
        "ordered": image.ordered,
        "mode": image.mode,
        "palette": None if image.palette is None else [list(colour) for colour in image.palette],
        "names": list(maps.names),
        "top": maps.top,
        "z_top": Z_TOP,
        "heat": sequential_colors(ramp, 1.0).tolist(),
        "balance": diverging_colors(ramp * 2 - 1, 1.0).tolist(),
        "picture": html.data_uri(png_bytes(as_pil(picture_of(image, asked.levels))), "png"),
        "start": open_most,
        "running": list(sections.RUNNING_ENDS),
        "arrays": pack_arrays(arrays),
        "looks": looks,
    }


def _lead(views: Views) -> str:
    maps = views.maps
    _, height, width = views.asked.shape
    deviation = float(np.sqrt(maps.variance.sum()))
    unit = "pixel" if len(maps.names) == 1 else "sub-pixel"
    return escape(
        f"The model {views.title} was shown {height} \u00d7 {width} pixels one after the other and told "
        f"{describe_conditions(views)}. That is {maps.bits_per_dim:.2f} bits a {unit}. It foresaw {maps.expected:,.1f} "
        f"\u00b1 {deviation:.1f} bits, from which this image is {abs(maps.z):.1f} sigma away: {describe_z(maps.z)}."
    )


def _tabs(views: Views) -> str:
    words = [("image", "Image"), ("surprise", "Surprise"), ("entropy", "Entropy"), ("excess", "Excess")]
    if views.conditions is not None:
        words.append(("told", "Told"))
    return "".join(
        f'<button type="button" data-view="{key}" aria-pressed="{str(key == "image").lower()}">{word}</button>'
        for key, word in words
    )


def _scales(views: Views) -> str:
    """Under the map: what its colours mean."""
    top = views.maps.top * len(views.maps.names)
    out = [
        '<div data-scale="image"><p>The image as it is.</p></div>',
        '<div data-scale="surprise entropy" hidden>' + sections.bits_bar(views) + "</div>",
        '<div data-scale="excess" hidden>'
        + html.diverging_scale(Z_TOP, "deviations above the expected surprise")
        + "</div>",
    ]
    if views.conditions is not None:
        out.append('<div data-scale="told" hidden>' + html.diverging_scale(top, "bits when told") + "</div>")
    return "".join(out)


def _look(views: Views) -> str:
    """Beside the map: what the pixel looked at."""
    if not views.sites:
        return ""
    count, pixels = len(views.sites), views.maps.surprise[0].size
    some = "" if count == pixels else f" Stored for the {count:,} most surprising pixels."
    return (
        '<div class="look"><div class="stage"><canvas id="look" aria-label="What the pixel looked at"></canvas>'
        '<div id="mark2"></div></div><div><h3>What it looked at</h3><p>How strongly the probability of what was there '
        "would answer to each earlier pixel: the size of the gradient, over four decades up to the brightest, "
        f'<span id="look-top"></span>.{some}</p><p id="no-look" hidden>Not stored for this pixel.</p></div></div>'
    )
