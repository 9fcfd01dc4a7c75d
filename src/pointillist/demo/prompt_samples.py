"""Paintings from prompts, by the models that ship with the package."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PIL import Image

from pointillist.model.pretrained import load
from pointillist.sampling.api import sample
from pointillist.visualization import html, image_grid
from pointillist.zoo import list_pretrained

PROMPTS = {
    "tiles": ("red dragon", "blue potion", "skeleton warrior", "stone wall"),
    "emoji": ("smiling face", "green apple", "red heart", "sleepy moon"),
}
EACH, GUIDANCE = 4, 2.0
NONE = "no model of this release listens to text"


def find_prompt_models() -> list[Path]:
    """Folders of the shipped models that paint from prompts."""
    return [model.folder for model in list_pretrained() if model.name in PROMPTS]


def sample_prompts(folder: Path, seed: int) -> Image.Image:
    """A sheet of `EACH` paintings of each prompt of a model."""
    texts = [prompt for prompt in PROMPTS[folder.name] for _ in range(EACH)]
    painted = sample(load(folder), len(texts), text=texts, guidance=GUIDANCE, seed=seed)
    return image_grid(painted.array, captions=texts, columns=2 * EACH)


def section(sheets: dict[str, Path], seed: int) -> str:
    """The part of the page that shows the sheets in some files; a sentence where there are none."""
    if not sheets:
        return f"<p>Here would be paintings from prompts, but {NONE}.</p>"
    shown = []
    for name, file in sheets.items():
        with Image.open(file) as picture:
            width, height = picture.size
        first = PROMPTS[name][0]
        command = f'pointillist sample {name} --text "{first}" -n {EACH} --guidance {GUIDANCE:g} --seed {seed}'
        shown.append(
            f'<figure><img src="{html.data_uri(file.read_bytes(), "png")}" width="{width}" '
            f'height="{height}" alt="{escape(", ".join(PROMPTS[name]))}: {EACH} paintings of each">'
            f"<figcaption><code>{escape(command)}</code></figcaption></figure>"
        )
    return "".join(shown)
