// Decode the data of the page: the counterpart of explorer.py.

import { inflate } from "./shared/bytes.js";

/**
 * @typedef {{probs: Float64Array, stored: number[] | null, rest: number, mean: number | null,
 *   quantiles: Record<string, number> | null}} Distribution
 *   Distribution of one sub-pixel: the probability of each level. `stored` names the levels that are stored where not all
 *   are, and `rest` is the probability of the others.
 */

/** Join four planes of bytes of equal significance to floats. @param {Uint8Array} planes */
function floats(planes) {
  const count = planes.length / 4, bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < 4; plane++) for (let i = 0; i < count; i++) bytes[4 * i + plane] = planes[plane * count + i];
  return new Float32Array(bytes.buffer);
}

/** @param {any} packed @returns {Promise<Record<string, Float32Array>>} */
export async function decodeArrays(packed) {
  const whole = floats(await inflate(packed.data));
  /** @type {Record<string, Float32Array>} */
  const result = {};
  for (const [name, { start, shape }] of Object.entries(packed.arrays))
    result[name] = whole.subarray(start, start + shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1));
  return result;
}

/** Table of the probability that each byte stands for. @param {number} most bits of the byte 255 */
function probabilities(most) {
  return Float64Array.from({ length: 256 }, (_, byte) => 2 ** -(most * (byte / 255) ** 2));
}

/**
 * Return a function from a pixel and a channel to the distribution there.
 * @param {any} page @returns {Promise<(site: number, channel: number) => Distribution>}
 */
export async function decodeDistributions(page) {
  const [c, h, w] = page.shape, k = page.levels, table = page.table, sites = h * w;
  const bytes = await inflate(table.data), meaning = probabilities(table.max_bits);
  const n = table.count, q = table.quantiles.length, count = c * sites, named = n < k ? n : 0; // levels of a complete table are not named
  const view = new DataView(bytes.buffer);
  return (site, channel) => {
    const at = channel * sites + site, start = count * (2 * named + 2 * q + 4) + at * n;
    const stored = named ? Array.from({ length: n }, (_, i) => view.getUint16(2 * (at * n + i), true)) : null;
    const probs = new Float64Array(k);
    for (let i = 0; i < n; i++) probs[stored ? stored[i] : i] = meaning[bytes[start + i]];
    const total = probs.reduce((a, b) => a + b, 0);
    const quantiles = Object.fromEntries(table.quantiles.map((/** @type {number} */ share, /** @type {number} */ i) =>
      [share, view.getUint16(2 * count * named + 2 * (at * q + i), true)]));
    const mean = view.getFloat32(2 * count * (named + q) + 4 * at, true);
    return { probs: stored ? probs : probs.map((p) => p / total), stored, rest: stored ? Math.max(0, 1 - total) : 0, mean: page.ordered ? mean : null, quantiles: page.ordered ? quantiles : null };
  };
}
