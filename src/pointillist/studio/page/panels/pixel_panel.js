// The pixel panel: distribution and numbers of a pixel, levels to choose, saliency map.

import { visibleImage } from "../canvas/canvas_model.js";
import { shownKind } from "../canvas/draw_image.js";
import { Chart } from "../shared/chart.js";
import { colourWord, levelName, swatch } from "../shared/colour.js";
import { formatBits, formatFixed, formatInteger, formatPercent, html, oneIn, returnFocus, setText, updateChildren } from "../shared/dom.js";
import { showNumbers } from "../widgets/glossary.js";
import { pixelInfoOf } from "./pixel_info.js";
import { fill } from "../shared/fill.js";
import { ImageSummary } from "./image_summary.js";
import { InsidePanel } from "./inside_panel.js";
import { WordsPanel } from "./words_panel.js";
import { chosenLevels, saliencyOverlay } from "../canvas/overlays.js";
import { showColour } from "../canvas/tiles.js";

const LIKELIEST = 5;

export class PixelPanel {
  /** @param {State} state @param {import("../transport/queries.js").Queries} queries @param {Commands} commands @param {HTMLElement} training shown while no pixel is */
  constructor(state, queries, commands, training) {
    this.state = state;
    this.queries = queries;
    this.training = training;
    this.title = html("h2", {}, "Pixel");
    this.where = html("p", { className: "where" });
    this.announcement = html("p", { className: "announcement", "aria-live": "polite" });
    this.summary = new ImageSummary(state);
    this.numbers = html("dl", { className: "numbers" });
    this.chance = html("p", { className: "note" });
    this.channels = html("div", { className: "channels" });
    this.key = html("p", { className: "note bars-key" });
    this.repaint = html("button", { className: "strong", title: "Keep the held pixel and all before it, paint the rest again (R)", onclick: () => commands.repaint() }, "Repaint from here");
    this.editCost = html("p", { className: "edit-cost" });
    this.release = html("button", { title: "Esc", onclick: () => commands.release() }, "Release");
    this.actions = html("div", { className: "actions" }, this.editCost, html("div", { className: "row" }, this.repaint, this.release));
    this.saliencyMap = html("canvas", { className: "saliency-map" });
    this.saliencyText = html("p", {});
    this.saliency = html("div", { className: "saliency" }, this.saliencyMap, html("div", {}, html("h3", {}, "Saliency"), this.saliencyText));
    this.words = new WordsPanel(state, queries);
    this.inside = new InsidePanel(state, queries);
    this.el = html("section", { className: "panel pixel", "aria-label": "Pixel" }, this.title, this.where, this.announcement, training, this.summary.el, this.numbers, this.chance, this.channels, this.key, this.actions, this.saliency, this.words.el, this.inside.el);
    /** @type {Chart[]} */
    this.charts = [];
    /** @type {Api.ModelDetails | null} */
    this.details = null;
  }

  update() {
    const info = pixelInfoOf(this.state, this.queries);
    setText(this.title, info ? `Row ${info.row}, column ${info.column}` : "Inspect a pixel");
    setText(this.where, this.#where(info));
    if (info && info.source !== "latest") setText(this.announcement, announce(info));
    this.training.hidden = info !== null || !this.state.run;
    this.summary.update(info ? undefined : this.state.canvas);
    this.#numbers(info);
    this.#charts(info);
    this.#actions();
    this.#saliency();
    this.words.update(info);
    this.inside.update(info);
  }

  /** @param {PixelInfo | null} info */
  #where(info) {
    if (!info) return "Point at a pixel to see its distribution under the model; click to hold it.";
    if (info.error) return info.error;
    const length = info.canvas.trace?.length ?? 0;
    const position = info.position === null ? "known before" : `pixel ${info.position + 1} of ${length}`;
    if (!info.painted && info.position === null) return "Not painted: the model can paint missing pixels.";
    if (!info.painted) return info.channels ? `${position}, next to be painted` : `${position}, still to come`;
    return info.source === "held" ? `${position}, held` : position;
  }

  /** @param {PixelInfo | null} info */
  #numbers(info) {
    const channels = info?.channels;
    this.numbers.hidden = this.chance.hidden = !channels;
    if (!channels) return;
    const sum = (/** @type {"entropy" | "surprisal"} */ key) => channels.reduce((total, sub) => total + (sub[key] ?? 0), 0);
    const [sub] = channels;
    const rows = [["entropy", formatBits(sum("entropy"))]];
    if (info.painted) rows.unshift(["surprise", formatBits(sum("surprisal"))]);
    if (info.painted && channels.length === 1) rows.unshift(["probability", formatPercent(sub.probs[sub.observed])]);
    if (info.painted && channels.length === 1 && sub.rank) rows.push(["rank", `${formatInteger(sub.rank)} of ${formatInteger(sub.probs.length)}`]);
    showNumbers(this.numbers, rows);
    const bits = sum("surprisal");
    setText(this.chance, info.painted ? `A surprise of ${formatBits(bits)}: ${oneIn(bits)}${bits < 0.05 ? "" : " chance"}.` : "");
  }

  /** @param {PixelInfo | null} info */
  #charts(info) {
    const details = info?.canvas.details;
    if (details && details !== this.details) {
      this.details = details;
      this.charts = details.image.channel_names.map((_, c) => new Chart(details.image, c, (level) => this.#choose(c, level)));
      this.channels.replaceChildren(...this.charts.map((chart, c) => this.#channel(details.image, c, chart)));
    }
    const focused = document.activeElement;
    if (!info?.channels && !this.channels.hidden && focused && this.channels.contains(focused)) returnFocus(this.el);
    this.channels.hidden = this.key.hidden = !info?.channels;
    const kind = info?.channels && shownKind(info.canvas.details.image, visibleImage(info.canvas, this.state.at));
    if (kind) info?.channels?.forEach((sub, c) => {
      const chosen = this.state.heldPixel?.choice[c] ?? null;
      this.charts[c].update({ ...sub, chosen, range: kind.range });
      this.#describe(/** @type {HTMLElement} */ (this.channels.children[c]), kind, sub, c, chosen);
    });
    this.#explainBars(info?.channels ?? []);
  }

  /** Say what the colours of the bars mean. @param {SubPixel[]} channels */
  #explainBars(channels) {
    const chosen = this.state.heldPixel?.choice.some((level) => level !== null);
    const step = this.charts[0]?.step ?? 1;
    const marks = [["model", step > 1 ? `the model, ${step} levels a bar` : "the model"], channels.some((sub) => sub.observed >= 0) && ["observed", "the level that is there"], chosen && ["chosen", "the level that you chose"], channels.some((sub) => sub.sampling_probs) && ["drawn", "after guidance, temperature and top-p, from which it was drawn"]];
    const shown = /** @type {[string, string][]} */ (marks.filter(Boolean));
    updateChildren(this.key, shown.join(), () => shown.map(([kind, text]) => html("span", {}, html("i", { className: kind }), text)));
  }

  /** @param {Api.ImageKind} image @param {number} channel @param {Chart} chart */
  #channel(image, channel, chart) {
    const name = image.channel_names[channel];
    return html("div", { className: "channel" }, html("h3", { hidden: image.channels === 1 }, name, html("span", {})), chart.el, html("ol", { className: "likeliest", "aria-label": `Most likely levels ${name}` }), html("p", { className: "note" }));
  }

  /** @param {HTMLElement} el @param {import("../shared/colour.js").Kind} image @param {SubPixel} sub @param {number} channel @param {number | null} chosen */
  #describe(el, image, sub, channel, chosen) {
    const [head, , list, note] = el.children;
    const bits = image.channels > 1 && sub.surprisal !== null ? formatBits(sub.surprisal) : "";
    setText(head.lastElementChild ?? head, bits);
    const order = Array.from(sub.probs, (_, level) => level).sort((a, b) => sub.probs[b] - sub.probs[a]).slice(0, LIKELIEST);
    const key = order.map((level) => [level, formatPercent(sub.probs[level]), level === sub.observed, level === chosen].join()).join(" ") + (image.range ?? "");
    updateChildren(list, key, () => order.map((level) => html("li", {}, this.#option(image, channel, level, sub, chosen))));
    const half = sub.quantiles ? `, middle half ${sub.quantiles["0.25"]} to ${sub.quantiles["0.75"]} (thick line above the bars, with the median; thin line: 90 %)` : "";
    const observed = sub.observed >= 0 ? `Observed level ${levelName(image, sub.observed)}. ` : "";
    setText(note, `${observed}${sub.mean === null ? "" : `Mean ${formatFixed(sub.mean, 1)}${half}.`}`);
  }

  /** @param {import("../shared/colour.js").Kind} image @param {number} channel @param {number} level @param {SubPixel} sub @param {number | null} chosen */
  #option(image, channel, level, sub, chosen) {
    const colour = html("i", {});
    showColour(colour, image, [level], swatch(image, channel, level));
    const short = image.mode === "palette" && image.palette ? colourWord(image.palette[level]) : String(level);
    const name = `${short} ${formatPercent(sub.probs[level])}: choose level ${levelName(image, level)}`;
    return html("button", { className: level === sub.observed ? "observed" : "", "aria-pressed": level === chosen, "aria-label": name, onclick: () => this.#choose(channel, level) }, colour, short, html("b", {}, formatPercent(sub.probs[level])));
  }

  /** Choose another level for the active pixel, which is then held. @param {number} channel @param {number} level */
  #choose(channel, level) {
    const { state } = this;
    const info = pixelInfoOf(state, this.queries);
    if (!info?.levels) return;
    const heldPixel = state.heldPixel ?? { pixel: info.pixel, choice: info.levels.map(() => null) };
    const choice = heldPixel.choice.map((old, c) => (c === channel ? (level === info.levels?.[c] ? null : level) : old));
    state.heldPixel = { ...heldPixel, choice };
    state.playing = false;
    state.changed();
  }

  #actions() {
    const { heldPixel, canvas } = this.state;
    const focused = document.activeElement;
    if (!heldPixel && !this.actions.hidden && focused && this.el.contains(focused)) returnFocus(this.el);
    this.actions.hidden = !heldPixel;
    if (!heldPixel || !canvas) return;
    const levels = chosenLevels(canvas, heldPixel);
    const edit = levels ? this.queries.edit(canvas, heldPixel.pixel, levels) : null;
    const text = edit instanceof Error ? edit.message : edit ? `With this level, and all else equal, the image takes ${formatFixed(Math.abs(edit.bits_change), 1)} bits ${edit.bits_change < 0 ? "less" : "more"}.` : levels ? "\u00a0" : "Choose another level above, or keep this one and paint the rest again.";
    setText(this.editCost, text);
  }

  #saliency() {
    const { heldPixel, canvas } = this.state;
    this.saliency.hidden = !heldPixel;
    if (!heldPixel || !canvas) return;
    const saliency = this.queries.saliency(canvas, heldPixel.pixel);
    if (saliency instanceof Error) return setText(this.saliencyText, saliency.message);
    if (!saliency) return setText(this.saliencyText, "\u2026");
    const overlay = saliencyOverlay(saliency, canvas.known.length);
    fill(this.saliencyMap, canvas.height, canvas.width, (row, column) => {
      const pixel = row * canvas.width + column;
      return pixel === heldPixel.pixel ? [217, 72, 28] : overlay.colour(overlay.at(pixel) ?? 0, pixel);
    });
    this.saliencyMap.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    const signs = saliency.signed ? " Red: a higher level there would make this pixel more likely; blue: less likely." : " Brighter means stronger.";
    setText(this.saliencyText, saliency.top > 0 ? `How strongly this pixel's probability depends on each earlier pixel.${signs}` : "None: the pixel comes first, or its probability does not depend on the others.");
  }
}

/** Describe a pixel in one sentence for screen readers. @param {PixelInfo} info */
function announce({ row, column, channels, painted }) {
  const where = `Row ${row}, column ${column}`;
  if (!painted) return `${where}: not painted.`;
  const parts = (channels ?? []).map((sub) => `${sub.name} level ${sub.observed}, ${formatPercent(sub.probs[sub.observed])}`);
  return parts.length ? `${where}: ${parts.join("; ")}.` : `${where}.`;
}
