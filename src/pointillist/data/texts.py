"""Check texts of users: captions, prompts and names, of a length that a model can read."""

from __future__ import annotations

from collections.abc import Iterable

from pointillist.errors import ConfigError, PointillistError, quote

MAX_TEXT = 10_000
"""Longest caption or prompt, in characters: text encoders read its first hundred tokens or fewer."""
MAX_NAME = 500
"""Longest name of a class or of the value of an attribute, in characters."""


def check_texts(
    texts: Iterable[str], what: str, limit: int = MAX_TEXT, error: type[PointillistError] = ConfigError
) -> None:
    """Check that texts are not too long, and that each can be encoded.

    ```python
    check_texts(["a red dragon"], "`text`")
    ```

    Args:
        texts: captions, prompts or names.
        what: what one of them is called in messages.
        limit: longest text, in characters.
        error: kind of error to raise.

    Raises:
        PointillistError: of the kind `error`, quoting the first text that is wrong.
    """
    for text in texts:
        if len(text) > limit:
            raise error(
                f"{what} (={quote(text)}) has {len(text):,} characters, over the limit of {limit:,}: shorten it."
            )
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise error(f"{what} (={quote(text)}) holds half of a character, which no file can store: correct it.")
