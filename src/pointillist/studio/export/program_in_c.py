"""A model as C: its program and texts as arrays, its conditions, its rules, and an example that paints a picture.

Worlds in C: the encoder of known pixels of a model, the rules, and an example that walks through the worlds.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import numpy as np

from pointillist.conditioning.known import KnownFeatures
from pointillist.engine.c.lower import lower
from pointillist.engine.constraints.solver import Check, to_bits
from pointillist.engine.library import array_in_c, runtime_text, text_in_c, texts_in_c
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.model.folder.opening import open_folder
from pointillist.model.portable import IntegerPart, ProgramModel
from pointillist.sampling.masks import open_image_mask
from pointillist.sampling.rules.config import Level, Rules
from pointillist.sampling.worlds.rules import WorldRules
from pointillist.studio.export.page import license_of, template

_WORLDS = ("world.c", "world.h", "rules.c", "rules.h")
_MAPS = ("maps.c", "maps.h")
_RULES = ("sentences.c", "sentences.h", "solver.h")


def known_part(model: ProgramModel) -> IntegerPart | None:
    """Return the part of known pixels of a model that can draw worlds in C; None for any other.

    Its map must be all of the map of the program, of images of one channel in raster order.
    """
    order = model.order()
    parts = [part for part in model.parts[model.program_numbers[order.name]] if part.kind == "map"]
    if order.name != "raster" or model.image.channels != 1 or model.fixed_size or len(parts) != 1:
        return None
    reads = isinstance(parts[0].encoder, KnownFeatures) and model.image.levels <= 2**15
    return parts[0] if reads and "map" in model.program(order).inputs else None


def world_files(name: str, symbol: str, model: ProgramModel, rules: Rules | None = None) -> dict[str, str]:
    """Return the files of worlds in C, by name: none for a model that draws no worlds.

    Args:
        name: name of the model.
        symbol: its name in C.
        model: the model.
        rules: rules of the worlds of the example; None for none.

    Raises:
        ConfigError: if there are rules and no worlds, or a rule is none of worlds.
    """
    part = known_part(model)
    if part is None and rules is not None:
        raise ConfigError(f"`rules` bind the worlds of a program in C, and {name} draws none there: leave them out.")
    if part is None:
        return {}
    classes = model.classes
    walk = {"name": name, "symbol": symbol, "label": classes.index("window") if "window" in classes else -1}
    read = WorldRules(rules or Rules(), model.image, model.training_record.adjacency)
    return {
        "world_rules.c": world_rules_in_c(symbol, read),
        **{file: runtime_text(file) for file in _WORLDS + _RULES},
        "known.c": _encoder_text(symbol, part),
        "examples/walk.c": Template(template("walk.c")).substitute(walk),
    }


def _encoder_text(symbol: str, part: IntegerPart) -> str:
    """Return the program of known pixels in C, and what levels write to its canvas."""
    encoder, program = part.encoder, part.program
    assert isinstance(encoder, KnownFeatures)
    assert encoder.table.levels is not None
    assert program is not None
    each, features = encoder.table.levels.shape[1], program.params.channels
    return "\n".join(
        [
            '#include "world.h"',
            array_in_c("_Alignas(64) const uint8_t program", lower(program)),
            array_in_c("const int8_t levels", encoder.table.levels),
            f"const pt_known {symbol}_known = {{program, sizeof program, {each}, {features}, levels}};",
            "",
        ]
    )


_SOURCES = ("pointillist.h", "paint.c", "paint.h")
_BY = {"label": "PT_LABEL", "text": "PT_PROMPT"}
_PLAIN = {"rules": "", "memory": "pt_memory(m)", "paint": "pt_paint(m, &request, memory, levels);"}
_BY_RULES = {
    "rules": '#include "maps.h"\n\nextern const pt_map_rules ${symbol}_map_rules;\n',
    "memory": "pt_map_memory(m, &${symbol}_map_rules)",
    "paint": "if (!pt_paint_map(m, &request, &${symbol}_map_rules, memory, levels)) "
    'return fprintf(stderr, "%s\\n", pt_map_error(memory)), 1;',
}
"""Calls of the example."""
_KINDS = {"vector": "PT_VECTOR", "map": "PT_MAP", "tokens": "PT_TOKENS"}


def export_c(
    name: str,
    folder: Path,
    prompts: tuple[str, ...] = (),
    *,
    rules: Rules | None = None,
    map_rules: Rules | None = None,
) -> dict[str, str]:
    """Return the files of a program in C, by name.

    Args:
        name: name of the model.
        folder: the model.
        prompts: prompts that the program knows, by default the examples of the model.
        rules: rules of its worlds.
        map_rules: rules of the maps that its example paints.

    Raises:
        CheckpointError: if the folder holds no program.
        ConfigError: if its first order is not in raster orientation, it draws no worlds that rules could bind, a rule
            is none of worlds, or the rules of its maps do not fit, or cannot be met.
        EngineError: if the library in C cannot run it.
    """
    model = open_folder(folder)
    symbol = re.sub(r"\W", "_", f"model_{name}")
    order = model.order().name
    if order not in ("raster", "s-curve"):
        raise ConfigError(f"{folder} paints in the order {order}, and C is written for `raster` and `s-curve` only.")
    worlds = world_files(name, symbol, model, rules)
    how = {
        "programs": "example walk" if worlds else "example",
        "rules": "map_rules.o maps.o sentences.o " * (map_rules is not None),
    }
    unused = ("particles.c", "archive.c", "core/freestanding.c", *(() if worlds or map_rules else ("solver.c",)))
    makefile = Template(template("Makefile.txt")).substitute(how)
    calls = _PLAIN if map_rules is None else _BY_RULES
    example = {
        "name": name,
        "symbol": symbol,
        **{key: Template(call).substitute(symbol=symbol) for key, call in calls.items()},
    }
    if map_rules is not None:
        worlds |= {file: runtime_text(file) for file in _MAPS + _RULES}
        worlds["map_rules.c"] = map_rules_in_c(name, symbol, model, map_rules)
    return {
        "pointillist.c": runtime_text("pointillist.c", without=unused),
        **{file: runtime_text(file) for file in _SOURCES},
        "model.h": f'/* {name}, {license_of(folder)} */\n#include "paint.h"\nextern const pt_model {symbol};\n',
        "model.c": _model_text(symbol, model, prompts),
        "example.c": Template(template("example.c")).substitute(example),
        "Makefile": makefile,
        **worlds,
    }


def _model_text(symbol: str, model: ProgramModel, prompts: tuple[str, ...]) -> str:
    """Return the arrays of a model, and what joins them."""
    image, settings = model.image, model.generation_config
    has_text = any(part.keyword == "text" for part in model.parts[0])
    names = (prompts or tuple(settings.prompts)) if has_text else ()
    parts, arrays = _parts(model, names)
    palette = _palette(model)
    arrays += [] if palette is None else [array_in_c("const uint8_t colours", palette)]
    program = model.program(model.order())
    kinds = ", ".join(_KINDS[name] for name in program.inputs)
    return "\n".join(
        [
            '#include "model.h"',
            array_in_c("_Alignas(64) const uint8_t program", lower(program)),
            f"static const int32_t inputs[] = {{{kinds or '0'}}};",
            *arrays,
            array_in_c("const uint8_t values", image.values),
            f"static const pt_part parts[] = {{{', '.join(parts) or '{0}'}}};",
            texts_in_c("labels", model.classes),
            texts_in_c("prompts", names),
            f"const pt_model {symbol} = {{{image.channels}, {image.height}, {image.width}, {image.levels}, "
            f"{len(program.inputs)}, {len(parts)}, program, sizeof program, inputs, parts, "
            f"{'0' if palette is None else 'colours'}, values, labels, prompts, "
            f"{settings.guidance!r}, {settings.temperature!r}, {settings.top_p!r}}};",
            "",
        ]
    )


def _parts(model: ProgramModel, names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the parts of the condition, and the arrays of their rows.

    Args:
        model: the model.
        names: prompts that the program knows.
    """
    size, order = (model.image.height, model.image.width), model.order()
    read = model.conditions.inputs(count=len(names), text=list(names)) if names else None
    texts = {} if read is None else model.encode(read, len(names), size, order)
    arrays, parts, starts = [], [], dict.fromkeys(_KINDS, 0)
    for number, part in enumerate(model.parts[model.program_numbers[order.name]]):
        by, width = _BY.get(part.keyword or "", "PT_FIXED"), part.rows.shape[-1]
        rows: IntArray = part.rows if by == "PT_LABEL" else part.rows[-1:]
        if part.name == "order":
            rows = part.rows[[part.names.index(order.name)]]
        if by == "PT_PROMPT" and part.kind in texts:
            here = slice(starts[part.kind], starts[part.kind] + width)
            rows = np.concatenate([texts[part.kind][:, here], rows])
        starts[part.kind] += width
        flat = rows.reshape(len(rows), -1)
        arrays.append(array_in_c(f"const int32_t part_{number}", flat))
        parts.append(f"{{{_KINDS[part.kind]}, {by}, {len(rows)}, {flat.shape[1]}, {width}, part_{number}}}")
    return parts, arrays


def _palette(model: ProgramModel) -> IntArray | None:
    """Return the RGB of each level over white, `[levels, 3]`; None for grey and RGB."""
    image: ImageSpec = model.image
    colours = image.palette if model.tileset is None else model.tileset.mean_colours()
    if colours is None:
        return None
    rgba = np.asarray(colours, np.int64)
    alpha = rgba[:, 3:]
    return (rgba[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255


def world_rules_in_c(symbol: str, rules: WorldRules) -> str:
    """Return the rules of a world in C: `pt_world_rules`, by the name of the model and `_rules`.

    Args:
        symbol: name of the model in C.
        rules: the rules.
    """
    arrays, counts, connected = [], [], []
    if rules.adjacency is not None:
        arrays.append(array_in_c("const uint64_t adjacency", to_bits(rules.adjacency)))
    for number, (levels, count) in enumerate(rules.counts):
        arrays.append(array_in_c(f"const uint64_t counted_{number}", to_bits(levels)))
        at_most = -1 if count.at_most is None else count.at_most
        counts.append(f"{{counted_{number}, {_words(count.levels)}, {count.at_least}, {at_most}}}")
    for number, (bits, level) in enumerate(rules.connected):
        arrays.append(array_in_c(f"const uint64_t connected_{number}", bits))
        connected.append(f"{{connected_{number}, {_words(rules.rules.connected[number].levels)}, {level}}}")
    fixed = [f"{{{row}, {column}, {level}}}" for row, column, level in rules.fixed_tiles.tolist()]
    lists = {"pt_count counts": counts, "pt_connected connected": connected, "pt_fixed fixed": fixed}
    return "\n".join(
        [
            '#include "rules.h"',
            *arrays,
            *(f"static const {name}[] = {{{', '.join(rows) or '{0}'}}};" for name, rows in lists.items()),
            f"const pt_world_rules {symbol}_rules = {{{rules.image.levels}, "
            f"{'0' if rules.adjacency is None else 'adjacency'}, {len(counts)}, {len(connected)}, {len(fixed)}, "
            f"{rules.rules.tries}, counts, connected, fixed}};",
            "",
        ]
    )


def _words(levels: tuple[Level, ...]) -> str:
    return text_in_c(", ".join(map(str, levels)))


def map_rules_in_c(name: str, symbol: str, model: ProgramModel, rules: Rules) -> str:
    """Return the rules of a map in C: `pt_map_rules`, by the name of the model and `_map_rules`.

    Args:
        name: name of the model.
        symbol: its name in C.
        model: the model.
        rules: the rules.

    Raises:
        ConfigError: if the rules do not fit the model, or cannot be met.
    """
    image = model.image
    mask = open_image_mask(model, rules, (image.height, image.width))
    assert mask is not None
    constraints, checks = mask.rules.constraints, [_check_in_c(*each) for each in enumerate(mask.rules.checks)]
    adjacency = np.zeros(0) if constraints.adjacency is None else to_bits(constraints.adjacency)
    listed = {
        "uint64_t allowed": mask.bits[0],  # after arc consistency: the map begins as in Python
        "uint64_t adjacency": adjacency,
        "int64_t partners": np.array(constraints.partners, np.int64),
        "uint64_t sets": np.array([to_bits(levels) for levels in constraints.sets], np.uint64),
        "int64_t limits": np.array(constraints.limits, np.int64),
    }
    listed = {declaration: values for declaration, values in listed.items() if values.size}
    fields = {"channels": 1, "height": image.height, "width": image.width, "levels": image.levels}
    fields |= {"num_partners": len(constraints.partners), "num_sets": len(constraints.sets), "num_rules": len(checks)}
    members = [f".{field} = {number}" for field, number in fields.items()]
    members += [f".{declaration.split()[1]} = {declaration.split()[1]}" for declaration in listed]
    return "\n".join(
        [
            '#include "maps.h"',
            *(array_in_c(f"const {declaration}", values) for declaration, values in listed.items()),
            *(arrays for _, arrays in checks),
            f"static const pt_rule checks[] = {{{', '.join(entry for entry, _ in checks) or '{0}'}}};",
            texts_in_c("words", [check.name for check in mask.rules.checks]),
            f"const pt_map_rules {symbol}_map_rules = {{",
            f"  {{{', '.join(members)}, .rules = checks}},",
            f"  words, {rules.tries}}};",
            "",
        ]
    )


def _check_in_c(number: int, check: Check) -> tuple[str, str]:
    """Return a `pt_rule`, and the sets of levels that it names."""
    ends = {name: bits for name, bits in (("start", check.start), ("end", check.end)) if bits is not None}
    sets = {"levels": np.bitwise_or.reduce([check.levels, *ends.values()]), **ends}
    members = [f".kind = {int(check.kind)}", f".is_repairable = {int(check.repairable)}", f".number = {check.number}"]
    members += [f".{name} = {name}_{number}" for name in sets]
    arrays = [array_in_c(f"const uint64_t {name}_{number}", bits) for name, bits in sets.items()]
    return f"{{{', '.join(members)}}}", "\n".join(arrays)
