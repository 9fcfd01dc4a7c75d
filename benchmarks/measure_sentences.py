"""Print the share of sentences of known words that no form of the captions covers, and that are rewritten or named.

    python benchmarks/measure_sentences.py scenes benchmarks/uncovered_sentences.txt
    python benchmarks/measure_sentences.py scenes --typos 1000

The second command draws sentences of the model's grammar, each way as likely, with one letter of a word replaced, left
out, doubled, or exchanged with the next one. It prints the share that is read as without the error, and the share that
is read so or whose wrong word is named, and some of the others. A line of the file has a sentence, and behind `=>` the
sentence that says the same in a form of the captions, if there is one.
"""

from __future__ import annotations

import argparse
import re
from itertools import islice
from pathlib import Path
from string import ascii_lowercase

import numpy as np

import pointillist as pt
from pointillist.errors import ConfigError
from pointillist.model.folder.grammar import Grammar
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import read_prompts


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


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sentences", type=Path, nargs="?")
    parser.add_argument("--typos", type=int, metavar="N", help="sentences with one letter wrong")
    options = parser.parse_args()
    if options.typos:
        measure_typos(pt.load(options.model), options.typos)
        return
    lines = options.sentences.read_text(encoding="utf-8").splitlines()
    missed = [line for line in lines if not is_read(pt.load(options.model), line)]
    print(f"{1 - len(missed) / len(lines):.3f} of {len(lines)} rewritten or named")
    print("\n".join(missed))


if __name__ == "__main__":
    main()
