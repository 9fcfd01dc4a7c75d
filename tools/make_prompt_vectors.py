"""Write the vectors of the prompts that bundled models were measured to show: `python tools/make_prompt_vectors.py`.

They are read where the sentence encoder (extra `text`) is not installed, and before it where it is: so a name gives the
same picture on every platform. A vector takes 2 KB. A test compares the file with the models and the encoder.
"""

from __future__ import annotations

import numpy as np

from pointillist.conditioning.text import TextConfig
from pointillist.conditioning.text_encoders.cache import normalize_text
from pointillist.conditioning.text_encoders.universal_sentence_encoder import TABLE, UniversalSentenceEncoder
from pointillist.model.folder.opening import open_folder
from pointillist.model.portable.files import has_program
from pointillist.studio.export.page import WORDS
from pointillist.zoo import list_pretrained


def tabled_prompts() -> list[str]:
    """Return names, examples and frequent words of captions of the models that read prompts by the encoder."""
    prompts: set[str] = set()
    for model in (open_folder(each.folder) for each in list_pretrained() if has_program(each.folder)):
        text = model.condition(TextConfig)
        if text is None or text.frozen != UniversalSentenceEncoder.name:
            continue
        vocabulary = model.training_record.captions
        words = () if vocabulary is None else vocabulary.words[:WORDS]
        measured = model.measured_prompts
        prompts |= {*model.generation_config.prompts, *measured.recognised, *measured.missed, *words}
    return sorted({normalize_text(prompt) for prompt in prompts})


def main() -> None:
    """Encode all prompts, and write the file."""
    encoder, prompts = UniversalSentenceEncoder(), tabled_prompts()
    texts = np.frombuffer("\n".join([encoder.fingerprint, *prompts]).encode(), np.uint8)
    np.savez(TABLE, texts=texts, vectors=np.stack([encoder.compute(prompt) for prompt in prompts]))


if __name__ == "__main__":
    main()
