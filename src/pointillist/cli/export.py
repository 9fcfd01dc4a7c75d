"""`pointillist export`: a model as a page, as a program in C, as a module for JavaScript."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.inspection.settings import ExportSettings
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Report

EPILOG = """Examples:

  pointillist export icons --html icons.html

  pointillist export digits --c digits-in-c/

  pointillist export dungeons --js dungeons-in-js/"""


def export(settings: ExportSettings) -> None:
    """Write a model in a form that runs without Python, and gives the same pictures.

    A page opens from disk, offline, and asks no server. The model needs an
    integer program, as bundled and trained ones have.
    """
    from pointillist.errors import ConfigError
    from pointillist.studio.export.api import export as write

    if settings.html is not None:
        reject_existing(settings.html, settings.force)
    for folder in (settings.c, settings.js):
        if folder is not None and not settings.force and folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty: add `--force` to write into it, or give another folder.")
    result = write(settings.model, html=settings.html, c=settings.c, js=settings.js, rules=settings.rules)
    lines = [("model", result.model), ("licence", result.license)]
    lines += [("written", f"{path}, {size:,} bytes") for path, size in result.files.items()]
    facts = {"model": result.model, "license": result.license, "files": result.files}
    print_report(Report(facts, lines), settings.as_json)
