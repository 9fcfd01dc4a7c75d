// A chart of two curves: what was expected, and what came.

import { svg } from "../shared/dom.js";

const WIDTH = 320, HEIGHT = 168, LEFT = 46, RIGHT = 314, TOP = 10, BOTTOM = 130;

/**
 * Draw two curves over an axis that begins at 0.
 * @param {string} label for screen readers
 * @param {{entropy: number[][], surprisal: number[][]}} curves points of each, across and up
 * @param {{last: number, ends: [string, string], name: string}} across
 * @param {{low: number, high: number, decimals: number, name: string}} up
 */
export function lineChart(label, { entropy, surprisal }, across, up) {
  const x = (/** @type {number} */ at) => (LEFT + ((RIGHT - LEFT) * at) / across.last).toFixed(1);
  const y = (/** @type {number} */ value) => (BOTTOM - ((BOTTOM - TOP) * (Math.min(value, up.high) - up.low)) / (up.high - up.low)).toFixed(1);
  const line = (/** @type {number[][]} */ points) => points.map(([at, value], i) => `${i ? "L" : "M"}${x(at)} ${y(value)}`).join("");
  const text = (/** @type {number} */ left, /** @type {number} */ down, /** @type {string} */ anchor, /** @type {string} */ words) => svg("text", { x: left, y: down, "text-anchor": anchor }, words);
  return svg(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart still", role: "img", "aria-label": label },
    svg("path", { class: "grid", d: `M${LEFT} ${TOP}H${RIGHT}` }), svg("path", { class: "axis", d: `M${LEFT} ${BOTTOM}H${RIGHT}` }),
    svg("path", { class: "entropy", d: line(entropy) }), svg("path", { class: "surprisal", d: line(surprisal) }),
    ...(surprisal.length < 3 ? surprisal.map(([at, value]) => svg("circle", { class: "point", cx: x(at), cy: y(value), r: 3 })) : []),
    text(LEFT - 6, TOP + 4, "end", up.high.toFixed(up.decimals)), text(LEFT - 6, BOTTOM + 4, "end", up.low.toFixed(up.decimals)),
    svg("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(11 ${(TOP + BOTTOM) / 2}) rotate(-90)` }, up.name),
    text(LEFT, BOTTOM + 16, "start", across.ends[0]), text(RIGHT, BOTTOM + 16, "end", across.ends[1]), text((LEFT + RIGHT) / 2, BOTTOM + 30, "middle", across.name),
  );
}
