// Bits of an image under the model, sub-pixel by sub-pixel, as the maps of the studio show them.

import { encodeArray } from "../transport/encoded_arrays.js";
import { information } from "../canvas/distributions.js";

/** @typedef {import("../runtime/pointillist.js").Draw} Draw */

export class Score {
  bits = 0;
  expected = 0;
  variance = 0;

  /** @param {number[]} shape of the levels */
  constructor(shape) {
    const size = shape.reduce((a, b) => a * b);
    this.shape = shape;
    this.surprisal = new Float32Array(size);
    this.entropy = new Float32Array(size);
  }

  /** @param {Draw} draw of each sub-pixel */
  take({ at, frequencies, level }) {
    const { entropy, variance, surprisal } = information(/** @type {Float64Array} */ (frequencies), level);
    this.surprisal[at] = surprisal;
    this.entropy[at] = entropy;
    this.bits += surprisal;
    this.expected += entropy;
    this.variance += variance;
  }

  /** @param {number[]} sequence of the pixels @returns {Api.ScoreMaps} */
  maps(sequence) {
    const { shape, surprisal, entropy, bits, expected, variance } = this, z = variance > 0 ? (bits - expected) / Math.sqrt(variance) : 0;
    return { surprisal: encodeArray(surprisal, shape), entropy: encodeArray(entropy, shape), bits, bits_per_dim: bits / surprisal.length, expected, z, sequence };
  }
}

/** Name an image and what it is conditioned on, for what was computed of it before. @param {Api.CanvasQuery} query @param {string} order */
export const nameOfQuery = ({ levels, conditions = {} }, order) => JSON.stringify([levels.data, levels.shape, conditions, order]);
