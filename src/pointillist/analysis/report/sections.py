"""The sections of the page below the explorer: pictures and charts that need no script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import numpy as np

from pointillist.analysis.charts import bars_chart, running_axes
from pointillist.analysis.color_scales import Z_TOP, picture_of
from pointillist.analysis.condition_gain import ConditionGain
from pointillist.analysis.counterfactual import Counterfactual
from pointillist.analysis.views import Views
from pointillist.visualization import html

RUNNING_ENDS = running_axes(1, 1.0).left, running_axes(1, 1.0).right
_POSTERIOR = 0.995  # above this a label is all but certain


def render_sections(views: Views) -> str:
    """Every section that has something to show."""
    parts = [_small_maps(views), _running(views), _what_ifs(views), _conditions(views)]
    return "".join([*parts, _layers(views), _calibration(views)])


def _section(title: str, words: str, body: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(title)}</h2><p>{words}</p>{body}</section>'


def _figures(figures: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for picture, caption in figures)


def bits_bar(views: Views) -> str:
    """The scale of bits a pixel."""
    maps = views.maps
    top = maps.top * len(maps.names)
    return html.sequential_scale(top, bool((np.maximum(maps.surprise.sum(0), maps.entropy.sum(0)) > top).any()))


def _small_maps(views: Views) -> str:
    maps = views.maps
    top = maps.top * len(maps.names)
    figures = [
        (html.pixels(picture_of(views.asked.model.image, views.levels), "The image"), "<b>image</b>"),
        (html.sequential_map(maps.entropy.sum(0), top, "Entropy of each pixel"), f"<b>entropy</b><br>{maps.expected:,.1f} bits"),
        (html.sequential_map(maps.surprise.sum(0), top, "Surprise at each pixel"), f"<b>surprise</b><br>{maps.bits:,.1f} bits"),
        (html.diverging_map(maps.pixel_z, Z_TOP, "Excess of each pixel"), "<b>excess</b><br>in deviations"),
    ]
    body = f'<div class="small">{_figures(figures)}</div>'
    body += f'<div class="scales two">{bits_bar(views)}{html.diverging_scale(Z_TOP, "deviations")}</div>'
    if len(maps.names) > 1:
        for what, each in (("surprise", maps.surprise), ("entropy", maps.entropy)):
            parts = (
                (html.sequential_map(m, maps.top, f"{what} of {name}"), f"<b>{escape(name)}</b><br>{m.sum():,.1f} bits")
                for name, m in zip(maps.names, each, strict=True)
            )
            body += f'<div class="small"><p class="row-name">{what}, sub-pixel by sub-pixel</p>{_figures(parts)}</div>'
    words = (
        "Entropy is how open a pixel was before it was shown, surprise what its level then took. Excess is the "
        "difference in deviations of the surprise: it takes out texture that the model expects to be noisy, and what "
        "remains is what the model did not foresee."
    )
    return _section("Every map", words, body)


def _running(views: Views) -> str:
    maps = views.maps
    chart = maps.running.chart().svg()
    cursor = '<line id="cursor" x1="-9" x2="-9" y1="12" y2="210"/></svg>'
    body = f'<div class="wide">{chart.removesuffix("</svg>")}{cursor}</div>'
    if len(maps.names) > 1:
        rows = list(zip(maps.names, maps.channel_bits.tolist(), strict=True))
        body += f'<div class="wide">{bars_chart(rows, "bits of each channel").svg()}</div>'
    words = (
        "The bits paid so far, in the order of painting (orange), and what the model foresaw (grey, with the band that "
        "95 of 100 images of its own keep to at each place). Where the line is steep, a compressed file of this image "
        "spends its bytes."
    )
    return _section("Where the bits go", words, body)


def _what_ifs(views: Views) -> str:
    if not views.what_ifs:
        return ""
    body, shown = "", []
    for view in views.what_ifs:
        at = [(c.row, c.column, c.channel) for c in view.changes]
        body += _question(views, view, again=at in shown)
        shown.append(at)
    words = (
        "One level is set to another, all else stays. What comes later is expected differently; and painted on from "
        "there, from the same random numbers, the image may go another way."
    )
    return _section("What if", words, body)


def _question(views: Views, view: Counterfactual, *, again: bool) -> str:
    """A change; `again` where the same place was changed above, so that the image as it was is there already."""
    names, image = views.maps.names, views.asked.model.image
    words = []
    for c in view.changes:
        name = f", {names[c.channel]}" if names[c.channel] else ""
        words.append(f"row {c.row + 1}, column {c.column + 1}{name} were {c.level}, not {c.was}?")
    shift = view.shift.sum(0)
    figures = [
        (html.pixels(picture_of(image, view.levels), "The image with the change"), "<b>changed</b>"),
        (
            html.sequential_map(shift, views.maps.top, "How far each later distribution moved"),
            f"<b>moved</b><br>{shift.sum():,.1f} bits of divergence",
        ),
    ]
    parts = f'<div class="small">{_figures(figures)}</div>'
    if view.as_changed is not None and view.as_it_was is not None:
        both = (("as changed", view.as_changed), ("as it was", view.as_it_was))
        for what, painted in both[: 1 if again else 2]:
            each = (
                (html.pixels(picture_of(image, x.numpy()), f"Painted on, {what}"), f"{bits:,.0f} bits")
                for x, bits in zip(painted.levels, (-painted.nats / np.log(2)).tolist(), strict=True)
            )
            parts += f'<div class="small"><p class="row-name">painted on, {what}</p>{_figures(each)}</div>'
    more = "more" if view.bits_change >= 0 else "less"
    text = f"The image then takes {view.after.bits:,.1f} bits, {abs(view.bits_change):,.1f} {more}."
    asks = f"<div><h3>What if {escape(' and '.join(words))}</h3><p>{text}</p></div>"
    return f'<div class="question">{asks}<div>{parts}</div></div>'


def _conditions(views: Views) -> str:
    view = views.conditions
    if view is None:
        return ""
    saved = view.saved.sum(0)
    top = views.maps.top * len(views.maps.names)
    words = _worth(view, float(saved.sum()), told=views.asked.told.anything)
    if view.classes:
        best = int(view.posterior.argmax())
        sure = float(view.posterior[best])
        share = f"{100 * sure:.0f} %" if sure < _POSTERIOR else "all but certain"
        words += f". If every label were equally likely, {escape(view.classes[best])} would now be {share}"
    figure = (
        html.diverging_map(-saved, top, "Bits more or fewer at each pixel"),
        "blue: being told saves bits; red: it costs",
    )
    body = f'<div class="beside"><div class="small">{_figures([figure])}</div><div>{view.chart().svg()}</div></div>'
    return _section("What being told is worth", words + ".", body, "told")


def _worth(view: ConditionGain, total: float, *, told: bool) -> str:
    """What is saved, in words; a model that was told nothing is shown the label that explains the image best."""
    untold = f"{view.untold.sum():,.1f}"
    if view.classes and not told:
        best = escape(view.classes[int(view.class_bits.argmin())])
        does = f"saves {total:,.1f}" if total >= 0 else f"costs {-total:,.1f}"
        return f"It was told nothing. The label that explains the image best, {best}, {does} bits of {untold}"
    if total >= 0:
        return f"What the model is told saves {total:,.1f} bits of {untold}"
    return f"What the model is told misleads it: {-total:,.1f} bits more than the {untold} without"


def _signed(value: float) -> str:
    return f"{value:+,.1f}".replace("-", "\u2212")


def _layers(views: Views) -> str:
    view = views.layers
    if view is None:
        return ""
    top = views.maps.top * len(views.maps.names)
    figures = (
        (
            html.diverging_map(-saved.sum(0), top, f"Bits that {name} saves"),
            f"<b>{escape(name)}</b><br>{_signed(-saved.sum())} bits",
        )
        for name, saved in zip(view.names[1:], view.saved, strict=True)
    )
    words = (
        "The output read after each layer, with all later ones left out. It was trained on all layers together, so an "
        "early reading can be worse than what a layer knows, and a layer may cost bits that a later one wins back. "
        "Blue: the layer saves bits at a pixel; red: it costs."
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
        f"<h2>Reliability</h2><p>Of all levels that were held so likely, how many came? Bands hold all points in 95 of "
        f"100 cases if the model is right; here {outside}. Mean distance {100 * r.error:.2f} %.</p>"
        f'<div class="narrow">{r.chart().svg()}</div>'
    )
    if view.pit is None:
        return f"<section>{reliability}</section>"
    flat = "is flat, as far as one can tell" if view.pit_p_value >= 0.05 else "is not flat"
    pit = (
        f"<h2>Calibration</h2><p>Where what came lies within what was expected, over {view.images:,} images. A "
        f"right model gives a flat histogram, within the band in 95 of 100 cases: this one {flat} "
        f"(p {view.pit_p_value:.2g}). A hump means too unsure, a bowl too sure of itself.</p>{view.pit_chart().svg()}"
    )
    return f'<div class="pair"><section>{pit}</section><section>{reliability}</section></div>'
