"""The explorer of a report: an image, and everything about the pixel under the pointer. Also a part of other pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from pointillist.analysis.attribution import gradient_unit
from pointillist.analysis.report import sections
from pointillist.analysis.report.encoding import (
    TABLE_BYTES,
    encode_arrays,
    encode_distributions,
    encode_gradient_maps,
)
from pointillist.analysis.surprisal import MAX_Z
from pointillist.analysis.views import Views
from pointillist.images import as_pil, to_picture
from pointillist.visualization import diverging_colors, html, png_bytes, sequential_colors
from pointillist.visualization.scripts import bundle

_FOLDER = files("pointillist.analysis.report")
_PAGE = _FOLDER / "page"


@dataclass(frozen=True)
class Explorer:
    """The explorer of one image, as pieces of a page.

    Attributes:
        section: HTML of the section.
        script: elements with its data and its behaviour, for the end of the page.
        note: description of the stored distributions.
    """

    section: str
    script: str
    note: str


def explorer_style() -> str:
    """Return the style sheet of the explorer, for a page that has `html.base_style`."""
    return (_FOLDER / "explorer.css").read_text(encoding="utf-8")


def render_explorer(views: Views, room: int) -> Explorer:
    """Render the explorer of an image.

    Args:
        views: the image.
        room: number of characters that it may take; the distributions are stored as exactly as fits.
    """
    _, height, width = views.query.shape
    template = Template((_FOLDER / "explorer.html").read_text(encoding="utf-8"))
    attribution = _attribution(views)
    section = template.substitute(
        width=width,
        height=height,
        tabs=_tabs(views),
        scales=_scales(views),
        attribution_left=attribution if len(views.maps.names) > 1 else "",
        attribution_right=attribution if len(views.maps.names) == 1 else "",  # next to a single chart
    )
    behaviour = bundle("main.js", lambda path: (_PAGE / path).read_text(encoding="utf-8"))
    data = _data(views)
    limit = (room - len(section) - len(behaviour) - len(_json(data))) * 3 // 4  # base 64 takes 4 bytes for 3
    table = encode_distributions(views.query, limit=min(TABLE_BYTES, limit))
    packed = _json({**data, "table": table.to_dict()})
    script = f'<script type="application/json" id="data">{packed}</script>\n'
    script += f"<script>\n(() => {{\n{behaviour}\n}})();\n</script>"
    return Explorer(section, script, table.note)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/")


def _data(views: Views) -> dict[str, Any]:
    """Return the data of the page's script, except for the distributions."""
    query, maps, image = views.query, views.maps, views.query.model.image
    channels, height, width = query.shape
    arrays: dict[str, np.ndarray] = {
        "x": query.levels,
        "surprisal": maps.surprisal,
        "entropy": maps.entropy,
        "variance": maps.variance,
        "order_index": maps.order_index.min(0) // channels,
    }
    if views.conditions is not None:
        arrays["saved"] = views.conditions.saved
    ramp = np.linspace(0, 1, 256)
    gradients = None
    if views.sites:
        pixels = [row * width + column for row, column in views.sites]
        packed = encode_gradient_maps(views.gradient_maps, signed=image.ordered)
        gradients = {"pixels": pixels, "unit": gradient_unit(query), **packed}
    return {
        "shape": [channels, height, width],
        "levels": image.levels,
        "ordered": image.ordered,
        "image": {
            "mode": image.mode,
            "channels": channels,
            "levels": image.levels,
            "palette": None if image.palette is None else [list(colour) for colour in image.palette],
            "level_names": None if image.level_names is None else list(image.level_names),
        },
        "names": list(maps.names),
        "color_max": maps.color_max,
        "max_z": MAX_Z,
        "heat": sequential_colors(ramp, 1.0).tolist(),
        "balance": diverging_colors(ramp * 2 - 1, 1.0).tolist(),
        "picture": html.data_uri(png_bytes(as_pil(to_picture(image, query.levels))), "png"),
        "start": int(maps.surprisal.sum(0).argmax()),
        "cumulative": list(sections.CUMULATIVE_ENDS),
        "arrays": encode_arrays(arrays),
        "gradients": gradients,
    }


def _tabs(views: Views) -> str:
    words = [("image", "Image"), ("surprisal", "Surprise"), ("entropy", "Entropy"), ("excess", "Excess")]
    if views.conditions is not None:
        words.append(("conditions", "Conditions"))
    return "".join(
        f'<button type="button" data-view="{key}" aria-pressed="{str(key == "image").lower()}">{word}</button>'
        for key, word in words
    )


def _scales(views: Views) -> str:
    """Render the colour scale of each tab."""
    top = views.maps.color_max * len(views.maps.names)
    excess = html.diverging_scale(MAX_Z, "sigma above the expected surprise")
    out = [
        '<div data-scale="image"><p>The image as it is.</p></div>',
        f'<div data-scale="surprisal entropy" hidden>{sections.bits_bar(views)}</div>',
        f'<div data-scale="excess" hidden>{excess}</div>',
    ]
    if views.conditions is not None:
        saved = html.diverging_scale(top, "bits with the conditions")
        out.append(f'<div data-scale="conditions" hidden>{saved}</div>')
    return "".join(out)


def _attribution(views: Views) -> str:
    """Render the gradient map next to the image."""
    if not views.sites:
        return ""
    count, pixels = len(views.sites), views.maps.surprisal[0].size
    some = "" if count == pixels else f" Stored for the {count:,} most surprising pixels."
    signed = views.query.model.image.ordered
    meaning = (
        "Red: a higher level there would make this pixel more likely; blue: less likely."
        if signed
        else "Brighter means stronger."
    )
    floats = " Gradients are those of the network in floating point." if views.query.in_integers else ""
    ramp = np.linspace(-1 if signed else 0, 1, 256)[None]
    colours = diverging_colors(ramp, 1.0) if signed else sequential_colors(ramp, 1.0)
    scale = html.data_uri(png_bytes(as_pil(colours)), "png")
    return (
        '<div class="attribution"><div class="stage"><canvas id="gradient" aria-label="Effect of earlier pixels on '
        'this one"></canvas><div id="mark2"></div></div><div><h3>Saliency</h3><p>How strongly the log-probability of '
        f"this pixel responds to each earlier one, on a square-root scale. {meaning}{floats}{some}</p>"
        f'<div class="scale" id="gradient-scale"><img src="{scale}" alt="Colour scale of the saliency"><div><span><b '
        'id="gradient-low"></b></span><span><b id="gradient-top"></b></span></div></div>'
        '<p id="no-gradient" hidden>Not stored for this pixel.</p></div></div>'
    )
