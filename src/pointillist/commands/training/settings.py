"""Settings of `train` and `quantize`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pointillist.commands.settings import FLAG, JSON, MODEL, REQUIRED, Settings, option


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings(Settings):
    """Settings of `quantize`."""

    model: str = MODEL.field()
    out: Path = option(REQUIRED, "DIR", "Folder for the smaller model.", flags=("--out", "-o"))
    dtype: str | None = option(None, "KIND", "int8 (a quarter of the size) or bf16 (half). Default: int8.")
    integer: bool = option(
        False,
        FLAG,
        "Add the integer program: the model in integers, for engine integer.",
        parameter="integer_model",
    )
    data: str | None = option(None, "DATA", "With --integer: training images, as for train; a few are enough.")
    images: int = option(64, "N", "With --integer: number of images for the calibration.", low=1)
    set: tuple[str, ...] = option((), "KEY=VALUE", "With --integer: how DATA is read; data.* only.")
    force: bool = option(False, FLAG, "Replace an existing model.")
    as_json: bool = JSON.field(False)
