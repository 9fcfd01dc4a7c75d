"""The address of a page that paints the images of `sample`: a studio, or an exported page of the model."""

from __future__ import annotations

import base64
import json
import os
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from pointillist.commands.sampling.settings import SampleSettings
from pointillist.data.palette import read_palette
from pointillist.errors import quote
from pointillist.model.vocabulary import read_prompts
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.draws import Draws
from pointillist.sampling.rules.config import Rules

SITE = "POINTILLIST_SITE"
"""Address of a studio, or of exported pages, in which `{model}` stands for the name of the model."""
_MOST_IMAGES = 16  # canvases of a page, and candidates of each
_NOT_LINKED = {"engine", "threads", "batch_size"}  # of no effect on the picture
_MOST_LETTERS = 6000  # of a value; a longer link does not pass through every program


def page_text(draws: Draws, settings: SampleSettings) -> str | None:
    """Return the address of a page that paints the images, or why there is none; None where no site is configured."""
    site = os.environ.get(SITE)
    if not site:
        return None
    if urlsplit(site).scheme not in ("http", "https", "file"):
        return f"none: `{SITE}` (={quote(site)}) is not an address, such as https://example.org/{{model}}.html"
    if draws.config.engine != "integer":
        return "none: a page paints by the stored integer program alone"
    link = {name: value for name, value in _link(draws, settings).items() if value is not None}
    missing = [
        name.replace("_", "-") for name, value in link.items() if value is False or len(str(value)) > _MOST_LETTERS
    ]
    if missing:
        return f"none: a link does not hold the --{' and --'.join(missing)} of these images"
    rest = "" if link["n"] == draws.count else f" (the first {link['n']} of {draws.count:,})"
    return f"{site.replace('{model}', link['model'])}#{urlencode(link)}{rest}{_read_by_letters(draws)}"


def _read_by_letters(draws: Draws) -> str:
    """Say that an exported page holds no vector of the prompt for a frozen encoder, and paints another picture."""
    from pointillist.studio.export.page import held_prompts

    reader, text = draws.model.conditions.prompt_reader, (draws.request.conditions[0]["text"] or [""])[0]
    read = None if reader is None or reader.vectors is None else read_prompts(draws.model, text, 1)
    if read is None or not read.texts[0].strip() or read.texts[0] in held_prompts(draws.model):
        return ""
    return f" (a studio paints it; an exported page reads {read.texts[0]!r} by its letters, and paints another picture)"


def _link(draws: Draws, settings: SampleSettings) -> dict[str, Any]:
    """Return the values of a link by their names in `link.js`: None for none, False for what has no form."""
    keywords = draws.request.conditions[0]
    model, count, best = draws.model, draws.count, settings.best_of
    labels, texts = keywords["label"] or [-1] * count, keywords["text"] or [None] * count
    same = sum(1 for _ in takewhile((labels[0], texts[0]).__eq__, zip(labels, texts, strict=True)))
    changed = {
        name: value
        for name, value in SamplingConfig.keywords_of(settings).items()
        if name not in _NOT_LINKED and value != getattr(type(settings), name)
    }
    colours = None if settings.palette is None else model.image.recoloured(read_palette(settings.palette)).palette
    return {
        "model": Path(settings.model).name,
        "text": texts[0],
        "label": model.classes[labels[0]] if labels[0] >= 0 else None,
        **{f"a.{name}": value for name, value in keywords.get("attributes", {}).items()},
        **{f"c.{name}": _typed(keywords[name]) for name in (each.split("=")[0].strip() for each in settings.condition)},
        "seed": draws.uniforms.seed,
        **changed,
        "n": min(same, _MOST_IMAGES),
        "best_of": None if best == 1 else best <= _MOST_IMAGES and best,
        "seamless": settings.seamless,
        "size": settings.size and "x".join(map(str, draws.size)),
        "rules": _rules(draws.config.parsed_rules),
        "palette": colours and bytes(channel for colour in colours for channel in colour[:3]).hex(),
        "hint": _hint(draws),
    }


def _typed(value: Any) -> str | bool:
    """Write a condition as one types it; False for a picture or an array of a file."""
    return json.dumps(value) if isinstance(value, (str, int, float, list)) else False


def _rules(rules: Rules | None) -> str | bool | None:
    """Write rules as messages hold them; False for those that read a file."""
    if rules is None:
        return None
    return not rules.reads_files and rules.model_dump_json(by_alias=True, exclude_unset=True)


def _hint(draws: Draws) -> str | bool | None:
    """Pack a hint in base64url: levels in as few bits as they take, numbers as float32."""
    hint, reader, image = draws.request.conditions[0].get("hint"), draws.model.conditions.hint_reader, draws.model.image
    if hint is None or reader is None:
        return None if reader is None else "none"
    if draws.size != (image.height, image.width):
        return False
    values = reader.read(hint, 1, draws.size).values.ravel()
    data = values.astype("<f4")
    if reader.image is not None:
        bits = max(1, (reader.image.levels - 1).bit_length())
        data = np.packbits(values[:, None] >> np.arange(bits)[::-1] & 1)
    return base64.urlsafe_b64encode(data.tobytes()).decode().rstrip("=")
