"""Make the packages for JavaScript: `python tools/make_npm.py`, or `make npm`.

`pointillist` has the API of `packaging/npm` and the modules that it imports, of `runtime` and of the page, with the
library as WebAssembly. Each bundled model is a package of its own, `@pointillist/NAME`: its program, and nothing that
runs. `npm pack` makes `dist/npm/*.tgz`; without npm the folders are written, and a sentence says so.

    python tools/make_npm.py                    # all packages
    python tools/make_npm.py --models digits    # `pointillist` and one model
"""

from __future__ import annotations

import argparse
import base64
import json
import posixpath
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointillist.engine.library import WEBASSEMBLY
from pointillist.images.visualization.html import SHARED
from pointillist.model.folder.settings import find_model
from pointillist.studio.export.page import license_of, pack_model, page_text, template
from pointillist.system import __version__
from pointillist.zoo import list_pretrained

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "packaging" / "npm"
OUT = ROOT / "dist" / "npm"
ENTRIES = {".": "index", "./picture": "picture", "./zarrita": "zarrita"}
"""Modules that can be imported, by their names in `package.json`."""
LIMITS = {"pointillist": 350_000, "@pointillist/digits": 1_000_000}
"""Most bytes of a tarball."""
SHARED_KEYS: dict[str, Any] = {
    "version": __version__,
    "type": "module",
    "license": "Apache-2.0",
    "engines": {"node": ">=20"},
}
_IMPORT = re.compile(r'(?m)^(?:import|export) [^"]*"(\.[^"]+\.js)";')
_LIBRARY = 2
"""Place of the library among the sections of a packed model."""


def module_text(path: str) -> str:
    """Return the text of a module of the package: of the API, of the page, or of the runtime."""
    folder, name = posixpath.split(path)
    if path == "library.js":
        return f'export default "{base64.b64encode(zlib.compress(WEBASSEMBLY.read_bytes(), 9)).decode()}";\n'
    if (SOURCES / path).is_file():
        return (SOURCES / path).read_text(encoding="utf-8")
    return (SHARED / name).read_text(encoding="utf-8") if folder == "shared" else page_text(path)


def modules(entries: Sequence[str]) -> dict[str, str]:
    """Return modules and all that they import, by their paths in the package."""
    texts: dict[str, str] = {}
    unread = list(entries)
    while unread:
        path = unread.pop()
        if path not in texts:
            texts[path] = module_text(path)
            folder = posixpath.dirname(path)
            unread += [posixpath.normpath(posixpath.join(folder, target)) for target in _IMPORT.findall(texts[path])]
    return texts


def runtime_package() -> dict[str, str]:
    """Return the files of `pointillist`."""
    exports = {key: {"types": f"./{name}.d.ts", "default": f"./{name}.js"} for key, name in ENTRIES.items()}
    package = {
        "name": "pointillist",
        "description": "Pictures, endless maps and archives from a seed: the same bits in Python, C and JavaScript.",
        **SHARED_KEYS,
        "exports": {**exports, "./package.json": "./package.json"},
        "types": "./index.d.ts",
        "sideEffects": ["./picture.js"],
    }
    types = {f"{name}.d.ts": (SOURCES / f"{name}.d.ts").read_text(encoding="utf-8") for name in ENTRIES.values()}
    return {
        "package.json": _json(package),
        "README.md": (SOURCES / "README.md").read_text(encoding="utf-8"),
        "LICENSE": (ROOT / "LICENSE").read_text(encoding="utf-8"),
        "model.d.ts": template("model.d.ts"),
        **types,
        **modules([f"{name}.js" for name in ENTRIES.values()]),
    }


def without_library(packed: str) -> str:
    """Leave the library out of a packed model: the package `pointillist` has it."""
    content = zlib.decompress(base64.b64decode(packed))
    start = 4 + struct.unpack_from("<I", content)[0]
    head = json.loads(content[4:start])
    first = start + sum(head["lengths"][:_LIBRARY])
    rest = content[start:first] + content[first + head["lengths"][_LIBRARY] :]
    head["lengths"][_LIBRARY] = 0
    text = json.dumps(head).encode()
    return base64.b64encode(zlib.compress(struct.pack("<I", len(text)) + text + rest, 9)).decode()


def model_package(name: str) -> dict[str, str]:
    """Return the files of the package of a bundled model."""
    folder = find_model(name, {})
    packed, fingerprint = pack_model(name, folder)
    exported = _json({"name": name, "fingerprint": fingerprint})
    package = {
        "name": f"@pointillist/{name}",
        "description": f"The model {name} of Pointillist: give it to the package `pointillist`.",
        **SHARED_KEYS,
        "license": f"SEE LICENSE IN README.md ({license_of(folder)})",
        "exports": {".": {"types": "./index.d.ts", "default": "./index.js"}, "./package.json": "./package.json"},
        "types": "./index.d.ts",
        "peerDependencies": {"pointillist": f"^{__version__}"},
        "sideEffects": False,
    }
    return {
        "package.json": _json(package),
        "README.md": (folder / "README.md").read_text(encoding="utf-8"),
        "index.d.ts": 'declare const model: import("pointillist").Packed;\nexport default model;\n',
        "index.js": f'export default {{ ...{exported.strip()}, data: "{without_library(packed)}" }};\n',
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a package, and nothing else, to a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def pack(npm: str, name: str, folder: Path, out: Path) -> Path:
    """Make the tarball of a package, and return its path.

    Raises:
        SystemExit: if npm fails, or the tarball is larger than its limit.
    """
    command = [npm, "pack", "--silent", "--json", f"--pack-destination={out}", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"npm pack failed:\n{done.stderr[-3000:]}")
    (about,) = json.loads(done.stdout)
    tarball = out / about["filename"].replace("@", "").replace("/", "-")
    size = tarball.stat().st_size
    if size > LIMITS.get(name, sys.maxsize):
        sys.exit(f"{tarball.name} has {size:,} bytes, over {LIMITS[name]:,}: leave something out.")
    print(f"{size:>11,}  {tarball.name}, {about['entryCount']} files, {about['unpackedSize']:,} bytes unpacked")
    return tarball


def make(out: Path, models: Sequence[str]) -> list[Path]:
    """Write the packages to folders of `out`, and return their tarballs; none without npm."""
    packages = {"pointillist": runtime_package(), **{f"@pointillist/{name}": model_package(name) for name in models}}
    folders = {name: write(out / name, files) for name, files in packages.items()}
    npm = shutil.which("npm")
    if npm is None:
        print(f"The packages are in {out}, and not packed: npm is not here.")
        return []
    return [pack(npm, name, folder, out) for name, folder in folders.items()]


def main() -> None:
    """Make the packages of all models, or of some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the packages and their tarballs")
    parser.add_argument("--models", nargs="*", default=[model.name for model in list_pretrained()])
    options = parser.parse_args()
    make(options.out, options.models)


if __name__ == "__main__":
    main()
