"""Write `docs/evidence/zoo.md`, the page of the models that ship: `python tools/make_zoo_page.py`.

Every figure is read from a file that a command has written: the card of a shipped model (`tools/make_zoo.py`),
`docs/evidence/zoo/codecs.json` (`benchmarks/measure_codecs.py`), `docs/evidence/zoo/tiles-prompts.json` (`benchmarks/measure_tiles.py`)
and `docs/evidence/zoo/tiles-kinds.json` (`benchmarks/measure_kinds.py`). What no command has measured yet is left open.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pointillist.checkpoint.files import write_text

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parents[1] / "docs" / "evidence" / "zoo.md"
MEASURED = Path(__file__).parents[1] / "docs" / "evidence" / "zoo"
ZOO = ROOT / "src" / "pointillist" / "zoo"
OPEN = "not measured yet"
HEAD = """# The models that ship

<!-- Made by tools/make_zoo_page.py from measured figures: do not edit. -->

`pointillist models` lists what this release holds; `pointillist sample tiles --text "orb spider" -n 8` paints. Each
model has a card, `src/pointillist/zoo/NAME/README.md`: its data, licence, training, a sheet of samples, its limits.
"""
CODECS = """## What codecs need

Bits per dimension, in the form that the models code. Whole files, headers counted; the palette counts for no one, and
neither do the weights of a model, which has seen the training images: its fair opponent is a codec that is primed with
them. `python benchmarks/measure_codecs.py FOLDER` measures it again.
"""
PROMPTS = """
Colours and copies: `python benchmarks/measure_tiles.py` ({}). Kinds: `python benchmarks/measure_kinds.py`
({}). The rest is on the card, with its command.
"""
RANKED = r"^(\w+) ranked\s+first ([\d.]+).*?in five ([\d.]+).*?mean reciprocal rank ([\d.]+)"
Row = tuple[str, str, str, str]


def read(path: Path) -> Any:
    """What a command has measured; None if it hasn't run."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def look_up(found: Any, *keys: str) -> Any:
    """An entry of nested tables; None if there is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def number(value: Any, pattern: str = "{:.3f}") -> str:
    """A figure as text."""
    return OPEN if value is None else pattern.format(float(value))


def beside(text: str) -> str:
    """What stands beside a figure, if all of it is measured."""
    return "" if OPEN in text else text


def figures(name: str, option: str = "--condition-metrics") -> Any:
    """What `evaluate` found of a shipped model, of the first run on its card with an option; under guidance if that."""
    card = ZOO / name / "README.md"
    runs = re.findall(r"```text\n\$ (.*)\n((?:.+\n)+)```", card.read_text(encoding="utf-8") if card.is_file() else "")
    own = [(command.split(), text) for command, text in runs if ("--guidance" in command) == (option == "--guidance")]
    return next((facts(text) for command, text in own if option in command), None)


def facts(text: str) -> dict[str, Any]:
    """The figures in what `evaluate` prints for people, where long lines go on under themselves."""
    text = re.sub(r"\n +", " ", text)
    found: dict[str, Any] = {"bits_saved": dict(re.findall(r"^saved by (\w+)\s+(-?[\d.]+)", text, re.MULTILINE))}
    found |= dict(re.findall(r"^(guidance)\s+(.+), where 1 is the model itself", text, re.MULTILINE))
    found |= dict(re.findall(r"^(bits/dim|images)\s+([\d.,]+)", text, re.MULTILINE))
    own, *others = re.split(r"^(by the model itself)", text, flags=re.MULTILINE)
    for ending, part in (("", own), *zip(others[::2], others[1::2], strict=True)):
        for what, *ranked in re.findall(RANKED, part, re.MULTILINE):
            found[f"{what} {ending}".rstrip()] = dict(zip(("top1", "top5", "mrr"), ranked, strict=True))
    return found


def bits(name: str) -> str:
    """Bits/dim told the name and all else that is known, and by all orders together."""
    both = number(look_up(figures(name, "average"), "bits/dim"))
    return number(look_up(figures(name), "bits/dim")) + beside(f" ({both} averaged over both orders)")


def ranks(found: Any) -> str:
    """Top-1, top-5 and mean reciprocal rank."""
    keys = ("top1", "top5", "mrr")
    return " / ".join(number(look_up(found, key)) for key in keys) if found else OPEN


def tiles() -> list[Row]:
    """The aims of `tiles`, and what it does."""
    own, guided = figures("tiles"), figures("tiles", "--guidance")
    prompts, kinds = read(MEASURED / "tiles-prompts.json"), read(MEASURED / "tiles-kinds.json")
    painted = look_up(prompts, "guidance 2")
    worth = [number(look_up(run, "bits_saved", "text"), "{:.0f}") for run in (own, figures("tiles", "train"))]
    shares = [number(look_up(painted, key), "{:.1%}") for key in ("almost_empty", "copies")]
    return [
        (
            "bits/pixel of the 707 test tiles, told name and category",
            bits("tiles"),
            "0.94; 0.88",
            beside(f"{codec('tiles', 'xz -9e, primed')} xz primed with the training tiles"),
        ),
        (
            f"name among 50, by likelihood under guidance {look_up(guided, 'guidance') or OPEN}: "
            "first / in five / mean reciprocal rank",
            ranks(look_up(guided, "captions")),
            ".37 / .58 / .46; .50 / .70 / .60",
            beside(f"{ranks(look_up(guided, 'captions by the model itself'))} by the model itself (guidance 1)"),
        ),
        (
            "bits a tile that its name saves, test; training",
            OPEN if OPEN in worth else "; ".join(worth),
            "30, 0.4 of train; 45, 0.6",
            "in part as it paints worse told nothing: see the card",
        ),
        (
            "colour obeyed, unseen colour + noun, guidance 2",
            number(look_up(painted, "share"), "{:.2f}"),
            ".50; .60",
            beside(f"{number(look_up(prompts, 'real tiles', 'share'), '{:.2f}')} real tiles; chance .125"),
        ),
        (
            "almost empty; copies of a training tile, guidance 2",
            "; ".join(shares) if painted else OPEN,
            "2 %, as real tiles; 1 %, 2 %",
            beside(f"{number(look_up(prompts, 'real tiles', 'copies'), '{:.1%}')} of real test tiles are such copies"),
        ),
        (
            "kinds of 8 prompts that a classifier sees, over real test tiles",
            number(look_up(kinds, "samples_over_test"), "{:.2f}"),
            "0.5; 0.8",
            beside(
                f"{number(look_up(kinds, 'samples', 'share'), '{:.2f}')} of samples, "
                f"{number(look_up(kinds, 'test', 'share'), '{:.2f}')} of test tiles"
            ),
        ),
    ]


def others() -> list[Row]:
    """The aims of the other models."""
    digits, alone = figures("digits"), figures("digits", "--no-labels")
    sets = [codec("emoji", name) for name in ("xz -9e, primed", "xz -9e", "WebP lossless", "JPEG XL e9")]
    tile = figures("outline-to-tile")
    return [
        (
            f"`digits`: class by Bayes' rule, {look_up(digits, 'images') or OPEN} of the 10,000 test digits",
            number(look_up(digits, "classes", "top1"), "{:.2%}"),
            "97 %; 99 %",
            "",
        ),
        (
            "`digits`: bits/dim of these digits, 4 bits deep",
            number(look_up(digits, "bits/dim"), "{:.4f}"),
            "",
            beside(f"{number(look_up(alone, 'bits/dim'), '{:.4f}')} told no class"),
        ),
        (
            "`emoji`: bits/dim of the 169 test images, told name and category",
            bits("emoji"),
            "below every codec; 5 % below primed xz",
            beside("xz primed {}, xz {}, WebP {}, JPEG XL {}".format(*sets)),
        ),
        (
            "`outline-to-tile`: bits/pixel of the 707 test tiles, told the outline",
            number(look_up(tile, "bits/dim")),
            "",
            "",
        ),
    ]


def codec(name: str, wanted: str) -> str:
    """The best figure of a codec on a set."""
    rows = look_up(read(MEASURED / "codecs.json"), name, "rows") or ()
    return number(min((row["bits_per_dim"] for row in rows if title(row) == wanted), default=None))


def title(row: dict[str, Any]) -> str:
    """What a codec is called: one that is primed, or must write a file for each image, is a codec of its own."""
    layout = row["layout"]
    how = ", primed" if layout.startswith("primed") else ", one file an image" if layout.startswith("one file") else ""
    return str(row["codec"]) + how


def codecs() -> str:
    """The table of all codecs."""
    sets: dict[str, Any] = read(MEASURED / "codecs.json") or {}
    every = sorted({title(row) for found in sets.values() for row in found["rows"]})
    first = next(iter(sets), "")
    every.sort(key=lambda name: float(codec(first, name)) if codec(first, name) != OPEN else 99)
    lines = [f"| {name} | {' | '.join(codec(one, name) for one in sets)} |" for name in every]
    heads = "| codec, best of its layouts | " + " | ".join(sets) + " |\n|---" + "|---" * len(sets) + "|"
    told = "\n".join(
        f"- {name}: the {found['images']} test images of `{found['data']}`, {found['mode']} with {found['levels']} "
        f"levels; primed with {found['primed_with']:,} training images; {found['date']}, {found['machine']}; "
        + ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        for name, found in sets.items()
    )
    return "\n".join([CODECS, heads, *lines, "", told, ""])


def table(rows: list[Row]) -> str:
    """Rows of figures, with what was aimed at: the least, and the goal."""
    head = "| figure | shipped | aim: least; goal | beside it |\n|---|---|---|---|"
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


def when(name: str) -> str:
    """Date and machine of a measurement."""
    found = read(MEASURED / name)
    return f"{found['date']}, {found['machine']}" if found else OPEN


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            "## `tiles`\n",
            table(tiles()),
            PROMPTS.format(when("tiles-prompts.json"), when("tiles-kinds.json")),
            "## The others\n",
            table(others()),
            "",
            codecs(),
        ]
    )


def write() -> None:
    """Write the page."""
    write_text(PAGE, page())


if __name__ == "__main__":
    write()
