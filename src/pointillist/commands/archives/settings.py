"""Settings of `compress` and `decompress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.commands.settings import FLAG, FORCE, ONLY_JSON, REQUIRED, Settings, argument, option, sampling_option

STANDARD = "-"
"""Stands for standard input or output."""


@dataclass(frozen=True, kw_only=True)
class CompressSettings(Settings):
    """Settings of `compress`."""

    model: str = argument("MODEL", "A bundled name, or the folder of a training: a model with an integer program.")
    files: tuple[Path, ...] = argument("FILES|DIR", "Pictures and folders of them, or one .npz or .npy.")
    out: str = option(
        REQUIRED, "PXL", "The archive, or - for standard output.", flags=("--out", "-o"), standard_output=True
    )
    label: str | None = option(None, "LABEL", "Class of all images, where it is known.")
    order: Any = sampling_option(None, "NAME", "Generation order; by default the model's usual one.")
    per_record: int | None = option(
        None, "N", "Images decoded together; 1 costs ten bytes more an image. Default: by size.", low=1
    )
    verify: bool = option(True, None, "Decode everything again, and compare.", flags=("--verify/--no-verify",))
    threads: Any = sampling_option(None, "N", "Threads; the archive is the same.", low=1)
    force: bool = option(False, FLAG, "Replace an existing archive.")
    as_json: bool = ONLY_JSON.field(False)


@dataclass(frozen=True, kw_only=True)
class DecompressSettings(Settings):
    """Settings of `decompress`."""

    archive: str = argument("PXL", "An archive that compress wrote, or - for standard input.")
    out: str = option(REQUIRED, "DIR|NPZ", "A folder for PNG files, or NAME.npz.", flags=("--out", "-o"))
    model: str | None = option(None, "MODEL", "The model. Default: the bundled one that has the fingerprint.")
    salvage: bool = option(False, FLAG, "Write what is whole of a damaged archive; exits with 1.")
    threads: Any = sampling_option(None, "N", "Threads.", low=1)
    force: bool = FORCE.field(False)
    as_json: bool = ONLY_JSON.field(False)
