// The panel of a training run: its curves, the canvas painted by each checkpoint, the newest sample sheet.

import { html, formatFixed, formatInteger, setText, updateChildren } from "../shared/dom.js";
import { pictureOf } from "../canvas/draw_image.js";
import { showNumbers } from "../widgets/glossary.js";
import { lineChart } from "./line_chart.js";

const HIGHEST = 0.9; // share of the losses that the chart is high enough for: the first ones are far above the others

export class TrainingPanel {
  /** @param {State} state @param {import("../transport/api.js").Server} server */
  constructor(state, server) {
    this.state = state;
    this.server = server;
    this.title = html("h3", {});
    this.numbers = html("dl", { className: "numbers" });
    this.plot = html("div", {});
    this.note = html("p", { className: "note" });
    const key = html("p", { className: "note" }, html("i", { className: "key surprisal" }), "validation images ", html("i", { className: "key entropy" }), "training images, step by step");
    this.strip = html("ul", { className: "thumbnails repaints", "aria-label": "The same canvas, painted by each checkpoint" });
    this.follow = html("input", { type: "checkbox", onchange: () => this.#follow() });
    const follow = html("label", { className: "check note" }, this.follow, "show each new checkpoint on the canvas");
    this.sheet = html("img", { className: "sheet", hidden: true });
    this.sheetTitle = html("h3", {});
    this.el = html("section", { className: "training", "aria-label": "Training", hidden: true }, this.title, this.numbers, this.plot, key, this.note, html("h3", {}, "The same canvas, painted by each checkpoint"), this.strip, follow, this.sheetTitle, this.sheet);
  }

  update() {
    const { run } = this.state;
    if (!run) return;
    const { train, valid, images_per_second: speed, age, sheets, name } = run.state;
    const step = Math.max(0, train.at(-1)?.step ?? 0, valid.at(-1)?.step ?? 0);
    setText(this.title, `Training: ${name}`);
    const best = valid.reduce((/** @type {Api.CurvePoint | null} */ low, one) => (low && low.bits_per_dim <= one.bits_per_dim ? low : one), null);
    const bits = (/** @type {Api.CurvePoint | null | undefined} */ point) => (point ? `${formatFixed(point.bits_per_dim, 3)}` : "\u2013");
    const rows = [["step", formatInteger(step)], ["bits/dim", bits(valid.at(-1) ?? train.at(-1))], ["lowest", bits(best)], ["images/s", speed === null ? "\u2013" : formatInteger(Math.round(speed))]];
    showNumbers(this.numbers, rows);
    updateChildren(this.plot, JSON.stringify([train, valid]), () => (train.length + valid.length ? [chart(train, valid)] : []));
    setText(this.note, age === null ? "The run has written no metrics yet." : `Newest metrics ${formatAge(age)} ago.`);
    this.#strip(run.repaints);
    this.follow.checked = run.follow;
    const newest = sheets.at(-1);
    this.sheet.hidden = this.sheetTitle.hidden = newest === undefined;
    if (newest === undefined || this.sheet.alt.endsWith(` ${newest}`)) return;
    setText(this.sheetTitle, `Samples at step ${formatInteger(newest)}`);
    Object.assign(this.sheet, { src: this.server.sheet(newest), alt: `Sample sheet of step ${newest}` });
  }

  /** @param {Repaint[]} repaints */
  #strip(repaints) {
    const { state } = this;
    const shown = repaints.findIndex((one) => one.canvas === state.canvas);
    const key = [...repaints.map((one) => one.step), "/", shown].join();
    if (/** @type {{shown?: string}} */ (this.strip).shown === key) return;
    const atEnd = this.strip.scrollLeft + this.strip.clientWidth >= this.strip.scrollWidth - 4;
    updateChildren(this.strip, key, () => (repaints.length ? repaints.map((one, i) => this.#thumbnail(one, i === shown)) : [html("li", { className: "none" }, "After the first checkpoint.")]));
    if (atEnd) this.strip.scrollLeft = this.strip.scrollWidth;
  }

  /** @param {Repaint} repaint @param {boolean} shown */
  #thumbnail({ step, canvas }, shown) {
    return html("li", {}, html("button", { type: "button", title: `Step ${formatInteger(step)}`, "aria-label": `Show the canvas of step ${formatInteger(step)}`, "aria-pressed": shown, onclick: () => this.state.show([canvas]) }, pictureOf(canvas), html("small", {}, formatInteger(step))));
  }

  #follow() {
    const { state } = this;
    if (state.run) state.run = { ...state.run, follow: this.follow.checked };
    state.changed();
  }
}

/** @param {number} seconds */
const formatAge = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`);

/** Draw both curves over the steps. @param {Api.CurvePoint[]} train @param {Api.CurvePoint[]} valid */
function chart(train, valid) {
  const sorted = [...train, ...valid].map((point) => point.bits_per_dim).sort((a, b) => a - b);
  const low = sorted[0];
  const high = Math.max(sorted[Math.floor(HIGHEST * (sorted.length - 1))], low + 1e-3);
  const last = Math.max(1, ...train.slice(-1).concat(valid.slice(-1)).map((point) => point.step));
  const points = (/** @type {Api.CurvePoint[]} */ curve) => curve.map(({ step, bits_per_dim: bits }) => [step, bits]);
  const newest = valid.at(-1);
  const label = `Bits per dimension over steps${newest ? `: validation ${newest.bits_per_dim.toFixed(3)} at step ${newest.step}` : ""}`;
  return lineChart(label, { entropy: points(train), surprisal: points(valid) }, { last, ends: ["0", formatInteger(last)], name: "training step" }, { low, high, decimals: 2, name: "bits/dim" });
}
