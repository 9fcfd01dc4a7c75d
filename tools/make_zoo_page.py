"""Write `docs/evidence/zoo.md`, the page of the bundled models: `python tools/make_zoo_page.py`.

Every figure is read from a file that a command has written: the card of a bundled model (`tools/make_zoo.py`) or, in
`docs/evidence/zoo`, `codecs.json` (`benchmarks/measure_codecs.py`), `tiles-prompts.json`
(`benchmarks/measure_tiles.py`) and `tiles-kinds.json` (`benchmarks/measure_kinds.py`).
Figures that no command has measured yet are left open.
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
HEAD = """# The bundled models

<!-- Made by tools/make_zoo_page.py from measured figures: do not edit. -->

`pointillist models` lists the models that come with the package; `pointillist sample tiles --text "orb spider" -n 8`
samples from one. Each has a card, `src/pointillist/zoo/NAME/README.md`: data, licence, training, samples, limits.
"""
CODECS = """## Image codecs

Bits per dimension on the same integers that the models are trained on. Whole files count, headers included. Palettes
and the weights of models do not count. A model has seen the training images, so the fair baseline is a codec primed
with them. `python benchmarks/measure_codecs.py FOLDER` repeats the measurement.
"""
PROMPTS = """
Colours and copies: `python benchmarks/measure_tiles.py` ({}). Kinds: `python benchmarks/measure_kinds.py`
({}). The rest is on the card, with its command.
"""
RANKED = r"^(\w+) ranked\s+first ([\d.]+).*?in five ([\d.]+).*?mean reciprocal rank ([\d.]+)"
Row = tuple[str, str, str, str]


def read(path: Path) -> Any:
    """Read a measurement; None if its command has not run."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def look_up(found: Any, *keys: str) -> Any:
    """Return an entry of nested tables; None if there is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def number(value: Any, pattern: str = "{:.3f}") -> str:
    """Format a figure."""
    return OPEN if value is None else pattern.format(float(value))


def beside(text: str) -> str:
    """Return the text beside a figure, if all of it is measured."""
    return "" if OPEN in text else text


def figures(name: str, option: str = "--condition-metrics") -> Any:
    """Return the figures of the first `evaluate` run on a card that has an option; guided runs only for that option."""
    card = ZOO / name / "README.md"
    runs = re.findall(r"```text\n\$ (.*)\n((?:.+\n)+)```", card.read_text(encoding="utf-8") if card.is_file() else "")
    own = [(command.split(), text) for command, text in runs if ("--guidance" in command) == (option == "--guidance")]
    return next((facts(text) for command, text in own if option in command), None)


def facts(text: str) -> dict[str, Any]:
    """Parse the figures that `evaluate` prints, where long lines continue indented."""
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
    """Return bits/dim given all conditions, in the first order and averaged over orders."""
    both = number(look_up(figures(name, "average"), "bits/dim"))
    return number(look_up(figures(name), "bits/dim")) + beside(f" ({both} averaged over both orders)")


def tiles() -> list[Row]:
    """Return the figures of `tiles` beside their targets."""
    own = figures("tiles")
    prompts, kinds = read(MEASURED / "tiles-prompts.json"), read(MEASURED / "tiles-kinds.json")
    guided = look_up(prompts, "guidance 2")
    interval = look_up(kinds, "interval_95")
    within = f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return [
        (
            "bits/pixel of the 707 test tiles, given caption and category",
            bits("tiles"),
            "at most 0.96",
            beside(f"{codec('tiles', 'xz -9e, primed')} xz primed with the training tiles"),
        ),
        (
            "bits per test tile saved by its caption",
            number(look_up(own, "bits_saved", "text"), "{:.1f}"),
            "",
            beside(f"{number(look_up(own, 'bits_saved', 'everything'), '{:.1f}')} by caption and category"),
        ),
        (
            "prompted colour present, unseen colour + noun, guidance 2",
            number(look_up(guided, "share"), "{:.2f}"),
            "at least 0.45",
            beside(f"{number(look_up(prompts, 'real tiles', 'share'), '{:.2f}')} real tiles; chance .125"),
        ),
        (
            "almost empty; copies of a training tile, guidance 2",
            "; ".join(number(look_up(guided, key), "{:.1%}") for key in ("almost_empty", "copies")) if guided else OPEN,
            "copies: at most as real tiles",
            beside(f"{number(look_up(prompts, 'real tiles', 'copies'), '{:.1%}')} of real test tiles are such copies"),
        ),
        (
            "share of samples whose kind a classifier recognises (8 prompts), over that of real test tiles",
            number(look_up(kinds, "samples_over_test"), "{:.2f}") + within,
            "at least 0.85",
            beside(
                f"{number(look_up(kinds, 'samples', 'share'), '{:.2f}')} of "
                f"{look_up(kinds, 'samples', 'count') or OPEN} samples, "
                f"{number(look_up(kinds, 'test', 'share'), '{:.2f}')} of test tiles"
            ),
        ),
    ]


def others() -> list[Row]:
    """Return the figures of the other models."""
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
            beside(f"{number(look_up(alone, 'bits/dim'), '{:.4f}')} without the class"),
        ),
        (
            "`emoji`: bits/dim of the 169 test images, given name and category",
            bits("emoji"),
            "below every codec; 5 % below primed xz",
            beside("xz primed {}, xz {}, WebP {}, JPEG XL {}".format(*sets)),
        ),
        (
            "`outline-to-tile`: bits/pixel of the 707 test tiles, given the outline",
            number(look_up(tile, "bits/dim")),
            "",
            "",
        ),
    ]


def codec(name: str, wanted: str) -> str:
    """Return the best figure of a codec on a data set."""
    rows = look_up(read(MEASURED / "codecs.json"), name, "rows") or ()
    return number(min((row["bits_per_dim"] for row in rows if title(row) == wanted), default=None))


def title(row: dict[str, Any]) -> str:
    """Return the name of a codec: a primed one, or one file per image, is a codec of its own."""
    layout = row["layout"]
    how = ", primed" if layout.startswith("primed") else ", one file an image" if layout.startswith("one file") else ""
    return str(row["codec"]) + how


def codecs() -> str:
    """Render the table of all codecs."""
    sets: dict[str, Any] = read(MEASURED / "codecs.json") or {}
    every = sorted({title(row) for found in sets.values() for row in found["rows"]})
    first = next(iter(sets), "")
    every.sort(key=lambda name: float(codec(first, name)) if codec(first, name) != OPEN else 99)
    lines = [f"| {name} | {' | '.join(codec(one, name) for one in sets)} |" for name in every]
    heads = "| codec, best of its layouts | " + " | ".join(sets) + " |\n|---" + "|---" * len(sets) + "|"
    details = "\n".join(
        f"- {name}: the {found['images']} test images of `{found['data']}`, {found['mode']} with {found['levels']} "
        f"levels; primed with {found['primed_with']:,} training images; {found['date']}, {found['machine']}; "
        + ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        for name, found in sets.items()
    )
    return "\n".join([CODECS, heads, *lines, "", details, ""])


def table(rows: list[Row]) -> str:
    """Render rows of figures with their targets: minimum and goal."""
    head = "| figure | value | target: minimum; goal | for comparison |\n|---|---|---|---|"
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


def when(name: str) -> str:
    """Return date and machine of a measurement."""
    found = read(MEASURED / name)
    return f"{found['date']}, {found['machine']}" if found else OPEN


def page() -> str:
    """Render the page."""
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
