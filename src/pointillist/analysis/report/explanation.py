"""The explanation of one image under a model: every view, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Unpack

from pointillist.analysis.calibration import Calibration
from pointillist.analysis.counterfactual import Edits
from pointillist.analysis.query import ImageQuery, QueryKwargs
from pointillist.analysis.report.page import render
from pointillist.analysis.views import Views
from pointillist.checkpoint.files import write_text
from pointillist.conditioning import Label
from pointillist.model.pixel_model import PixelModel


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
        return render(self)

    def save(self, path: str | Path) -> Path:
        """Write the page; the file appears whole or not at all."""
        write_text(Path(path), self.to_html())
        return Path(path)

    def _repr_html_(self) -> str:
        frame = 'style="width:100%;height:900px;border:1px solid #8884;border-radius:8px"'
        return f'<iframe srcdoc="{escape(self.to_html())}" {frame} title="{escape(self.title)}"></iframe>'


def explain(
    model: PixelModel,
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
