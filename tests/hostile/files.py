"""Files that a stranger could send: what no reader may hang on, run out of memory for, or answer with a traceback."""

from __future__ import annotations

import json
import random
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HUGE = "9" * 5000


def png(width: int, height: int, data: bytes = b"\0") -> bytes:
    """A grey PNG whose header claims a size, whatever its data hold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) print\n%%EOF\n"
PICTURES = {
    "bomb": png(20_000, 20_000),
    "largest": png(2**31 - 1, 2**31 - 1),
    "wide": png(2**31 - 1, 1),
    "chunk": png(8, 8, bytes(72)).replace(b"\0\0\0\x0cIDAT", b"\xc1\0\0\0IDAT"),
    "eps": EPS,
    "cut": png(8, 8)[:40],
    "empty": b"",
    "text": b"hello",
}
METADATA = {
    "nested.jsonl": "[" * 100_000,
    "tables.jsonl": '{"a":' * 100_000,
    "number.jsonl": '{"file_name": "a.png", "label": ' + HUGE + "}",
    "integer.jsonl": '{"file_name": "a.png", "label": 99999999999999999999}',
    "surrogate.jsonl": '{"file_name": "a.png", "text": "\\ud800"}',
    "caption.jsonl": json.dumps({"file_name": "a.png", "text": "x" * 10_000_000}),
    "class.jsonl": json.dumps({"file_name": "a.png", "label": "x" * 501}),
    "field.csv": "file_name,text\na.png," + "x" * 500_000 + "\n",
    "long.csv": "file_name,text\n" + "9" * 400 + ",x\n",
    "nul.csv": "file_name,text\na.png,\0\n\0\0",
}
PALETTES = {
    "bare.json": "[1,2]",
    "mixed.json": '["#ff0000", 7]',
    "floats.json": "[[1.5,2,3],[1,2,3]]",
    "words.json": '[["a","b","c"],["d","e","f"]]',
    "ragged.json": "[[1,[2],3],[1,2,3]]",
    "nested.json": "[" * 100_000,
    "number.json": f"[[{HUGE},0,0],[1,2,3]]",
    "long.hex": "f" * 1_000_000,
    "number.gpl": f"{HUGE} 1 2\n1 2 3\n",
}
TOML = {
    "number": f"[train]\nsteps = {HUGE}",
    "steps": "[train]\nsteps = " + "9" * 400,
    "seed": "[train]\nseed = 99999999999999999999999",
    "seed-64": "[train]\nseed = 18446744073709551616",
    "nested": "a = " + "[" * 100_000,
    "tables": "a = " + "{a=" * 100_000,
    "dotted": "a." * 100_000 + "a = 1",
    "header": "[" + "a." * 100_000 + "a]",
    "epochs": "[train]\nepochs = 1e300",
    "infinite": "[train]\nepochs = inf",
    "type": '[model]\ntype = "' + "x" * 1_000_000 + '"',
}


def write_picture(path: Path, size: int = 8) -> Path:
    """Write a small grey picture."""
    Image.fromarray(np.arange(size * size, dtype=np.uint8).reshape(size, size)).save(path)
    return path


def damage(folder: Path, seed: int) -> list[str]:
    """Copy what commands read, each copy with a file whose bytes are cut or changed; return the names of the copies."""
    rng, names = random.Random(seed), []
    for number in range(40):
        source = folder / rng.choice(("model", "detector", "job", "a.pxl", "a.png", "manifest.json", "five.npz"))
        target = folder / f"damaged-{number}{source.suffix}"
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        paths = sorted(path for path in target.rglob("*") if path.is_file() and path.stat().st_size) or [target]
        path = rng.choice(paths)
        content = bytearray(path.read_bytes())
        for _ in range(rng.choice((0, 1, 3))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content[: rng.randrange(len(content))] if rng.random() < 0.3 else content)
        names.append(target.name)
    return names
