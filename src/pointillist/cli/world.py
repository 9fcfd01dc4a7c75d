"""`pointillist world`: a part of an endless map."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.sampling.settings import WorldSettings

EPILOG = """Examples:

  pointillist world dungeons --seed 7 --out world.tmj

  pointillist world dungeons --seed 7 --at -3,5 --size 4x8 --rules rules.toml --out world.tmj

  pointillist world dungeons --seed 7 --size 100x100 --out world.csv"""


def world(settings: WorldSettings) -> None:
    """Draw a part of an endless map.

    The seed names the world: each chunk depends on the model, the seed, the rules
    and its coordinates alone. Rows of chunks are written as they are drawn. The
    same command goes on where it was killed.
    """
    from pointillist.commands.sampling import world as work

    print_report(work.world(settings), settings.as_json)
