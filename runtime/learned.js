// The stage of archives that learns as it reads, after docs/reference/program_format.md.

import { clamp } from "./arithmetic.js";
import { EXP, log2, read } from "./pointillist.js";
const TERMS = 11, PLACES = 15, CONTEXTS = 175, LARGEST = 2 ** 20, SURE = 2 ** 16;
export const LEARNED = 3 * 2 * TERMS * CONTEXTS * PLACES; // numbers of a record: those of a channel, for three
/** @param {number} x @param {number} most */
const coarse = (x, most) => most + clamp(Math.sign(x) * ((33 - Math.clz32(Math.abs(x))) >> 1), -most, most);
/** @param {number} x @param {number} most */
const fine = (x, most, a = Math.abs(x), n = 32 - Math.clz32(a)) => most + clamp(Math.sign(x) * (a < 4 ? a : 2 * n - 2 + ((a >> (n - 2)) & 1)), -most, most);
/** Return a decoder of an image in the raster frame. @param {Int32Array} state of its record @param {import("./pointillist.js").Program} program @param {number} rows @param {number} columns */
export function learner(state, { head: { channels, levels: count, precision }, sCurve }, rows, columns) {
  const plane = rows * columns, levels = new Int32Array(channels * plane), errors = new Int32Array(channels * plane);
  /** W, N, NW, NE, WW, NN. @param {Int32Array} x @param {number} at @param {number} none @param {{row: number, column: number}} site */
  const around = (x, at, none, { row, column }) => {
    const back = sCurve && row % 2 ? 1 : -1, before = back > 0 ? columns - 1 - column : column;
    const w = before ? x[at + back] : row ? x[at - columns] : none, n = row ? x[at - columns] : w;
    return [w, n, row && before ? x[at + back - columns] : n, row && before + 1 < columns ? x[at - back - columns] : n,
      before > 1 ? x[at + 2 * back] : w, row > 1 ? x[at - 2 * columns] : n];
  };
  /** @param {number} c @param {number} at @param {number} median @param {import("./pointillist.js").Steps} run */
  const contexts = (c, at, median, run) => {
    const x = around(levels, at, median, run).map((each) => each - median), e = around(errors, at, 0, run), o = around(errors, at + (c ? -1 : channels - 1) * plane, 0, run);
    const here = levels[at - plane], last = c ? errors[at - plane] : 0, first = c > 1 ? errors[at - c * plane] : 0;
    const slope = c ? around(levels, at - plane, here, run).map((each) => here - each) : [x[0] - x[4], x[1] - x[5], e[2] - x[2], e[3] - x[3]];
    const sum = [4, 4, 2, 2, 1, 1].reduce((total, weight, i) => total + weight * Math.abs(e[i]), 6 * Math.abs(last) + 3 * Math.abs(first));
    const energy = fine(Math.floor((4 * sum) / (14 + (c ? 6 : 0) + (c > 1 ? 3 : 0))), 15) - 15, half = energy >> 1;
    return [energy, coarse(x[0], 4) * 9 + coarse(x[1], 4), coarse(last, 4) * 9 + coarse(c > 1 ? first : e[0], 4),
      coarse((2 * e[0] + 2 * e[1] + e[2] + e[3]) >> 2, 3) * 8 + half, coarse(x[2], 2) * 25 + coarse(x[3], 2) * 5 + coarse(2 * x[1] - x[5], 2),
      coarse(x[0] + x[1] - x[2], 3) * 25 + coarse(e[0], 2) * 5 + coarse(e[1], 2), coarse(x[0] + slope[0], 4) * 9 + coarse(x[1] + slope[1], 4),
      coarse(x[2] + slope[2], 4) * 9 + coarse(x[3] + slope[3], 4), coarse(last, 3) * 8 + half,
      coarse(x[4], 2) * 25 + coarse(x[5], 2) * 5 + coarse(e[0] + e[1], 2), coarse(o[0] + o[1] + last, 3) * 25 + coarse(e[0] + e[1], 2) * 5 + coarse(x[0] + x[1], 2)];
  };
  /** @param {{symbol(find: (target: number) => [number, number, number]): number}} decoder @param {import("./pointillist.js").Steps} run */
  return (decoder, run) => {
    const c = run.step, here = (c * rows + run.row) * columns + run.column, many = run.intervals(), sums = new Float64Array(many ? 0 : count + 1);
    if (!many) run.frequencies().forEach((each, k) => (sums[k + 1] = sums[k] + each));
    const start = (/** @type {number} */ k) => many?.start(k) ?? sums[k], bits = 32 - Math.clz32(count - 1);
    let median = 0, low = 0;
    for (let step = 2 ** (bits - 1); step >= 1; step /= 2) if (median + step < count && 2 * start(median + step) <= 2 ** precision) median += step;
    const context = contexts(c, here, median, run), first = Math.min(c, 2) * TERMS * CONTEXTS;
    for (let left = bits - 1; left >= 0; left--) {
      const middle = low + 2 ** left, place = fine(middle - median, 7);
      if (middle >= count) continue;
      const up = start(Math.min(middle + 2 ** left, count)) - start(middle), s = clamp(Math.floor((log2(up) - log2(start(middle) - start(low))) / 256), -SURE, SURE);
      const terms = context.map((each, k) => 2 * ((first + k * CONTEXTS + each + (k ? 0 : 16 * Math.min(left, 4))) * PLACES + place));
      const sum = terms.reduce((total, at) => total + state[at] * 4096 + state[at + 1] * s, s * 65536);
      const x = clamp(Math.floor(sum / 65536), -SURE, SURE), power = Math.floor(read(EXP, (Math.abs(x) * 256) % 2 ** 20, 20) / 2 ** (Math.abs(x) >> 12));
      const likely = Math.floor(2 ** 46 / (2 ** 30 + power)), p = x < 0 ? 65536 - likely : likely, below = 65536 - p;
      const above = decoder.symbol((target) => (target >= below * 256 ? [1, below * 256, p * 256] : [0, 0, below * 256]));
      const error = above * 65536 - p, by = [(15 * error + 512) >> 10, Math.floor((error * s + 2 ** 19) / 2 ** 20)];
      for (const at of terms) by.forEach((each, i) => (state[at + i] = clamp(state[at + i] + each, -LARGEST, LARGEST)));
      if (above) low = middle;
    }
    errors[here] = low - median;
    return (levels[here] = low);
  };
}
