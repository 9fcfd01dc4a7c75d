"""The explanation of one image under a model: every view, and the page that shows them: one file that works offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Unpack

import numpy as np

from pointillist._version import __version__
from pointillist.analysis.calibration import Calibration
from pointillist.analysis.counterfactual import Edits
from pointillist.analysis.query import ImageQuery, QueryKwargs
from pointillist.analysis.report import sections
from pointillist.analysis.report.encoding import (
    TABLE_BYTES,
    encode_arrays,
    encode_distributions,
    encode_gradient_sizes,
)
from pointillist.analysis.surprisal import MAX_Z
from pointillist.analysis.views import Views, describe_conditions, describe_z
from pointillist.conditioning import Label
from pointillist.files.writing import write_text
from pointillist.images import as_pil, to_picture
from pointillist.model.pixel_model import PixelModel
from pointillist.model.pretrained import as_model
from pointillist.progress import Bar
from pointillist.visualization import diverging_colors, html, png_bytes, sequential_colors

_SCRIPTS = ("data.js", "draw.js", "page.js")
PAGE_BYTES = 2_950_000  # of a page; the description of the distributions comes on top
_SLOW_VIEWS = ("maps", "conditions", "layers", "counterfactuals", "gradient_sizes")  # the slowest last
_SMALL = 128  # longer side of a small map, in pixels of the screen


class Explanation(Views):
    """All views of one image, and the page that shows them; a notebook shows the page.

    ```python
    explanation = pt.explain(model, "three.png", label="3")
    explanation.maps.bits
    explanation.save("report.html")
    ```
    """

    def to_html(self) -> str:
        """Return the page: one file without any reference to another."""
        slow = _SLOW_VIEWS if self.sites else _SLOW_VIEWS[:-1]
        with Bar("explaining", len(slow)) as bar:
            for done, view in enumerate(slow):
                bar.show(done)
                getattr(self, view)  # each is computed once, and kept
        return render(self)

    def save(self, path: str | Path) -> Path:
        """Write the page; the file appears whole or not at all."""
        write_text(Path(path), self.to_html())
        return Path(path)

    def __repr__(self) -> str:
        return f"Explanation({self.title}: {self.maps.bits:.2f} bits, z-score {self.maps.z_score:+.2f})"

    def _repr_html_(self) -> str:
        frame = 'style="width:100%;height:900px;border:1px solid #8884;border-radius:8px"'
        return f'<iframe srcdoc="{escape(self.to_html())}" {frame} title="{escape(self.title)}"></iframe>'


def explain(
    model: PixelModel | str | Path,
    image: Any,
    label: Label = None,
    text: Any = None,
    *,
    name: str | None = None,
    calibration: Calibration | None = None,
    edits: tuple[Edits, ...] | None = None,
    continuations: int = 4,
    seed: int = 0,
    max_attributions: int | None = None,
    on_progress: Callable[[str], None] | None = None,
    **conditions: Unpack[QueryKwargs],
) -> Explanation:
    """Explain one image under a model: surprisal, attribution, counterfactuals, layers and conditions.

    Args:
        image: levels `[c h w]`, a PIL image or the path of an image file.
        label, text, conditions: conditions on the image, and the order, as for `log_prob`.
        name: name of the model, for titles; None for its type.
        calibration, edits, continuations, seed, max_attributions, on_progress: see `Explanation`.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take these.

    Example::

        explanation = pt.explain(model, "three.png", label="3")
        explanation.maps.bits  # of the image
        explanation.save("report.html")
    """
    model = as_model(model)
    return Explanation(
        query=ImageQuery.of(model, image, label, text, **conditions),
        title=name or model.config.model_type,
        calibration=calibration,
        edits=edits,
        continuations=continuations,
        seed=seed,
        max_attributions=max_attributions,
        on_progress=on_progress,
    )


def render(views: Views) -> str:
    """Render all views of an image as HTML."""
    folder = files("pointillist.analysis.report")
    read = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", *_SCRIPTS)}
    maps, (_, height, width) = views.maps, views.query.shape
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
        "attribution_left": _attribution(views) if len(maps.names) > 1 else "",
        "attribution_right": _attribution(views) if len(maps.names) == 1 else "",  # beside a single chart
        "sections": sections.render_sections(views),
        "script": "\n".join(read[name] for name in _SCRIPTS),
    }
    data = _data(views)
    taken = sum(map(len, parts.values())) + len(read["page.html"]) + len(_json(data))
    limit = (PAGE_BYTES - taken) * 3 // 4  # base 64 takes 4 bytes for 3
    table = encode_distributions(views.query, limit=min(TABLE_BYTES, limit))
    parts["data"] = _json({**data, "table": table.to_dict()})
    parts["table"] = html.table(table_rows(views, table.note))
    return Template(read["page.html"]).substitute(parts)


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
        gradients = {"pixels": pixels, **encode_gradient_sizes(views.gradient_sizes)}
    return {
        "shape": [channels, height, width],
        "levels": image.levels,
        "ordered": image.ordered,
        "mode": image.mode,
        "palette": None if image.palette is None else [list(colour) for colour in image.palette],
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


def _lead(views: Views) -> str:
    maps = views.maps
    _, height, width = views.query.shape
    unit = "pixel" if len(maps.names) == 1 else "sub-pixel"
    given = describe_conditions(views)
    under = f"given the {given}" if not given.startswith("no condition") else f"with {given}"
    return escape(
        f"The model {views.title} read {height} \u00d7 {width} pixels one after the other, {under}. That is "
        f"{maps.bits_per_dim:.2f} bits per {unit}. The model expected {maps.expected:,.1f} \u00b1 {maps.std:.1f} bits. "
        f"This image lies {abs(maps.z_score):.1f} standard deviations (sigma) from that: {describe_z(maps.z_score)}."
    )


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
    """Render the gradient map beside the image."""
    if not views.sites:
        return ""
    count, pixels = len(views.sites), views.maps.surprisal[0].size
    some = "" if count == pixels else f" Stored for the {count:,} most surprising pixels."
    return (
        '<div class="attribution"><div class="stage"><canvas id="gradient" aria-label="Effect of earlier pixels on '
        'this one"></canvas><div id="mark2"></div></div><div><h3>Effect of earlier pixels</h3><p>How strongly the '
        "log-probability of this pixel responds to each earlier one: the size of the gradient, over four decades up to "
        f'the brightest, <span id="gradient-top"></span>.{some}</p><p id="no-gradient" hidden>Not stored for this '
        "pixel.</p></div></div>"
    )


def table_rows(views: Views, stored: str) -> Sequence[tuple[str, str]]:
    """Return the rows of the table at the end of the page.

    Args:
        stored: description of the stored distributions.
    """
    maps, model = views.maps, views.query.model
    channels, height, width = views.query.shape
    order = "ordered" if model.image.ordered else "unordered"
    rows = [
        ("image", f"{height} x {width}, {channels} channel(s), {model.image.levels:,} {order} levels"),
        ("model", f"{views.title}: {model.config.model_type}, {model.num_parameters:,} parameters"),
        ("likelihood", model.likelihood.name),
        ("conditions", describe_conditions(views)),
        ("order", views.query.order.name),
        ("bits", f"{maps.bits:.4f}, that is {maps.bits_per_dim:.4f} bits/dim"),
        ("expected", f"{maps.expected:.4f} bits, standard deviation {maps.std:.4f}, z-score {maps.z_score:+.4f}"),
        ("stored here", stored),
        ("software", f"pointillist {__version__}"),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
    ]
    if len(maps.names) > 1:
        parts = (f"{name} {bits:.2f}" for name, bits in zip(maps.names, maps.channel_bits, strict=True))
        rows.insert(6, ("by channel", ", ".join(parts) + " bits"))
    return rows
