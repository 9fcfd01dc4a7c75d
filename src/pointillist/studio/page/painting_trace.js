// A painting pixel by pixel: what was drawn, in order, with the bits of each sub-pixel and, if asked for, all it could be.

import { blankLevels, unpackFloats, unpackLevels } from "./arrays.js";

/** @typedef {import("./arrays.js").Levels} Levels */

const ALL = 65535; // a probability of 1 in the stream

/**
 * An event of the stream, unpacked once for all canvases.
 * @typedef {{first: number, count: number, levels: Levels, entropy: Float32Array, surprise: Float32Array, probs: Levels | null}} Batch
 */

/** @param {Api.Pixels} event @returns {Batch} */
export const unpackBatch = (event) => ({
  first: event.first, count: event.count, levels: unpackLevels(event.levels), entropy: unpackFloats(event.entropy),
  surprise: unpackFloats(event.surprise), probs: event.probs ? unpackLevels(event.probs) : null,
});

export class Trace {
  /**
   * @param {Api.ImageKind} image @param {ArrayLike<number>} sequence pixels to come, `row * width + column`
   * @param {number} size pixels of the image @param {boolean} distributions
   */
  constructor(image, sequence, size, distributions) {
    const numbers = sequence.length * image.channels;
    this.channels = image.channels;
    this.sequence = Int32Array.from(sequence);
    this.places = new Int32Array(size).fill(-1);
    this.sequence.forEach((pixel, place) => (this.places[pixel] = place));
    this.levels = blankLevels(image, numbers);
    this.entropy = new Float32Array(numbers);
    this.surprise = new Float32Array(numbers);
    this.probs = distributions ? new Uint16Array(numbers * image.levels) : null;
    this.kinds = image.levels;
    this.arrived = 0;
    this.over = false; // whether no more will come
    /** @type {Api.Painted | null} */
    this.painted = null;
    /** @type {Api.Recipe | null} of this image alone */
    this.recipe = null;
  }

  get length() {
    return this.sequence.length;
  }

  /** Take the pixels of one canvas out of an event. @param {Batch} event @param {number} canvas */
  take(event, canvas) {
    const count = event.count * this.channels;
    const from = canvas * count;
    const to = event.first * this.channels;
    this.levels.set(event.levels.subarray(from, from + count), to);
    this.entropy.set(event.entropy.subarray(from, from + count), to);
    this.surprise.set(event.surprise.subarray(from, from + count), to);
    if (this.probs && event.probs) {
      const probs = event.probs.subarray(from * this.kinds, (from + count) * this.kinds);
      this.probs.set(probs, to * this.kinds);
    }
    this.arrived = event.first + event.count;
  }

  /** Probabilities of a sub-pixel, or null where they did not come along. @param {number} place @param {number} channel */
  distribution(place, channel) {
    if (!this.probs || place < 0 || place >= this.arrived) return null;
    const from = (place * this.channels + channel) * this.kinds;
    return Float64Array.from(this.probs.subarray(from, from + this.kinds), (p) => p / ALL);
  }

  /**
   * Of an image that is there: as it would have been painted.
   * @param {Api.ImageKind} image @param {Levels} levels `[c h w]` @param {Api.Maps} maps
   */
  static of(image, levels, maps) {
    const size = levels.length / image.channels;
    const found = new Trace(image, maps.sequence, size, false);
    const entropy = unpackFloats(maps.entropy);
    const surprise = unpackFloats(maps.surprise);
    maps.sequence.forEach((pixel, place) => {
      for (let c = 0; c < image.channels; c++) {
        const to = place * image.channels + c;
        found.levels[to] = levels[c * size + pixel];
        found.entropy[to] = entropy[c * size + pixel];
        found.surprise[to] = surprise[c * size + pixel];
      }
    });
    found.arrived = found.length;
    found.over = true;
    return found;
  }
}
