"""Write `src/pointillist/studio/page/messages.d.ts`, the types of the studio's messages, from its own description.

Run `python tools/make_messages.py` after changing a message; a test compares the file with the server. `make page`
checks the page's scripts against it, so that a field that is renamed on one side only does not pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointillist.studio.app import create_app
from pointillist.studio.room import Room

FILE = Path(__file__).parents[1] / "src" / "pointillist" / "studio" / "page" / "messages.d.ts"
HEAD = """// Made by tools/make_messages.py from the server's description: do not edit.
declare namespace Api {"""


def text() -> str:
    """The whole file."""
    schemas = create_app(Room([])).openapi()["components"]["schemas"]
    return "\n".join([HEAD, *(_declared(name, schemas[name]) for name in sorted(schemas)), "}", ""])


def _declared(name: str, schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return f"  type {name} = {_type(schema)};"
    required = schema.get("required", [])
    fields = (
        f"    {key}{'' if key in required or 'const' in one else '?'}: {_type(one)};"
        for key, one in schema["properties"].items()
    )
    return "\n".join([f"  interface {name} {{", *fields, "  }"])


def _type(schema: dict[str, Any]) -> str:
    """A schema in TypeScript."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for ways in ("anyOf", "oneOf"):
        if ways in schema:
            return " | ".join(_type(way) for way in schema[ways])
    if "const" in schema or "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        item, least = _type(schema["items"]), schema.get("minItems", 0)
        if least == schema.get("maxItems"):
            return f"[{', '.join([item] * least)}]"
        return f"({item})[]" if "|" in item else f"{item}[]"
    if schema["type"] == "object":
        return f"Record<string, {_type(schema['additionalProperties'])}>"
    return {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}[
        schema["type"]
    ]


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
