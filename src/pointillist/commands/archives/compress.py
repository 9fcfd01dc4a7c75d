"""`compress`: images without loss, in about as many bits as their likelihood."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from pointillist.commands.archives.settings import STANDARD, CompressSettings
from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Report, size_text
from pointillist.files.progress import Bar

_SMALL = 1000  # bytes of an archive; a name, a format and a size take about 70


def compress(settings: CompressSettings) -> Report | None:
    """Compress images; return the report, or None where the archive goes to standard output.

    Raises:
        ConfigError, EngineError, DataError: naming what is wrong with a setting, the model or an image.
    """
    from pointillist.errors import ConfigError

    out = settings.out
    if out == STANDARD and settings.as_json:
        raise ConfigError("`--json` and `--out -` both take standard output: choose one.")
    if out != STANDARD:
        reject_existing(Path(out), settings.force)
    with Bar("compressing", 0) as bar:
        return _compress(settings, bar)


def _compress(settings: CompressSettings, bar: Bar) -> Report | None:
    """Compress with a bar, which also stands while the headers of many pictures are read."""
    from pointillist.compression.api import resolve_labels
    from pointillist.compression.files import open_inputs
    from pointillist.compression.models import as_integer_model, image_of
    from pointillist.compression.writer import SIDE, ArchiveWriter
    from pointillist.system import available_cores

    out = settings.out
    integer_model, image = as_integer_model(settings.model), image_of(settings.model)
    inputs = open_inputs(settings.files, image, settings.model)
    bar.total = inputs.count
    labels = resolve_labels(integer_model, settings.label, 1)
    coding: dict[str, Any] = {"per_record": settings.per_record, "verify": settings.verify}
    coding |= {"order": settings.order, "labels": labels is not None, "threads": settings.threads or available_cores()}
    coding["tiles"] = inputs.largest > SIDE
    started, sub_pixels = time.perf_counter(), 0
    with (
        _opened(out) as file,
        ArchiveWriter(file, integer_model, **coding) as archive,
    ):
        archive.add_metadata(inputs.metadata)
        for done, levels in enumerate(inputs):
            archive.add(levels, -1 if labels is None else labels[0], partial(_show_share, bar, done))
            sub_pixels += levels.size
            bar.show(done)
    facts = {
        "images": inputs.count,
        "left_out": inputs.left_out,
        "bytes_before": inputs.bytes,
        "bytes": archive.bytes_written,
        "bits_per_dim": 8 * archive.bytes_written / max(1, sub_pixels),
        "model": settings.model,
        "fingerprint": integer_model.fingerprint,
        "verified": settings.verify,
        "seconds": round(time.perf_counter() - started, 3),
        "out": out,
    }
    return None if out == STANDARD else Report(facts, _lines(facts))


def _show_share(bar: Bar, done: int, share: float) -> None:
    bar.show(done + share)


@contextmanager
def _opened(out: str) -> Iterator[BinaryIO]:
    """Open the archive: a file that appears whole, or standard output."""
    from pointillist.files.writing import atomic_path

    if out == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic_path(Path(out)) as temporary, temporary.open("wb") as file:
        yield file


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    before, after = facts["bytes_before"], facts["bytes"]
    each = f", {after / facts['images']:.1f} bytes an image" if facts["images"] else ""
    return [
        ("images", f"{facts['images']:,}, {size_text(before)} as they were"),
        *([("left out", f"{facts['left_out']}: no pictures")] if facts["left_out"] else []),
        ("archive", f"{size_text(after)}{each}, {facts['bits_per_dim']:.4f} bits/dim"),
        ("saved", _saved(before, after)),
        ("verified", "decoded again, and equal" if facts["verified"] else "no"),
        ("model", f"{facts['model']}, {facts['fingerprint'][:8]}: needed to decompress"),
        ("written", facts["out"]),
    ]


def _saved(before: int, after: int) -> str:
    if after < before:
        return f"{1 - after / before:.0%}"
    return "nothing: names and headers are most of it" if after < _SMALL else f"nothing: {after / before:.0%} of before"
