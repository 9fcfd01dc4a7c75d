"""The studio in a notebook: its page in the output of a cell, its server in this process, no port between them."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from pointillist.errors import ConfigError, MissingExtraError
from pointillist.pixel_model import PixelModel


class Studio:
    """A studio for models, until `close`. The last line of a cell shows it.

    What the page asks goes through the notebook's own connection, so it works wherever the notebook does: in a browser
    on another machine, behind a hub, in an editor. The models load and paint in threads of the kernel. While a cell is
    running, the kernel may hear the page only when that cell is done.

    Args:
        models: models, or what `pointillist.load` takes. Each is copied: what happens to it later does not reach the
            studio.
        height: of the page, in pixels of the screen.

    Attributes:
        widget: the anywidget, for layouts of ipywidgets and for `marimo.ui.anywidget`.

    Raises:
        MissingExtraError: without the extra `notebook`.
        ConfigError: if there is no model.
    """

    def __init__(self, *models: PixelModel | str, height: int = 760) -> None:
        if not models:
            raise ConfigError("`models` are missing: give at least one model, or the name of one.")
        try:
            from pointillist.studio.app import create_app
            from pointillist.studio.room import Room
            from pointillist.studio.widget import Widget
        except ImportError as error:
            raise MissingExtraError("The studio in a notebook", "notebook") from error
        self._room = Room(models)
        self.widget = Widget(create_app(self._room), height)
        self._room.shelf.start()

    def wait(self, seconds: float | None = None) -> Studio:
        """Until all models are ready or failed, or so many seconds have passed."""
        self._room.shelf.wait(seconds)
        return self

    def close(self) -> None:
        """End it, and everything that it paints."""
        self._room.close()  # first, so that streams end by themselves
        self.widget.bridge.close()
        self.widget.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(entry.name for entry in self._room.shelf.entries.values())
        return f"Studio({names})"

    def _repr_mimebundle_(self, **wanted: Any) -> Any:
        return self.widget._repr_mimebundle_(**wanted)
