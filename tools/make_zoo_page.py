"""Write `docs/evidence/zoo.md`, the page of the bundled models: `python tools/make_zoo_page.py`.

Every figure is read from a file that a command has written: the card of a bundled model (`tools/make_zoo.py`) or, in
`docs/evidence/zoo`, `NAME-concepts.json` and `NAME-prompts.json`
(`benchmarks/measure_concepts.py`, the latter with `--prompts`), `scenes.json` (`benchmarks/measure_scenes.py`) and
`dungeons.json` (`benchmarks/measure_maps.py dungeons dungeons.npz --baselines`). Figures that no command has measured
yet are left open. The names that a model is recognised by are also written to its file `prompts.json`: names of
`NAME-bundled.json` (`--prompts` with `--all`) where the last part of the training saw the test images, and
`NAME-prompts.json` is of the weights before it; otherwise names of `NAME-prompts.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointillist.files.arrays import PROGRAM, PROGRAM_TENSORS
from pointillist.files.writing import write_text
from scene_figures import scene_section

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parents[1] / "docs" / "evidence" / "zoo.md"
MEASURED = Path(__file__).parents[1] / "docs" / "evidence" / "zoo"
ZOO = ROOT / "src" / "pointillist" / "zoo"
OPEN = "not measured yet"
HEAD = """# The bundled models

<!-- Made by tools/make_zoo_page.py from measured figures: do not edit. -->

`pointillist models` lists the models that come with the package; `pointillist sample icons --text "shopping cart" -n 8`
samples from one. Each has a card, `src/pointillist/zoo/NAME/README.md`: data, licence, training, samples, limits.
"""
PROGRAMS = """## Integer programs

Each folder holds the model in [integers](../explanation/integer_programs.md), which `pointillist sample` runs
without torch.
Without one: {missing}.

| model | size | conditions without torch | conditions that need torch | fingerprint |
|---|---|---|---|---|
"""
CONCEPTS = """
`python benchmarks/measure_concepts.py {name}` ({when}) judges samples by classifiers of real images, as its head
explains. The rest is on the card, with its command. All samples at once: [concepts](zoo/{name}-concepts.png).
Artists were measured when guidance strengthened the style as well as the prompt: [decision
0063](../decisions/0063-guidance-keeps-the-label.md) has what became of it.
"""
PROMPTS = {
    "icons": """
What people type: {each} samples of each prompt, judged by a linear discriminant of all {count} names with {least} or
more training icons. Real icons are from sets that it has not seen. Plurals, two words in the other order and
{synonyms} synonyms stand for names with 40 or more. The plural of a name that is recognised is sampled as the name;
in quotes it is sampled literally. `python benchmarks/measure_concepts.py icons icons icons24.npz --at-least {least}
--each {each} --prompts icons-prompts.json` ({when}, seed 0). Targets over real icons: {targets}. No sample has a style
here; names in a style are measured in [decision 0063](../decisions/0063-guidance-keeps-the-label.md).

These figures, the figures of concepts and the figures on the card are of the weights before the last part of the
training, which saw the test icons, too. `pointillist info icons --prompts` lists what the bundled weights show:
{shown} of {bundled} names are among the first five guesses for three of four samples or more (the same command with
`--all --prompts icons-bundled.json`).
"""
}
PROMPT_TABLE = """
| prompts | number | first guess right | over real images | in the first five | real images |
|---|---|---|---|---|---|
"""
METRICS = ("top1", "top5", "mrr")
RANKS = r"^(classes|caption retrieval|caption retrieval unguided) +top1 ([\d.]+).*? top5 ([\d.]+).*? mrr ([\d.]+)"
KEYS = {
    "classes": "classes",
    "caption retrieval": "captions",
    "caption retrieval unguided": "captions by the model itself",
}
# of cards that were written before 2026-12-02
RANKED = r"^(\w+) ranked\s+first ([\d.]+).*?in five ([\d.]+).*?mean reciprocal rank ([\d.]+)"
Row = tuple[str, str, str, str]


def read(path: Path) -> Any:
    """Read a measurement; None if its command has not run."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def look_up(result: Any, *keys: str) -> Any:
    """Return an entry of nested tables; None if there is none."""
    for key in keys:
        result = result.get(key) if isinstance(result, dict) else None
    return result


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
    saved = "".join(re.findall(r"^bits saved\s+(.*)", text, re.MULTILINE))
    old = re.findall(r"^saved by (\w+)\s+(-?[\d.]+)", text, re.MULTILINE)
    result: dict[str, Any] = {"bits_saved": dict(old + re.findall(r"(\w+) (-?[\d.]+) \(95 %", saved))}
    for name, *ranked in re.findall(RANKS, text, re.MULTILINE):
        result[KEYS[name]] = dict(zip(METRICS, ranked, strict=True))
    result |= dict(re.findall(r"^(guidance)\s+(.+), where 1 is the model itself", text, re.MULTILINE))
    result |= dict(re.findall(r"^(bits/dim|images)\s+([\d.,]+)", re.sub("(?m)^count ", "images ", text), re.MULTILINE))
    own, *others = re.split(r"^(by the model itself)", text, flags=re.MULTILINE)
    for ending, part in (("", own), *zip(others[::2], others[1::2], strict=True)):
        for what, *ranked in re.findall(RANKED, part, re.MULTILINE):
            result[f"{what} {ending}".rstrip()] = dict(zip(METRICS, ranked, strict=True))
    return result


def share(result: Any, *keys: str) -> str:
    """Return a share of samples over the share of real images, with its interval."""
    interval = look_up(result, *keys, "interval_95")
    within = f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    return number(look_up(result, *keys, "samples_over_real"), "{:.2f}") + within


def judged(result: Any, *keys: str) -> str:
    """Return the accuracies that a share was made of."""
    samples, real = look_up(result, *keys, "samples"), look_up(result, *keys, "real")
    if not samples:
        return ""
    top1, top5 = (f"{samples[key]:.2f}" for key in ("top1", "top5"))
    return f"{top1} of {samples['count']} samples (in five {top5}), {real:.2f} of real images"


def concepts(name: str, targets: dict[str, str]) -> list[Row]:
    """Return the figures of a model of concepts and styles beside its targets, which have short keys."""
    own, conditional = figures(name), figures(name, "--split")
    result = read(MEASURED / f"{name}-concepts.json")
    test = f"of the {look_up(conditional, 'images') or OPEN} test images"
    copied, count = look_up(result, "copies"), "{:.1%}"
    rows = {
        "concepts": ("60 common concepts recognised, over real images", share(result, "concepts")),
        "styles": ("artist recognised, over real images", share(result, "styles")),
        "bits": (f"bits/pixel {test}, given name and set", number(look_up(conditional, "bits/dim"))),
        "saved": ("bits saved by the unseen name", number(look_up(own, "bits_saved", "text"), "{:.1f}")),
        "first": ("unseen name first among 50 by likelihood", number(look_up(own, "captions", "top1"), "{:.2f}")),
        "five": ("unseen name in the first five of 50", number(look_up(own, "captions", "top5"), "{:.2f}")),
        "copies": ("samples that copy a training image", number(look_up(copied, "samples"), count)),
    }
    comparison = {
        "concepts": judged(result, "concepts"),
        "styles": judged(result, "styles"),
        "first": "chance 0.02",
        "five": "chance 0.10",
        "copies": beside(f"{number(look_up(copied, 'test'), count)} of test images"),
    }
    return [(*row, targets.get(key, ""), comparison.get(key, "")) for key, row in rows.items()]


def others() -> list[Row]:
    """Return the figures of the other models."""
    digits, whole, alone = (figures("digits", o) for o in ("--condition-metrics", "--split", "--no-labels"))
    tile = figures("outline-to-tile")
    return [
        (
            f"`digits`: class by Bayes' rule, {look_up(digits, 'images') or OPEN} of the 10,000 test digits",
            number(look_up(digits, "classes", "top1"), "{:.2%}"),
            "97 %; 99 %",
            "",
        ),
        (
            "`digits`: bits/dim of the 10,000 test digits, 4 bits deep",
            number(look_up(whole, "bits/dim"), "{:.4f}"),
            "",
            beside(f"{number(look_up(alone, 'bits/dim'), '{:.4f}')} without the class"),
        ),
        (
            "`outline-to-tile`: bits/pixel of the 707 test tiles, given the outline",
            number(look_up(tile, "bits/dim")),
            "",
            "",
        ),
        *dungeons(),
    ]


def dungeons() -> list[Row]:
    """Return the figures of the maps: of the card, and of `benchmarks/measure_maps.py`."""
    own, result = figures("dungeons", "--split"), read(MEASURED / "dungeons.json")
    xz = (number(look_up(result, key)) for key in ("xz_primed", "xz"))
    return [
        (
            f"`dungeons`: bits/tile of the {look_up(own, 'images') or OPEN} test maps",
            number(look_up(own, "bits/dim")),
            "",
            beside("xz primed {}, xz {}".format(*xz)),
        ),
        (
            "`dungeons`: 16x16 windows of samples that are in training maps, over windows of test maps",
            number(look_up(result, "ratio"), "{:.2f}"),
            "1.5; 1",
            "",
        ),
    ]


def table(rows: list[Row]) -> str:
    """Render rows of figures with their targets: minimum and goal."""
    head = "| figure | value | target: minimum; goal | for comparison |\n|---|---|---|---|"
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


def when(name: str) -> str:
    """Return date and machine of a measurement."""
    result = read(MEASURED / name)
    return f"{result['date']}, {result['machine']}" if result else OPEN


TARGETS = {
    "icons": {
        "concepts": "0.75; 0.95",
        "styles": "0.7; 0.9",
        "saved": "6; 12",
        "first": "0.40; 0.60",
        "five": "0.68; 0.85",
        "copies": "1.2 times; as real images",
    }
}
PROMPT_TARGETS = {"all with 40 or more": 0.8, "plurals": 0.7, "synonyms": 0.4}


def prompts(name: str) -> str:
    """Render the table of names by the number of their training images, and of other prompts; empty if not measured."""
    result = read(MEASURED / f"{name}-prompts.json")
    if result is None:
        return ""
    groups, bundled = result["groups"], json.loads(measured_prompts(name))
    names = [row for row in result["by_prompt"] if row[0] == "names"]
    head = PROMPTS[name].format(
        each=result["each"],
        count=len(names),
        least=min(row[3] for row in names),
        synonyms=look_up(groups, "synonyms", "prompts"),
        when=when(f"{name}-prompts.json"),
        shown=len(bundled["recognised"]),
        bundled=len(bundled["recognised"]) + len(bundled["missed"]),
        targets=prompt_targets(groups),
    )
    rows = [
        f"| {group if not group[0].isdigit() else f'names with {group} training images'} | {entry['prompts']} "
        f"| {entry['samples']['top1']:.2f} | {entry['samples_over_real']:.2f} ({entry['interval_95'][0]:.2f} to "
        f"{entry['interval_95'][1]:.2f}) | {entry['samples']['top5']:.2f} | {entry['real']:.2f} |"
        for group, entry in groups.items()
    ]
    return head + PROMPT_TABLE + "\n".join(rows) + "\n"


def prompt_targets(groups: Mapping[str, Any]) -> str:
    """List the targets of prompts, and say which are missed."""
    return ", ".join(
        f"{target:.2f} for {group.replace('all', 'names')} ({'met' if met else 'missed'})"
        for group, target in PROMPT_TARGETS.items()
        if group in groups
        for met in [groups[group]["samples_over_real"] >= target]
    )


def measured_prompts(name: str) -> str:
    """Return the text of a model's `prompts.json`."""
    result = read(MEASURED / f"{name}-bundled.json") or read(MEASURED / f"{name}-prompts.json")
    recognised = set(result["recognised"])
    names = [row[1] for row in result["by_prompt"] if row[0] == "names"]
    how = f"benchmarks/measure_concepts.py, {result['date']}: in the first five guesses for 3 of 4 samples or more"
    lists = {"recognised": [n for n in names if n in recognised], "missed": [n for n in names if n not in recognised]}
    return json.dumps({"measured": how, **lists}, indent=1) + "\n"


def page() -> str:
    """Render the page."""
    parts = [HEAD]
    for name, targets in TARGETS.items():
        parts += [f"## `{name}`\n", table(concepts(name, targets))]
        parts.append(CONCEPTS.format(name=name, when=when(f"{name}-concepts.json")) + prompts(name))
    parts += ["## `scenes`\n", scene_section(read(MEASURED / "scenes.json"), ZOO / "scenes")]
    return "\n".join([*parts, "## The others\n", table(others()), "", programs()])


def programs() -> str:
    """Render the table of the integer programs."""
    rows, missing = [], []
    for folder in sorted(path.parent for path in ZOO.glob("*/config.json")):
        result = read(folder / PROGRAM)
        if result is None:
            missing.append(f"`{folder.name}`")
            continue
        parts = {part["name"]: part for part in result["parts"][0]}
        free = ["label"] if "label" in parts else []
        free += ["text"] if any(part.get("prompts") for part in parts.values()) else []
        free += ["hint"] if any(part.get("hints") for part in parts.values()) else []
        free += ["known"] if any(part.get("known") for part in parts.values()) else []
        encoded = ("hint", "attributes", "known")
        rest = [name for name in parts if (name in encoded or name.startswith("vector")) and name not in free]
        size = sum((folder / name).stat().st_size for name in (PROGRAM, PROGRAM_TENSORS))
        rows.append(
            f"| `{folder.name}` | {size / 1e6:.1f} MB | {', '.join(free) or 'none'} | {', '.join(rest) or 'none'} | "
            f"`{result['fingerprint'][:16]}` |"
        )
    return PROGRAMS.format(missing=", ".join(missing) or "none") + "\n".join(rows) + "\n"


def write() -> None:
    """Write the page, and the names that each model was measured to show."""
    write_text(PAGE, page())
    for path in MEASURED.glob("*-prompts.json"):
        name = path.name.removesuffix("-prompts.json")
        write_text(ZOO / name / "prompts.json", measured_prompts(name))


if __name__ == "__main__":
    write()
