"""Export a model: a page in one file, a program in C, a module for JavaScript. None of them needs Python."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.errors import CheckpointError, ConfigError, not_a_model
from pointillist.files.reading import check_path
from pointillist.files.writing import atomic_path
from pointillist.model.folder.portable import program_files
from pointillist.model.folder.settings import find_model
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
    for argument, path in (("html", html), ("c", c), ("js", js)):
        if path is not None:
            check_path(argument, path)
    if not isinstance(model, (str, Path)):
        return _export_open(model, html=html, c=c, js=js, **of_c)
    folder = find_model(str(model), {})
    name = folder.resolve().name
    files = {} if html is None else {Path(html): export_page(name, folder)}
    files |= {} if c is None else {Path(c) / file: text for file, text in export_c(name, folder, (), **of_c).items()}
    files |= {} if js is None else {Path(js) / file: text for file, text in export_module(name, folder).items()}
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path.parent} cannot be made ({error.strerror}): give another path.") from error
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Exported(name, license_of(folder), {str(path): path.stat().st_size for path in files})


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
