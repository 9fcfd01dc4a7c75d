"""`pointillist compress`: images without loss, in about as many bits as their likelihood."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from pointillist.cli.output import print_facts, print_json, reject_existing, size_text
from pointillist.cli.settings import FLAG
from pointillist.files.progress import Bar

if TYPE_CHECKING:
    from collections.abc import Iterator

EPILOG = """Examples:

  pointillist compress digits scans/ --out scans.pxl

  pointillist compress runs/mine a.png b.png --out two.pxl --threads 2

  pointillist compress dungeons maps.npz --out maps.pxl

  pointillist compress digits scans/ --out - | ssh host pointillist decompress - --out scans/"""

STANDARD = "-"

Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A bundled name, or a folder with an integer program (quantize --integer)."),
]
Images = Annotated[
    list[Path], typer.Argument(metavar="FILES|DIR", help="Pictures and folders of them, or one .npz or .npy.")
]
Out = Annotated[str, typer.Option("--out", "-o", metavar="PXL", help="The archive, or - for standard output.")]
Label = Annotated[str | None, typer.Option(metavar="LABEL", help="Class of all images, where it is known.")]
Order = Annotated[str | None, typer.Option(metavar="NAME", help="Generation order; by default the model's usual one.")]
PerRecord = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Images decoded together; 1 costs ten bytes more an image. Default: by size."
    ),
]
Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Decode everything again, and compare.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Threads; the archive is the same.")]
Force = Annotated[bool, typer.Option("--force", metavar=FLAG, help="Replace an existing archive.")]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print JSON, and nothing else, on stdout.")]


def compress(
    model: Model,
    images: Images,
    out: Out,
    label: Label = None,
    order: Order = None,
    per_record: PerRecord = None,
    verify: Verify = True,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Compress images without loss.

    The archive holds the pixels of pictures with their names, modes and texts;
    decompress writes them as PNG. It does not hold the model, which is known by
    its fingerprint.
    """
    from pointillist.compression.api import resolve_labels
    from pointillist.compression.files import open_inputs
    from pointillist.compression.models import as_integer_model, image_of
    from pointillist.compression.writer import ArchiveWriter
    from pointillist.errors import ConfigError
    from pointillist.system import available_cores

    if out == STANDARD and as_json:
        raise ConfigError("`--json` and `--out -` both take standard output: choose one.")
    if out != STANDARD:
        reject_existing(Path(out), force)
    integer_model, image = as_integer_model(model), image_of(model)
    inputs = open_inputs(images, image, model)
    labels = resolve_labels(integer_model, label, 1)
    started, sub_pixels = time.perf_counter(), 0
    with (
        output(out) as file,
        Bar("compressing", inputs.count) as bar,
        ArchiveWriter(
            file, integer_model, order=order, labels=labels is not None, per_record=per_record, verify=verify,
            threads=threads or available_cores(),
        ) as archive,
    ):  # fmt: skip
        archive.add_metadata(inputs.metadata)
        for done, levels in enumerate(inputs):
            archive.add(levels, -1 if labels is None else labels[0])
            sub_pixels += levels.size
            bar.show(done)
    facts = {
        "images": inputs.count,
        "left_out": inputs.left_out,
        "bytes_before": inputs.bytes,
        "bytes": archive.bytes_written,
        "bits_per_dim": 8 * archive.bytes_written / max(1, sub_pixels),
        "model": model,
        "fingerprint": integer_model.fingerprint,
        "verified": verify,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if as_json:
        print_json({**facts, "out": out})
    elif out != STANDARD:
        print_facts(_lines(out, facts))


@contextmanager
def output(out: str) -> Iterator[BinaryIO]:
    """Open the archive: a file that appears whole, or standard output."""
    from pointillist.files.writing import atomic_path

    if out == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic_path(Path(out)) as temporary, temporary.open("wb") as file:
        yield file


def _lines(out: str, facts: dict[str, Any]) -> list[tuple[str, str]]:
    before, after = facts["bytes_before"], facts["bytes"]
    each = f", {after / facts['images']:.1f} bytes an image" if facts["images"] else ""
    return [
        ("images", f"{facts['images']:,}, {size_text(before)} as they were"),
        *([("left out", f"{facts['left_out']}: no pictures")] if facts["left_out"] else []),
        ("archive", f"{size_text(after)}{each}, {facts['bits_per_dim']:.4f} bits/dim"),
        ("saved", f"{1 - after / before:.0%}" if before else "nothing"),
        ("verified", "decoded again, and equal" if facts["verified"] else "no"),
        ("model", f"{facts['model']}, {facts['fingerprint'][:8]}: needed to decompress"),
        ("written", out),
    ]
