"""Render the demo page: one HTML file without external resources."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from pointillist.analysis.report.explorer import explorer_style, render_explorer
from pointillist.analysis.views import Views
from pointillist.demo import charts
from pointillist.demo.figure_data import FigureData
from pointillist.demo.icons import render_icons
from pointillist.demo.prompt_samples import PromptedImages, render_section
from pointillist.demo.results import NOT_SAME, SAME, DemoResults
from pointillist.errors import counted
from pointillist.images import ImageSpec
from pointillist.visualization import html

_EXPLORER_ROOM = 400_000  # characters


def render(
    results: DemoResults,
    figures: FigureData,
    metrics: Sequence[dict[str, Any]],
    animation: bytes,
    image: ImageSpec,
    scale_max: float,
    folder: Path,
    prompted: PromptedImages,
) -> str:
    """Render the page as HTML.

    Args:
        results: the numbers.
        figures: data of the figures.
        metrics: the lines of `metrics.jsonl`.
        animation: the GIF of digits being sampled.
        image: the model's kind of image.
        scale_max: the end of the colour scale of the maps, in bits.
        folder: folder of the demo, for commands.
        prompted: samples of the pretrained models.
    """
    package = files("pointillist.demo")
    explorer = render_explorer(Views(query=figures.explained, title="digits", edits=()), _EXPLORER_ROOM)
    template = Template((package / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=html.base_style() + explorer_style() + (package / "page.css").read_text(encoding="utf-8"),
        icons=render_icons(prompted.icons),
        icons_command=escape(prompted.icons.command),
        icons_parameters=f"{prompted.icons.parameters:,}",
        animation=html.data_uri(animation, "gif"),
        last_frame=html.last_frame(animation),
        **_numbers(results),
        ruler=_ruler(results),
        samples=_samples(figures),
        cross_check=_cross_check(results),
        maps=_maps(figures, image, scale_max),
        scale=html.sequential_scale(scale_max, max(figures.surprisal.max(), figures.entropy.max()) > scale_max),
        explorer=explorer.section,
        script=explorer.script,
        curve=charts.training_curve(metrics).svg(),
        classes=charts.class_chart(results.per_class, results.bits_per_dim).svg(),
        table=_table(results),
        prompts=render_section(prompted.grids, results.seed),
        folder=escape(shlex.quote(str(folder))),
    )


def _numbers(results: DemoResults) -> dict[str, str]:
    """Return the numbers that appear in sentences."""
    dims = results.height * results.width
    bits = results.bits_per_dim * dims
    plain = math.ceil(math.log2(results.levels)) * dims
    low, high = results.interval
    return {
        "bits": f"{results.bits_per_dim:.2f}",
        "low": f"{low:.2f}",
        "high": f"{high:.2f}",
        "nats": f"{results.nats:.1f}",
        "parameters": f"{results.parameters:,}",
        "train_images": f"{results.train_images:,}",
        "valid_images": f"{results.valid_images:,}",
        "test_images": f"{results.test_images:,}",
        "seconds": f"{results.training_seconds:,.0f}",
        "threads": counted(results.threads, "thread"),
        "size": f"{results.height} \u00d7 {results.width}",
        "dims": str(dims),
        "levels": str(results.levels),
        "last_level": str(results.levels - 1),
        "image_bits": f"{bits:.0f}",
        "image_bytes": f"{bits / 8:.0f}",
        "plain_bytes": f"{plain / 8:.0f}",
        "plain_bits": str(math.ceil(math.log2(results.levels))),
        "command": escape(results.command),
        "date": escape(results.date),
        "seed": str(results.seed),
    }


def _ruler(results: DemoResults) -> str:
    """Render bars of bits/dim: two baselines and the model."""
    rows = (
        ("every level equally likely", results.uniform_bits, ""),
        ("independent pixels, by how often each level occurs", results.frequency_bits, ""),
        ("this model", results.bits_per_dim, " ours"),
    )
    longest = max(results.uniform_bits, results.bits_per_dim, results.frequency_bits)
    return "".join(
        f'<li class="{kind.strip()}"><span class="what">{escape(name)}</span>'
        f'<span class="track"><i style="width:{100 * bits / longest:.1f}%"></i></span><b>{bits:.2f}</b></li>'
        for name, bits, kind in rows
    )


def _samples(figures: FigureData) -> str:
    samples, array = figures.samples, figures.samples.array
    out = []
    for start in range(0, len(samples), figures.per_class):
        name = str(int(samples.labels[start]))
        picture = html.stack_images(array[start : start + figures.per_class])
        bits = float(samples.bits_per_dim[start : start + figures.per_class].mean())
        alt = f"{figures.per_class} new images sampled for the class {name}"
        out.append(
            f"<figure>{html.pixels(picture, alt)}<figcaption>{name}<small>{bits:.2f}</small></figcaption></figure>"
        )
    return "".join(out)


def _cross_check(results: DemoResults) -> str:
    check = results.cross_check
    verdict = "equal, pixel for pixel" if check.equal else "not all equal: please report this"
    return (
        f"Two engines sampled {check.images} digits from the same random numbers. One evaluates the whole network "
        f"for every pixel ({check.naive_seconds:.2f} s), the other computes only what a new pixel changes "
        f"({check.numpy_seconds:.2f} s). The images are {verdict}."
    )


def _maps(figures: FigureData, image: ImageSpec, scale_max: float) -> str:
    pictures = image.to_images(figures.images)
    dims = image.dims
    out = []
    for i, name in enumerate(figures.image_classes):
        total = float(figures.surprisal[i].sum())
        entropy = f"Entropy of each pixel of that {name}, mean {figures.entropy[i].mean():.2f} bits"
        surprisal = f"Surprisal of each pixel of that {name}, {total:.0f} bits in total"
        out.append(
            "<figure>"
            + html.pixels(pictures[i], f"Test image, class {name}")
            + html.sequential_map(figures.entropy[i], scale_max, entropy)
            + html.sequential_map(figures.surprisal[i], scale_max, surprisal)
            + f"<figcaption><b>{total:.0f}</b> bits<small>{total / dims:.2f} a pixel</small></figcaption></figure>"
        )
    return "".join(out)


def _table(results: DemoResults) -> str:
    low, high = results.interval
    rows = (
        (
            "test",
            f"{results.bits_per_dim:.4f} bits/dim, 95 % interval {low:.4f} to {high:.4f}; "
            f"{results.nats:.3f} nats an image",
        ),
        ("test images", f"{results.test_images:,}, stratified by class, used once, after training"),
        (
            "validation",
            f"{results.valid_bits_per_dim:.4f} bits/dim at best, {results.valid_images:,} images; "
            "the weights of that step are kept",
        ),
        (
            "training",
            f"{results.steps:,} steps of {results.batch_size} images, {results.training_seconds:.1f} s",
        ),
        ("model", f"{results.model_type}, {results.parameters:,} parameters, class-conditional"),
        (
            "saved and reloaded",
            SAME if results.reloaded_equal else NOT_SAME,
        ),
        ("seed", str(results.seed)),
        ("machine", f"{results.machine}; {counted(results.threads, 'thread')}"),
        ("software", results.versions),
        ("date", results.date),
        ("reproduce with", results.command),
    )
    return html.table(rows)
