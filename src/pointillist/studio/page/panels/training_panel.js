// The panel of a training run: its curves, the canvas painted by each checkpoint, the newest sample sheet.

import { html, formatFixed, formatInteger, setText, svg, updateChildren } from "../shared/dom.js";
import { drawImage } from "../canvas/draw_image.js";
import { visibleImage } from "../canvas/canvas_model.js";
import { term } from "../widgets/glossary.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../state/training.js").Repaint} Repaint */

const WIDTH = 320, HEIGHT = 168, LEFT = 46, RIGHT = 314, TOP = 10, BOTTOM = 130;
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
    updateChildren(this.numbers, JSON.stringify(rows), () => rows.map(([word, value]) => html("div", {}, html("dt", {}, term(word)), html("dd", {}, value))));
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
    const image = html("canvas", {});
    drawImage(image, canvas.details.image, visibleImage(canvas), canvas.height, canvas.width);
    return html("li", {}, html("button", { type: "button", title: `Step ${formatInteger(step)}`, "aria-label": `Show the canvas of step ${formatInteger(step)}`, "aria-pressed": shown, onclick: () => this.state.show([canvas]) }, image, html("small", {}, formatInteger(step))));
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
  const x = (/** @type {number} */ step) => (LEFT + ((RIGHT - LEFT) * step) / last).toFixed(1);
  const y = (/** @type {number} */ bits) => (BOTTOM - ((BOTTOM - TOP) * (Math.min(bits, high) - low)) / (high - low)).toFixed(1);
  const line = (/** @type {Api.CurvePoint[]} */ points) => points.map((point, i) => `${i ? "L" : "M"}${x(point.step)} ${y(point.bits_per_dim)}`).join("");
  const text = (/** @type {number | string} */ across, /** @type {number | string} */ down, /** @type {string} */ anchor, /** @type {string} */ words) => svg("text", { x: across, y: down, "text-anchor": anchor }, words);
  const newest = valid.at(-1);
  return svg(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart still", role: "img", "aria-label": `Bits per dimension over steps${newest ? `: validation ${newest.bits_per_dim.toFixed(3)} at step ${newest.step}` : ""}` },
    svg("path", { class: "grid", d: `M${LEFT} ${TOP}H${RIGHT}` }), svg("path", { class: "axis", d: `M${LEFT} ${BOTTOM}H${RIGHT}` }),
    svg("path", { class: "entropy", d: line(train) }), svg("path", { class: "surprisal", d: line(valid) }),
    ...(valid.length < 3 ? valid.map((point) => svg("circle", { class: "point", cx: x(point.step), cy: y(point.bits_per_dim), r: 3 })) : []),
    text(LEFT - 6, TOP + 4, "end", high.toFixed(2)), text(LEFT - 6, BOTTOM + 4, "end", low.toFixed(2)),
    svg("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(11 ${(TOP + BOTTOM) / 2}) rotate(-90)` }, "bits/dim"),
    text(LEFT, BOTTOM + 16, "start", "0"), text(RIGHT, BOTTOM + 16, "end", formatInteger(last)), text((LEFT + RIGHT) / 2, BOTTOM + 30, "middle", "training step"),
  );
}
