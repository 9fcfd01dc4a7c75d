// Summary of an image: its bits, and their cumulative sum in generation order.

import { formatBits, formatFixed, html, setText } from "../shared/dom.js";
import { showNumbers } from "../widgets/glossary.js";
import { lineChart } from "./line_chart.js";

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
    showNumbers(this.numbers, rows);
    const axis = { last: surprisal.length, ends: /** @type {[string, string]} */ (["first pixel", "last"]), name: "" };
    this.plot.replaceChildren(lineChart("Bits so far, from the first pixel to the last", { entropy: pointsOf(entropy), surprisal: pointsOf(surprisal) }, axis, { low: 0, high: Math.max(total, expected, 1e-9), decimals: 0, name: "bits" }));
  }
}

/** Compute cumulative sums. @param {Float32Array} bits */
function cumulativeSums(bits) {
  let sum = 0;
  return Float64Array.from(bits, (one) => (sum += one));
}

/** Choose points of a curve that begins at 0. @param {Float64Array} values */
function pointsOf(values) {
  const step = Math.max(1, values.length / MAX_POINTS);
  const positions = Array.from({ length: Math.min(values.length, MAX_POINTS) }, (_, i) => Math.min(values.length - 1, Math.round((i + 1) * step - 1)));
  return [[0, 0], ...positions.map((position) => [position + 1, values[position]])];
}
