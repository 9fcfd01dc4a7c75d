"""Draw realisations of a grid given observed cells, and write maps of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.sampling.conditions import read_conditions
from pointillist.commands.sampling.settings import InpaintSettings
from pointillist.commands.sampling.writers import encode_array
from pointillist.completion.api import inpaint, observed_cells
from pointillist.completion.canvas import fill_grid
from pointillist.completion.result import realisation_maps, top_of_scale
from pointillist.data import parse_size
from pointillist.errors import ConfigError
from pointillist.files.writing import atomic_path
from pointillist.images import to_picture
from pointillist.images.visualization import image_grid, save_png
from pointillist.images.visualization.heatmap import heat_map

if TYPE_CHECKING:
    from pointillist.completion.canvas import Canvases
    from pointillist.completion.cells import ObservedCells
    from pointillist.completion.result import Completions
    from pointillist.model.protocols import LikelihoodModel
    from pointillist.sampling.samples import Samples

MOST_PROBABLE = "most-probable"


def check_source(settings: InpaintSettings) -> None:
    """Check that the known pixels come from an image or from a table.

    Raises:
        ConfigError: naming the option that does not fit.
    """
    if (settings.image is None) == (settings.data is None):
        raise ConfigError("What is known is missing or given twice: give IMAGE, or `--data` with a table of cells.")
    if settings.data is None:
        if settings.size is not None:
            raise ConfigError(f"`--size` (={settings.size}) is the grid of `--data`: use `--canvas` for an image.")
        return
    names = ("mask", "region", "vary", "canvas", "seamless", "animate", "rules")
    wrong = [name for name in names if getattr(settings, name) is not None]
    if wrong or settings.transparent:
        name = (wrong or ["transparent"])[0]
        raise ConfigError(f"`--{name}` is for an image, and `--data` gives cells: leave it out.")


def draw(
    model: LikelihoodModel, settings: InpaintSettings, keywords: dict[str, Any]
) -> tuple[Completions | Canvases, ObservedCells, float]:
    """Draw realisations given a table of cells; return them, the cells, and the seconds."""
    size = None if settings.size is None else parse_size(settings.size)
    cells = observed_cells(model, settings.data, size)
    keywords = {**keywords, **read_conditions([], None, settings.condition)}
    started = time.perf_counter()
    in_windows = model.fixed_size and cells.known.shape != (model.image.height, model.image.width)
    results = fill_grid(model, cells, **keywords) if in_windows else inpaint(model, cells, **keywords)
    return results, cells, time.perf_counter() - started


def check_maps_folder(folder: Path | None, force: bool) -> None:
    """Reject a folder of maps that would replace files.

    Raises:
        ConfigError: unless `force` is set.
    """
    if folder is not None and folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not force)):
        raise ConfigError(f"`--maps` (={folder}) is already there: add `--force` to replace its maps, or give another.")


def write_maps(folder: Path, samples: Samples) -> list[str]:
    """Write maps of realisations, each as `.npy` and as a picture; return their names; see `realisation_maps`."""
    folder.mkdir(parents=True, exist_ok=True)
    maps = realisation_maps(samples)
    for name, values in maps.items():
        with atomic_path(folder / f"{name}.npy") as temporary:
            temporary.write_bytes(encode_array(values, "npy"))  # `np.save` does not say that the disk is full
        if name == MOST_PROBABLE:
            picture = image_grid(to_picture(samples.image, values[None].astype(np.int64))[None])
        else:
            top, unit = top_of_scale(name, samples)
            picture = heat_map(values[None], top=top, unit=unit)
        save_png(picture, folder / f"{name}.png")
    return list(maps)
