"""Load the library of this platform, declare its functions, and read the sources that run programs elsewhere."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.errors import EngineError

KERNELS = "POINTILLIST_KERNELS"
"""Environment variable: `plain`, `avx2`, ... for kernels that are not the fastest; `none` for numpy."""
LEVELS = {"plain": 0, "avx2": 1, "avx-vnni": 2, "avx512-vnni": 3, "neon": 4, "amx": 6}
"""Kernels by name. All of them give the same bits."""
BEST = -1
FOLDER = Path(__file__).parent / "c" / "lib"
WEBASSEMBLY = FOLDER / "pointillist.wasm"
"""The library for pages."""
_A_LINE = 32
"""Numbers of a line of an array in C."""
_PART = re.compile(r'^#include "(core/.*|.*\.c)"\n', re.MULTILINE)
"""Files that are part of another one: each stands in it once."""
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "runtime", _PACKAGE.parents[1] / "runtime")
ALIGN = 64
"""Bytes at a multiple of which programs and workspaces begin."""
_I64, _I32, _POINTER = ctypes.c_int64, ctypes.c_int32, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "pt_has_level": (_I32, [_I32]),
    "pt_check": (_I64, [_POINTER, _I64]),
    "pt_by_rows": (_I32, [_POINTER]),
    "pt_workspace": (_I64, [_POINTER, _I64, _I64, _I64, _I32]),
    "pt_begin": (_POINTER, [_POINTER, _I64, _I64, _I64, _I32, _I32, _POINTER, _POINTER, _I32]),
    "pt_sample": (None, [_POINTER] * 8),
    "pt_decode": (_I64, [_POINTER] * 9),
    "pt_score": (None, [_POINTER] * 5),
    "pt_row": (None, [_POINTER, _I64]),
    "pt_site": (None, [_POINTER, _I64, _I64]),
    "pt_post": (None, [_POINTER, _I64, _I64]),
    "pt_params": (None, [_POINTER, _I64, _POINTER]),
    "pt_write": (None, [_POINTER, _I64, _I64, _I64, _POINTER]),
    "pt_block": (_I64, [_POINTER, _I64, _POINTER]),
    "pt_frequencies": (None, [_POINTER, _POINTER, _POINTER, _I64, _I64, _POINTER, _POINTER, _I32]),
    "pt_grid": (None, [_POINTER] * 3),
    "pt_mask_memory": (_I64, [_POINTER, _I64]),
    "pt_mask_begin": (_POINTER, [_POINTER, _I64, _POINTER]),
    "pt_mask_propagate": (_I32, [_POINTER, _I64]),
    "pt_mask_fix": (_I32, [_POINTER, _I64, _POINTER, _POINTER, _I64]),
    "pt_mask_assign": (_I32, [_POINTER, _I64, _I64, _I64]),
    "pt_mask_try": (None, [_POINTER, _I64, _I64]),
    "pt_mask_broken": (_I64, [_POINTER, _I64]),
    "pt_mask_copy": (None, [_POINTER, _I64, _POINTER, _I64]),
    "pt_mask_keep": (None, [_POINTER, _I64, _I64]),
    "pt_search_begin": (_I32, [_POINTER, _POINTER, _I64, _I64, _I64, _I64]),
    "pt_search_next": (_I64, [_POINTER, _POINTER]),
    "pt_search_memory": (_I64, [_POINTER, _POINTER]),
    "pt_sample_in_mask": (_I32, [_POINTER, _POINTER, _I64] + [_POINTER] * 8),
    "pt_particles_memory": (_I64, [_POINTER, _POINTER]),
    "pt_draw_particles": (_I32, [_POINTER] * 3 + [_I64] * 2 + [_POINTER] * 2),
    "pt_encode": (_I64, [_POINTER] * 3 + [_I64, _POINTER]),
    "pt_crc32c": (_I64, [_POINTER, _I64]),
    "pt_digest": (ctypes.c_uint64, [_POINTER, _POINTER, _I64]),
}


def library_name(system: str = sys.platform, processor: str | None = None) -> str:
    """Return the file name of the library of a platform.

    ```python
    library_name("linux", "x86_64")  # "pointillist-linux-x86_64.so"
    ```
    """
    processor = (platform.machine() if processor is None else processor).lower()
    processor = {"amd64": "x86_64", "arm64": "aarch64"}.get(processor, processor)
    names = {"win32": ("windows", "dll"), "darwin": ("macos", "dylib")}
    name, suffix = names.get(system, (system, "so"))
    return f"pointillist-{name}-{processor}.{suffix}"


@cache
def load_library() -> ctypes.CDLL | None:
    """Return the library; None if this platform has none."""
    path = FOLDER / library_name()
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:  # another C library, or a system that forbids it
        return None
    declare(library)
    return library


def declare(library: ctypes.CDLL) -> None:
    """Declare the arguments and results of the functions of a library that was built of `runtime/pointillist.c`."""
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def chosen_level() -> int | None:
    """Return the level of kernels: the fastest of this processor, or what `KERNELS` names; None for numpy.

    Raises:
        EngineError: if this processor has no kernels of this name.
    """
    name = os.environ.get(KERNELS, "")
    if name == "none" or load_library() is None:
        return None
    if not name:
        return BEST
    if name not in available_levels():
        here = ", ".join(available_levels())
        raise EngineError(f"{KERNELS} (={name!r}) must name kernels of this processor: {here}, or `none` for numpy.")
    return LEVELS[name]


def available_levels() -> list[str]:
    """Return the names of the kernels that this processor has; none without a library."""
    library = load_library()
    return [] if library is None else [name for name, level in LEVELS.items() if library.pt_has_level(level)]


def aligned(size: int, allocate: Callable[[int, type[np.uint8]], NDArray[np.uint8]] = np.zeros) -> NDArray[np.uint8]:
    """Allocate bytes at an address that is a multiple of `ALIGN`: zeros, or what `np.empty` holds."""
    array = allocate(size + ALIGN, np.uint8)
    first = -array.ctypes.data % ALIGN
    return array[first : first + size]


def runtime_text(name: str, without: Collection[str] = ()) -> str:
    """Return the text of a source as one file: `pointillist.c` with its parts in their places, but for some.

    Example:
        runtime_text("pointillist.c", without=("solver.c", "particles.c", "archive.c"))
    """
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    text = (folder / name).read_text(encoding="utf-8")
    return _PART.sub(lambda match: "" if match[1] in without else runtime_text(match[1], without), text)


def array_in_c(declaration: str, values: NDArray[Any]) -> str:
    """Return a static array in C, some numbers a line; floats as their shortest decimals, which read back as they were.

    Example:
        array_in_c("const uint8_t values", np.arange(3))
    """
    array = np.asarray(values).reshape(-1)
    suffix = "u" if array.dtype == np.uint64 else ""
    numbers = [f"{number!r}{suffix}" for number in array.tolist()]
    lines = [",".join(numbers[at : at + _A_LINE]) for at in range(0, len(numbers), _A_LINE)]
    return f"static {declaration}[] = {{\n" + ",\n".join(lines) + "};"


def text_in_c(text: str) -> str:
    """Return a text as a literal of C: what is not ASCII is UTF-8 in octal.

    Example:
        text_in_c("é")  # "\\303\\251", in quotes
    """
    return f'"{"".join(map(_letter, text.encode()))}"'


def _letter(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"


def texts_in_c(name: str, texts: Sequence[str]) -> str:
    """Return a static list of texts in C, up to a null pointer.

    Example:
        texts_in_c("labels", ("cat", "dog"))
    """
    literals = [text_in_c(text) for text in texts]
    return f"static const char *const {name}[] = {{{', '.join([*literals, '0'])}}};"
