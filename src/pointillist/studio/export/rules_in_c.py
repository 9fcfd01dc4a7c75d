"""Rules in C: of the worlds of a model, which open the mask of each chunk, and of a map, as its mask has them."""

from __future__ import annotations

import numpy as np

from pointillist.engine.constraints.solver import Check, to_bits
from pointillist.engine.library import array_in_c, text_in_c, texts_in_c
from pointillist.model.folder.portable import ProgramModel
from pointillist.sampling.masks import open_image_mask
from pointillist.sampling.rules.config import Level, Rules
from pointillist.sampling.worlds.rules import WorldRules


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
