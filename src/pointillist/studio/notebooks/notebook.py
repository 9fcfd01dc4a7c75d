"""The studio in a notebook: its page in the output of a cell, its application in this process, without a port."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError, MissingExtraError, not_a_model

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel


class Studio:
    """A studio that runs until `close`; as the last expression of a cell it shows itself.

    Requests of the page go through the notebook's own connection, so it works wherever the notebook does: in a browser
    on another machine, behind a hub, in an editor. The models load and run in threads of the kernel. While a cell is
    running, the kernel may handle messages of the page only when that cell is done.

    ```python
    studio = pt.Studio("digits", "runs/sprites")
    studio  # the last expression of a cell shows the page
    studio.close()
    ```

    Args:
        models: models, or sources that `pointillist.load` accepts. Each is copied, so later changes do not reach the
            studio.
        height: of the page, in screen pixels.
        detectors: folders of anomaly detectors that are not next to their models.

    Attributes:
        widget: the anywidget, for use in layouts of ipywidgets and for `marimo.ui.anywidget`.

    Raises:
        MissingExtraError: if the extra `notebook` is not installed.
        ConfigError: if there is no model, or a folder has no detector.
    """

    def __init__(self, *models: PixelModel | str, height: int = 760, detectors: Sequence[str | Path] = ()) -> None:
        if not models:
            raise ConfigError("`models` are missing: give at least one model, or the name of one.")
        wrong = [model for model in models if not isinstance(model, (str, Path)) and not hasattr(model, "image")]
        if wrong:
            raise not_a_model(wrong[0])
        try:
            from pointillist.studio.http.app import create_app
            from pointillist.studio.notebooks.widget import Widget
            from pointillist.studio.service import StudioService
        except ImportError as error:
            raise MissingExtraError("The studio in a notebook", "notebook") from error
        self._service = StudioService(models, detectors=[Path(folder) for folder in detectors])
        self.widget: Widget = Widget(create_app(self._service), height)
        self._service.start()

    def wait(self, timeout: float | None = None) -> Studio:
        """Wait until all models are ready or failed, at most `timeout` seconds."""
        self._service.models.wait(timeout)
        return self

    def close(self) -> None:
        """End the studio and cancel its jobs."""
        self._service.close()  # first, so that streams end by themselves
        self.widget.bridge.close()
        self.widget.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(entry.name for entry in self._service.models.entries.values())
        return f"Studio({names})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)
