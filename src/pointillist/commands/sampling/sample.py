"""Sample images from a model, batch by batch, into a picture, files, an archive or maps."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.paths import check_animation
from pointillist.commands.report import Report, note
from pointillist.commands.sampling import writers
from pointillist.commands.sampling.atlas import write_atlas
from pointillist.commands.sampling.condition_files import read_conditions
from pointillist.commands.sampling.maps import write_map
from pointillist.commands.sampling.prompts import SheetPlan, parse_labels, parse_texts
from pointillist.commands.sampling.report import TUNED, report
from pointillist.commands.sampling.resumable import ArchiveSink, FolderSink, unfinished_seed, write_batches
from pointillist.commands.sampling.settings import SampleSettings
from pointillist.commands.sampling.source import open_source
from pointillist.commands.sampling.target import MAP_KINDS, is_map_file, target
from pointillist.data import parse_size
from pointillist.data.palette import read_palette
from pointillist.files.batch_output import output_lock
from pointillist.files.progress import Bar
from pointillist.rules.config import parse_rules
from pointillist.system import describe_threads

if TYPE_CHECKING:
    from pointillist.commands.sampling.source import SampleSource

_AS_TYPED = ("threads", "batch_size", "negative_prompt", "best_of", "seamless")


def sample(settings: SampleSettings) -> Report:
    """Sample images as the settings say, and write them."""
    if settings.seamless is not None:
        from pointillist.completion.canvas import check_sides

        check_sides(settings.seamless)
    kind, path = target(settings.out, settings.form, settings.force)
    rules, prompts = parse_rules(settings.rules), parse_texts(settings.text, settings.texts)
    size = None if settings.size is None else parse_size(settings.size)
    plain = settings.best_of == 1 and all(
        value is None for value in (settings.attribute or None, settings.vector, settings.seamless, rules)
    )
    has_hint = settings.hint is not None or settings.hint_from_image is not None
    source = open_source(
        settings.model, settings.engine, settings.device, settings.quantize, size, plain=plain, hint=has_hint
    )
    sheet = SheetPlan.of(parse_labels(settings.label, source.classes), prompts, settings.n, source.classes)
    if kind == "sheet" and settings.form is None and sheet.total == 1:
        kind = "image"
    writers.check_target(path, kind, sheet.total, source.image, source.tileset is not None, settings.force)
    colours = None if settings.palette is None else read_palette(settings.palette)
    if colours is not None:
        source.image.recoloured(colours)  # an error before sampling
    if settings.animate is not None:
        check_animation(settings.animate, kind, settings.force)
    seed = unfinished_seed(path) if kind in ("files", "npz") and settings.seed is None else settings.seed
    own = {name: getattr(source.generation_config, name) for name in TUNED}
    tuned = {name: value for name in TUNED if (value := getattr(settings, name)) is not None}
    keywords: dict[str, Any] = {
        "n": sheet.total,
        "label": sheet.labels,
        "text": sheet.texts,
        **own,
        **tuned,
        **{
            name: getattr(settings, name)
            for name in ("threads", "batch_size", "negative_prompt", "best_of", "seamless")
        },
        "engine": source.engine.engine,
        "order": source.order(settings.order).name,
        "seed": secrets.randbelow(2**31) if seed is None else seed,
        "size": size,
        "rules": rules,
        **read_conditions(settings.attribute, settings.vector, None),
        **source.hint(settings.hint, settings.hint_from_image, size),
    }
    for text in (*describe_threads(settings.threads), *source.notes(prompts or ())):
        note(f"note       {text}")
    if settings.verbose:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("pointillist").setLevel(logging.INFO)
        line = f"engine     {source.engine.engine}: {source.engine.reason}"
        print(line, file=sys.stderr if settings.as_json else sys.stdout)
    started = time.perf_counter()
    totals = _write(source, settings, keywords, kind, path, sheet, colours)
    seconds = time.perf_counter() - started
    return report(totals, keywords, path, settings.animate, seconds, measure=source.measure)


def _write(
    source: SampleSource,
    settings: SampleSettings,
    keywords: dict[str, Any],
    kind: str,
    path: Path,
    sheet: SheetPlan,
    colours: Sequence[Sequence[int]] | None,
) -> writers.Totals:
    """Sample batch by batch into the file or folder, and return what to report."""
    totals = writers.Totals()
    total, batch = keywords["n"], keywords["batch_size"]
    height, width = keywords["size"] or (source.image.height, source.image.width)
    order = source.order(keywords["order"])
    lines = order.raster_size(height, width)[0] * keywords["best_of"]
    classes = source.classes if keywords["label"] is not None else ()
    with output_lock(path), Bar("sampling", -(-total // batch) * lines) as bar:
        on_row = lambda done, rows, levels: bar.show(done // batch * lines + rows)  # noqa: E731
        if kind in ("files", "npz") or (kind in MAP_KINDS and not is_map_file(path)):
            image = source.image.resized(height, width)
            sink = ArchiveSink(image, classes) if kind == "npz" else FolderSink(total, source.classes, kind)
            restart = settings.force
            write_batches(sink, path, source, keywords, totals, colours=colours, restart=restart, on_row=on_row)
            return totals
        parts = totals.through(source.stream(keywords, on_row, 0))
        if colours is not None:
            parts = (part.recoloured(colours) for part in parts)
        if kind == "atlas":
            write_atlas(path, parts, classes, sheet.columns)
        elif kind in MAP_KINDS:
            write_map(path, parts, kind, settings.force)
        else:
            shown = None if kind == "image" else sheet
            result, captions = writers.write_pictures(path, parts, classes, shown, keywords["seamless"])
            if settings.animate is not None:
                ranks = source.generation_rank(height, width, order)
                writers.write_animation(settings.animate, result, ranks, captions=captions, columns=sheet.columns)
    return totals
