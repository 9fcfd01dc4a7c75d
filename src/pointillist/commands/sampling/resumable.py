"""Sample into a folder or an archive, which any interruption leaves to be continued by the same command."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.report import note
from pointillist.commands.sampling.maps import (
    FOLDER_KINDS,
    MAP_KINDS,
    companion_files,
    is_map_file,
    note_source,
    write_map,
)
from pointillist.commands.sampling.writers import Totals, encode_files, level_bytes, level_dtype, write_npz
from pointillist.files.batch_output import PROGRESS, ROWS, BatchOutput, batch_output, unfinished
from pointillist.files.writing import atomic_path, check_disk, reject_folder
from pointillist.sampling.config import OnBatchRow

if TYPE_CHECKING:
    from pointillist.commands.sampling.settings import SampleSettings
    from pointillist.images import ImageSpec
    from pointillist.sampling.draws import Draws
    from pointillist.sampling.samples import Samples

LIST = "metadata.jsonl"
LEVELS = "levels.bin"
_BLOCK = 2**20
_NUMBERED = re.compile(r'"file_name": "([0-9]+\.[a-z]+)"')


def unfinished_seed(out: Path) -> int | None:
    """Return the seed of an unfinished output, which a command without a seed continues; None if there is none."""
    result = (unfinished(out) or {}).get("seed")
    return result if isinstance(result, int) else None


def write_batches(
    sink: FolderSink | ArchiveSink,
    out: Path,
    draws: Draws,
    settings: SampleSettings,
    totals: Totals,
    *,
    colours: Sequence[Sequence[int]] | None = None,
    on_row: Any = None,
) -> None:
    """Sample images into a folder or an archive, after those that an interrupted command has made.

    Args:
        sink: the kind of output; an image takes at least its `image_bytes`.
        out: its path.
        draws: what is sampled.
        settings: of the command; `force` discards an unfinished output of other settings.
        totals: collects the bits/dim.
        colours: another palette.
        on_row: as for `stream`.
    """
    shown = {"seamless": settings.seamless, "palette": colours, "format": sink.form}
    record = {"command": "sample", **draws.record(), **shown}
    with batch_output(out, record, restart=settings.force) as output:
        done = output.keep(draws.config.batch_size)
        check_disk(out, (draws.count - done) * sink.image_bytes)
        if done:
            totals.add_rows(output.rows())
            note(f"continued  at image {done + 1:,} of {draws.count:,}")
        try:
            for part in totals.through(stream_images(draws, settings.seamless, done, on_row)):
                output.append(list(sink.write(output, part if colours is None else part.recoloured(colours))))
        except BaseException:
            if output.done:
                note(f"{output.done:,} of {draws.count:,} images are kept: the same command continues.")
            raise
        sink.finish(output, out)


def stream_images(
    draws: Draws, seamless: str | None, first: int = 0, on_row: OnBatchRow | None = None
) -> Iterator[Samples]:
    """Sample batch by batch, from the image `first` on; images that tile are finished together."""
    if seamless is None:
        yield from draws.stream(first, on_row)
    elif first < draws.count:  # they are written together, so either none or all are there
        from pointillist.completion.seamless import sample_tiling

        sides: Any = seamless
        yield sample_tiling(draws, sides, on_row)


def write_samples(samples: Samples, classes: Sequence[str], kind: str, path: Path, force: bool) -> bool:
    """Write images without loss: an archive, maps, or a folder of files; return False for a picture."""
    if kind == "npz":
        write_npz(path, [level_bytes(samples)], samples.nats, samples.labels, samples.image, classes)
    elif kind in MAP_KINDS and is_map_file(path):
        write_map(path, [samples], kind, force)
    elif kind in FOLDER_KINDS or kind in MAP_KINDS:
        note_source(kind, samples.image, samples.tileset, path)
        sink, digest = FolderSink(len(samples), classes, path, kind), hashlib.sha256(level_bytes(samples)).hexdigest()
        with batch_output(path, {"levels": digest}, restart=force) as output:
            output.keep(len(samples) + 1)
            output.append(list(sink.write(output, samples)))
            sink.finish(output, path)
    else:
        return False
    return True


class FolderSink:
    """Files in their exact size, and a list of them that `load_data` reads: PNGs, or maps in one of their formats."""

    form: str

    image_bytes = 512  # a file takes more on the usual disks

    def __init__(self, total: int, classes: Sequence[str], target: Path, form: str = "files") -> None:
        self.form, self._target = form, target
        self._digits, self._classes = max(5, len(str(total - 1))), classes
        self._suffix = ".png" if form == "files" else f".{form}"
        self._companions: tuple[str, ...] = ()  # files that maps share

    def write(self, output: BatchOutput, part: Samples) -> Iterator[dict[str, Any]]:
        """Write a file for each image of a batch, and yield its row, with its `bits_per_dim`."""
        texts = part.texts or ("",) * len(part)
        saved = [None] * len(part) if part.gain is None else (part.gain / math.log(2)).tolist()
        result = zip(
            self._encode(output, part), part.labels.tolist(), texts, part.bits_per_dim.tolist(), saved, strict=True
        )
        for index, (content, label, text, bits, gain) in enumerate(result, output.done):
            name = f"{index:0{self._digits}d}{self._suffix}"
            (output.folder / name).write_bytes(content)
            row: dict[str, Any] = {"file_name": name}
            if label >= 0:
                row["label"] = self._classes[label]
            if text:
                row["text"] = text
            row["bits_per_dim"] = None if math.isnan(bits) else round(bits, 5)  # JSON has no NaN
            if gain is not None:
                row["bits_saved"] = round(gain, 3)
            yield row

    def _encode(self, output: BatchOutput, part: Samples) -> list[bytes]:
        """Return the bytes of each file, and write what lies next to them."""
        companions = companion_files(part, self.form, self._target)
        for name, content in companions.items():
            (output.folder / name).write_bytes(content)
        self._companions = tuple(companions)
        return encode_files(part, self.form, self._target)

    def finish(self, output: BatchOutput, out: Path) -> None:
        """Make the folder in progress the output; in a folder that exists, its files replace the samples.

        Interrupted anywhere, it is finished by the same command.
        """
        with atomic_path(output.folder / LIST) as listing, listing.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in output.rows())
        if not out.exists():
            output.folder.rename(out)
            for name in (ROWS, PROGRESS):
                (out / name).unlink()
            return
        names = {row["file_name"] for row in output.rows()}
        companions = [output.folder / name for name in self._companions]
        files = sorted([*output.folder.glob(f"[0-9]*{self._suffix}"), *(p for p in companions if p.exists())])
        for new in files:
            reject_folder(out / new.name)  # before the first of them replaces a file
        for new in files:
            new.replace(out / new.name)
        for old in _numbered_files(out):
            if old.name not in names:
                old.unlink(missing_ok=True)
        (output.folder / LIST).replace(out / LIST)
        output.discard()


def _numbered_files(folder: Path) -> list[Path]:
    """List the numbered files of an earlier output that its list names; others of such a name stay."""
    listing = folder / LIST
    text = listing.read_text(encoding="utf-8", errors="replace") if listing.is_file() else ""
    return [folder / name for name in _NUMBERED.findall(text)]


class ArchiveSink:
    """An archive of NumPy arrays: until all are there, the levels of the images one after the other in a file."""

    form = "npz"

    def __init__(self, image: ImageSpec, classes: Sequence[str]) -> None:
        self._image, self._classes = image, classes
        self.image_bytes: int = math.prod(image.shape) * level_dtype(image).itemsize

    def write(self, output: BatchOutput, part: Samples) -> Iterator[dict[str, Any]]:
        """Append the levels to the images that are done."""
        output.extend(LEVELS, output.done * self.image_bytes, level_bytes(part))
        saved = [None] * len(part) if part.gain is None else (part.gain / math.log(2)).tolist()
        values = part.nats.tolist(), part.labels.tolist(), part.bits_per_dim.tolist(), saved
        for nats, label, bits, gain in zip(*values, strict=True):
            row = {"nats": nats, "label": label, "bits_per_dim": bits}
            yield row if gain is None else {**row, "bits_saved": gain}

    def finish(self, output: BatchOutput, out: Path) -> None:
        """Write the archive from the file of levels and the rows."""
        output.extend(LEVELS, output.done * self.image_bytes, b"")
        rows = np.array([(row["nats"], row["label"]) for row in output.rows()], np.float64)
        with (output.folder / LEVELS).open("rb") as file:
            blocks = iter(lambda: file.read(_BLOCK), b"")
            write_npz(out, blocks, rows[:, 0], rows[:, 1].astype(np.int64), self._image, self._classes)
        output.discard()
