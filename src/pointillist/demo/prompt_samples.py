"""Samples from prompts, by the other pretrained models of the package: prompts as rows, styles as columns."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from pointillist.demo import icons
from pointillist.demo.icons import IconSheet
from pointillist.model.generation import GenerationConfig
from pointillist.model.pretrained import load
from pointillist.sampling.api import sample
from pointillist.visualization import html, image_grid, named_grid
from pointillist.zoo import ZOO, list_pretrained


@dataclass(frozen=True)
class PromptedImages:
    """Samples of pretrained models from prompts.

    Attributes:
        icons: the sheet at the top of the page.
        grids: PNG files of the other models, by name.
    """

    icons: IconSheet
    grids: dict[str, Path]


PROMPTS, PER_PROMPT, STYLES, PER_STYLE = 4, 4, 4, 2
NONE = "no other pretrained model of this release is conditioned on text"


def find_prompt_models() -> list[Path]:
    """Return the folders of the pretrained models that sample from prompts and name examples, but for the icons."""
    return [model.folder for model in list_pretrained() if model.name != icons.MODEL and examples(model.folder)[0]]


def examples(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the first `PROMPTS` example prompts of a model, and the first `STYLES` labels, if it names any."""
    config = GenerationConfig.read(folder)
    return config.prompts[:PROMPTS], config.labels[:STYLES]


def sample_prompts(folder: Path, seed: int) -> Image.Image:
    """Sample each example prompt, in each style where a model has styles, as one image grid."""
    prompts, styles = examples(folder)
    model = load(folder)
    if not styles:
        texts = [prompt for prompt in prompts for _ in range(PER_PROMPT)]
        return image_grid(
            sample(model, len(texts), text=texts, seed=seed).array, captions=texts, columns=2 * PER_PROMPT
        )
    row = [style for style in styles for _ in range(PER_STYLE)]
    texts = [prompt for prompt in prompts for _ in row]
    samples = sample(model, len(texts), text=texts, label=row * len(prompts), seed=seed)
    return named_grid(samples.array, prompts, styles, columns=len(row))


def example_command(name: str, seed: int) -> str:
    """Return the command that samples the grid of a model, or its first prompt where it has no styles."""
    prompts, styles = examples(ZOO / name)
    if not styles:
        return f'pointillist sample {name} --text "{prompts[0]}" -n {PER_PROMPT} --seed {seed}'
    return (
        f'pointillist sample {name} --text "{"; ".join(prompts)}" --label {",".join(styles)} -n {PER_STYLE} '
        f"--seed {seed}"
    )


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
        prompts, styles = examples(ZOO / name)
        shown = ", ".join(prompts) + (f", in the styles {', '.join(styles)}" if styles else "")
        figures.append(
            f'<figure><img src="{html.data_uri(file.read_bytes(), "png")}" width="{width}" '
            f'height="{height}" alt="{escape(shown)}: {PER_STYLE if styles else PER_PROMPT} samples of each">'
            f"<figcaption><code>{escape(example_command(name, seed))}</code></figcaption></figure>"
        )
    return "".join(figures)
