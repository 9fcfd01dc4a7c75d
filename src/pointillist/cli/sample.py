"""`pointillist sample`: sample new images."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.sampling.settings import SampleSettings

EPILOG = """Examples:

  pointillist sample runs/digits -n 16

  pointillist sample runs/digits -n 4 --label each --seed 1 --animate painting.gif

  pointillist sample runs/pets -n 8 --label dog,cat --temperature 0.9 --out pets.png

  pointillist sample runs/sprites -n 500 --out sprites/

  pointillist sample emoji -n 8 --text "a blue heart" --guidance 2 --not "green"

  pointillist sample icons -n 2 --text "heart; shopping cart" --label tabler,mdi --out grid.png

  pointillist sample emoji -n 1 --text "a strawberry" --best-of 8 --out strawberry.png

  pointillist sample runs/sprites -n 64 --format atlas --palette autumn.hex --out sprites.png

  pointillist sample runs/faces -n 8 --attribute hair=red --attribute eyes=blue

  pointillist sample runs/upscaler -n 4 --hint small.png

  pointillist sample outline-to-tile -n 4 --hint-from-image sprite.png

  pointillist sample dungeons -n 4 --size 64x64 --format tmj --out levels/

  pointillist sample runs/maps -n 4 --size 64x64 --rules dungeon.toml

  pointillist sample runs/grass -n 4 --seamless both --out tiles/

  pointillist sample runs/digits -n 100000 --out digits.npz"""


def sample(settings: SampleSettings) -> None:
    """Sample new images from a model; into DIR/ or NAME.npz, the same command goes on after an interruption."""
    from pointillist.commands.sampling import sample as work

    print_report(work.sample(settings), settings.as_json)
