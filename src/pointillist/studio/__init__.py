"""The studio: a local page to sample images, query them and inspect any pixel, and the server behind it.

`Studio` is its frame in a notebook, on a local server of this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.errors import ConfigError, MissingExtraError, not_a_model

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel


__all__ = ["Studio"]


class Studio:
    """A studio that runs until `close`; as the last expression of a cell it shows itself.

    It listens on a free port that only this machine reaches, and only a page of this machine may frame it. So the
    browser must be on the machine of the kernel, or the port forwarded to the same number. The models load and run in
    threads of the kernel.

    ```python
    studio = pt.Studio("digits", "runs/sprites")
    studio  # the last expression of a cell shows the page
    studio.close()
    ```

    Args:
        models: models, or sources that `pointillist.load` accepts. Each is copied, so later changes do not reach the
            studio.
        height: of the page, in screen pixels.

    Attributes:
        url: address of the page, for a tab of a browser.

    Raises:
        MissingExtraError: if the extra `studio` is not installed.
        ConfigError: if there is no model.
    """

    def __init__(self, *models: PixelModel | str, height: int = 760) -> None:
        if not models:
            raise ConfigError("`models` are missing: give at least one model, or the name of one.")
        wrong = [model for model in models if not isinstance(model, (str, Path)) and not hasattr(model, "image")]
        if wrong:
            raise not_a_model(wrong[0])
        try:
            from pointillist.studio.http.server import Server
            from pointillist.studio.service import StudioService
        except ImportError as error:
            raise MissingExtraError("The studio in a notebook", "studio") from error
        service = StudioService(models)
        self._server, self._height = Server(service, framed=True), height
        self._server.start()
        self.url: str = self._server.url

    def wait(self, timeout: float | None = None) -> Studio:
        """Wait until all models are ready or failed, at most `timeout` seconds."""
        self._server.service.models.wait(timeout)
        return self

    def close(self) -> None:
        """End the studio and cancel its jobs."""
        self._server.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(entry.name for entry in self._server.service.models.entries.values())
        return f"Studio({names})"

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{self.url}" title="{self.url}" width="100%" height="{self._height}" '
            'style="border: 0" allow="clipboard-read; clipboard-write; fullscreen"></iframe>'
        )
