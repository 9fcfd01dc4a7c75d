"""Export a model: a page in one file, a program in C, a module for JavaScript. None of them needs Python."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.errors import CheckpointError, ConfigError, not_a_model, optional
from pointillist.files.reading import is_path
from pointillist.files.suggestions import arguments
from pointillist.files.writing import write_text
from pointillist.model.folder.settings import find_model
from pointillist.model.portable.files import program_files
from pointillist.sampling.rules.config import Rules, parse_rules
from pointillist.studio.export.page import export_module, export_page, license_of
from pointillist.studio.export.program_in_c import export_c


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


@arguments(html=optional(is_path), c=optional(is_path), js=optional(is_path))
def export(
    model: Any,
    *,
    html: str | Path | None = None,
    c: str | Path | None = None,
    js: str | Path | None = None,
    rules: Rules | Mapping[str, Any] | str | Path | None = None,
    map_rules: Rules | Mapping[str, Any] | str | Path | None = None,
) -> Exported:
    """Write a model in a form that runs without Python, and gives the same pictures.

    ```python
    pt.export("icons", html="icons.html")
    ```

    Args:
        model: a model, a model folder, a bundled name, or `hf:user/model`; it needs an integer program.
        html: a page to write: one file that paints with the model, and asks no server.
        c: a folder to write: the model as C11, without a library, and an example.
        js: a folder to write: a module for JavaScript, its types, an example.
        rules: rules of the worlds of the program in C, as `pt.World` takes them. Pages and modules take rules later.
        map_rules: rules of the maps that the program in C paints, as `pt.sample` takes them.

    Raises:
        ConfigError: if nothing is to be written, a rule is none of worlds, or the rules of maps cannot be met.
        CheckpointError: if the model is not there, or has no program.
        EngineError: if the library in C cannot run the program.
    """
    if html is None and c is None and js is None:
        raise ConfigError("There is nothing to write: give `html`, `c` or `js`.")
    for argument, value in (("rules", rules), ("map_rules", map_rules)):
        if value is not None and c is None:
            raise ConfigError(
                f"`{argument}` are part of a program in C, and none is written: give `c`, or leave them out."
            )
    of_c = {"rules": parse_rules(rules), "map_rules": parse_rules(map_rules)}
    outputs = {argument: path for argument, path in (("html", html), ("c", c), ("js", js)) if path is not None}
    if len({os.path.abspath(path) for path in outputs.values()}) < len(outputs):
        raise ConfigError(f"{' and '.join(f'`{name}` (={path})' for name, path in outputs.items())} must differ.")
    if not isinstance(model, (str, Path)):
        return _export_open(model, html=html, c=c, js=js, **of_c)
    folder = find_model(str(model), {})
    name = folder.resolve().name
    # all is made before anything is written
    page = {} if html is None else {Path(html).name: export_page(name, folder)}
    program = {} if c is None else export_c(name, folder, (), **of_c)
    module = {} if js is None else export_module(name, folder)
    files: dict[Path, int] = {}
    if html is not None:
        files |= _write(Path(html).parent, page, whole=False)
    if c is not None:
        files |= _write(Path(c), program)
    if js is not None:
        files |= _write(Path(js), module)
    return Exported(name, license_of(folder), {str(path): size for path, size in files.items()})


def _write(folder: Path, files: Mapping[str, str], whole: bool = True) -> dict[Path, int]:
    """Write files into a folder, and return their sizes; if `whole`, a folder without files gets all at once."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not whole or not _moved(folder, files):
            for name, text in files.items():
                write_text(folder / name, text)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}): give another path.") from error
    return {folder / name: (folder / name).stat().st_size for name in files}


def _moved(folder: Path, files: Mapping[str, str]) -> bool:
    """Write files next to a folder, and rename theirs to it; return False if it has files."""
    parent = folder.parent if os.access(folder.parent, os.W_OK) else folder
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", suffix=".tmp", dir=parent) as temporary:
        for name, text in files.items():
            write_text(Path(temporary, "all", name), text)
        with suppress(OSError):
            Path(temporary, "all").replace(folder)
            return True
    return False


def _export_open(model: Any, **files: Any) -> Exported:
    """Write a model that is open: from its folder, or from one that it is saved to for that."""
    if getattr(model, "folder", None) is not None:
        return export(model.folder, **files)
    if not hasattr(model, "save_pretrained"):
        raise not_a_model(model)
    with tempfile.TemporaryDirectory() as parent:
        model.save_pretrained(Path(parent, "model"))
        try:
            program_files(Path(parent, "model"))
        except CheckpointError:
            raise CheckpointError(
                "`model` has no integer program, which an export runs: save it, and make one with "
                "`pointillist quantize`."
            ) from None
        return export(Path(parent, "model"), **files)
