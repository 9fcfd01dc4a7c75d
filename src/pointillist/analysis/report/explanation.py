"""Everything about one image under a model, as a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Unpack

from pointillist.analysis.calibration import Calibration
from pointillist.analysis.counterfactual import Place
from pointillist.analysis.query import ImageQuery, QueryKwargs
from pointillist.analysis.report.page import render
from pointillist.analysis.views import Views
from pointillist.checkpoint.files import write_text
from pointillist.conditioning import ConditionInputs, Label
from pointillist.model.pixel_model import PixelModel


class Explanation(Views):
    """All views of one image, and the page that shows them; in a notebook it shows itself."""

    def to_html(self) -> str:
        """The page: one file that needs nothing else."""
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
    changes: tuple[Mapping[Place, int], ...] | None = None,
    continuations: int = 4,
    seed: int = 0,
    looks: int | None = None,
    on_progress: Callable[[str], None] | None = None,
    told: ConditionInputs | None = None,
    **further: Unpack[QueryKwargs],
) -> Explanation:
    """Look at an image under a model from every side.

    Args:
        image: levels `[c h w]`, a PIL picture or the path of one.
        label, text, further: what the model is told, and the order, as for `log_prob`.
        told: instead of all that, what a data set tells of the image.
        name: of the model, for titles; None for its type.
        calibration, changes, continuations, seed, looks, on_progress: see `Explanation`.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take these.
    """
    asked = ImageQuery.of(model, image, label, text, **further)
    if told is not None:
        asked = replace(asked, told=told)
    return Explanation(
        asked, name or model.config.model_type, calibration, changes, continuations, seed, looks, on_progress
    )
