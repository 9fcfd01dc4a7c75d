"""Prepare icons for prompts as people type them: common names more often, plurals, synonyms, words in another order.

    python recipes/zoo/prepare_prompts.py icons24.npz icons3.npz
    python recipes/zoo/prepare_prompts.py icons24.npz icons-all.npz --all   # with the images of the test split, too

The result is that of `prepare_concepts.py`, but for the training split. A name with COMMON training icons or more has
as many rows as the root of their number, times SCALE; icons of rarer names occur RARE times on the average. Icons whose
name says `left` or `right` are mirrored in half of their rows, and the words exchanged. Then the caption of a row
becomes, by the probabilities of FORMS, a synonym, a plural, or words in another order, where the name has such a form.
`synonyms.json` holds synonyms, written by hand on 2026-11-29, and which of their names have no plural.

What benchmarks test is left out: the synonyms of `benchmarks/concepts.toml` are not in the list, and one name in three
(`is_tested`) has neither plural nor another order of words. No form of a name, nor its mirror image, is a name of the
splits `valid` and `test`.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from prepare_concepts import caption, held_out_names

COMMON, SCALE, RARE = 25, 20.0, 0.4
HELD_OUT, UNSEEN = 100, 4.0
FORMS = {"synonym": 0.2, "plural": 0.12, "order": 0.12}
WORDS = json.loads(Path(__file__).with_name("synonyms.json").read_text(encoding="utf-8"))
MIRRORED = {"left": "right", "right": "left"}


def is_tested(name: str) -> bool:
    """Return whether plural and order of words of a name are kept from the training: one name in three."""
    return zlib.crc32(name.encode()) % 3 == 0


def plural(name: str) -> str | None:
    """Return the plural of a name whose last word is a noun of the list; None for others."""
    last = name.split()[-1]
    if name in WORDS["no_plural"] or last in WORDS["no_plural"] or last not in WORDS["synonyms"]:
        return None
    irregular = {"leaf": "leaves", "mouse": "mice", "person": "people", "bus": "buses"}
    if last in irregular:
        return name.removesuffix(last) + irregular[last]
    if last.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name[-1] == "y" and name[-2] not in "aeiou" else f"{name}s"


def forms(name: str) -> dict[str, list[str]]:
    """Return the other forms of a name, by their kind: `key` to `{"plural": ["keys"]}`."""
    result: dict[str, list[str]] = {"synonym": WORDS["synonyms"].get(name, [])}
    if not is_tested(name):
        several, words = plural(name), name.split()
        result["plural"] = [] if several is None else [several]
        result["order"] = [" ".join(reversed(words))] if len(words) in (2, 3) else []
    return {kind: texts for kind, texts in result.items() if texts}


def vary(name: str, rng: np.random.Generator, reserved: set[str]) -> str:
    """Draw a form of a name that is not one of the `reserved` names."""
    draw, options = rng.random(), forms(name)
    for kind, probability in FORMS.items():
        if draw < probability:
            texts = [text for text in options.get(kind, []) if text not in reserved] or [name]
            return texts[int(rng.integers(len(texts)))]
        draw -= probability
    return name


def mirror(name: str) -> str:
    """Exchange `left` and `right`."""
    return " ".join(MIRRORED.get(word, word) for word in name.split())


def draw_rows(names: np.ndarray, weights: np.ndarray, counts: Counter[str], rng: np.random.Generator) -> np.ndarray:
    """Draw the rows of the training split: the whole part of what each icon is due, and the rest by chance."""
    count = np.array([counts[name] for name in names.tolist()])
    due = np.where(count >= COMMON, SCALE / np.sqrt(np.maximum(count, 1)), RARE) * weights
    times = np.floor(due + rng.random(len(names))).astype(int)
    return np.repeat(np.arange(len(names)), times)


def prepare(source: str, target: str, *, everything: bool = False) -> dict[str, int]:
    """Write the data set, with the test split as training images if `everything`; return the images of each split."""
    with np.load(source, allow_pickle=False) as file:
        data: dict[str, Any] = {name: file[name] for name in ("x", "name", "set", "split", "style")}
    rng = np.random.default_rng(0)
    names, split = data["name"], data["split"]
    counts = Counter(names[split == "train"].tolist())
    valid = np.isin(names, list(held_out_names(counts, 20, HELD_OUT))) & (split == "train")
    split = np.where(valid, "valid", split)
    weights = np.where(split == "train", 1.0, 0.0)
    if everything:
        counts.update(names[split == "test"].tolist())
        weights[split == "test"] = UNSEEN
        split = np.where(split == "test", "train", split)
    reserved = set(names[split != "train"].tolist())
    drawn = draw_rows(names, weights, counts, rng)
    rows = np.concatenate([drawn, np.flatnonzero(split != "train")])
    images, words = data["x"][rows], names[rows].tolist()
    for i in range(len(drawn)):
        mirrored = mirror(words[i])
        if mirrored != words[i] and mirrored not in reserved and rng.random() < 0.5:
            images[i], words[i] = images[i, :, ::-1], mirrored
    texts = [vary(word, rng, reserved) if i < len(drawn) else word for i, word in enumerate(words)]
    captions = [caption(*pair) for pair in zip(texts, data["style"][rows].tolist(), strict=True)]
    columns = {"name": np.array(words), "caption": np.array(captions), "set": data["set"][rows], "split": split[rows]}
    np.savez_compressed(target, x=images, **columns)
    return dict(sorted(Counter(columns["split"].tolist()).items()))


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--all", action="store_true", help="train on the images of the test split, too")
    options = parser.parse_args()
    result = prepare(options.source, options.target, everything=options.all)
    print(f"{options.target}: " + ", ".join(f"{part} {count:,}" for part, count in result.items()))


if __name__ == "__main__":
    main()
