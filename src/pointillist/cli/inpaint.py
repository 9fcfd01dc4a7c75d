"""`pointillist inpaint`: fill the unknown part of an image."""

from __future__ import annotations

from pointillist.cli.output import print_report
from pointillist.commands.sampling.settings import InpaintSettings

EPILOG = """Examples:

  pointillist inpaint runs/digits photo.png --region 14:28,0:28

  pointillist inpaint runs/digits photo.png --mask hole.png -n 16 --label 3

  pointillist inpaint runs/sprites sprite.png --transparent --out filled/

  pointillist inpaint digits photo.png --region 7:21,7:21 --particles 256 --animate filling.gif

  pointillist inpaint dungeons level.tmj --region 8:16,8:16 -n 1 --out filled.tmj

  pointillist inpaint dungeons level.tmj --vary 0.3 -n 20

  pointillist inpaint runs/textures grass.png --canvas 64x64 --at 16,16 -n 2

  pointillist inpaint runs/textures grass.png --seamless both"""


def inpaint(settings: InpaintSettings) -> None:
    """Fill the unknown part of an image.

    Draws completions from the model's distribution of the unknown pixels given
    the known ones, the most probable one first. Known pixels stay as they are. A
    model that was trained with --completion does it exactly for any mask.
    """
    from pointillist.commands.sampling import inpaint as work

    print_report(work.inpaint(settings), settings.as_json)
