"""Sample images from a model, batch by batch, into a picture, files, an archive or maps; hide messages in samples."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.paths import open_scored_model
from pointillist.commands.report import Arrays, Facts, Work, model_facts, note
from pointillist.commands.sampling import writers
from pointillist.commands.sampling.conditions import SheetPlan, parse_hint, parse_labels, parse_texts, read_conditions
from pointillist.commands.sampling.maps import (
    FOLDER_KINDS,
    MAP_KINDS,
    is_map_file,
    note_source,
    read_colours,
    target,
    write_map,
)
from pointillist.commands.sampling.page_link import page_text
from pointillist.commands.sampling.resumable import (
    ArchiveSink,
    FolderSink,
    stream_images,
    unfinished_seed,
    write_batches,
    write_samples,
)
from pointillist.commands.sampling.settings import HideSettings, RevealSettings, SampleSettings
from pointillist.commands.sampling.writers import level_dtype, write_npz
from pointillist.data.options import parse_size
from pointillist.errors import DataError, PointillistError
from pointillist.files.batch_output import output_lock
from pointillist.images import ImageSpec
from pointillist.model.folder.opening import open_any_program
from pointillist.model.portable import ProgramModel
from pointillist.model.training_record import engine_text
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.request import Request
from pointillist.sampling.samples import Samples
from pointillist.system import describe_threads
from pointillist.zoo import list_pretrained

if TYPE_CHECKING:
    from pointillist.commands.sampling.writers import Totals
    from pointillist.model.protocols import LikelihoodModel
    from pointillist.sampling.draws import Draws


def sample(settings: SampleSettings) -> Facts:
    """Sample images as the settings say, and write them."""
    with target(settings.out, settings.form, settings.force) as (kind, path):
        return _sample(settings, kind, path)


TUNED = ("guidance", "temperature", "top_p")
"""Settings that a model has its own values of."""
DEFAULT_COUNT, DEFAULT_OF_EACH = 16, 4
"""Images without labels and prompts, and of each of them."""


def plan_images(settings: SampleSettings, seed: int | None) -> tuple[SheetPlan, Draws]:
    """Open the model, read labels, prompts and other conditions, and check all settings.

    Raises:
        PointillistError: naming what is wrong.
    """
    size = None if settings.size is None else parse_size(settings.size)
    model = open_scored_model(settings.model, settings.device, settings.engine, size)
    labels, prompts = parse_labels(settings.label, model.classes), parse_texts(settings.text, settings.texts)
    count = settings.n or (DEFAULT_COUNT if labels is None and not prompts else DEFAULT_OF_EACH)
    sheet = SheetPlan.of(labels, prompts, count, model.classes)
    keywords: Any = {
        **SamplingConfig.keywords_of(settings),
        **read_conditions(settings.attribute, None, settings.condition),
        **parse_hint(model, settings.hint, settings.hint_from_image, size),
    }
    request = Request.of(sheet.total, sheet.labels, sheet.texts, seed=seed, **keywords)
    return sheet, replace(request, size=size).resolve(model)


def _sample(settings: SampleSettings, kind: str, path: Path) -> Facts:
    resumed = kind in ("npz", *FOLDER_KINDS) and settings.seed is None
    sheet, draws = plan_images(settings, unfinished_seed(path) if resumed else settings.seed)
    model = draws.model
    if kind == "sheet" and settings.form is None and sheet.total == 1:
        kind = "image"
    writers.check_target(path, kind, sheet.total, model, settings.force, settings.animate)
    colours = read_colours(settings.palette, kind, model.image)
    writers.check_picture(kind, sheet.total, draws.size, _tile_of(model))
    for text in (*describe_threads(settings.threads), *(draws.prompts.notes if draws.prompts else ())):
        note(f"note       {text}")
    started = time.perf_counter()
    totals = _write(draws, settings, kind, path, sheet, colours)
    seconds = time.perf_counter() - started
    animation = None if settings.animate is None else str(settings.animate)
    facts = {**_facts(totals, draws), "seconds": round(seconds, 3), "out": str(path)}
    return {**facts, "animation": animation, "page": page_text(draws, settings)}


def _write(
    draws: Draws,
    settings: SampleSettings,
    kind: str,
    path: Path,
    sheet: SheetPlan,
    colours: Sequence[Sequence[int]] | None,
) -> writers.Totals:
    """Sample batch by batch into the file or folder, and return what to report."""
    totals, model = writers.Totals(), draws.model
    height, width = draws.size
    classes = model.classes if sheet.labels is not None else ()
    with output_lock(path), draws.bar() as bar:
        on_row = lambda done, rows, levels: bar.show(draws.rows(done) + rows)  # noqa: E731
        if kind in ("npz", *FOLDER_KINDS) or (kind in MAP_KINDS and not is_map_file(path)):
            image = model.image.resized(height, width)
            note_source(kind, image, model.tileset, path)
            sink = ArchiveSink(image, classes) if kind == "npz" else FolderSink(draws.count, model.classes, path, kind)
            write_batches(sink, path, draws, settings, totals, colours=colours, on_row=on_row)
            return totals
        parts = totals.through(stream_images(draws, settings.seamless, on_row=on_row))
        if colours is not None:
            parts = (part.recoloured(colours) for part in parts)
        if kind == "atlas":
            from pointillist.commands.sampling.writers import write_atlas

            write_atlas(path, parts, classes, sheet.columns)
        elif kind in MAP_KINDS:
            write_map(path, parts, kind, settings.force)
        else:
            shown = None if kind == "image" else sheet
            result, captions = writers.write_pictures(path, parts, classes, shown, settings.seamless)
            if settings.animate is not None:
                ranks = model.generation_rank(height, width, draws.order)
                writers.write_animation(settings.animate, result, ranks, captions=captions, columns=sheet.columns)
    return totals


def _facts(totals: Totals, draws: Draws) -> Facts:
    """Describe the images: how many, their bits/dim and what these measure, and how they were sampled."""
    bits, config, integer = totals.array, draws.config, draws.config.engine == "integer"
    chosen = draws.request.settings.get("engine", "auto") == "auto"
    floats = engine_text(config.engine, draws.model.why_floats(draws.size) if chosen else "")
    return {
        "count": len(bits),
        "bits_per_dim": float(bits.mean()),
        "lowest": float(bits.min()),
        "highest": float(bits.max()),
        "measure": "lower is more probable" if integer else floats,
        **{name: getattr(config, name) for name in TUNED},
        "seed": draws.uniforms.seed,
        "same_images": "on every computer (integer program)"
        if integer
        else "on this hardware, with the same libraries",
        "rule_acceptance": totals.sampled / totals.tries if config.rules is not None and totals.tries else None,
        "best_of": config.best_of if config.best_of > 1 else None,
        "bits_saved": None if totals.saved is None else float(totals.saved.mean()),
        "engine": config.engine,
        "order": config.order,
    }


def job(settings: SampleSettings) -> Work:
    """Sample images in tasks: image i depends on (seed, i) alone."""
    sheet, draws = plan_images(settings, settings.seed)
    model, config, dtype = draws.model, draws.config, level_dtype(draws.model.image)

    def compute(start: int, stop: int) -> Arrays:
        drawn = draws.draw(start, stop)
        arrays = {"levels": drawn.levels.astype(dtype), "nats": drawn.nats, "labels": drawn.labels}
        return arrays if drawn.gain is None else {**arrays, "gain": drawn.gain}

    return Work(
        count=sheet.total,
        batch_size=config.batch_size,
        compute=compute,
        facts={**draws.record(), "model": model_facts(model), "labelled": sheet.labels is not None},
        item_bytes=64 + math.prod((model.image.channels, *draws.size)) * dtype.itemsize,
        needs_torch=not isinstance(model, ProgramModel),
    )


def merge(facts: Mapping[str, Any], parts: Iterable[Arrays], out: Path) -> Facts:
    """Write the images of a job as the plain command does."""
    image = ImageSpec(**facts["model"]["image"]).resized(*facts["size"])
    classes = facts["model"]["classes"] if facts["labelled"] else []
    known = [(part["item"], part["nats"], part["labels"]) for part in parts]  # the levels are far more
    numbers, nats, labels = (np.concatenate(column) for column in zip(*known, strict=True))
    levels = (part["levels"].tobytes() for part in parts)
    write_npz(out, levels, nats, labels, image, classes, numbers if len(numbers) < facts["n"] else None)
    return {"images": len(nats), "bits_per_dim": float(-nats.mean() / math.log(2) / image.dims)}


def hide(settings: HideSettings) -> Facts:
    """Hide a file in pictures, and write them as `sample` does, without loss.

    Raises:
        ConfigError, EngineError, DataError: naming what is wrong with a setting, the model or the file.
    """
    from pointillist.compression.message import MessageCodec

    model, data = open_any_program(settings.model), settings.file.read_bytes()
    codec = MessageCodec(model, settings.label, settings.text, settings.passphrase)
    with target(settings.out, None, settings.force) as (kind, path):
        kind = "image" if kind == "sheet" else kind
        count = settings.n or (1 if kind == "image" or kind in MAP_KINDS else None)
        writers.check_target(path, kind, count or 1, model, settings.force)
        levels, nats, held = codec.hide(data, count, settings.size, settings.seed)
        about: Facts = {"engine": model.engine, "order": model.order().name, "tileset": model.tileset}
        size = levels.shape[2:]
        writers.check_picture(kind, len(levels), size, _tile_of(model))
        labels, image = np.full(len(levels), -1), model.image.resized(*size)
        samples = Samples(levels=levels, nats=nats, image=image, labels=labels, seed=settings.seed, **about)
        if not write_samples(samples, (), kind, path, settings.force):
            writers.write_pictures(path, [samples], (), None)
    facts: Facts = {"bytes": len(data), "pictures": len(levels), "size": "x".join(map(str, size)), "bytes_held": held}
    return {**facts, "model": settings.model, "fingerprint": model.fingerprint, "out": str(path)}


def reveal(settings: RevealSettings) -> bytes:
    """Return the message of pictures.

    Raises:
        DataError: if there is none.
    """
    if settings.model is not None:
        return _reveal(settings, settings.model)
    for each in list_pretrained() if settings.file.exists() else ():
        with suppress(PointillistError):  # of a model that cannot hold these pictures
            return _reveal(settings, each.name)
    raise DataError(
        f"No bundled model finds a message in {settings.file}: give the model by `--in`, and the label, prompt and "
        "passphrase that it was hidden with; pictures that were scaled or repainted have lost it."
    )


def _reveal(settings: RevealSettings, name: str) -> bytes:
    """Find a message by a model: codes and maps are read as in training, others only if it holds their colours."""
    from pointillist.compression.files import open_inputs
    from pointillist.compression.message import reveal as find_message
    from pointillist.data import load_data

    model, path = open_any_program(name), settings.file
    if model.image.mode == "codes":
        images = load_data(path, spec=model.image, tiles=model.tileset).get("all")
        levels = images.batch(range(len(images))).levels
    else:
        levels = np.stack(list(open_inputs([path], model.image)))
    return find_message(model, levels, settings.label, settings.text, passphrase=settings.passphrase)


def _tile_of(model: LikelihoodModel) -> tuple[int, int]:
    """Return the height and the width in which a level is drawn."""
    return (1, 1) if model.tileset is None else model.tileset.tile_size
