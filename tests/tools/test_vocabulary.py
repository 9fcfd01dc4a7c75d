"""The vocabulary of the package: words of a former dialect stay out of identifiers, docstrings, help and pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts import script
from tests.tools.test_structure import COMMITTED, measured

words = script("measure_structure").words


@pytest.mark.parametrize("word", COMMITTED["words"])
def test_a_word_becomes_no_more_frequent(word: str) -> None:
    """Words of the second list: as many identifiers as in `structure.json`, or fewer."""
    now, before = measured()["words"][word], COMMITTED["words"][word]
    better = words.COUNTED[word]
    assert now <= before, f"{now} identifiers with `{word}`, and {before} before; write {better}."


@pytest.mark.parametrize("phrase", COMMITTED["phrases"])
def test_a_phrase_becomes_no_more_frequent(phrase: str) -> None:
    """Phrases of the second and third list, in strings and comments of the package."""
    now, before = measured()["phrases"][phrase], COMMITTED["phrases"][phrase]
    assert now <= before, f"{phrase!r} stands {now} times in the package, and {before} times before."


@pytest.mark.parametrize("word", COMMITTED["documents"])
def test_documents_become_no_worse(word: str) -> None:
    """Words in the Python blocks of documents, and phrases in their text."""
    now, before = measured()["documents"][word], COMMITTED["documents"][word]
    assert now <= before, f"{word!r} stands {now} times in documents, and {before} times before."


def test_the_dialect_is_found() -> None:
    """The checks can fail."""
    assert words.words_of("toldLabel") & words.COUNTED.keys()
    assert not words.words_of("ordinary_name") & words.COUNTED.keys()
    assert re.search(words.PHRASES["is told"], "A model is told its label.")


def test_the_third_dialect_is_found(tmp_path: Path) -> None:
    """In the text of a document, over the end of a line, and in its code."""
    (tmp_path / "README.md").write_text("Tell\nwhether it lacks those of anew.\n\n```python\nfound = 1\n```\n")
    places = words.document_places(tmp_path)
    assert {name for name, where in places.items() if where} == {
        *("tell whether", "lacks", "those of, that of", "anew", "found")
    }
