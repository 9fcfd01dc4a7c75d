// Attention to earlier sites, and to tokens, after docs/reference/program_format.md.

import { largest, mulShift } from "./arithmetic.js";

/** Attend head by head; an entry is the keys of all heads, and then the values. Without entries the output is 0.
 *  @param {Record<string, any>} constants @param {Int32Array} query @param {Int32Array} entries @param {number} heads
 *  @param {Int32Array} out @param {(x: number) => number} limited */
export function attend({ exp, factor }, query, entries, heads, out, limited) {
  const keys = query.length / heads, width = out.length / heads, channels = query.length + out.length, count = entries.length / channels;
  for (let head = 0; head < heads; head++) {
    const scores = Float64Array.from({ length: count }, (_, j) => {
      let score = 0;
      for (let k = head * keys; k < (head + 1) * keys; k++) score += query[k] * entries[j * channels + k];
      return score;
    });
    const best = largest(scores);
    const weights = scores.map((s) => exp[Math.min(mulShift(best - s, Number(factor[0]), 16), exp.length - 1)]);
    const total = BigInt(weights.reduce((a, b) => a + b, 0));
    for (let k = head * width; k < (head + 1) * width; k++) {
      const numerator = (BigInt(weights.reduce((sum, w, j) => sum + w * entries[j * channels + query.length + k], 0)) << 9n) + total;
      const quotient = total ? numerator / (2n * total) : 0n; // towards 0
      out[k] = limited(Number(numerator < quotient * 2n * total ? quotient - 1n : quotient));
    }
  }
}
/** The entries of the tokens whose mask is positive. @param {Int32Array} mask @param {Int32Array} entries */
export function existing(mask, entries) {
  const width = entries.length / mask.length, chosen = [...mask.keys()].filter((t) => mask[t] > 0);
  return Int32Array.from(chosen.flatMap((t) => [...entries.subarray(t * width, (t + 1) * width)]));
}
