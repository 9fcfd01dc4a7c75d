"""Compress and decompress one large photograph: `POINTILLIST_DATA=DIR python benchmarks/measure_large_picture.py`.

DIR holds `kodak24.npz`. The picture is a mosaic of Kodak's, 8 in a row and 8 in a column, each of the 24 in turn:
6,144 x 4,096 pixels, 25 megapixels, in PNG. The bundled model `photos` codes it by the commands; `--rows` makes it
smaller.

- time and memory: seconds of the clock and of the processor, and the largest memory of each command, beside those of
  `pointillist --version`. `compress` is run with `--no-verify`; with `--verify` it also decodes each tile, in twice the
  time.
- progress: on a terminal, how many different shares the bar showed, and the longest time between two of them.
- damage: a byte of the archive is changed before it is decompressed with `--salvage`, which must lose one tile; all
  other pixels are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import select
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.compression.writer import SIDE
from pointillist.system import describe_machine, today

ACROSS, DOWN = 8, 8
SHARE = re.compile(rb"(\d+)%")


def mosaic(source: Path, rows: int) -> Image.Image:
    """Return landscapes of Kodak's next to one another; portraits are turned."""
    with np.load(source) as data:
        pictures = [*data["landscape"], *(np.rot90(picture) for picture in data["portrait"])]
    lines = [np.concatenate([pictures[(row * ACROSS + i) % 24] for i in range(ACROSS)], 1) for row in range(rows)]
    return Image.fromarray(np.concatenate(lines))


def run(*words: str | Path) -> dict[str, Any]:
    """Run the command on a terminal; return seconds, memory and what its bar showed."""
    started, shown = time.monotonic(), []
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "100"}
        os.execv(sys.executable, [sys.executable, "-m", "pointillist", *map(str, words)])
    output = b""
    while True:
        select.select([terminal], [], [])
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        output += part
        shown += [(time.monotonic() - started, int(share)) for share in SHARE.findall(part)]
    _, status, usage = os.wait4(pid, 0)
    changes = [moment for (moment, share), (_, before) in zip(shown[1:], shown, strict=False) if share != before]
    waits = np.diff([0.0, *changes, time.monotonic() - started])
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(usage.ru_maxrss / 1024),
        "shares_shown": len({share for _, share in shown}),
        "longest_wait": round(float(waits.max()), 1),
        "output": output.decode(errors="replace").splitlines()[-12:],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=DOWN, help="pictures in a column")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--verify", action="store_true", help="let compress decode each tile, too")
    arguments = parser.parse_args()
    threads = ("--threads", str(arguments.threads))
    report("nothing", run("--version"))  # first: a process starts with the memory of this one
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        picture = mosaic(Path(os.environ["POINTILLIST_DATA"]) / "kodak24.npz", arguments.rows)
        picture.save(root / "large.png")
        verify = () if arguments.verify else ("--no-verify",)
        coded = run("compress", "photos", root / "large.png", "--out", root / "large.pxl", *verify, *threads)
        coded["megapixels_a_minute_of_processor"] = round(
            picture.width * picture.height / 1e6 / coded["processor_seconds"] * 60, 1
        )
        report("compress", coded)
        archive = bytearray((root / "large.pxl").read_bytes())
        png = (root / "large.png").stat().st_size
        print(f"{picture.width}x{picture.height}: {len(archive):,} bytes, PNG {png:,}. {today()}, {describe_machine()}")
        archive[len(archive) // 2] ^= 1
        (root / "large.pxl").write_bytes(archive)
        decoding = ("decompress", root / "large.pxl", "--out", root / "again", "--salvage", *threads)
        report("decompress", run(*decoding), expected=1)
        with Image.open(root / "again" / "large.png") as again:
            wrong = (np.asarray(again) != np.asarray(picture)).any(-1)
    rows, columns = np.nonzero(wrong)
    lost = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    print(f"wrong pixels lie in rows {rows.min()} to {rows.max()}, columns {columns.min()} to {columns.max()}")
    assert lost <= SIDE**2, "a changed byte lost more than a tile"


def report(name: str, result: dict[str, Any], expected: int = 0) -> None:
    """Print a result, or the end of what the command printed if it ended otherwise than expected."""
    if result["status"] != expected:
        raise SystemExit("\n".join(result["output"]))
    print(name, json.dumps({key: value for key, value in result.items() if key != "output"}), flush=True)


if __name__ == "__main__":
    main()
