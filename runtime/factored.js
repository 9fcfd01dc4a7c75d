// The distribution of version 3 of the program format: many levels in two factors, after docs/reference/program_format.md.

import { POWERS, largest, mulShift } from "./arithmetic.js";

/** @typedef {{levels: number, mixtures: number, precision: number, tables: any}} Head */
/** Number of high and of low digits. @param {number} levels */
export function digits(levels) {
  const low = Math.ceil(Math.sqrt(levels));
  return [Math.ceil(levels / low), low];
}
/** Exponentials of logits below their largest. @param {any} exp @param {ArrayLike<number>} logits */
function exponentials(exp, logits) {
  const numbers = Array.from(logits), most = largest(numbers);
  return numbers.map((logit) => exp[Math.min(most - logit, exp.length - 1)]);
}
/** Shares of 2^24. @param {number[]} each */
function shares(each) {
  const ratio = Number((1n << 56n) / BigInt(each.reduce((a, b) => a + b)));
  return each.map((e) => mulShift(e, ratio, 32));
}
/** Edges of digits: a sum over components of weight times share, for each digit, divides the places.
 *  @param {number[]} weights @param {number[][]} parts @param {number[]} counts levels before each digit, and of all @param {number} places */
function edges(weights, parts, counts, places) {
  const n = counts.length - 1, sums = [0];
  for (let k = 0; k < n; k++) {
    let high = 0, low = 0; // of the sum over 2^24
    weights.forEach((weight, i) => {
      const product = weight * parts[i][k], whole = Math.floor(product / 2 ** 24);
      high += whole; low += product - whole * 2 ** 24;
    });
    sums.push(sums[k] + high + Math.floor(low / 2 ** 24));
  }
  const rest = BigInt(places - counts[n]), total = BigInt(sums[n]);
  return counts.map((count, k) => count + Number((BigInt(sums[k]) * rest) / total));
}
/** Frequencies of all levels of a channel. @param {Head} head @param {Int32Array} params @param {number} channel @returns {Float64Array} */
export function factored({ levels, mixtures: m, precision, tables: { exp } }, params, channel) {
  const [high, low] = digits(levels), start = channel * m * (1 + high + low), result = new Float64Array(levels);
  const part = (/** @type {number} */ from, /** @type {number} */ count) => params.subarray(start + from, start + from + count);
  const components = Array.from({ length: m }, (_, i) => i), weights = exponentials(exp, part(0, m));
  const highs = components.map((i) => shares(exponentials(exp, part(m + i * high, high))));
  const lows = (/** @type {number} */ count) => components.map((i) => shares(exponentials(exp, part(m * (1 + high) + i * low, count))));
  const outer = edges(weights, highs, Array.from({ length: high + 1 }, (_, k) => Math.min(k * low, levels)), POWERS[precision]);
  const whole = lows(low);
  for (let digit = 0; digit < high; digit++) {
    const count = Math.min(low, levels - digit * low), given = weights.map((w, i) => w * Math.max(1, highs[i][digit]));
    const bits = POWERS.findIndex((power) => power > largest(given)), within = given.map((w) => Math.floor(w / POWERS[Math.max(0, bits - 25)]));
    const inner = edges(within, count < low ? lows(count) : whole, Array.from({ length: count + 1 }, (_, k) => k), outer[digit + 1] - outer[digit]);
    for (let k = 0; k < count; k++) result[digit * low + k] = inner[k + 1] - inner[k];
  }
  return result;
}
