"""The demo's page: one file, nothing from elsewhere, no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from pointillist.demo import charts
from pointillist.demo.figure_data import FigureData
from pointillist.demo.results import NOT_SAME, SAME, DemoResults
from pointillist.images import ImageSpec
from pointillist.visualization import html

_NAMES = "ABCDEFGH"


def render(
    facts: DemoResults,
    looks: FigureData,
    metrics: Sequence[dict[str, Any]],
    painting: bytes,
    image: ImageSpec,
    top: float,
    asked: str,
) -> str:
    """The page as HTML.

    Args:
        facts, looks: what was found and what is shown.
        metrics: the lines of `metrics.jsonl`.
        painting: the GIF.
        image: what the levels mean.
        top: the end of the colour scale, in bits.
        asked: HTML of the paintings from prompts.
    """
    room = files("pointillist.demo")
    template = Template((room / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=html.base_style() + (room / "page.css").read_text(encoding="utf-8"),
        painting=html.data_uri(painting, "gif"),
        painted=html.last_frame(painting),
        **_numbers(facts),
        ruler=_ruler(facts),
        samples=_samples(looks),
        cross_check=_cross_check(facts),
        maps=_maps(looks, image, top),
        scale=html.sequential_scale(top, bool((looks.surprise > top).any() or (looks.entropy > top).any())),
        digit=_marked(looks, image),
        pixels=_pixels(looks),
        curve=charts.training_curve(metrics),
        classes=charts.class_chart(facts.per_class, facts.bits_per_dim),
        table=_table(facts),
        asked=asked,
    )


def _numbers(facts: DemoResults) -> dict[str, str]:
    """Numbers that stand in sentences."""
    dims = facts.height * facts.width
    bits = facts.bits_per_dim * dims
    plain = math.ceil(math.log2(facts.levels)) * dims
    low, high = facts.interval
    return {
        "bits": f"{facts.bits_per_dim:.2f}",
        "low": f"{low:.2f}",
        "high": f"{high:.2f}",
        "nats": f"{facts.nats:.1f}",
        "parameters": f"{facts.parameters:,}",
        "train_images": f"{facts.train_images:,}",
        "valid_images": f"{facts.valid_images:,}",
        "test_images": f"{facts.test_images:,}",
        "seconds": f"{facts.training_seconds:,.0f}",
        "threads": f"{facts.threads} thread{'s' if facts.threads != 1 else ''}",
        "size": f"{facts.height} \u00d7 {facts.width}",
        "dims": str(dims),
        "levels": str(facts.levels),
        "last_level": str(facts.levels - 1),
        "image_bits": f"{bits:.0f}",
        "image_bytes": f"{bits / 8:.0f}",
        "plain_bytes": f"{plain / 8:.0f}",
        "plain_bits": str(math.ceil(math.log2(facts.levels))),
        "command": escape(facts.command),
        "date": escape(facts.date),
    }


def _ruler(facts: DemoResults) -> str:
    """Three ways to guess, as bars of bits/dim."""
    rows = (
        ("every level equally likely", facts.uniform_bits, ""),
        ("each pixel by itself, from how often its levels occur", facts.frequency_bits, ""),
        ("this model", facts.bits_per_dim, " ours"),
    )
    longest = max(facts.uniform_bits, facts.bits_per_dim, facts.frequency_bits)
    return "".join(
        f'<li class="{kind.strip()}"><span class="what">{escape(name)}</span>'
        f'<span class="track"><i style="width:{100 * bits / longest:.1f}%"></i></span><b>{bits:.2f}</b></li>'
        for name, bits, kind in rows
    )


def _samples(looks: FigureData) -> str:
    painted = looks.painted
    array = painted.array
    out = []
    for start in range(0, len(painted), looks.per_class):
        name = str(int(painted.labels[start]))
        picture = html.stack_images(array[start : start + looks.per_class])
        bits = float(painted.bits_per_dim[start : start + looks.per_class].mean())
        alt = f"{looks.per_class} new images painted for the class {name}"
        out.append(
            f"<figure>{html.pixels(picture, alt)}<figcaption>{name}<small>{bits:.2f}</small></figcaption></figure>"
        )
    return "".join(out)


def _cross_check(facts: DemoResults) -> str:
    check = facts.cross_check
    verdict = "the same, pixel for pixel" if check.equal else "not all the same: please report this"
    return (
        f"Two programs painted the same {check.images} digits from the same random numbers. One runs the whole network "
        f"again for every pixel ({check.naive_seconds:.2f} s), the other computes only what a new pixel changes "
        f"({check.step_seconds:.2f} s). The images are {verdict}."
    )


def _maps(looks: FigureData, image: ImageSpec, top: float) -> str:
    pictures = image.to_images(looks.shown)
    dims = image.dims
    out = []
    for i, name in enumerate(looks.shown_names):
        total = float(looks.surprise[i].sum())
        out.append(
            "<figure>"
            + html.pixels(pictures[i], f"Test image, class {name}")
            + html.sequential_map(
                looks.entropy[i], top, f"Entropy of each pixel of that {name}, mean {looks.entropy[i].mean():.2f} bits"
            )
            + html.sequential_map(looks.surprise[i], top, f"Surprise at each pixel of that {name}, {total:.0f} bits in all")
            + f"<figcaption><b>{total:.0f}</b> bits<small>{total / dims:.2f} a pixel</small></figcaption></figure>"
        )
    return "".join(out)


def _marked(looks: FigureData, image: ImageSpec) -> str:
    grey = image.to_images(looks.shown[looks.pixels_of : looks.pixels_of + 1])[0, ..., 0]
    names = _NAMES[: len(looks.pixels)]
    label = f"Test image, class {looks.shown_names[looks.pixels_of]}, with the pixels {', '.join(names)} marked"
    return charts.marked_image(grey, looks.pixels, names, label)


def _pixels(looks: FigureData) -> str:
    out = []
    for name, view in zip(_NAMES, looks.pixels, strict=False):
        place = f"row {view.row + 1}, column {view.column + 1}"
        out.append(
            f"<figure>{charts.level_bars(view, name)}<figcaption><b>{name}</b> {place}"
            f"<small>entropy {view.entropy:.2f} bits, surprise {view.surprise:.2f} bits</small></figcaption></figure>"
        )
    return "".join(out)


def _table(facts: DemoResults) -> str:
    low, high = facts.interval
    rows = (
        (
            "test",
            f"{facts.bits_per_dim:.4f} bits/dim, 95 % interval {low:.4f} to {high:.4f}; {facts.nats:.3f} nats an image",
        ),
        ("test images", f"{facts.test_images:,}, stratified by class, used once, after training"),
        (
            "validation",
            f"{facts.valid_bits_per_dim:.4f} bits/dim at best, {facts.valid_images:,} images; its weights are kept",
        ),
        (
            "training",
            f"{facts.steps:,} steps of {facts.batch_size} images, {facts.training_seconds:.1f} s",
        ),
        ("model", f"{facts.model_type}, {facts.parameters:,} parameters, class-conditional"),
        (
            "saved and reloaded",
            SAME if facts.reloaded_equal else NOT_SAME,
        ),
        ("seed", str(facts.seed)),
        ("machine", f"{facts.machine}; {facts.threads} thread(s)"),
        ("software", facts.versions),
        ("date", facts.date),
        ("to do it again", facts.command),
    )
    return html.table(rows)
