"""`decompress`: write the images of an archive again."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.archives.settings import STANDARD, DecompressSettings
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Report
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from pointillist.compression.extract import Extraction


def decompress(settings: DecompressSettings) -> Report:
    """Write the images of an archive; its `facts["damage"]` is empty for a whole one.

    A command that was interrupted goes on where it ended.

    Raises:
        ConfigError, ArchiveError, CheckpointError: naming what is wrong with a setting, the archive or the model.
    """
    from pointillist.compression.archive import Archive
    from pointillist.compression.extract import extract
    from pointillist.files.batch_output import batch_output, output_lock
    from pointillist.system import available_cores

    path, threads = Path(settings.out), settings.threads or available_cores()
    coding: dict[str, Any] = {"salvage": settings.salvage, "threads": threads}
    _check_out(path, settings)
    if settings.archive == STANDARD or path.suffix.lower() == ".npz":
        from_pipe = settings.archive == STANDARD
        source = sys.stdin.buffer if from_pipe else Path(settings.archive)
        count = 0 if from_pipe else len(Archive(settings.archive, settings.model))
        with output_lock(path), Bar("decompressing", count) as bar:
            result = extract(source, path, settings.model, on_image=bar.show, on_share=bar.show, **coding)
    else:
        count = len(Archive(settings.archive, settings.model))
        with batch_output(path, {"archive": _digest(Path(settings.archive))}) as output:
            start = 0 if settings.salvage else output.keep(1)

            def note(done: int) -> None:
                if not settings.salvage:
                    output.append([done])
                bar.show(done)

            with Bar("decompressing", count) as bar:
                coding |= {"start": start, "on_image": note, "on_share": bar.show}
                result = extract(Path(settings.archive), path, settings.model, **coding)
            output.discard()
    facts = {
        "images": result.written,
        "lost": result.lost,
        "damage": [str(error) for error in result.damage],
        "out": settings.out,
    }
    return Report(facts, _lines(result, facts))


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_out(path: Path, settings: DecompressSettings) -> None:
    from pointillist.errors import ConfigError
    from pointillist.files.batch_output import unfinished
    from pointillist.files.writing import reject_stream

    if path.suffix.lower() == ".npz":
        reject_existing(path, settings.force)
        return
    reject_stream(path)
    if path.suffix and not path.is_dir() and not settings.out.endswith(("/", "\\")):
        raise ConfigError(f"`--out` (={settings.out}) must be a folder or end in .npz: give DIR/ or NAME.npz.")
    if path.exists() and unfinished(path) is None and any(path.iterdir()) and not settings.force:
        raise ConfigError(f"{settings.out} is not empty: add `--force` to write into it, or give a new folder.")


def _lines(extraction: Extraction, facts: dict[str, Any]) -> list[tuple[str, str]]:
    lost_count = f"{extraction.lost:,} images or more" if extraction.lost else "an unknown number of images"
    reasons = "\n".join([lost_count, *facts["damage"]])
    lost = [("lost", reasons)] if extraction.damage else []
    written = [("written", facts["out"])] if extraction.written else []
    return [("images", f"{extraction.written:,}"), *lost, *written]
