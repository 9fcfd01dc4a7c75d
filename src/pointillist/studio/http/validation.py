"""Sentences about bodies that do not match their schema: the field, its value, the rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

NOT_JSON = "The body is not valid JSON: send one object, as UTF-8."
_LONGEST = 40  # characters of a value that is quoted

_RULES = {
    "missing": "is missing: the address needs it",
    "extra_forbidden": "is not a field of this message: leave it out",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer of at most 4,300 digits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} {unit}",
    "too_long": "must have at most {max_length} {unit}",
    "string_too_short": "must have at least {min_length} {unit}",
    "string_too_long": "must have at most {max_length} {unit}",
}
"""Rules by pydantic's types of errors."""


def sentence(errors: Sequence[Mapping[str, Any]], body: Any) -> str:
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


def _field(error: Mapping[str, Any], body: Any) -> str:
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


def _rule(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "value_error":
        return f"is not valid: {str(error['msg']).removeprefix('Value error, ')}"
    if kind not in _RULES:
        return f"is not valid: {str(error['msg'])[:1].lower()}{str(error['msg'])[1:]}"
    values = {name: _number(value) for name, value in error.get("ctx", {}).items()}
    unit = "character" if isinstance(error["input"], str) else "item"
    length = values.get("min_length", values.get("max_length"))
    return _RULES[kind].format(unit=unit if length == "1" else f"{unit}s", **values)


def _number(value: Any) -> str:
    """Return a number with separators, and any other value as it is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _value(value: Any) -> str:
    """Return a value as a sentence quotes it, and of a long one its size."""
    if isinstance(value, (list, dict)):
        unit = "item" if isinstance(value, list) else "field"
        return f" ({len(value):,} {unit if len(value) == 1 else f'{unit}s'})"
    if isinstance(value, str) and len(value) > _LONGEST:
        return f" ({len(value):,} characters)"
    text = json.dumps(value, default=str)  # as it was sent; half a character is escaped
    return f" (={text[:_LONGEST]})"
