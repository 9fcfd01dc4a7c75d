"""`pt.export`: write a model as a page, as a program in C, as a module for JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointillist.errors import ConfigError
from pointillist.files.writing import atomic_path
from pointillist.model.folder.files import find_model
from pointillist.studio.export.page import export_page, license_of


@dataclass(frozen=True)
class Exported:
    """Files that were written.

    Attributes:
        model: name of the model.
        license: its licence, as its card names it.
        files: path and bytes of each file.
    """

    model: str
    license: str
    files: dict[str, int]


def export(model: str | Path, *, html: str | Path | None = None) -> Exported:
    """Write a model in a form that runs without Python, and gives the same pictures.

    ```python
    pt.export("icons", html="icons.html")
    ```

    Args:
        model: a model folder, a bundled name, or `hf:user/model`; it needs an integer program.
        html: a page to write: one file that paints with the model, and asks no server.

    Raises:
        ConfigError: if nothing is to be written.
        CheckpointError: if the model is not there, or has no program.
        EngineError: if the library in C cannot run the program.
    """
    if html is None:
        raise ConfigError("There is nothing to write: give `html`.")
    folder = find_model(str(model), {})
    name = folder.resolve().name
    files = {Path(html): export_page(name, folder)}
    for path, text in files.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Exported(name, license_of(folder), {str(path): path.stat().st_size for path in files})
