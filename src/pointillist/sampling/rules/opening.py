"""From rules to the mask of a grid: domains, constraints and checks; an unsatisfiable set of rules is found here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Bits, Check, Constraints, Kind, to_bits
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool
from pointillist.sampling.rules.adjacency import adjacency_table, level_set, parse_range
from pointillist.sampling.rules.config import Level, Rules


@dataclass
class _Opening:
    """Part of the mask of a grid that is known so far."""

    image: ImageSpec
    allowed: Bool[np.ndarray, "c h w k"]
    weighted: bool
    constraints: Constraints = field(default_factory=Constraints)
    checks: list[Check] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def mask(self) -> LevelMask:
        return LevelMask.open(self.allowed, 1, self.constraints, self.checks, weighted=self.weighted)

    def add(self, name: str) -> None:
        """Take note of a rule, and check that no site has run out of levels."""
        site = self.mask().make_arc_consistent()
        if site is not None:
            row, column = divmod(site, self.image.width)
            raise ConfigError(
                f"The rule {name} cannot be met {self.others()}: no level is left at row {row}, column {column}: "
                "change it or one of the others."
            )
        self.names.append(name)

    def others(self) -> str:
        """Word the rules that were added so far."""
        return f"with {', '.join(self.names)}" if self.names else f"in a grid of {_size(self.image)}"


def open_mask(
    rules: Rules,
    image: ImageSpec,
    record: Any = None,
    allowed: Bool[np.ndarray, "c h w k"] | None = None,
    *,
    weighted: bool = False,
) -> LevelMask:
    """Make the mask of one map that obeys rules, arc consistent.

    Args:
        image: the grid.
        record: pairs of neighbours of the training maps, as the model stores them.
        allowed: levels that each site may have, in addition to the rules.
        weighted: see `LevelMask.open`.

    Raises:
        ConfigError: if the grid has several channels, a rule does not fit it, or arc consistency shows that the rules
            cannot be met; it names the rule.

    Example:
        open_mask(Rules(border=[1]), ImageSpec.infer((1, 8, 8), 4, ordered=False)).repeat(16)
    """
    if image.channels != 1:
        raise ConfigError(f"`rules` need grids of one channel, and images of this model have {image.channels}.")
    shape = (1, image.height, image.width, image.levels)
    whole = np.ones(shape, bool) if allowed is None else np.array(allowed)
    opening = _Opening(image, whole, weighted)
    if allowed is not None:
        opening.names.append("`allowed` or the known sites")
    _add_sites(opening, rules)
    _add_constraints(opening, rules, record)
    _add_checks(opening, rules)
    mask = opening.mask()
    mask.make_arc_consistent()
    check = mask.broken()
    if check is not None:
        raise ConfigError(f"The rule {check.name} cannot be met {opening.others()}: change it or another one.")
    return mask


def _size(image: ImageSpec) -> str:
    return f"{image.height}x{image.width}"


def _words(levels: tuple[Level, ...]) -> str:
    return ", ".join(map(str, levels))


def _add_sites(opening: _Opening, rules: Rules) -> None:
    allowed, image = opening.allowed[0], opening.image
    for region in rules.regions:
        rows = parse_range(region.rows, image.height, "rows")
        columns = parse_range(region.columns, image.width, "columns")
        allowed[rows, columns] &= level_set(region.levels, image)
        opening.add(f"`regions` {region.rows},{region.columns}")
    for fixed in rules.fixed:
        if not (-image.height <= fixed.row < image.height and -image.width <= fixed.column < image.width):
            raise ConfigError(
                f"`fixed` at row {fixed.row}, column {fixed.column} lies outside the grid of {_size(image)}: move it."
            )
        allowed[fixed.row, fixed.column] &= level_set([fixed.level], image)
        opening.add(f"`fixed` {fixed.level} at row {fixed.row}, column {fixed.column}")
    if rules.border:
        inside = np.zeros(allowed.shape[:2], bool)
        inside[1:-1, 1:-1] = True
        allowed[~inside] &= level_set(rules.border, image)
        opening.add(f"`border` {_words(rules.border)}")


def _add_constraints(opening: _Opening, rules: Rules, record: Any) -> None:
    """Add the rules between sites that a mask enforces."""
    image, constraints = opening.image, opening.constraints
    sites = np.arange(image.height * image.width).reshape(image.height, image.width)
    for axis, side in ((1, "x"), (0, "y")):
        if rules.mirror in (side, "both"):
            constraints.partners.append(np.flip(sites, axis).reshape(-1))
    if rules.mirror != "none":
        opening.add(f"`mirror` {rules.mirror}")
    for count in rules.counts:
        if count.at_most is not None:
            constraints.sets.append(level_set(count.levels, image))
            constraints.limits.append(count.at_most)
            opening.add(f"`counts` {_words(count.levels)} at most {count.at_most}")
    if rules.adjacency is not None:
        constraints.adjacency = adjacency_table(rules.adjacency, image, record)
        opening.add("`adjacency`")


def _add_checks(opening: _Opening, rules: Rules) -> None:
    image, checks = opening.image, opening.checks

    def bits(*levels: Level) -> np.ndarray:
        return to_bits(level_set(levels, image))

    for count in rules.counts:
        if count.at_least:
            name = f"`counts` {_words(count.levels)} at least {count.at_least}"
            checks.append(at_least(name, bits(*count.levels), count.at_least))
    for piece in rules.connected:
        name = f"`connected` {_words(piece.levels)}"
        checks.append(Check(name=name, kind=Kind.ONE_PIECE, levels=bits(*piece.levels)))
    for path in rules.paths:
        name = f"`paths` from {_words(path.start)} to {_words(path.end)}"
        ends: dict[str, Any] = {"start": bits(*path.start), "end": bits(*path.end)}
        checks.append(Check(name=name, kind=Kind.PATH, levels=bits(*path.through), **ends))


def at_least(name: str, levels: Bits, number: int) -> Check:
    """Make the rule that at least `number` sites have one of some levels.

    Drawing the last rows again does not help: they are no more at fault than others.

    Example:
        at_least("`counts` chest at least 2", to_bits(chests), 2)
    """
    return Check(name=name, kind=Kind.AT_LEAST, levels=levels, number=number, repairable=False)
