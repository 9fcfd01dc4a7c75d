"""Print the share of sentences of known words that no form of the captions covers, and that are rewritten or named.

    python benchmarks/measure_sentences.py scenes benchmarks/uncovered_sentences.txt

A line has a sentence, and behind `=>` the sentence that says the same in a form of the captions, if there is one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pointillist as pt
from pointillist.errors import ConfigError
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


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sentences", type=Path)
    options = parser.parse_args()
    lines = options.sentences.read_text(encoding="utf-8").splitlines()
    missed = [line for line in lines if not is_read(pt.load(options.model), line)]
    print(f"{1 - len(missed) / len(lines):.3f} of {len(lines)} rewritten or named")
    print("\n".join(missed))


if __name__ == "__main__":
    main()
