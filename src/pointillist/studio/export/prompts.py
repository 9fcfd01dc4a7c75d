"""Features of prompts that only a frozen encoder can read, for a page that has no encoder."""

from __future__ import annotations

from typing import Any

from pointillist.analysis.condition_gain import prompt_words
from pointillist.conditioning.portable.fixed_point import to_fixed
from pointillist.conditioning.prompts import SentenceFeatures
from pointillist.model.folder.portable import PortableModel
from pointillist.model.vocabulary import Vocabulary, caption_words, learned_words

WORDS = 300
"""Most frequent words of the captions that the table has. A prompt takes about 300 bytes of a page."""


def caption_table(model: PortableModel) -> dict[str, Any]:
    """Return names that samples seldom showed, and the words of captions, where prompts are read by them.

    `learned` has their kinds if the model has learned its words, and is None where a sentence encoder reads prompts.
    """
    measured, learned = model.measured_prompts, learned_words(model)
    words = caption_words(model) if measured.recognised or learned is not None else ()
    kinds = None if learned is None else measured.words.model_dump(mode="json")
    return {"missed": list(measured.missed), "words": " ".join(words), "learned": kinds}


def prompt_table(model: PortableModel) -> dict[str, dict[str, list[int]]]:
    """Return features in steps of 2^-18, by the part of the condition that reads them, and by prompt.

    The prompts are the examples of a model, the names that its samples were recognised by, these without each of their
    words, for the bits of a word, and the most frequent words of its captions. `pt.sample` computes the same integers
    from the vectors of the encoder.
    """
    vocabulary = Vocabulary.of_record(model.training_record)
    words = vocabulary.words[:WORDS] if vocabulary is not None else ()
    names = [*model.generation_config.prompts, *model.measured_prompts.recognised]
    shorter = [word.left_out_of(name) for name in names for word in prompt_words(name)]
    prompts = [prompt for prompt in dict.fromkeys([*names, *words, *shorter]) if prompt]
    table: dict[str, dict[str, list[int]]] = {}
    for part in model.integer_model.parts[0]:
        if isinstance(part.encoder, SentenceFeatures) and prompts:
            read = part.encoder.read(prompts, len(prompts), (1, 1))
            features = to_fixed(part.encoder.features(read.values, read.known))
            table[part.name] = dict(zip(prompts, features.tolist(), strict=True))
    return table
