"""Samples from prompts, by the pretrained models of the package."""

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
PER_PROMPT, GUIDANCE = 4, 2.0
NONE = "no pretrained model of this release is conditioned on text"


def find_prompt_models() -> list[Path]:
    """Return the folders of the pretrained models that sample from prompts."""
    return [model.folder for model in list_pretrained() if model.name in PROMPTS]


def sample_prompts(folder: Path, seed: int) -> Image.Image:
    """Sample `PER_PROMPT` images for each prompt of a model, as one image grid."""
    texts = [prompt for prompt in PROMPTS[folder.name] for _ in range(PER_PROMPT)]
    samples = sample(load(folder), len(texts), text=texts, guidance=GUIDANCE, seed=seed)
    return image_grid(samples.array, captions=texts, columns=2 * PER_PROMPT)


def render_section(grids: dict[str, Path], seed: int) -> str:
    """Render the part of the page that shows image grids of samples; one sentence if there are none.

    Args:
        grids: PNG file by model name.
        seed: seed of the samples, for the command.
    """
    if not grids:
        return f"<p>There are no samples from prompts: {NONE}.</p>"
    figures = []
    for name, file in grids.items():
        with Image.open(file) as picture:
            width, height = picture.size
        first = PROMPTS[name][0]
        command = f'pointillist sample {name} --text "{first}" -n {PER_PROMPT} --guidance {GUIDANCE:g} --seed {seed}'
        figures.append(
            f'<figure><img src="{html.data_uri(file.read_bytes(), "png")}" width="{width}" '
            f'height="{height}" alt="{escape(", ".join(PROMPTS[name]))}: {PER_PROMPT} samples of each">'
            f"<figcaption><code>{escape(command)}</code></figcaption></figure>"
        )
    return "".join(figures)
