"""The explanation of one image under a model: every view, and the page that shows them: one file that works offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Unpack

from pointillist.analysis.calibration import Calibration
from pointillist.analysis.counterfactual import Edits
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.report import sections
from pointillist.analysis.report.explorer import explorer_style, render_explorer
from pointillist.analysis.views import Views, describe_conditions, describe_engine, describe_z
from pointillist.conditioning import Label
from pointillist.errors import ShapeError, counted
from pointillist.files.progress import Bar
from pointillist.files.writing import write_text
from pointillist.images.visualization import html
from pointillist.model.batches import QueryKwargs
from pointillist.model.folder.image_sources import single_image
from pointillist.model.folder.opening import load_weights, open_scored
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import LikelihoodModel
from pointillist.system import __version__

PAGE_BYTES = 2_950_000  # of a page; the description of the distributions comes on top
_SLOW_VIEWS = ("maps", "conditions", "layers", "counterfactuals", "gradient_maps")  # the slowest last
MAX_PIXELS = 256 * 256
"""Most pixels of an image that is explained: each has its own views."""
_FITTING = 128 * 128  # pixels of an image whose gradients fit in any memory
_SMALL = 128  # longer side of a small map, in pixels of the screen


class Explanation(Views):
    """All views of one image, and the page that shows them; a notebook shows the page.

    ```python
    explanation = pt.explain(model, "three.png", label="3")
    explanation.maps.bits
    explanation.save("report.html")
    ```
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        height, width = self.query.shape[1:]
        if height * width > MAX_PIXELS:
            raise ShapeError(
                f"An image of {height}x{width} has more pixels than a page can show one by one, which is "
                f"{MAX_PIXELS:,}: explain a part of it."
            )
        if height * width > _FITTING and not self.without_network:
            from pointillist.model.memory import training_memory

            model = self.query.pixel_model()
            use = training_memory(model)
            use.check("The gradients of", (1, height, width), device=model.device, error=ShapeError)

    def to_html(self) -> str:
        """Return the page: one file without any reference to another."""
        slow = _SLOW_VIEWS if self.sites else _SLOW_VIEWS[:-1]
        with Bar("explaining", len(slow)) as bar:
            for done, view in enumerate(slow):
                bar.show(done)
                getattr(self, view)  # each is computed once, and kept
        return render(self)

    def save(self, path: str | Path) -> Path:
        """Write the page, as `to_html` returns it; the file appears whole or not at all."""
        write_text(Path(path), self.to_html())
        return Path(path)

    def __repr__(self) -> str:
        return f"Explanation({self.title}: {self.maps.bits:.2f} bits, z-score {self.maps.z_score:+.2f})"

    def _repr_html_(self) -> str:
        frame = 'style="width:100%;height:900px;border:1px solid #8884;border-radius:8px"'
        return f'<iframe srcdoc="{escape(self.to_html())}" {frame} title="{escape(self.title)}"></iframe>'


def explain(
    model: LikelihoodModel | str | Path,
    image: Any,
    label: Label = None,
    text: Any = None,
    *,
    exchange: Mapping[str, str | Sequence[str]] | None = None,
    calibration: Calibration | None = None,
    edits: tuple[Edits, ...] | None = None,
    continuations: int = 4,
    seed: int = 0,
    max_attributions: int | None = None,
    **query: Unpack[QueryKwargs],
) -> Explanation:
    """Explain one image under a model: surprisal, attribution, counterfactuals, layers and conditions.

    The distributions are those that the model samples from: of its integer program, if it has one. Gradients and inner
    layers need the network in floating point: without torch (the extra `train`) they are left out.

    Args:
        model: a model, or the name or folder of one.
        image: levels `[c h w]`, a PIL image or the path of an image file.
        label, text, query: conditions on the image, the order and the engine; see `QueryKwargs`.
        exchange: words to put in the place of words of the prompt, as `{"red": ["blue", "green"]}`, next to leaving
            each word out; see `condition_gain`.
        calibration, edits, continuations, seed, max_attributions: see `Explanation`.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take these.

    Example::

        explanation = pt.explain(model, "three.png", label="3")
        explanation.maps.bits  # of the image
        explanation.save("report.html")
        of_words = pt.explain("icons", "heart.png", text="a heart", exchange={"heart": "star"})
        [(gain.name, gain.bits) for gain in of_words.conditions.words]  # bits saved by each word
    """
    name = str(model) if isinstance(model, (str, Path)) else ""
    opened = open_scored(model, query.get("engine", "auto"))
    x = single_image(opened, image)
    if name and isinstance(opened, ProgramModel) and not opened.has_size(x.shape[2:]):
        opened = load_weights(name)  # the program does not know the size
    about = ImageQuery.of(opened, x, label, text, **query)
    return Explanation(
        query=about,
        title=Path(name).name if name else opened.model_type,
        source=name or Explanation.source,
        exchange={} if exchange is None else exchange,
        calibration=calibration,
        edits=edits,
        continuations=continuations,
        seed=seed,
        max_attributions=max_attributions,
    )


def render(views: Views) -> str:
    """Render all views of an image as HTML."""
    folder = files("pointillist.analysis.report")
    page, style = ((folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css"))
    maps, (_, height, width) = views.maps, views.query.shape
    parts = {
        "title": escape(f"{views.title}: an image of {maps.bits:.0f} bits"),
        "style": html.base_style() + explorer_style() + style,
        "width": str(width),
        "height": str(height),
        "k": str(max(1, round(_SMALL / max(height, width)))),
        "bits": f"{maps.bits:,.1f}",
        "lead": _lead(views),
        "stops": sections.render_stops(views),
        "sections": sections.render_sections(views) + sections.render_next(views),
    }
    explorer = render_explorer(views, PAGE_BYTES - sum(map(len, parts.values())) - len(page))
    parts |= {"explorer": explorer.section, "script": explorer.script}
    parts["table"] = html.table(table_rows(views, explorer.note))
    return Template(page).substitute(parts)


def _lead(views: Views) -> str:
    maps = views.maps
    _, height, width = views.query.shape
    unit = "pixel" if len(maps.names) == 1 else "sub-pixel"
    conditions = describe_conditions(views)
    under = f"given the {conditions}" if not conditions.startswith("no condition") else f"with {conditions}"
    name = "" if views.title == "model" else f" {views.title}"  # a folder that is called "model"
    return escape(
        f"The model{name} read {height} \u00d7 {width} pixels one after the other, {under}. It took "
        f"{maps.bits_per_dim:.2f} bits per {unit}, where 1 bit is a coin toss and 10 bits a chance of 1 in "
        f"1,024. The model expected {maps.expected:,.1f} \u00b1 {maps.std:.1f} bits. "
        f"This image lies {abs(maps.z_score):.1f} standard deviations (sigma) from that: {describe_z(maps.z_score)}."
    )


def _engine_text(views: Views) -> str:
    if not views.query.in_integers:
        return describe_engine(views.query)
    floats = "" if views.without_network else "; gradients and layers in floating point"
    return f"{describe_engine(views.query)}, which samples the same levels everywhere{floats}"


def table_rows(views: Views, stored: str) -> Sequence[tuple[str, str]]:
    """Return the rows of the table at the end of the page.

    Args:
        stored: description of the stored distributions.
    """
    maps, model = views.maps, views.query.model
    channels, height, width = views.query.shape
    order = "ordered" if model.image.ordered else "unordered"
    rows = [
        ("image", f"{height} x {width}, {counted(channels, 'channel')}, {model.image.levels:,} {order} levels"),
        ("model", f"{views.title}: {model.model_type}, {model.num_parameters():,} parameters"),
        ("likelihood", model.likelihood_name),
        ("engine", _engine_text(views)),
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
        rows.insert(7, ("by channel", ", ".join(parts) + " bits"))
    return rows
