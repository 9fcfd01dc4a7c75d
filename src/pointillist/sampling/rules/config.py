"""Rules of maps, as a TOML file or a dictionary holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from pointillist.errors import ConfigError, format_validation_error, quote
from pointillist.files.reading import parse_toml, read_text
from pointillist.files.settings_tree import WordedSettings

Level = int | str
"""A level by its name, or by its number."""
Pair = tuple[Level, Level]


class _Table(WordedSettings):
    what: ClassVar[str] = "a rule"
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, defer_build=True
    )


class RegionLevels(_Table):
    """Levels that the sites of a rectangle may have.

    Attributes:
        levels: The levels.
        rows: First row and the one after the last, such as 0:8; a number that is left out means the border.
        columns: The same for columns.
    """

    levels: tuple[Level, ...] = Field(min_length=1)
    rows: str = ":"
    columns: str = ":"


class Fixed(_Table):
    """A site whose level is given.

    Attributes:
        row: Row of the site; negative ones count from the bottom.
        column: Column of the site; negative ones count from the right.
        level: The level.
    """

    row: int
    column: int
    level: Level


class Count(_Table):
    """Bounds on the number of sites that have one of some levels.

    Attributes:
        levels: The levels.
        at_least: Least number of sites.
        at_most: Largest number of sites.
    """

    levels: tuple[Level, ...] = Field(min_length=1)
    at_least: int = Field(0, ge=0)
    at_most: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Count:
        if not self.model_fields_set & {"at_least", "at_most"}:
            raise ConfigError("`counts` has levels without a bound: give `at_least` or `at_most`.")
        if self.at_most is not None and self.at_most < self.at_least:
            raise ConfigError(
                f"`at_least` (={self.at_least}) of `counts` must be at most `at_most` (={self.at_most}): change one."
            )
        return self


class Connected(_Table):
    """All sites of some levels are connected through neighbours of these levels.

    Attributes:
        levels: The levels.
    """

    levels: tuple[Level, ...] = Field(min_length=1)


class Route(_Table):
    """A path leads from a site of one level to a site of another.

    Attributes:
        start: Levels where the path begins, or one; `from` in a file.
        end: Levels where it ends, or one; `to` in a file.
        through: Levels in between.
    """

    start: tuple[Level, ...] = Field(alias="from", min_length=1)
    end: tuple[Level, ...] = Field(alias="to", min_length=1)
    through: tuple[Level, ...] = ()

    @field_validator("start", "end", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, int)) else value


class Adjacency(_Table):
    """Levels that may be neighbours.

    Attributes:
        observed: True for the pairs of neighbours in the training maps, which are stored with the model; or maps to
            take the pairs from, any source of `load_data`.
        right: Pairs of a level and one that may be on its right; with `observed`, further ones.
        down: Pairs of a level and one that may be below it; with `observed`, further ones.
        never: Pairs of levels that are never neighbours, in no direction.
    """

    observed: bool | str = False
    right: tuple[Pair, ...] | None = None
    down: tuple[Pair, ...] | None = None
    never: tuple[Pair, ...] = ()


class Rules(_Table):
    """Rules that every map obeys.

    ```python
    rules = pt.Rules(border=["wall"], adjacency="observed", counts=[{"levels": ["key"], "at_least": 1}])
    pt.sample("dungeons", 4, size="64x64", rules=rules)
    ```

    Attributes:
        regions: Levels that the sites of a rectangle may have.
        fixed: Sites whose level is given.
        border: Levels that the outermost sites may have; empty for any.
        mirror: Symmetry: x mirrors left and right, y top and bottom; both or none.
        adjacency: Levels that may be neighbours; "observed" for the pairs of neighbours in the training maps.
        counts: How many sites may have some levels.
        connected: Levels whose sites form one piece.
        paths: Paths from one level to another.
        tries: Maps that are drawn at most for each one that is wanted.

    Raises:
        ConfigError: if a rule is unknown, or has a value that no grid could have.
    """

    regions: tuple[RegionLevels, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    border: tuple[Level, ...] = ()
    mirror: Literal["none", "x", "y", "both"] = "none"
    adjacency: Adjacency | None = None
    counts: tuple[Count, ...] = ()
    connected: tuple[Connected, ...] = ()
    paths: tuple[Route, ...] = ()
    tries: int = Field(100, ge=1, le=1_000_000)

    @property
    def reads_files(self) -> bool:
        """True if the neighbours of some maps are read, which need a file or an array."""
        return self.adjacency is not None and self.adjacency.observed not in (True, False)

    @field_validator("adjacency", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"observed": True} if value == "observed" else value


def parse_rules(source: Rules | Mapping[str, Any] | str | Path | None) -> Rules | None:
    """Parse rules: a TOML file, a dictionary, or rules already.

    Raises:
        ConfigError: naming the rule that is wrong, or if there is none.

    Example:
        parse_rules({"mirror": "x"}).mirror  # "x"
    """
    if source is None:
        return None
    if isinstance(source, (str, Path)):
        name = f"`rules` (={source})"
        text = read_text(Path(source), error=ConfigError, name=name, remedy="give a TOML file")
        source = parse_toml(text, str(source))
    if not isinstance(source, Mapping | Rules):
        raise ConfigError(f"`rules` (={quote(source)}) must be a TOML file, a dictionary or `Rules`.")
    try:
        rules = Rules.model_validate(source)
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, "a rule")) from error
    if rules == Rules(tries=rules.tries):
        raise ConfigError("`rules` hold no rule, such as `border`: add one, or leave `rules` out.")
    return rules
