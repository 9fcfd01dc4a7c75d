"""`pointillist sample`, `inpaint`, `world`, `compress`, `hide` and their inverses, and `export`: images in files."""

from __future__ import annotations

import sys

import typer

from pointillist.commands.archives import CompressSettings, DecompressSettings
from pointillist.commands.cli.messages import print_report
from pointillist.commands.inspection.settings import ExportSettings
from pointillist.commands.paths import reject_existing, reject_filled
from pointillist.commands.sampling.settings import (
    HideSettings,
    InpaintSettings,
    RevealSettings,
    SampleSettings,
    WorldSettings,
)


def sample(settings: SampleSettings) -> None:
    """Sample new images from a model; output to DIR/ or NAME.npz resumes if the command is rerun.

    Where POINTILLIST_SITE is the address of a studio, or of exported pages such as
    https://example.org/{model}.html, the command also prints the link that paints
    the same images there.

    Examples:
        pointillist sample runs/digits -n 16
        pointillist sample runs/digits -n 4 --label each --seed 1 --animate painting.gif
        pointillist sample runs/pets -n 8 --label dog,cat --temperature 0.9 --out pets.png
        pointillist sample runs/sprites -n 500 --out sprites/
        pointillist sample scenes -n 4 --text "a cat sitting on a red sofa" --seed 1 --out cats.png
        pointillist sample scenes -n 8 --text "an owl on a blue car" --guidance 2 --not "at night"
        pointillist sample icons -n 2 --text "heart; shopping cart" --label tabler,mdi --out grid.png
        pointillist sample icons -n 1 --text "umbrella" --best-of 8 --out umbrella.png
        pointillist sample runs/sprites -n 64 --format atlas --palette autumn.hex --out sprites.png
        pointillist sample runs/faces -n 8 --attribute hair=red --attribute eyes=blue
        pointillist sample runs/upscaler -n 4 --hint small.png
        pointillist sample outline-to-tile -n 4 --hint-from-image sprite.png
        pointillist sample dungeons -n 4 --size 64x64 --format tmj --out levels/
        pointillist sample runs/maps -n 4 --size 64x64 --rules dungeon.toml
        pointillist sample runs/grass -n 4 --seamless both --out tiles/
        pointillist sample runs/digits -n 100000 --out digits.npz
    """
    from pointillist.commands.sampling import sample as work

    print_report(work.sample(settings), settings.as_json)


def inpaint(settings: InpaintSettings) -> None:
    """Fill the unknown part of an image.

    Draws completions from the model's distribution of the unknown pixels given
    the known ones, the most probable one first. Known pixels stay as they are. A
    model that was trained with --completion does it exactly for any mask. What is
    known is a picture with a hole, or --data with a table of cells.

    Examples:
        pointillist inpaint runs/digits photo.png --region 14:28,0:28
        pointillist inpaint runs/digits photo.png --mask hole.png -n 16 --label 3
        pointillist inpaint runs/sprites sprite.png --transparent --out filled/
        pointillist inpaint digits photo.png --region 7:21,7:21 --particles 256 --animate filling.gif
        pointillist inpaint dungeons level.tmj --region 8:16,8:16 -n 1 --out filled.tmj
        pointillist inpaint dungeons level.tmj --vary 0.3 -n 20
        pointillist inpaint runs/textures grass.png --canvas 64x64 --at 16,16 -n 2
        pointillist inpaint runs/textures grass.png --seamless both
        pointillist inpaint runs/channels --data holes.csv -n 100 --size 100x100 --format npy --out real/ --maps maps/
    """
    from pointillist.commands.sampling import inpaint as work

    print_report(work.inpaint(settings), settings.as_json)


def world(settings: WorldSettings) -> None:
    """Draw a part of an endless map.

    The seed names the world: each chunk depends on the model, the seed, the rules
    and its coordinates alone. Rows of chunks are written as they are drawn. The
    same command goes on where it was killed.

    Examples:
        pointillist world dungeons --seed 7 --out world.tmj
        pointillist world dungeons --seed 7 --at -3,5 --size 4x8 --rules rules.toml --out world.tmj
        pointillist world dungeons --seed 7 --size 100x100 --out world.csv
    """
    from pointillist.commands.sampling import world as work

    print_report(work.world(settings), settings.as_json)


def compress(settings: CompressSettings) -> None:
    """Compress images without loss.

    The archive holds the pixels of pictures with their names, modes and texts;
    decompress writes them as PNG. It does not hold the model, which is known by
    its fingerprint.

    Examples:
        pointillist compress digits scans/ --out scans.pxl
        pointillist compress runs/mine a.png b.png --out two.pxl --threads 2
        pointillist compress dungeons maps.npz --out maps.pxl
        pointillist compress digits scans/ --out - | ssh host pointillist decompress - --out scans/
    """
    from pointillist.commands import archives as work

    facts = work.compress(settings)
    if facts is not None:
        print_report(facts, settings.as_json)


def decompress(settings: DecompressSettings) -> None:
    """Write the images of an archive again, equal to the pixel.

    Examples:
        pointillist decompress scans.pxl --out scans/
        pointillist decompress maps.pxl --out maps.npz
        pointillist decompress damaged.pxl --out rest/ --salvage
        pointillist decompress mine.pxl --model runs/mine --out images/
    """
    from pointillist.commands import archives as work

    facts = work.decompress(settings)
    print_report(facts, settings.as_json)
    if facts["damage"]:
        raise typer.Exit(1)


def hide(settings: HideSettings) -> None:
    """Hide a file in pictures that are distributed as samples of a model.

    A message that is decoded by the distribution of a model is a sample; its code
    is the message. This hides it, and does not encrypt: encrypt first what must
    stay secret, as with age or gpg. A picture must not be scaled, repainted or
    saved as JPEG.

    Examples:
        pointillist hide letter.txt --in dungeons --out map.png
        pointillist hide letter.txt --in dungeons --passphrase oak --out map.tmj
        pointillist hide photo.jpg --in digits --out pages/
        age -p letter.txt > letter.age && pointillist hide letter.age --in scenes --text "a red sofa" --out sofas.npz
    """
    from pointillist.commands.sampling import sample as work

    print_report(work.hide(settings), settings.as_json)


def reveal(settings: RevealSettings) -> None:
    """Write the file that pictures hide to standard output.

    Examples:
        pointillist reveal map.png
        pointillist reveal map.tmj --passphrase oak > letter.txt
        pointillist reveal pages/ --in digits > photo.jpg
    """
    from pointillist.commands.sampling import sample as work

    sys.stdout.buffer.write(work.reveal(settings))


def export(settings: ExportSettings) -> None:
    """Write a model in a form that runs without Python, and gives the same pictures.

    A page opens from disk, offline, and asks no server. The model needs an
    integer program, as bundled and trained ones have.

    Examples:
        pointillist export icons --html icons.html
        pointillist export digits --c digits-in-c/
        pointillist export dungeons --js dungeons-in-js/
    """
    from pointillist.studio.export import export as write

    if settings.html is not None:
        reject_existing(settings.html, settings.force)
    for folder in (settings.c, settings.js):
        if folder is not None:
            reject_filled(folder, settings.force, "files in it")
    rules = {"rules": settings.rules, "map_rules": settings.map_rules}
    result = write(settings.model, html=settings.html, c=settings.c, js=settings.js, **rules)
    facts = {"model": result.model, "license": result.license, "files": result.files}
    print_report(facts, settings.as_json)
