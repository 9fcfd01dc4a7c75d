"""Errors of the studio, with the HTTP status and the code that its page understands; sentences about invalid bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from pointillist.errors import PointillistError
from pointillist.studio.schemas import ErrorResponse


class RequestError(PointillistError):
    """A request that cannot be answered; see docs/reference/studio_api.md.

    Args:
        status: HTTP status.
        code: kind of error, for programs.
        sentence: what is wrong, for people.
        retry_after: seconds after which to try again.
        details: further fields of `ErrorResponse`.
    """

    status: int
    retry_after: int | None

    def __init__(
        self, status: int, code: str, sentence: str, *, retry_after: int | None = None, **details: Any
    ) -> None:
        super().__init__(sentence)
        self.status, self.retry_after = status, retry_after
        self.response: ErrorResponse = ErrorResponse(error=str(self), code=code, **details)


def too_large(name: str, value: int, limit: int, remedy: str) -> RequestError:
    return RequestError(413, "too_large", f"{name} (={value:,}) is over the limit of {limit:,}: {remedy}.")


NOT_JSON = "The body is not valid JSON: send one object, as UTF-8."
_LONGEST = 40  # characters of a value that is quoted

_WORDS = {
    "^[A-Z][a-z]+ should": "must",
    " after validation.*|, (got|unable) .*": "",  # which says of the value again
    "Field required": "is missing: the address needs it",
    "Extra inputs are not permitted": "is not a field of this message: leave it out",
    "a valid dictionary.*": "an object",
    "a valid (?=integer)": "an ",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "a valid ": "a ",
    "greater than or equal to": "at least",
    "greater than": "above",
    "less than or equal to": "at most",
    "less than": "below",
}
"""Patterns of pydantic's messages, and the words of a sentence about a field."""


def sentence(errors: Sequence[ErrorDetails], body: Any) -> str:
    """Name the first invalid field, its value and its rule; for a value of several types all their rules.

    Args:
        errors: of pydantic, as FastAPI reports them.
        body: what was sent.

    Example:
        sentence(error.errors(), error.body)  # "`samples` (17 items) must have at most 16 items."
    """
    first = errors[0]
    if first["type"] == "json_invalid":
        return NOT_JSON
    field = _field(first, body)
    rules = list(dict.fromkeys(_rule(error) for error in errors if _field(error, body) == field))
    value = "" if first["type"] in ("missing", "extra_forbidden") else _value(first["input"])
    return f"{field}{value} {' or '.join(rules).replace(' or must be', ' or')}."


def _field(error: ErrorDetails, body: Any) -> str:
    """Return the path of a field between backticks, without the names of alternatives that pydantic adds."""
    part, *path = error["loc"]
    if part != "body":
        return f"`{path[-1]}`" if path else f"`{part}`"
    names, value = [], body
    for name in path:
        is_item = isinstance(value, list) and isinstance(name, int) and name < len(value)
        if is_item or (isinstance(value, dict) and name in value):
            value = value[name]
            names.append(str(name))
        elif error["type"] == "missing" and name == path[-1]:
            names.append(str(name))
    return f"`{'.'.join(names)}`" if names else "The body"


def _rule(error: ErrorDetails) -> str:
    """Return the message of an error as the end of a sentence about its field."""
    rule = str(error["msg"]).removeprefix("Value error, ")
    for pattern, words in _WORDS.items():
        rule = re.sub(pattern, words, rule)
    return rule if rule.startswith(("must ", "is ")) else f"is not valid: {rule[:1].lower()}{rule[1:]}"


def _value(value: Any) -> str:
    """Return a value as a sentence quotes it, and of a long one its size."""
    if isinstance(value, (list, dict)):
        unit = "item" if isinstance(value, list) else "field"
        return f" ({len(value):,} {unit if len(value) == 1 else f'{unit}s'})"
    if isinstance(value, str) and len(value) > _LONGEST:
        return f" ({len(value):,} characters)"
    text = json.dumps(value, default=str)  # as it was sent; half a character is escaped
    return f" (={text[:_LONGEST]})"
