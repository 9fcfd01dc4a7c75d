"""`compress` and `decompress`: archives of images without loss, in about as many bits as their likelihood."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Arrays, Facts, Work, files_digest
from pointillist.commands.settings import (
    FLAG,
    FORCE,
    ONLY_JSON,
    REQUIRED,
    Argument,
    Settings,
    argument,
    option,
    sampling_option,
)
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from pointillist.compression.about import PictureFile
    from pointillist.compression.container import Record

STANDARD = "-"
"""Stands for standard input or output."""
_IN_MEMORY = 1 << 26  # bytes of an archive from a pipe; a longer one goes to the disk


@dataclass(frozen=True, kw_only=True)
class CompressSettings(Settings):
    """Settings of `compress`."""

    module: ClassVar[str] = "archives"
    merged: ClassVar[str] = ".pxl"
    plain_only: ClassVar[str] = "out threads force as_json"

    model: str = argument("MODEL", "A bundled name, or the folder of a training: a model with an integer program.")
    files: tuple[Path, ...] = argument("FILES|DIR", "Pictures and folders of them, or one .npz or .npy.")
    out: str = option(
        REQUIRED, "PXL", "The archive, or - for standard output.", flags=("--out", "-o"), standard_stream=True
    )
    label: str | None = option(None, "LABEL", "Class of all images. Default: of large ones the cheapest.")
    per_record: int | None = option(
        None, "N", "Images decoded together; 1 costs ten bytes more an image. Default: by size.", low=1
    )
    learn: bool | None = option(
        None, None, "A stage learns as it codes. Default: of 64 to 256 levels.", flags=("--learn/--no-learn",)
    )
    verify: bool = option(True, None, "Decode everything again, and compare.", flags=("--verify/--no-verify",))
    threads: Any = sampling_option(None, "N", "Threads; the archive is the same.", low=1)
    force: bool = option(False, FLAG, "Replace an existing archive.")
    as_json: bool = ONLY_JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class DecompressSettings(Settings):
    """Settings of `decompress`."""

    archive: str = Argument(
        "PXL", "An archive that compress wrote, or - for standard input.", standard_stream=True
    ).field()
    out: str = option(REQUIRED, "DIR|NPZ", "A folder for PNG files, or NAME.npz.", flags=("--out", "-o"))
    model: str | None = option(None, "MODEL", "The model. Default: the bundled one that has the fingerprint.")
    salvage: bool = option(False, FLAG, "Write what is whole of a damaged archive; exits with 1.")
    threads: Any = sampling_option(None, "N", "Threads.", low=1)
    force: bool = FORCE.field(False)
    as_json: bool = ONLY_JSON.field(False)


def compress(settings: CompressSettings) -> Facts | None:
    """Compress images; return the facts, or None where the archive goes to standard output.

    Raises:
        ConfigError, EngineError, DataError: naming what is wrong with a setting, the model or an image.
    """
    from pointillist.errors import ConfigError

    out = settings.out
    if out == STANDARD and settings.as_json:
        raise ConfigError("`--json` and `--out -` both take standard output: choose one.")
    if out != STANDARD:
        reject_existing(Path(out), settings.force)
        _reject_input(Path(out), settings.files)
    with Bar("compressing", 0) as bar:
        return _compress(settings, bar)


def _reject_input(out: Path, files: Sequence[Path]) -> None:
    """Raise a `ConfigError` if the archive would replace an image that goes into it."""
    from pointillist.errors import ConfigError

    read = (path for path in files if str(path) != STANDARD)
    target, *sources = [Path(os.path.realpath(path)) for path in (out, *read)]  # `resolve` fails on links in a circle
    inside = target.suffix.lower() != ".pxl" and any(folder in target.parents for folder in sources)
    if out.exists() and (target in sources or inside):
        raise ConfigError(f"`--out` (={out}) is one of the files to compress: give another path, such as NAME.pxl.")


def _compress(settings: CompressSettings, bar: Bar) -> Facts | None:
    """Compress with a bar, which also stands while the headers of many pictures are read."""
    from pointillist.compression import resolve_labels
    from pointillist.compression.files import open_inputs
    from pointillist.compression.models import as_integer_model, image_of
    from pointillist.compression.writer import ArchiveWriter
    from pointillist.system import default_threads

    out = settings.out
    integer_model, image = as_integer_model(settings.model), image_of(settings.model)
    inputs = open_inputs(settings.files, image, settings.model)
    bar.total = inputs.count
    labels = resolve_labels(integer_model, settings.label, 1)
    coding: Facts = {"per_record": settings.per_record, "verify": settings.verify, "learn": settings.learn}
    coding |= {"labels": labels is not None, "largest": inputs.largest}
    coding["threads"] = settings.threads or default_threads()
    started, sub_pixels = time.perf_counter(), 0
    with _opened(out) as file, ArchiveWriter(file, integer_model, **coding) as archive:
        archive.add_metadata(inputs.about.to_json())
        for done, levels in enumerate(inputs):
            archive.add(levels, None if labels is None else labels[0], partial(_show_share, bar, done))
            sub_pixels += levels.size
            bar.show(done)
    size = archive.bytes_written
    facts = {
        "images": inputs.count,
        "left_out": inputs.left_out,
        "dropped": inputs.dropped,
        "bytes_before": inputs.bytes,
        "bytes": size,
        "saved": f"{1 - size / inputs.bytes:.0%}" if size < inputs.bytes else "nothing",
        "bits_per_dim": 8 * size / max(1, sub_pixels),
        "likelihood_bits_per_dim": archive.likelihood_bits / max(1, sub_pixels),
        "model": settings.model,
        "fingerprint": integer_model.fingerprint,
        "verified": settings.verify,
        "seconds": round(time.perf_counter() - started, 3),
        "out": out,
    }
    return None if out == STANDARD else facts


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


def decompress(settings: DecompressSettings) -> Facts:
    """Write the images of an archive; its fact `damage` is empty for a whole one.

    A command that was interrupted goes on where it ended.

    Raises:
        ConfigError, ArchiveError, CheckpointError: naming what is wrong with a setting, the archive or the model.
    """
    from pointillist.compression.archive import Archive
    from pointillist.compression.files import extract
    from pointillist.files.batch_output import batch_output, output_lock
    from pointillist.system import default_threads

    path, threads = Path(settings.out), settings.threads or default_threads()
    coding: Facts = {"salvage": settings.salvage, "threads": threads}
    _check_out(path, settings)
    if settings.archive == STANDARD or path.suffix.lower() == ".npz":
        with output_lock(path), _read_whole(settings.archive) as source, Bar("decompressing", 0) as bar:
            bar.total = len(Archive(source, settings.model))
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
    damage = [str(error) for error in result.damage]
    return {"images": result.written, "lost": result.lost or None, "damage": damage, "out": settings.out}


@contextmanager
def _read_whole(archive: str) -> Iterator[Path | BinaryIO]:
    """Return the path of an archive, or a file of what standard input holds, which cannot be sought in."""
    if archive != STANDARD:
        yield Path(archive)
        return
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.seek(0)
        yield cast("BinaryIO", file)


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


def job(settings: CompressSettings) -> Work:
    """Compress pictures in tasks, each item a record; one with a picture that cannot be coded is rejected.

    A picture that is larger than a tile has an item for each of its tiles, as it has a record for each.
    """
    import numpy as np

    from pointillist.compression import resolve_labels
    from pointillist.compression.files import list_inputs
    from pointillist.compression.models import as_integer_model, image_of
    from pointillist.compression.pictures import read_levels
    from pointillist.compression.writer import RecordPlan, encode_records, header_of, make_codec, plan_records

    integer_model, image = as_integer_model(settings.model), image_of(settings.model)
    labels, files = resolve_labels(integer_model, settings.label, 1), list_inputs(settings.files)
    label = None if labels is None else labels[0]
    sizes = [_size(path) for path, _ in files]
    largest = max((max(size) for size in sizes if size is not None), default=0)
    codec = make_codec(integer_model, labels=label is not None, largest=largest, learn=settings.learn)
    plans = plan_records(codec, sizes, settings.per_record)
    read = lru_cache(1)(lambda number: read_levels(*files[number], image))  # for the tiles of a large picture

    def record(plan: RecordPlan) -> tuple[Record, list[PictureFile]]:
        several = [read(number) for number in range(plan.pictures.start, plan.pictures.stop)]
        pictures, labels = [levels for levels, _ in several], [label] * len(several)
        (coded,) = encode_records(codec, pictures, labels, [RecordPlan(slice(None), plan.tile)], verify=settings.verify)
        return coded, [] if plan.tile else [file for _, file in several]  # the first tile names the file

    def compute(start: int, stop: int) -> Arrays:
        """Code some records; their contents are base64, and the files JSON."""
        coded = [record(plan) for plan in plans[start:stop]]
        shapes = [(r.kind, r.count, *(r.size or (0, 0)), -1 if r.tile is None else r.tile) for r, _ in coded]
        return {
            "content": np.array([b64encode(r.content) for r, _ in coded], np.bytes_),
            "shape": np.array(shapes),
            "files": np.array([json.dumps([file.to_json() for file in each]) for _, each in coded], np.str_),
        }

    return Work(
        count=len(plans),
        batch_size=_BATCH,
        compute=compute,
        facts={
            "fingerprint": integer_model.fingerprint,
            "header": header_of(codec).encode().hex(),
            "name": settings.model,
            "images": files_digest([path for path, _ in files]),
        },
        files=[files[plan.pictures.start][1] for plan in plans],
        needs_torch=False,
    )


_BATCH = 2  # records of a job that are stored together


def merge(facts: Facts, parts: Iterable[Arrays], out: Path) -> Facts:
    """Write the archive of a job, as the plain command does."""
    from pointillist.compression.container import SIZED, Record, Source, read_header
    from pointillist.compression.writer import RecordWriter

    files = [file for part in parts for each in part["files"].tolist() for file in json.loads(each)]
    with _opened(str(out)) as file:
        header, _ = read_header(Source(BytesIO(bytes.fromhex(facts["header"])), "The header"))
        writer = RecordWriter(file, header)
        writer.write_metadata({"model": facts["name"], "files": files})
        for part in parts:
            for content, (kind, count, *size, tile) in zip(part["content"], part["shape"].tolist(), strict=True):
                height_width = (size[0], size[1]) if kind == SIZED else None
                writer.write(Record(kind, count, b64decode(content), height_width, None if tile < 0 else tile))
        writer.end()
    return {"images": len(files), "bytes": out.stat().st_size}


def _size(path: Path) -> tuple[int, int] | None:
    from pointillist.data.pixels import BROKEN, is_reduced, open_picture
    from pointillist.errors import DataError

    try:
        with open_picture(path) as picture:
            return picture.height * (len(picture.mode) if is_reduced(picture) else 1), picture.width
    except (DataError, *BROKEN):
        return None
