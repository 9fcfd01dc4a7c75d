// Images of an exported page that are drawn before they are shown: the best of several candidates, and images that tile; to the bit as
// by `sampling/candidates.py` and `completion/canvas.py`, which explain what is computed.

import { uniforms, wordsOf } from "../runtime/pointillist.js";
/** @typedef {ArrayLike<number>} Levels `[channels, height, width]` */

const UNCONDITIONAL_SHARE = 0.5;

/** Sum the binary logarithms of frequencies; the frequencies of all levels of a sub-pixel have the same sum. @param {Float64Array} frequencies */
const bitsOf = (frequencies) => frequencies.reduce((sum, frequency) => sum + Math.log2(frequency), 0);

/** Score levels. @param {OfflineModel} opened @param {Options} options @param {Levels} levels */
const scored = (opened, options, levels) => bitsOf(opened.run({ ...options, observed: Array.from(levels), all: true, tables: false }).frequencies);

/**
 * Draw candidates of an image, and keep the one that its conditions explain best: the largest log p(x | conditions) - 0.5 log p(x).
 * @param {OfflineModel} opened @param {number} count @param {Options} settings @param {(settings: Options) => {levels: Levels, frequencies: Float64Array | null}} draw without frequencies where they are not of the model @param {() => Promise<boolean>} stopped
 * @returns {Promise<Levels | null>} null if it was stopped
 */
export async function bestOf(opened, count, settings, draw, stopped) {
  const { label, features, hint, seed = 0, index = 0, height = 1, width = 1, order, begin } = settings;
  if ((label ?? features ?? hint) == null) throw new Error(`\`best_of\` (=${count}) chooses by the bits that a condition saves, and there is none: give a prompt or a label, or leave it out.`);
  const size = opened.details.image.channels * height * width;
  /** @type {Levels | null} */
  let best = null;
  let most = -Infinity;
  for (let candidate = 0; candidate < count; candidate++) {
    const { levels, frequencies } = draw({ ...settings, uniforms: uniforms(candidate ? [seed, index, candidate] : [seed, index], size) });
    if (await stopped()) return null;
    const plain = { guidance: 1, temperature: 1, topP: 1 }; // what counts is the model, however levels are drawn
    const score = (frequencies ? bitsOf(frequencies) : scored(opened, { ...settings, ...plain, negative: null }, levels)) - UNCONDITIONAL_SHARE * scored(opened, { order, height, width, begin }, levels);
    if (score > most) [best, most] = [levels, score];
    if (await stopped()) return null;
  }
  return best;
}

/** Roll an image by rows and columns. @param {Levels} levels @param {[number, number]} by @param {number} height @param {number} width */
function rolled(levels, [down, right], height, width) {
  const from = (/** @type {number} */ at, /** @type {number} */ by, /** @type {number} */ size) => (((at - by) % size) + size) % size;
  return Uint16Array.from(levels, (_, at) => {
    const pixel = at % (height * width);
    return levels[at - pixel + from(Math.floor(pixel / width), down, height) * width + from(pixel % width, right, width)];
  });
}

/** List by how much an image is rolled, and the hole over its seam then. @param {"x" | "y" | "both"} sides @param {number} height @param {number} width */
function seamsOf(sides, height, width) {
  const [down, right, rows, columns] = [Math.floor(height / 2), Math.floor(width / 2), Math.max(2, Math.floor(height / 4)), Math.max(2, Math.floor(width / 4))];
  for (const [name, size, band] of /** @type {const} */ ([["y", height, rows], ["x", width, columns]]))
    if ([name, "both"].includes(sides) && band >= size) throw new Error(`\`band\` (=${band}) must be from 1 to ${size - 1} for an image of ${height}x${width}.`);
  const top = down - Math.floor(rows / 2), left = right - Math.floor(columns / 2), margin = Math.max(1, Math.floor(columns / 2));
  const hole = (/** @type {(row: number, column: number) => boolean} */ inside) => Uint8Array.from({ length: height * width }, (_, pixel) => Number(inside(Math.floor(pixel / width), pixel % width)));
  const isRow = (/** @type {number} */ row) => row >= top && row < top + rows;
  /** @type {{by: [number, number], hole: Uint8Array}[]} */
  const seams = [];
  if (sides !== "y") seams.push({ by: [0, right], hole: hole((_, column) => column >= left && column < left + columns) });
  if (sides === "y") seams.push({ by: [down, 0], hole: hole(isRow) });
  if (sides === "both") seams.push({ by: [down, 0], hole: hole((row, column) => isRow(row) && column >= margin && column < width - margin) }); // what is left crosses the other seam
  if (sides === "both") seams.push({ by: [down, right], hole: hole((row, column) => isRow(row) && column >= right - margin && column < right + margin) });
  return seams;
}

/**
 * Make an image tile: a band around each seam is drawn again, given what is on both sides of it.
 * @param {Levels} levels @param {"x" | "y" | "both"} sides @param {number} seed @param {number} height @param {number} width
 * @param {(hole: {levels: Levels, mask: Uint8Array, seed: number}) => Levels} complete
 */
export function seamless(levels, sides, seed, height, width, complete) {
  /** @type {[number, number]} */
  let place = [0, 0];
  let now = levels;
  for (const [n, { by, hole }] of seamsOf(sides, height, width).entries()) {
    const turned = rolled(now, [by[0] - place[0], by[1] - place[1]], height, width);
    [now, place] = [complete({ levels: turned, mask: hole.map((one) => 1 - one), seed: wordsOf([seed, n])[0] }), by];
  }
  return rolled(now, [-place[0], -place[1]], height, width);
}
