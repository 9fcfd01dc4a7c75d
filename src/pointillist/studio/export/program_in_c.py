"""A model as C: its program as an array, its conditions, an example that paints a picture."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import numpy as np

from pointillist.engine.c.lower import lower
from pointillist.engine.library import runtime_text
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.model.folder.portable import PortableModel
from pointillist.rules.config import Rules
from pointillist.studio.export.arrays_in_c import array_in_c, text_in_c
from pointillist.studio.export.page import license_of, template
from pointillist.studio.export.world_in_c import world_files

_SOURCES = ("pointillist.c", "pointillist.h", "paint.c", "paint.h")
_DRAWS_ALONE = {"programs": "example", "options": "-DPT_WITHOUT_RULES"}
_BY = {"label": "PT_LABEL", "text": "PT_PROMPT"}


def export_c(name: str, folder: Path, prompts: tuple[str, ...] = (), *, rules: Rules | None = None) -> dict[str, str]:
    """Return the files of a program in C, by name.

    Args:
        name: name of the model.
        folder: the model.
        prompts: prompts that the program knows, by default the examples of the model.
        rules: rules of its worlds.

    Raises:
        CheckpointError: if the folder holds no program.
        ConfigError: if it has several stages, its first order is not in raster orientation, it draws no worlds that
            rules could bind, or a rule is none of worlds.
        EngineError: if the library in C cannot run it.
    """
    model = PortableModel.open(folder)
    stages = len(model.integer_model.stages)
    if stages > 1:
        raise ConfigError(
            f"{folder} samples in {stages} stages, and C runs programs of one: export a page or JavaScript, or a "
            "network of one stage."
        )
    symbol = re.sub(r"\W", "_", f"model_{name}")
    order = model.order().name
    if order not in ("raster", "s-curve"):
        raise ConfigError(f"{folder} paints in the order {order}, and C is written for `raster` and `s-curve` only.")
    worlds = world_files(name, symbol, model, rules)
    how = {"programs": "example walk", "options": "-DPT_WITHOUT_PARTICLES"}
    makefile = Template(template("Makefile.txt")).substitute(how if worlds else _DRAWS_ALONE)
    return {
        **{file: runtime_text(file) for file in _SOURCES},
        "model.h": f'/* {name}, {license_of(folder)} */\n#include "paint.h"\nextern const pt_model {symbol};\n',
        "model.c": _model_text(symbol, model, prompts),
        "example.c": Template(template("example.c")).substitute(name=name, symbol=symbol),
        "Makefile": makefile,
        **worlds,
    }


def _model_text(symbol: str, model: PortableModel, prompts: tuple[str, ...]) -> str:
    """Return the arrays of a model, and what joins them."""
    source, image, settings = model.integer_model, model.image, model.generation_config
    program, order = source.program(source.order()), source.order()
    has_text = any(part.keyword == "text" for part in source.parts[0])
    names = (prompts or tuple(settings.prompts)) if has_text else ()
    texts = source.inputs(len(names), (image.height, image.width), order, text=list(names)) if names else {}
    arrays, parts, start = [], [], 0
    for number, part in enumerate(source.parts[source.orders[order.name]]):
        by, width = _BY.get(part.keyword or "", "PT_FIXED"), part.rows.shape[-1]
        rows: IntArray = part.rows if by == "PT_LABEL" else part.rows[-1:]
        if part.name == "order":
            rows = part.rows[[part.names.index(order.name)]]
        if by == "PT_PROMPT":
            rows = np.concatenate([texts["vector"][:, start : start + width], rows]) if names else rows
        start += width if part.kind == "vector" else 0
        flat = rows.reshape(len(rows), -1)
        arrays.append(array_in_c(f"const int32_t part_{number}", flat))
        parts.append(f"{{{int(part.kind == 'map')}, {by}, {len(rows)}, {flat.shape[1]}, {width}, part_{number}}}")
    palette = _palette(model)
    arrays += [] if palette is None else [array_in_c("const uint8_t colours", palette)]
    values = image.values
    maps = [f"{int(each.kind == 'map')}" for each in program.inputs.values()]
    return "\n".join(
        [
            '#include "model.h"',
            array_in_c("_Alignas(64) const uint8_t program", lower(program)),
            *arrays,
            array_in_c("const uint8_t values", values),
            f"static const int32_t input_is_map[] = {{{', '.join([*maps, '0'])}}};",
            f"static const pt_part parts[] = {{{', '.join(parts) or '{0}'}}};",
            _names("labels", source.classes),
            _names("prompts", names),
            f"const pt_model {symbol} = {{program, sizeof program, {image.channels}, {image.height}, {image.width}, "
            f"{image.levels}, {len(parts)}, {len(maps)}, input_is_map, parts, "
            f"{'0' if palette is None else 'colours'}, values, labels, prompts, "
            f"{settings.guidance!r}, {settings.temperature!r}, {settings.top_p!r}}};",
            "",
        ]
    )


def _palette(model: PortableModel) -> IntArray | None:
    """Return the RGB of each level over white, `[levels, 3]`; None for grey and RGB."""
    image: ImageSpec = model.image
    colours = image.palette if model.tileset is None else model.tileset.mean_colours()
    if colours is None:
        return None
    rgba = np.asarray(colours, np.int64)
    alpha = rgba[:, 3:]
    result: IntArray = (rgba[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return result


def _names(name: str, texts: tuple[str, ...]) -> str:
    """Return a list of texts in C, up to a null pointer."""
    literals = [text_in_c(text) for text in texts]
    return f"static const char *const {name}[] = {{{', '.join([*literals, '0'])}}};"
