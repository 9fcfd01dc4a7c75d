// A painting pixel by pixel: levels in generation order, bits of each sub-pixel and, on request, its distribution.

import { blankLevels, decodeArray } from "../transport/encoded_arrays.js";

const MAX_PROB = 65535; // encodes a probability of 1 in the stream

/**
 * An event of the stream, decoded once for all canvases.
 * @typedef {{first: number, count: number, levels: Levels, entropy: Float32Array, surprisal: Float32Array, probs: Levels | null}} Batch
 */

/** @param {Api.Pixels} event @returns {Batch} */
export const decodeBatch = (event) => ({
  first: event.first, count: event.count, levels: decodeArray(event.levels), entropy: decodeArray(event.entropy),
  surprisal: decodeArray(event.surprisal), probs: event.probs ? /** @type {Levels} */ (decodeArray(event.probs)) : null,
});

export class PaintingTrace {
  /**
   * @param {Api.ImageKind} image @param {ArrayLike<number>} sequence pixels in generation order, `row * width + column`
   * @param {number} size pixels of the image @param {boolean} distributions
   */
  constructor(image, sequence, size, distributions) {
    const numbers = sequence.length * image.channels;
    this.channels = image.channels;
    this.sequence = Int32Array.from(sequence);
    this.positions = new Int32Array(size).fill(-1);
    this.sequence.forEach((pixel, position) => (this.positions[pixel] = position));
    this.levels = blankLevels(image, numbers);
    this.entropy = new Float32Array(numbers);
    this.surprisal = new Float32Array(numbers);
    this.probs = distributions ? new Uint16Array(numbers * image.levels) : null;
    this.numLevels = image.levels;
    this.arrived = 0;
    this.over = false; // whether no more pixels will arrive
    /** @type {Api.SampledImage | null} */
    this.painted = null;
    /** @type {Api.SampleManifest | null} of this image only */
    this.manifest = null;
  }

  get length() {
    return this.sequence.length;
  }

  /** Add the pixels of one sample of an event. @param {Batch} event @param {number} index of the sample */
  take(event, index) {
    const count = event.count * this.channels;
    const from = index * count;
    const to = event.first * this.channels;
    this.levels.set(event.levels.subarray(from, from + count), to);
    this.entropy.set(event.entropy.subarray(from, from + count), to);
    this.surprisal.set(event.surprisal.subarray(from, from + count), to);
    if (this.probs && event.probs) {
      const probs = event.probs.subarray(from * this.numLevels, (from + count) * this.numLevels);
      this.probs.set(probs, to * this.numLevels);
    }
    this.arrived = event.first + event.count;
  }

  /** Return the distribution of a sub-pixel, or null if it was not streamed. @param {number} position @param {number} channel */
  distribution(position, channel) {
    if (!this.probs || position < 0 || position >= this.arrived) return null;
    const from = (position * this.channels + channel) * this.numLevels;
    return Float64Array.from(this.probs.subarray(from, from + this.numLevels), (p) => p / MAX_PROB);
  }

  /** Convert to plain values, without distributions, which are large. */
  pack() {
    const { sequence, levels, entropy, surprisal, arrived, painted, manifest } = this;
    return { sequence, size: this.positions.length, levels, entropy, surprisal, arrived, painted, manifest };
  }

  /** @param {Api.ImageKind} image @param {ReturnType<PaintingTrace["pack"]>} packed */
  static unpack(image, { sequence, size, ...values }) {
    return Object.assign(new PaintingTrace(image, sequence, size, false), values, { over: true });
  }

  /**
   * Make the trace of an existing image as if the model had painted it.
   * @param {Api.ImageKind} image @param {Levels} levels `[c h w]` @param {Api.ScoreMaps} maps
   * @param {Uint8Array | null} [known] pixels that were there before
   */
  static fromImage(image, levels, maps, known = null) {
    const size = levels.length / image.channels;
    const sequence = known ? maps.sequence.filter((pixel) => !known[pixel]) : maps.sequence;
    const trace = new PaintingTrace(image, sequence, size, false);
    const entropy = decodeArray(maps.entropy);
    const surprisal = decodeArray(maps.surprisal);
    sequence.forEach((pixel, position) => {
      for (let c = 0; c < image.channels; c++) {
        const to = position * image.channels + c;
        trace.levels[to] = levels[c * size + pixel];
        trace.entropy[to] = entropy[c * size + pixel];
        trace.surprisal[to] = surprisal[c * size + pixel];
      }
    });
    trace.arrived = trace.length;
    trace.over = true;
    return trace;
  }
}
