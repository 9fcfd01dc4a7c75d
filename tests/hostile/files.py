"""Files that a stranger could send: what no reader may hang on, run out of memory for, or answer with a traceback."""

from __future__ import annotations

import json
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
