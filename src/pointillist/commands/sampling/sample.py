"""Sample images from a model, batch by batch, into a picture, files, an archive or maps, and report on them."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pointillist.commands.paths import check_animation
from pointillist.commands.report import Report, note
from pointillist.commands.sampling import writers
from pointillist.commands.sampling.maps import FOLDER_KINDS, MAP_KINDS, is_map_file, note_source, target, write_map
from pointillist.commands.sampling.page_link import page_text
from pointillist.commands.sampling.prompts import SheetPlan
from pointillist.commands.sampling.resumable import ArchiveSink, FolderSink, unfinished_seed, write_batches
from pointillist.commands.sampling.settings import SampleSettings
from pointillist.commands.sampling.source import TUNED, PlannedImages, open_model, plan_sheet, read_rules
from pointillist.data.palette import read_palette
from pointillist.errors import ConfigError, counted
from pointillist.files.batch_output import output_lock
from pointillist.files.progress import Bar
from pointillist.model.vocabulary import describe_prompts
from pointillist.system import describe_threads

if TYPE_CHECKING:
    from pointillist.commands.sampling.writers import Totals
    from pointillist.sampling.api import SamplePlan


def sample(settings: SampleSettings) -> Report:
    """Sample images as the settings say, and write them."""
    if settings.seamless is not None:
        from pointillist.completion.canvas import check_sides

        check_sides(settings.seamless)
    with target(settings.out, settings.form, settings.force) as (kind, path):
        return _sample(settings, kind, path)


def _sample(settings: SampleSettings, kind: str, path: Path) -> Report:
    read_rules(settings)  # an error before the model is read
    opened = open_model(settings)
    model = opened.model
    sheet = plan_sheet(model, settings)
    if kind == "sheet" and settings.form is None and sheet.total == 1:
        kind = "image"
    writers.check_target(path, kind, sheet.total, model.image, model.tileset is not None, settings.force)
    colours = None if settings.palette is None else read_palette(settings.palette)
    if colours is not None:
        model.image.recoloured(colours)  # an error before sampling
        if kind == "npz":
            raise ConfigError(
                f"`--palette` (={settings.palette}) changes nothing of an .npz, which holds levels: write pictures, or "
                "leave it out."
            )
    if settings.animate is not None:
        check_animation(settings.animate, kind, settings.force)
    seed = unfinished_seed(path) if kind in ("npz", *FOLDER_KINDS) and settings.seed is None else settings.seed
    images = PlannedImages.of(opened, settings, sheet, seed)
    tile = (1, 1) if model.tileset is None else model.tileset.tile_size
    writers.check_picture(kind, sheet.total, images.plan.size, tile)
    for text in (*describe_threads(settings.threads), *describe_prompts(model, sheet.texts)):
        note(f"note       {text}")
    if settings.verbose:
        logging.getLogger("pointillist").setLevel(logging.INFO)
        line = f"engine     {opened.engine.engine}: {opened.engine.reason}"
        print(line, file=sys.stderr if settings.as_json else sys.stdout)
    started = time.perf_counter()
    totals = _write(images, settings, kind, path, sheet, colours)
    seconds = time.perf_counter() - started
    described = report(totals, images.plan, path, settings.animate, seconds, measure=opened.measure)
    page = page_text(images, settings)
    text = described.text if page is None else f"{described.text}\npage       {page}"
    return Report({**described.facts, "page": page}, text=text)


def _write(
    images: PlannedImages,
    settings: SampleSettings,
    kind: str,
    path: Path,
    sheet: SheetPlan,
    colours: Sequence[Sequence[int]] | None,
) -> writers.Totals:
    """Sample batch by batch into the file or folder, and return what to report."""
    totals, plan, model = writers.Totals(), images.plan, images.plan.model
    batch, (height, width), order = plan.config.batch_size, plan.size, model.order(plan.config.order)
    lines = order.raster_size(height, width)[0] * plan.config.best_of
    classes = model.classes if sheet.labels is not None else ()
    with output_lock(path), Bar("sampling", -(-plan.count // batch) * lines) as bar:
        on_row = lambda done, rows, levels: bar.show(done // batch * lines + rows)  # noqa: E731
        if kind in ("npz", *FOLDER_KINDS) or (kind in MAP_KINDS and not is_map_file(path)):
            image = model.image.resized(height, width)
            note_source(kind, image, model.tileset, path)
            sink = ArchiveSink(image, classes) if kind == "npz" else FolderSink(plan.count, model.classes, path, kind)
            write_batches(sink, path, images, totals, colours=colours, restart=settings.force, on_row=on_row)
            return totals
        parts = totals.through(images.stream(on_row=on_row))
        if colours is not None:
            parts = (part.recoloured(colours) for part in parts)
        if kind == "atlas":
            from pointillist.commands.sampling.archive import write_atlas

            write_atlas(path, parts, classes, sheet.columns)
        elif kind in MAP_KINDS:
            write_map(path, parts, kind, settings.force)
        else:
            shown = None if kind == "image" else sheet
            result, captions = writers.write_pictures(path, parts, classes, shown, settings.seamless)
            if settings.animate is not None:
                ranks = model.generation_rank(height, width, order)
                writers.write_animation(settings.animate, result, ranks, captions=captions, columns=sheet.columns)
    return totals


def report(
    totals: Totals, plan: SamplePlan, path: Path, animate: Path | None, seconds: float, *, measure: str
) -> Report:
    """Describe the images: how many, their bits/dim and what these measure, and where they are."""
    bits, config = totals.array, plan.config
    tuned = {name: getattr(config, name) for name in TUNED}
    share = totals.sampled / totals.tries if config.rules is not None and totals.tries else None
    facts = {
        "count": len(bits),
        "bits_per_dim": float(bits.mean()),
        "lowest": float(bits.min()),
        "highest": float(bits.max()),
        **tuned,
        "seed": plan.uniforms.seed,
        "rule_acceptance": share,
        "bits_saved": None if totals.saved is None else float(totals.saved.mean()),
        "engine": config.engine,
        "order": config.order,
        "seconds": round(seconds, 3),
        "out": str(path),
        "animation": None if animate is None else str(animate),
    }
    spread = f", {bits.min():.4f} to {bits.max():.4f}" if len(bits) > 1 else ""
    count = counted(len(bits), "image")
    order = "" if config.order == plan.model.order().name else f", order {config.order}"
    lines = [f"sampled    {count} in {seconds:.1f} s{order}"]
    mean = "none" if math.isnan(bits.mean()) else f"{bits.mean():.4f}{spread}"
    integer = config.engine == "integer"
    lines.append(f"bits/dim   {mean} ({'lower is more probable' if integer else measure})")
    if totals.saved is not None:
        saved = totals.saved
        within = f" ({saved.min():.1f} to {saved.max():.1f})" if len(saved) > 1 else ""
        lines.append(f"best of    {config.best_of}: the conditions save {saved.mean():.1f} bits an image{within}")
    if share is not None:
        lines.append(f"rules      {share:.1%} of the maps that were drawn obeyed them")
    changed = [f"{name.replace('_', '-')} {value:g}" for name, value in tuned.items() if value != 1]
    if changed:
        lines.append(f"settings   {', '.join(changed)}")
    where = "on every computer (integer program)" if integer else "on this hardware, with the same libraries"
    lines += [f"seed       {plan.uniforms.seed}: gives the same images {where}", f"written    {path}"]
    lines += [] if animate is None else [f"           {animate}"]
    return Report(facts, text="\n".join(lines))
