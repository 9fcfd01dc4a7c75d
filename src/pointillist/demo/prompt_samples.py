"""Samples from prompts, by the pretrained models of the package."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PIL import Image

from pointillist.model.config import GenerationConfig
from pointillist.model.pretrained import load
from pointillist.sampling.api import sample
from pointillist.visualization import html, image_grid
from pointillist.zoo import ZOO, list_pretrained

PROMPTS, PER_PROMPT = 4, 4
NONE = "no pretrained model of this release is conditioned on text"


def find_prompt_models() -> list[Path]:
    """Return the folders of the pretrained models that sample from prompts and name examples."""
    return [model.folder for model in list_pretrained() if example_prompts(model.folder)]


def example_prompts(folder: Path) -> tuple[str, ...]:
    """Return the first `PROMPTS` example prompts of a model."""
    return GenerationConfig.read(folder).prompts[:PROMPTS]


def sample_prompts(folder: Path, seed: int) -> Image.Image:
    """Sample `PER_PROMPT` images for each prompt of a model, as one image grid."""
    texts = [prompt for prompt in example_prompts(folder) for _ in range(PER_PROMPT)]
    samples = sample(load(folder), len(texts), text=texts, seed=seed)
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
        prompts = example_prompts(ZOO / name)
        command = f'pointillist sample {name} --text "{prompts[0]}" -n {PER_PROMPT} --seed {seed}'
        figures.append(
            f'<figure><img src="{html.data_uri(file.read_bytes(), "png")}" width="{width}" '
            f'height="{height}" alt="{escape(", ".join(prompts))}: {PER_PROMPT} samples of each">'
            f"<figcaption><code>{escape(command)}</code></figcaption></figure>"
        )
    return "".join(figures)
