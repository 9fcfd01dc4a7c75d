"""Sections of the page below the explorer: maps and charts that need no script."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable
from html import escape

import numpy as np

from pointillist.analysis.charts import bars_chart, cumulative_axes
from pointillist.analysis.condition_gain import ConditionGain
from pointillist.analysis.counterfactual import Counterfactual
from pointillist.analysis.surprisal import MAX_Z
from pointillist.analysis.views import Views, describe_conditions
from pointillist.images import to_picture
from pointillist.images.visualization import html

CUMULATIVE_ENDS = cumulative_axes(1, 1.0).left, cumulative_axes(1, 1.0).right
_MOST_LABELS = 12  # bars of labels that are shown at once
_LATE = 0.55  # share of the pixels that take half of the bits where the later ones cost more
_CERTAIN = 0.995  # a posterior above this is shown as all but certain


def render_sections(views: Views) -> str:
    """Render every section that applies to the model."""
    parts = [_small_maps(views), _cumulative(views), _counterfactuals(views), _conditions(views)]
    return "".join([*parts, _layers(views), _calibration(views)])


def render_stops(views: Views) -> str:
    """Render three places to begin with, each a link that holds its pixel in the explorer."""
    maps, (_, height, width) = views.maps, views.query.shape
    surprisal, entropy = maps.surprisal.sum(0), maps.entropy.sum(0)
    rank = views.query.model.generation_rank(height, width, views.query.order)
    sequence = np.argsort(rank, axis=None, kind="stable")
    sums = np.cumsum(surprisal.ravel()[sequence])
    half = min(int(np.searchsorted(sums, sums[-1] / 2)), len(sums) - 1)
    share = (half + 1) / len(sums)
    dear = "the later pixels cost more" if share > _LATE else "the earlier pixels cost more"
    spread = "the bits are spread evenly" if 1 - _LATE <= share <= _LATE else dear
    worst, unsure = int(surprisal.argmax()), int(entropy.argmax())
    stops = [
        (
            worst,
            "The greatest surprise",
            f"{surprisal.ravel()[worst]:.1f} bits: the model held this level least likely.",
        ),
        (unsure, "The greatest doubt", f"{entropy.ravel()[unsure]:.1f} bits expected: here the model knew least."),
        (int(sequence[half]), "Half of the bits", f"are spent after {half + 1:,} of {len(sums):,} pixels: {spread}."),
    ]
    items = []
    for site, title, words in stops:
        row, column = divmod(site, width)
        items += [f'<li><a href="#{row},{column}"><b>{title}</b></a> at row {row}, column {column}<br>{words}</li>']
    return f'<section class="stops"><h2>Three stops</h2><ol>{"".join(items)}</ol></section>'


def render_next(views: Views) -> str:
    """Render what to try next, and the numbers as a file to save."""
    maps = views.maps
    rows = ["row,column,channel,level,surprise_bits,entropy_bits"]
    for (channel, row, column), bits in np.ndenumerate(maps.surprisal):
        level, entropy = int(views.levels[channel, row, column]), maps.entropy[channel, row, column]
        rows.append(f"{row},{column},{channel},{level},{bits:.4f},{entropy:.4f}")
    table = f"data:text/csv;base64,{base64.b64encode(chr(10).join(rows).encode()).decode('ascii')}"
    source = escape(shlex.quote(views.source))
    commands = f"pointillist studio {source}\npointillist sample {source} -n 8\npointillist evaluate {source} DATA"
    save = f'<a download="bits.csv" href="{table}">the bits of every sub-pixel as a table</a>'
    words = f"Paint with this model and change pixels, draw other images, or measure many of them. Save {save}."
    return f"<section><h2>Try next</h2><p>{words}</p><pre>{commands}</pre></section>"


def _section(title: str, words: str, body: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(title)}</h2><p>{words}</p>{body}</section>'


def _figures(figures: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for picture, caption in figures)


def bits_bar(views: Views) -> str:
    """Render the scale of bits per pixel."""
    maps = views.maps
    top = maps.color_max * len(maps.names)
    return html.sequential_scale(top, bool((np.maximum(maps.surprisal.sum(0), maps.entropy.sum(0)) > top).any()))


def _small_maps(views: Views) -> str:
    maps = views.maps
    top = maps.color_max * len(maps.names)
    figures = [
        (html.pixels(to_picture(views.query.model.image, views.levels), "The image"), "<b>image</b>"),
        (
            html.sequential_map(maps.entropy.sum(0), top, "Entropy of each pixel"),
            f"<b>entropy</b><br>{maps.expected:,.1f} bits",
        ),
        (
            html.sequential_map(maps.surprisal.sum(0), top, "Surprise at each pixel"),
            f"<b>surprise</b><br>{maps.bits:,.1f} bits",
        ),
        (html.diverging_map(maps.pixel_z_score, MAX_Z, "Excess of each pixel"), "<b>excess</b><br>in sigma"),
    ]
    body = f'<div class="small">{_figures(figures)}</div>'
    body += (
        f'<div class="scales two">{bits_bar(views)}{html.diverging_scale(MAX_Z, "standard deviations (sigma)")}</div>'
    )
    if len(maps.names) > 1:
        for what, each in (("surprise", maps.surprisal), ("entropy", maps.entropy)):
            parts = (
                (
                    html.sequential_map(m, maps.color_max, f"{what} of {name}"),
                    f"<b>{escape(name)}</b><br>{m.sum():,.1f} bits",
                )
                for name, m in zip(maps.names, each, strict=True)
            )
            body += f'<div class="small"><p class="row-name">{what}, sub-pixel by sub-pixel</p>{_figures(parts)}</div>'
    words = (
        "Entropy is the surprise that the model expected at a pixel, before it read it; surprise (surprisal) is the "
        "bits that the pixel then took. Excess is the difference of the two in standard deviations (sigma). Texture "
        "that the model expects to be noisy drops out; what the model did not expect remains."
    )
    return _section("Every map", words, body)


def _cumulative(views: Views) -> str:
    maps = views.maps
    chart = maps.cumulative.chart().svg()
    cursor = '<line id="cursor" x1="-9" x2="-9" y1="26" y2="224"/></svg>'
    body = f'<div class="wide">{chart.removesuffix("</svg>")}{cursor}</div>'
    if len(maps.names) > 1:
        rows = list(zip(maps.names, maps.channel_bits.tolist(), strict=True))
        body += f'<div class="wide">{bars_chart(rows, "bits of each channel").svg()}</div>'
    words = (
        "Bits so far, in the order of painting (orange), against the bits that the model expected (grey, with the band "
        "that holds 95 of 100 of its samples at each position). Where the line is steep, a compressed file of this "
        "image spends its bytes."
    )
    return _section("Where the bits go", words, body)


def _counterfactuals(views: Views) -> str:
    if not views.counterfactuals:
        return ""
    body, shown = "", []
    for view in views.counterfactuals:
        sites = [(edit.row, edit.column, edit.channel) for edit in view.edits]
        body += _counterfactual(views, view, again=sites in shown)
        shown.append(sites)
    words = (
        "One level is set to another, in the framed pixel, and the rest of the image stays. The distributions of later "
        "pixels shift. From there the model paints on, from the same random numbers, and the image may turn out "
        "differently."
    )
    top = views.maps.color_max
    over = any(bool((view.shift.sum(0) > top).any()) for view in views.counterfactuals)
    return _section("What if", words, body + html.sequential_scale(top, over, "bits of shift"))


def _counterfactual(views: Views, view: Counterfactual, *, again: bool) -> str:
    """Render one counterfactual; `again` if the original's continuations from there are on the page already."""
    names, image = views.maps.names, views.query.model.image
    questions = []
    for edit in view.edits:
        name = f", {names[edit.channel]}" if names[edit.channel] else ""
        levels = f"{_level(views, edit.level)}, not {_level(views, edit.old_level)}"
        questions.append(f"row {edit.row}, column {edit.column}{escape(name)} were {levels}")
    shift = view.shift.sum(0)
    sites = sorted({(edit.row, edit.column) for edit in view.edits})
    pictures = [
        (html.pixels(to_picture(image, view.levels), "The edited image"), "<b>edited</b>"),
        (
            html.sequential_map(shift, views.maps.color_max, "Divergence of each later distribution"),
            f"<b>shift</b><br>{shift.sum():,.1f} bits in all",
        ),
    ]
    figures = [(html.marked(picture, shift.shape, sites), caption) for picture, caption in pictures]
    parts = f'<div class="small">{_figures(figures)}</div>'
    if view.edited_continuations is not None and view.original_continuations is not None:
        both = (("the edited image", view.edited_continuations), ("the original", view.original_continuations))
        for what, samples in both[: 1 if again else 2]:
            each = (
                (html.pixels(to_picture(image, x), f"Painted on from {what}"), f"{bits:,.0f} bits")
                for x, bits in zip(samples.levels, (-samples.nats / np.log(2)).tolist(), strict=True)
            )
            parts += f'<div class="small"><p class="row-name">painted on from {what}</p>{_figures(each)}</div>'
    more = "more" if view.bits_change >= 0 else "fewer"
    text = f"The image then takes {view.after.bits:,.1f} bits, {abs(view.bits_change):,.1f} {more}."
    question = f"<div><h3>What if {' and '.join(questions)}?</h3><p>{text}</p></div>"
    return f'<div class="question">{question}<div>{parts}</div></div>'


def _level(views: Views, level: int) -> str:
    """Render a level, with its colour where there is a palette."""
    palette = views.query.model.image.palette
    if palette is None:
        return str(level)
    red, green, blue, alpha = palette[level]
    return f'<i class="colour" style="background:rgb({red} {green} {blue} / {alpha / 255:.2f})"></i>{level}'


def _conditions(views: Views) -> str:
    view = views.conditions
    if view is None:
        return ""
    saved = view.saved.sum(0)
    top = views.maps.color_max * len(views.maps.names)
    words = _saved_bits(views, view, float(saved.sum()))
    if view.classes:
        best = int(view.posterior.argmax())
        posterior = float(view.posterior[best])
        share = f"{100 * posterior:.0f} % probable" if posterior < _CERTAIN else "all but certain"
        words += f" If all labels were equally likely, {escape(view.classes[best])} would be {share} given the image."
    figure = (
        html.diverging_map(-saved, top, "Bits saved or lost at each pixel"),
        "blue: the conditions save bits; red: they cost bits",
    )
    few = len(view.classes) <= _MOST_LABELS
    chart = view.chart().svg() if few else view.chart(_MOST_LABELS).svg()
    if not few:
        everything = view.chart(len(view.classes)).svg()
        chart += f"<details><summary>All {len(view.classes)} labels</summary>{everything}</details>"
    body = f'<div class="beside"><div class="small">{_figures([figure])}</div><div>{chart}</div></div>'
    return _section("Bits saved by the conditions", words, body, "conditions")


def _saved_bits(views: Views, view: ConditionGain, total: float) -> str:
    """Describe the bits saved by the conditions; without any, by the label that explains the image best."""
    unconditional = f"{view.unconditional.sum():,.1f}"
    if view.classes and not views.query.conditions.is_conditional:
        best = escape(view.classes[int(view.class_bits.argmin())])
        effect = f"saves {total:,.1f}" if total >= 0 else f"costs {-total:,.1f}"
        return f"The image has no condition. The label that explains it best, {best}, {effect} of {unconditional} bits."
    conditions = escape(describe_conditions(views))
    if not views.query.conditions.is_conditional:
        return "The image has no condition, so none saves any bits."
    if total >= 0:
        return f"The conditions ({conditions}) save {total:,.1f} of {unconditional} bits."
    more = f"{-total:,.1f} bits more than the {unconditional} without them"
    return f"The conditions ({conditions}) mislead the model: {more}."


def _signed(value: float) -> str:
    return f"{value:+,.1f}".replace("-", "\u2212")


def _layers(views: Views) -> str:
    view = views.layers
    if view is None:
        return ""
    top = views.maps.color_max * len(views.maps.names)
    figures = (
        (
            html.diverging_map(-saved.sum(0), top, f"Bits that {name} saves"),
            f"<b>{escape(name)}</b><br>{_signed(-saved.sum())} bits",
        )
        for name, saved in zip(view.names[1:], view.saved, strict=True)
    )
    words = (
        "The output is read after each layer, with all later layers left out (logit lens). The output head was trained "
        "on all layers together, so an early reading may be worse than what a layer knows, and a layer may cost bits "
        "that a later one saves. Blue: the layer saves bits at a pixel; red: it costs bits."
    )
    if views.query.in_integers:
        words += (
            f" The layers belong to the network in floating point, which takes {view.bits[-1]:,.1f} bits, where the "
            f"integer program takes {views.maps.bits:,.1f}."
        )
    body = f'<div class="wide">{view.chart().svg()}</div><div class="small">{_figures(figures)}</div>'
    return _section("Layer by layer", words, body)


def _calibration(views: Views) -> str:
    view = views.calibration
    if view is None:
        return ""
    r = view.reliability
    outside = "all lie in it" if r.num_outside == 0 else f"{r.num_outside} of {int(r.judged.sum())} lie outside"
    reliability = (
        "<h2>Reliability</h2><p>Of all levels predicted with some probability, how many occurred? The bands hold all "
        f"points of a calibrated model in 95 of 100 cases; here {outside}. Mean distance {100 * r.error:.2f} %.</p>"
        f'<div class="narrow">{r.chart().svg()}</div>'
    )
    if view.pit is None:
        return f"<section>{reliability}</section>"
    flat = "shows no deviation from that" if view.pit_p_value >= 0.05 else "is not flat"
    pit = (
        "<h2>Calibration</h2><p>Where the observed levels lie within the predicted distributions, over "
        f"{view.images:,} images. A calibrated model gives a flat histogram, within the band in 95 of 100 cases: this "
        f"one {flat} (p {view.pit_p_value:.2g}). A hump means predictions too uncertain, a bowl predictions too "
        f"certain.</p>{view.pit_chart().svg()}"
    )
    return f'<div class="pair"><section>{pit}</section><section>{reliability}</section></div>'
