"""Fill the unknown part of an image, and write the completions."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.paths import open_scored_model, reject_filled
from pointillist.commands.report import Arrays, Facts, Work, files_digest, model_facts, note
from pointillist.commands.sampling import writers
from pointillist.commands.sampling.conditions import read_conditions
from pointillist.commands.sampling.maps import MAP_KINDS, read_colours, target
from pointillist.commands.sampling.resumable import write_samples
from pointillist.commands.sampling.settings import InpaintSettings
from pointillist.commands.sampling.writers import level_dtype, write_arrays
from pointillist.completion.api import inpaint as complete
from pointillist.completion.api import observed_cells
from pointillist.completion.canvas import extend, fill_grid, make_seamless
from pointillist.completion.hole import parse_canvas, parse_known
from pointillist.completion.result import Completions, compared_maps, marginal_probabilities, top_of_scale
from pointillist.completion.vary import vary
from pointillist.data.options import parse_pair, parse_size
from pointillist.data.pixels import read_picture
from pointillist.data.readers.image_folder import list_pictures
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.files.progress import Bar
from pointillist.files.writing import atomic_path
from pointillist.images import to_picture
from pointillist.images.visualization import image_grid, save_png
from pointillist.images.visualization.heatmap import heat_map
from pointillist.model.folder.image_sources import describe_image, read_image
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.rules.config import parse_rules
from pointillist.system import describe_threads

if TYPE_CHECKING:
    from pointillist.model.protocols import LikelihoodModel

_KEYWORDS = ("n", "method", "label", "text", "particles", "moves")


def keywords(settings: InpaintSettings) -> dict[str, Any]:
    """Return the settings that are keywords of `pt.inpaint`, but for the seed and the rules."""
    return {**SamplingConfig.keywords_of(settings), **{name: getattr(settings, name) for name in _KEYWORDS}}


def inpaint(settings: InpaintSettings) -> Facts:
    """Draw completions of an image or a grid, or extend it, or let it tile, and write them."""
    if settings.maps is not None:
        reject_filled(settings.maps, settings.force and settings.maps.is_dir(), "its maps")
    with target(settings.out, settings.form, settings.force, "completions") as (kind, path):
        model = open_scored_model(settings.model, settings.device, settings.engine)
        total = settings.n + (kind not in MAP_KINDS)
        writers.check_target(path, kind, total, model, settings.force, settings.animate)
        colours = read_colours(settings.palette, kind, model.image)
        for text in describe_threads(settings.threads):
            note(f"note       {text}")
        seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
        how = {**keywords(settings), "seed": seed, "rules": parse_rules(settings.rules)}
        started = time.perf_counter()
        complete_source = _complete_image if settings.data is None else _complete_grid
        results, shown = complete_source(model, settings, how)
        seconds = time.perf_counter() - started
        _note_unused(settings, results)
        results = results if colours is None else results.recoloured(colours)
        write(model, results, shown, kind, path, settings)
        animation = None if settings.animate is None else str(settings.animate)
        facts = {**_facts(results), "seconds": round(seconds, 3), "out": str(path), "animation": animation}
        return facts | ({} if settings.maps is None else write_maps(settings, model, results))


def _complete_grid(
    model: LikelihoodModel, settings: InpaintSettings, how: dict[str, Any]
) -> tuple[Completions, np.ndarray]:
    """Draw realisations given a table of cells; return them, and the levels of the cells."""
    size = None if settings.size is None else parse_size(settings.size)
    origin = parse_pair("--origin", settings.origin, float, "X,Y, for example 500100,4649700")
    cells = observed_cells(model, settings.data, size, origin=origin, cell=settings.cell)
    for text in cells.notes:
        note(f"note       {text}")
    how |= read_conditions([], None, settings.condition)
    beyond = np.subtract(cells.known.shape, (model.image.height, model.image.width))
    in_windows = model.fixed_size and beyond.any() and (beyond >= 0).all()
    return (fill_grid(model, cells, **how) if in_windows else complete(model, cells, **how)), cells.levels[None]


def _complete_image(
    model: LikelihoodModel, settings: InpaintSettings, how: dict[str, Any]
) -> tuple[Completions, np.ndarray]:
    """Complete an image, or extend it, or let it tile; return the results, and the levels of the image."""
    assert settings.image is not None
    read = read_image(model, settings.image)
    size = (read.levels.shape[2], read.levels.shape[3])
    holes = [settings.mask is not None, settings.region is not None, settings.transparent]
    canvas = parse_canvas(settings.canvas, settings.at, settings.seamless, holes)
    known = np.zeros(size, bool)
    if canvas is None and (settings.vary is None or any(holes)):
        known = parse_known(settings.image, settings.mask, settings.region, settings.transparent, size)
    steps, times = count(1), settings.n if settings.vary is not None else 1
    with Bar("completing", times * (size[0] + settings.moves)) as bar:
        how["on_row"] = lambda *_: bar.show(next(steps))
        if settings.vary is not None:
            results = vary(model, read, settings.vary, pattern=settings.pattern, keep=known, **how)
        elif canvas is None:
            results = complete(model, read, known, **how)
        elif settings.seamless is not None:
            results = make_seamless(model, read, settings.seamless, **how)  # type: ignore[arg-type]
        else:
            results = extend(model, read, *canvas, **how)
    return results, read.levels


def _note_unused(settings: InpaintSettings, results: Completions) -> None:
    """Say which settings of Sequential Monte Carlo changed nothing, because another method was chosen."""
    usual = {item.name: item.default for item in fields(InpaintSettings)}
    for name in ("particles", "moves"):
        value = getattr(settings, name)
        if "smc" not in results.methods and value != usual[name]:
            note(f"note       `--{name}` (={value}) changed nothing: the method was {results.method}")


def write(
    model: LikelihoodModel, results: Completions, x: np.ndarray, kind: str, path: Path, settings: InpaintSettings
) -> None:
    """Write completions as a sheet, files in their exact size, maps or an archive, and as an animation.

    A sheet repeats images that tile.
    """
    classes = model.classes if bool((results.labels >= 0).all()) else ()
    if write_samples(results, classes, kind, path, settings.force):
        return
    captions = [f"{bits:.1f} bits" for bits in (-results.nats / math.log(2)).tolist()]
    if results.levels.shape[1:] != x.shape[1:] or settings.seamless is not None or settings.vary is not None:
        save_png(image_grid(writers.repeated(results.drawn(), settings.seamless), captions=captions), path)
        return
    array, known = results.drawn(), results.known_pixels[0]
    shown = replace(results, levels=np.broadcast_to(x, results.levels.shape)).drawn()[:1].copy()
    shown[:, np.kron(~known, np.ones(np.array(shown.shape[1:3]) // known.shape, bool))] = 128
    save_png(image_grid(np.concatenate([shown, array]), captions=["known", *captions]), path)
    if settings.animate is not None:
        rank = model.generation_rank(*results.image.shape[1:], model.order(results.order))
        later = np.argsort(np.argsort(rank + (~known) * rank.size, axis=None)).reshape(rank.shape)
        writers.write_animation(settings.animate, [results], later, captions=captions, start=int(known.sum()))


def _facts(results: Completions) -> Facts:
    """Describe how the completions were drawn."""
    several = ("methods", "orders") if len(results.methods) > 1 else ()
    names = ("method", "ess", "acceptance", "rule_acceptance", *several, "order", "engine", "seed")
    return {
        "count": len(results),
        "bits": (-results.nats / math.log(2)).tolist(),
        "unknown": int((~results.known[0]).sum()),
        "exact": results.is_exact,
        "log_weights": results.log_weights.tolist(),
        **{name: getattr(results, name) for name in names},
    }


def job(settings: InpaintSettings) -> Work:
    """Complete each picture of a folder; one that cannot be read is rejected.

    Raises:
        ConfigError: if no folder is named, or the hole, which is the same for all pictures, does not fit them.
    """
    folder = settings.image
    if folder is None:
        raise ConfigError("`IMAGE` is missing: name a folder of pictures.")
    model, files = open_scored_model(settings.model, settings.device, settings.engine), list_pictures(folder)
    names = [file.relative_to(folder).as_posix() for file in files]
    height, width = model.image.height, model.image.width
    hole = settings.mask, settings.region, settings.transparent
    if not settings.transparent:  # what is wrong with it ends the job before it begins
        parse_known(files[0], *hole, (height, width))

    def complete_item(item: int) -> Arrays:
        picture = read_picture(files[item], names[item])
        if (picture.height, picture.width) != (height, width):
            raise ShapeError(
                f"{names[item]} is {picture.height}x{picture.width}, and the images of the model are "
                f"{height}x{width}: resize it."
            )
        read = describe_image(model, picture)
        try:
            known = parse_known(files[item], *hole, (height, width))
        except ConfigError as error:  # the fault of this picture: a mask or a region was read before
            raise DataError(str(error)) from error
        seed = int(np.random.SeedSequence([settings.seed or 0, item]).generate_state(1, np.uint32)[0])
        results = complete(model, read.levels, known, seed=seed, **keywords(settings))
        return {
            "levels": results.levels.astype(level_dtype(results.image)),
            "nats": results.nats,
            "log_weights": results.log_weights,
            "known": results.known[0],
            "path": np.array(names[item]),
            "requantised": np.array(read.picture is not None),
        }

    def compute(start: int, stop: int) -> Arrays:
        items = [complete_item(item) for item in range(start, stop)]
        return {name: np.stack([arrays[name] for arrays in items]) for name in items[0]}

    masks = [] if settings.mask is None else [settings.mask]
    facts = {"model": model_facts(model), "images": files_digest([*files, *masks])}
    return Work(count=len(files), batch_size=_BATCH, compute=compute, facts=facts, files=names)


_BATCH = 16  # pictures of a job that are stored together


def merge(facts: Mapping[str, Any], parts: Iterable[Arrays], out: Path) -> Facts:
    """Write all completions of `m` pictures, the most probable one of each first.

    The archive holds `levels [m n c h w]`, `nats [m n]`, `log_weights [m n]`, `known [m c h w]` and `path [m]`.
    """
    stored = list(parts)
    arrays = {name: np.concatenate([part[name] for part in stored]) for name in stored[0] if name != "item"}
    changed = int(arrays.pop("requantised").sum())
    write_arrays(out, arrays)
    counts = {"pictures": len(arrays["nats"]), "completions": arrays["nats"].size}
    return {**counts, "brought_to_levels_of_the_model": changed or None}


MOST_PROBABLE = "most-probable"


def write_maps(settings: InpaintSettings, model: LikelihoodModel, results: Completions) -> Facts:
    """Write maps of probabilities to `--maps`, each as `.npy` and as a picture; see `compared_maps`."""
    assert settings.maps is not None
    folder = settings.maps
    folder.mkdir(parents=True, exist_ok=True)
    head = None if settings.condition else marginal_probabilities(model, results)
    if head is None:
        note("note       the maps are of the realisations: no head of the model computes them from the known cells")
    maps = compared_maps(head, results)
    for name, values in maps.items():
        with atomic_path(folder / f"{name}.npy") as temporary:
            temporary.write_bytes(writers.encode_array(values, "npy"))  # `np.save` does not say that the disk is full
        if name.endswith(MOST_PROBABLE):
            picture = image_grid(to_picture(results.image, values[None].astype(np.int64))[None])
        else:
            top, unit = top_of_scale(name, results.image)
            picture = heat_map(values[None], top=top, unit=unit)
        save_png(picture, folder / f"{name}.png")
    facts: Facts = {"maps": str(folder), "maps_of": list(maps)}
    if "divergence" in maps:
        unknown = max(1, int((~results.known_pixels[0]).sum()))
        facts["maps_divergence"] = float(maps["divergence"].sum() / unknown)
        facts["maps_largest_difference"] = float(maps["probability-difference"].max())
    return facts
