"""Print the share of sentences of known words that no form of the captions covers, and that are rewritten or named.

    python benchmarks/measure_sentences.py scenes benchmarks/uncovered_sentences.txt
    python benchmarks/measure_sentences.py scenes --typos 1000
    python recipes/scenes/make_scenes.py scenes.npz --train 10
    python benchmarks/measure_sentences.py scenes --binding scenes.npz
    python benchmarks/measure_sentences.py runs/scenes --binding recipes/scenes/endless.py:scenes

The second command draws sentences of the model's grammar, each way as likely, with one letter of a word replaced, left
out, doubled, or exchanged with the next one. It prints the share that is read as without the error, and the share that
is read so or whose wrong word is named, and some of the others. A line of the file has a sentence, and behind `=>` the
sentence that says the same in a form of the captions, if there is one.

The last two take held-out pictures, and their captions of two things with the colours exchanged, or with the only
colour at the other thing. They print, by kind of sentence, the share of pictures that are likelier given their caption,
with its 95 % interval, and the mean, in nats, of log p(picture | caption) - log p(picture | exchanged caption).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from itertools import islice
from pathlib import Path
from string import ascii_lowercase

import numpy as np

import pointillist as pt
from pointillist.data.load import load_data
from pointillist.errors import ConfigError
from pointillist.model.folder.grammar import Grammar, either
from pointillist.model.folder.image_sources import resolve_data_options
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import read_prompts

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "scenes"))

from endless import grammar  # isort: skip
from nearest import wilson  # isort: skip

RELATIONS = ("beside", "on", "under", "in front of", "behind")  # "on the left of" is no "on"
STREAMS = 8  # of an endless data set: 350 held-out pictures each


def is_read(model: LikelihoodModel, line: str) -> bool:
    """Return whether a sentence is sampled as it should be, or named."""
    sentence, _, expected = (part.strip() for part in line.partition("=>"))
    try:
        read = read_prompts(model, sentence, 1)
    except ConfigError:
        return not expected
    return read is not None and bool(read.notes) and (not expected or read.texts == [expected])


def drawn(grammar: Grammar, key: str, rng: np.random.Generator) -> list[str]:
    """Draw words in a form of a grammar, each way as likely."""
    entry = grammar.table[key]
    if isinstance(entry, frozenset):
        return str(rng.choice(sorted(entry))).split()
    sequence = entry[int(rng.integers(len(entry)))]
    return [word for name, _ in sequence for word in drawn(grammar, name, rng)]


def with_typo(words: list[str], rng: np.random.Generator) -> tuple[str, str]:
    """Return a sentence with a letter of one of its words wrong, and this word."""
    chosen = int(rng.choice([i for i, word in enumerate(words) if len(word) > 1 and word.isalpha()]))
    wrong = word = words[chosen]
    while wrong == word:
        at, other, way = int(rng.integers(len(word))), str(rng.choice(list(ascii_lowercase))), int(rng.integers(4))
        middle = (other, "", word[at] * 2, word[at : at + 2][::-1])[way]
        wrong = word[:at] + middle + word[at + (2 if way == 3 else 1) :]
    return " ".join([*words[:chosen], wrong, *words[chosen + 1 :]]), wrong


def is_right(model: LikelihoodModel, caption: str, typo: str, word: str) -> tuple[bool, bool]:
    """Return whether a caption with an error is read as without it, and whether the word is named."""
    try:
        expected, read = (read_prompts(model, text, 1) for text in (caption, typo))
    except ConfigError:
        return False, True
    assert expected is not None
    assert read is not None
    plain, other = (re.sub(r"\ban\b", "a", each.texts[0].replace(" ,", ",")) for each in (expected, read))
    return plain == other, any(f"'{word}'" in note for note in read.notes)


def measure_typos(model: LikelihoodModel, number: int) -> None:
    """Print the shares of sentences of a model's grammar."""
    rng, grammar = np.random.default_rng(76), model.measured_prompts.words.grammar
    sentences = (words for words in iter(lambda: drawn(grammar, "sentences", rng), None) if max(map(len, words)) > 1)
    cases = [(" ".join(words), *with_typo(words, rng)) for words in islice(sentences, number)]
    found = [is_right(model, *case) for case in cases]
    silent = [typo for (_, typo, _), each in zip(cases, found, strict=True) if not any(each)]
    print(f"{sum(right for right, _ in found) / number:.3f} of {number} read as without the error")
    print(f"{1 - len(silent) / number:.3f} read so, or with the word named")
    print("\n".join(silent[:20]))


def exchanged(grammar: Grammar, caption: str) -> tuple[str, str] | None:
    """Return the kind of a caption of two things, and the caption with their colours exchanged.

    There is none where the colours are equal, or a thing does not take the other one.
    """
    colours, names = (either(words) for words in (grammar.words["colour"], grammar.names))
    where = either([*grammar.words["place"], *grammar.words["time"]])  # which have things, too: "at home"
    seen = re.sub(rf"\b({where})\b", lambda match: "-" * len(match[0]), caption)
    things = list(re.finditer(rf"(?<!\w)((?:{colours}) )?({names})(?!\w)", seen))
    if len(things) != 2 or things[0][1] == things[1][1]:
        return None
    one, other = things
    for thing, colour in ((one[2], other[1]), (other[2], one[1])):
        if colour and colour.strip() not in grammar.colours.get(thing, [colour.strip()]):
            return None
    first, between, last = caption[: one.start()], caption[one.end() : other.start()], caption[other.end() :]
    text = f"{first}{other[1] or ''}{one[2]}{between}{one[1] or ''}{other[2]}{last}"
    text = re.sub(r"\ban?(?= (\w))", lambda match: "an" if match[1] in "aeiou" else "a", text)
    rest = f"{seen[: one.start()]} {seen[one.end() : other.start()]} {seen[other.end() :]}"
    said = [kind for kind in RELATIONS if re.search(rf"\b({either(grammar.words[kind])})\b", rest)]
    kind = said[0].replace("beside", "next to") if said else "other forms"
    return f"{kind}, {'both' if one[1] and other[1] else 'one'} coloured", text


def measure_binding(model: LikelihoodModel, source: str) -> None:
    """Print how much likelier pictures are given their caption than with its colours exchanged, by kind of caption."""
    known = model.measured_prompts.words.grammar
    known = known if known.names else Grammar.model_validate(grammar())
    gains: dict[str, list[float]] = defaultdict(list)
    for seed in range(STREAMS if ":" in source else 1):
        options = resolve_data_options(model, source, [f"data.seed={seed}"], labels=True)
        images = load_data(source, options, spec=model.image, classes=model.classes).natural()[1]
        assert images.texts is not None
        cases = [(i, *case) for i, text in enumerate(images.texts) if (case := exchanged(known, text))]
        rows, kinds, others = (list(column) for column in zip(*cases, strict=True))
        chosen = images.subset(np.array(rows))
        true, false = (pt.evaluate(model, chosen, text=text).nats_per_image for text in (None, others))
        for kind, nats in zip(kinds, false - true, strict=True):
            gains[kind].append(float(nats))
            gains["of all"].append(float(nats))
    for kind, nats in sorted(gains.items()):
        right = sum(each > 0 for each in nats)
        low, high = wilson(right, len(nats))
        share = f"{right / len(nats):.3f} ({low:.3f} to {high:.3f})"
        print(f"| {kind} | {len(nats):,} | {share} | {np.mean(nats):.1f} | {np.median(nats):.1f} |")


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sentences", type=Path, nargs="?")
    parser.add_argument("--typos", type=int, metavar="N", help="sentences with one letter wrong")
    parser.add_argument("--binding", metavar="DATA", help="pictures whose captions get their colours exchanged")
    options = parser.parse_args()
    if options.binding:
        measure_binding(pt.load(options.model), options.binding)
        return
    if options.typos:
        measure_typos(pt.load(options.model), options.typos)
        return
    lines = options.sentences.read_text(encoding="utf-8").splitlines()
    missed = [line for line in lines if not is_read(pt.load(options.model), line)]
    print(f"{1 - len(missed) / len(lines):.3f} of {len(lines)} rewritten or named")
    print("\n".join(missed))


if __name__ == "__main__":
    main()
