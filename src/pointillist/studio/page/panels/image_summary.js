// Summary of an image: its bits, and their cumulative sum in generation order.

import { formatBits, formatFixed, html, setText, updateChildren, svg } from "../shared/dom.js";
import { term } from "../widgets/glossary.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("../canvas/canvas_model.js").Canvas} Canvas */
/** @typedef {import("../canvas/painting_trace.js").PaintingTrace} PaintingTrace */

const WIDTH = 320, HEIGHT = 150, LEFT = 40, BOTTOM = 126, TOP = 8;
const MAX_POINTS = 300;

export class ImageSummary {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.numbers = html("dl", { className: "numbers" });
    this.plot = html("div", {});
    this.key = html("p", { className: "note" }, html("i", { className: "key surprisal" }), "surprise ", html("i", { className: "key entropy" }), "entropy, summed in generation order");
    this.title = html("h3", {});
    this.el = html("div", { className: "image-summary" }, this.title, this.numbers, this.plot, this.key);
    /** @type {PaintingTrace | null} */
    this.trace = null;
  }

  /** @param {Canvas | undefined} canvas */
  update(canvas) {
    const trace = canvas?.trace?.over && canvas.trace.arrived === canvas.trace.length ? canvas.trace : null;
    this.el.hidden = trace === null;
    if (!trace || trace === this.trace) return;
    this.trace = trace;
    const all = trace.length === canvas?.known.length;
    setText(this.title, all ? "Where the bits go" : `Where the bits go (the ${trace.length} pixels painted last)`);
    const surprisal = cumulativeSums(trace.surprisal);
    const entropy = cumulativeSums(trace.entropy);
    const [total, expected] = [surprisal[surprisal.length - 1] ?? 0, entropy[entropy.length - 1] ?? 0];
    const each = total / (trace.surprisal.length || 1);
    const rows = [["surprise", formatBits(total)], ["entropy", formatBits(expected)], [trace.channels > 1 ? "a channel" : "a pixel", `${formatFixed(each)} bits`]];
    updateChildren(this.numbers, JSON.stringify(rows), () => rows.map(([name, value]) => html("div", {}, html("dt", {}, term(name)), html("dd", {}, value))));
    this.plot.replaceChildren(curves(surprisal, entropy, Math.max(total, expected, 1e-9)));
  }
}

/** Compute cumulative sums. @param {Float32Array} bits */
function cumulativeSums(bits) {
  let sum = 0;
  return Float64Array.from(bits, (one) => (sum += one));
}

/** @param {Float64Array} surprisal @param {Float64Array} entropy @param {number} top */
function curves(surprisal, entropy, top) {
  const line = (/** @type {Float64Array} */ values) => {
    const step = Math.max(1, values.length / MAX_POINTS);
    const points = Array.from({ length: Math.min(values.length, MAX_POINTS) }, (_, i) => Math.min(values.length - 1, Math.round((i + 1) * step - 1)));
    const at = (/** @type {number} */ position) => `L${(LEFT + ((WIDTH - LEFT) * (position + 1)) / values.length).toFixed(1)} ${(BOTTOM - ((BOTTOM - TOP) * values[position]) / top).toFixed(1)}`;
    return `M${LEFT} ${BOTTOM}${points.map(at).join("")}`;
  };
  const text = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ anchor, /** @type {string} */ words) => svg("text", { x, y, "text-anchor": anchor }, words);
  return svg(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart still", role: "img", "aria-label": "Bits so far, from the first pixel to the last" },
    svg("path", { class: "grid", d: `M${LEFT} ${TOP}H${WIDTH}` }), svg("path", { class: "axis", d: `M${LEFT} ${BOTTOM}H${WIDTH}` }),
    svg("path", { class: "entropy", d: line(entropy) }), svg("path", { class: "surprisal", d: line(surprisal) }),
    text(LEFT - 6, TOP + 4, "end", top.toFixed(0)), text(LEFT - 6, BOTTOM + 4, "end", "0"), text(LEFT, HEIGHT - 6, "start", "first pixel"), text(WIDTH, HEIGHT - 6, "end", "last"),
  );
}
