"""The studio in a notebook: the same server in a thread, and its page in a frame."""

from __future__ import annotations

import html
from types import TracebackType

from pointillist.errors import ConfigError, MissingExtraError
from pointillist.pixel_model import PixelModel
from pointillist.studio.room import LIMITS, Room


class Studio:
    """A studio for models, until `close`. The last line of a cell shows it.

    Args:
        models: models, or what `pointillist.load` takes. Each is copied: what happens to it later does not reach the
            studio.
        port: 0 for one that is free.
        height: of the frame, in pixels.

    Attributes:
        url: its page, for this machine only.

    Raises:
        MissingExtraError: without the extra `studio`.
        ConfigError: if there is no model, or nothing can listen.
    """

    def __init__(self, *models: PixelModel | str, port: int = 0, height: int = 760) -> None:
        try:
            from pointillist.studio.server import Server
        except ImportError as error:
            raise MissingExtraError("The studio", "studio") from error
        if not models:
            raise ConfigError("`models` are missing: give at least one model, or the name of one.")
        self._height = height
        self._room = Room(models, LIMITS)
        self._server = Server(self._room, port=port, framed=True)
        self._server.start()
        self.url = self._server.url

    def wait(self, seconds: float | None = None) -> Studio:
        """Until all models are ready or failed, or so many seconds have passed."""
        self._room.shelf.wait(seconds)
        return self

    def close(self) -> None:
        """End it, and everything that it paints."""
        self._server.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Studio at {self.url}"

    def _repr_html_(self) -> str:
        url = html.escape(self.url, quote=True)
        return (
            f'<iframe src="{url}" title="Pointillist studio" width="100%" height="{self._height}" '
            f'style="border:0" allow="clipboard-write"></iframe>'
            f'<p><a href="{url}" target="_blank" rel="noopener">Open the studio in its own tab</a></p>'
        )
