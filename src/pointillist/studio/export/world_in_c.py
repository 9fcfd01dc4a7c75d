"""Worlds in C: the encoder of known pixels of a model, the rules, and an example that walks through the worlds."""

from __future__ import annotations

from string import Template

import numpy as np

from pointillist.conditioning.known import KnownFeatures
from pointillist.engine.constraints.solver import to_bits
from pointillist.engine.library import runtime_text
from pointillist.errors import ConfigError
from pointillist.model.folder.portable import PortableModel
from pointillist.rules.config import Level, Rules
from pointillist.sampling.worlds.rules import WorldRules
from pointillist.studio.export.arrays_in_c import array_in_c, text_in_c
from pointillist.studio.export.page import template

SOURCES = ("world.c", "world.h", "rules.c", "rules.h", "solver.c", "solver.h")


def known_encoder(model: PortableModel) -> KnownFeatures | None:
    """Return the encoder of known pixels of a model that can draw worlds in C; None for any other.

    Its map must be all of the map of the program, of images of one channel in raster order.
    """
    source, order = model.integer_model, model.order()
    parts = [part for part in source.parts[source.orders[order.name]] if part.kind == "map"]
    if order.name != "raster" or model.image.channels != 1 or source.fixed_size or len(parts) != 1:
        return None
    encoder = parts[0].encoder
    if not isinstance(encoder, KnownFeatures) or not encoder.has_tables:
        return None
    return encoder if "map" in source.program(order).inputs else None


def world_files(name: str, symbol: str, model: PortableModel, rules: Rules | None = None) -> dict[str, str]:
    """Return the files of worlds in C, by name: none for a model that draws no worlds.

    Args:
        name: name of the model.
        symbol: its name in C.
        model: the model.
        rules: rules of the worlds of the example; None for none.

    Raises:
        ConfigError: if there are rules and no worlds, or a rule is none of worlds.
    """
    encoder = known_encoder(model)
    if encoder is None and rules is not None:
        raise ConfigError(f"`rules` bind the worlds of a program in C, and {name} draws none there: leave them out.")
    if encoder is None:
        return {}
    classes = model.integer_model.classes
    walk = {"name": name, "symbol": symbol, "label": classes.index("window") if "window" in classes else -1}
    read = WorldRules(rules or Rules(), model.image, model.training_record)
    return {
        "world_rules.c": _rules_text(symbol, read),
        **{file: runtime_text(file) for file in SOURCES},
        "known.c": _encoder_text(symbol, model, encoder),
        "walk.c": Template(template("walk.c")).substitute(walk),
    }


def _encoder_text(symbol: str, model: PortableModel, encoder: KnownFeatures) -> str:
    """Return the tables of an encoder in C."""
    program = model.integer_model.program(model.order())
    first, known = encoder.tables[0, :, :-1], f"{symbol}_known"  # the last row is for an unknown pixel, 0
    bias = np.floor(encoder.weights["first.bias"].astype(np.float64) * 2.0**12 + 0.5).astype(np.int64)
    arrays = [array_in_c("const int64_t first", first), array_in_c("const int64_t bias", bias)]
    layers = []
    for number, (dilation, layer) in enumerate(zip(encoder.dilations, encoder.matrices, strict=True)):
        whole, factors, more = layer
        arrays.append(array_in_c(f"const int32_t whole_{number}", whole.astype(np.int32)))
        arrays.append(array_in_c(f"const double factors_{number}", factors))
        arrays.append(array_in_c(f"const int64_t bias_{number}", more))
        side = round(len(whole) ** 0.5)
        layers.append(f"{{{side}, {dilation}, whole_{number}, factors_{number}, bias_{number}}}")
    units = program.inputs["map"].unit
    side = round(len(first) ** 0.5)
    return "\n".join(
        [
            '#include "world.h"',
            *arrays,
            array_in_c("const double units", np.broadcast_to(units, first.shape[-1:])),
            f"static const pt_layer layers[] = {{{', '.join(layers) or '{0}'}}};",
            f"const pt_known {known} = {{{side}, {first.shape[-1]}, {len(layers)}, first, bias, layers, units}};",
            "",
        ]
    )


def _rules_text(symbol: str, rules: WorldRules) -> str:
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
