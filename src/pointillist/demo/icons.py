"""The first picture of the demo page: icons from prompts, in the styles of icon sets, by a pretrained model."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import product

import numpy as np
from PIL import Image

from pointillist.model.generation import GenerationConfig
from pointillist.model.pretrained import load
from pointillist.sampling.api import sample
from pointillist.visualization import html, named_grid
from pointillist.zoo import ZOO

MODEL = "icons"
PROMPTS, STYLES = 8, 4


@dataclass(frozen=True)
class IconSheet:
    """One sample of each prompt in each style.

    Attributes:
        prompts, styles: the first examples that the model names, in its order.
        array: the icons `[styles * prompts, h, w, 4]`, style by style.
        command: the command that samples them again.
        parameters: number of parameters of the model.
    """

    prompts: tuple[str, ...]
    styles: tuple[str, ...]
    array: np.ndarray
    command: str
    parameters: int

    def image(self) -> Image.Image:
        """Draw the sheet, with the names of rows and columns."""
        return named_grid(self.array, self.styles, self.prompts, columns=len(self.prompts))


def sample_icons(seed: int) -> IconSheet:
    """Sample the sheet; nothing is selected."""
    config = GenerationConfig.read(ZOO / MODEL)
    prompts, styles = config.prompts[:PROMPTS], config.labels[:STYLES]
    model = load(MODEL)
    cells = list(product(styles, prompts))
    samples = sample(
        model, len(cells), label=[style for style, _ in cells], text=[prompt for _, prompt in cells], seed=seed
    )
    command = f'pointillist sample {MODEL} --text "{"; ".join(prompts)}" --label {",".join(styles)} -n 1 --seed {seed}'
    return IconSheet(prompts, styles, samples.array, command, model.num_parameters)


def render_icons(sheet: IconSheet) -> str:
    """Render the sheet as a table of pictures, dark on light or light on dark as the page is."""
    head = "".join(f'<th scope="col">{escape(prompt)}</th>' for prompt in sheet.prompts)
    rows, cells = "", iter(sheet.array)
    for style in sheet.styles:
        pictures = (html.pixels(next(cells), f"{prompt} in the style {style}") for prompt in sheet.prompts)
        row = "".join(f"<td>{picture}</td>" for picture in pictures)
        rows += f'<tr><th scope="row">{escape(style)}</th>{row}</tr>'
    return f'<table class="icons"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>'
