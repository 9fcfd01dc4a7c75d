"""Sample into a folder of files, which any interruption leaves to be continued by the same command."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from PIL import Image

from pointillist.checkpoint.batch_output import PROGRESS, ROWS, BatchOutput, batch_output, unfinished
from pointillist.checkpoint.files import atomic_path
from pointillist.cli.writers import Totals, as_files

if TYPE_CHECKING:
    from pointillist.model.pixel_model import PixelModel
    from pointillist.sampling.samples import Samples

LIST = "metadata.jsonl"
_SETTINGS = ("n", "guidance", "temperature", "top_p", "engine", "seed", "size", "batch_size", "best_of", "order")


def unfinished_seed(out: Path) -> int | None:
    """Return the seed of an unfinished folder, which a command without a seed continues; None if there is none."""
    found = (unfinished(out) or {}).get("seed")
    return found if isinstance(found, int) else None


def write_folder(
    out: Path,
    model: PixelModel,
    settings: Mapping[str, Any],
    totals: Totals,
    *,
    colours: Sequence[Sequence[int]] | None = None,
    restart: bool = False,
    on_row: Any = None,
) -> None:
    """Sample images into a folder: PNGs in their exact size, and a list of them that `load_data` reads.

    Args:
        out: the folder.
        settings: keywords of `stream`.
        totals: collects the bits/dim.
        colours: another palette.
        restart: discard an unfinished folder of other settings.
        on_row: as for `stream`.
    """
    from pointillist.sampling.api import stream

    total = settings["n"]
    with batch_output(out, _record(model, settings, colours), restart=restart) as output:
        done = output.keep(settings["batch_size"])
        if done:
            totals.add_rows(output.rows())
            typer.echo(f"continued  at image {done + 1:,} of {total:,}", err=True)
        parts = totals.through(stream(model, **settings, on_row=on_row, first=done))
        try:
            for part in parts:
                shown = part if colours is None else part.recoloured(colours)
                output.append(list(_write_batch(output, shown, total, model.config.classes)))
        except BaseException:
            if output.done:
                typer.echo(f"{output.done:,} of {total:,} images are kept: the same command continues.", err=True)
            raise
        _finish(output, out)


def _record(model: PixelModel, settings: Mapping[str, Any], colours: Any) -> dict[str, Any]:
    """List all that the files depend on; conditions by their hash, since there may be one for each image."""
    from pointillist.model.pretrained import model_fingerprint

    conditions = {name: value for name, value in settings.items() if name not in (*_SETTINGS, "threads")}
    digest = hashlib.sha256()
    _update(digest, {**conditions, "palette": colours, "label": settings["label"]})
    return {
        "command": "sample",
        "model": model_fingerprint(model),
        **{name: settings[name] for name in _SETTINGS},
        "conditions": digest.hexdigest(),
    }


def _update(digest: Any, value: Any) -> None:
    """Hash a value: numbers, texts, arrays, pictures, and lists and tables of them."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            digest.update(f"{key}:".encode())
            _update(digest, value[key])
    elif isinstance(value, Image.Image) or hasattr(value, "__array__"):
        array = np.asarray(value)
        digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(f"{len(value)}[".encode())
        for part in value:
            _update(digest, part)
    else:
        digest.update(repr(value).encode() + b";")


def _write_batch(output: BatchOutput, part: Samples, total: int, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Write the files of a batch, and yield the row of each image."""
    digits = max(5, len(str(total - 1)))
    texts = part.texts or ("",) * len(part)
    saved = [None] * len(part) if part.gain is None else (part.gain / math.log(2)).tolist()
    found = zip(as_files(part), part.labels.tolist(), texts, part.bits_per_dim.tolist(), saved, strict=True)
    for index, (picture, label, text, bits, gain) in enumerate(found, output.done):
        name = f"{index:0{digits}d}.png"
        picture.save(output.folder / name)
        row: dict[str, Any] = {"file_name": name}
        if label >= 0:
            row["label"] = classes[label]
        if text:
            row["text"] = text
        row["bits_per_dim"] = round(bits, 5)
        if gain is not None:
            row["bits_saved"] = round(gain, 3)
        yield row


def _finish(output: BatchOutput, out: Path) -> None:
    """Make the folder in progress the output; in a folder that exists, its files replace the samples.

    Interrupted anywhere, it is finished by the same command.
    """
    with atomic_path(output.folder / LIST) as listing, listing.open("w", encoding="utf-8") as file:
        file.writelines(_lines(output.rows()))
    if not out.exists():
        output.folder.rename(out)
        for name in (ROWS, PROGRESS):
            (out / name).unlink()
        return
    names = {row["file_name"] for row in output.rows()}
    for new in sorted(output.folder.glob("[0-9]*.png")):
        new.replace(out / new.name)
    (output.folder / LIST).replace(out / LIST)
    for old in out.glob("[0-9]*.png"):
        if old.stem.isdigit() and old.name not in names:
            old.unlink()
    output.discard()


def _lines(rows: Iterable[Any]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
