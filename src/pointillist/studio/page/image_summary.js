// An image as a whole: its bits, and how they run up along the order of painting.

import { bitsOf, fixed, h, refill, s } from "./dom.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {import("./trace.js").Trace} Trace */

const WIDTH = 320, HEIGHT = 150, LEFT = 40, BOTTOM = 126, TOP = 8;
const MOST_POINTS = 300;

export class Whole {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.numbers = h("dl", { className: "numbers" });
    this.plot = h("div", {});
    this.key = h("p", { className: "note" }, h("i", { className: "key came" }), "bits that came ", h("i", { className: "key foreseen" }), "expected, along the order of painting");
    this.el = h("div", { className: "whole" }, h("h3", {}, "Where the bits go"), this.numbers, this.plot, this.key);
    /** @type {Trace | null} */
    this.trace = null;
  }

  /** @param {Board | undefined} board */
  update(board) {
    const trace = board?.trace?.over && board.trace.arrived === board.trace.length ? board.trace : null;
    this.el.hidden = trace === null;
    if (!trace || trace === this.trace) return;
    this.trace = trace;
    const came = running(trace.surprise);
    const foreseen = running(trace.entropy);
    const [total, expected] = [came[came.length - 1] ?? 0, foreseen[foreseen.length - 1] ?? 0];
    const each = total / (trace.surprise.length || 1);
    const rows = [["came", bitsOf(total)], ["expected", bitsOf(expected)], [trace.channels > 1 ? "a channel" : "a pixel", `${fixed(each)} bits`]];
    refill(this.numbers, JSON.stringify(rows), () => rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    this.plot.replaceChildren(curves(came, foreseen, Math.max(total, expected, 1e-9)));
  }
}

/** Sums up to each place. @param {Float32Array} bits */
function running(bits) {
  let sum = 0;
  return Float64Array.from(bits, (one) => (sum += one));
}

/** @param {Float64Array} came @param {Float64Array} foreseen @param {number} top */
function curves(came, foreseen, top) {
  const line = (/** @type {Float64Array} */ values) => {
    const step = Math.max(1, values.length / MOST_POINTS);
    const points = Array.from({ length: Math.min(values.length, MOST_POINTS) }, (_, i) => Math.min(values.length - 1, Math.round((i + 1) * step - 1)));
    const at = (/** @type {number} */ place) => `L${(LEFT + ((WIDTH - LEFT) * (place + 1)) / values.length).toFixed(1)} ${(BOTTOM - ((BOTTOM - TOP) * values[place]) / top).toFixed(1)}`;
    return `M${LEFT} ${BOTTOM}${points.map(at).join("")}`;
  };
  const text = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ anchor, /** @type {string} */ words) => s("text", { x, y, "text-anchor": anchor }, words);
  return s(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart still", role: "img", "aria-label": "Bits so far, from the first pixel to the last" },
    s("path", { class: "grid", d: `M${LEFT} ${TOP}H${WIDTH}` }), s("path", { class: "axis", d: `M${LEFT} ${BOTTOM}H${WIDTH}` }),
    s("path", { class: "foreseen", d: line(foreseen) }), s("path", { class: "came", d: line(came) }),
    text(LEFT - 6, TOP + 4, "end", top.toFixed(0)), text(LEFT - 6, BOTTOM + 4, "end", "0"), text(LEFT, HEIGHT - 6, "start", "first pixel"), text(WIDTH, HEIGHT - 6, "end", "last"),
  );
}
