// The immutable state of one canvas. Canvases are replaced, never changed, so that undo is a list of earlier states.

import { blankLevels } from "../transport/encoded_arrays.js";
import { SETTINGS } from "../request_fields.js";
import { PaintingTrace } from "./painting_trace.js";

/** @typedef {{same: boolean, text: string}} Verdict the result of reproducing a manifest */
/** @typedef {{region: Uint8Array, levels: number[]}} Allowed levels that a fill may use in a region */
/** @typedef {{method: string, bits: number}} Filled how the hole of an image was filled, and the bits of what is in it */

/**
 * @typedef {object} Canvas
 * @property {string} model id of the model
 * @property {Api.ModelDetails} details of the model
 * @property {Api.ConditionValues} conditions @property {Settings} settings
 * @property {number} height @property {number} width
 * @property {Levels} levels `[c h w]`, before the trace; 0 for unknown pixels
 * @property {Uint8Array} known `[h w]`, before the trace
 * @property {PaintingTrace | null} trace the painting on top of `levels`, from its first pixel on
 * @property {{seed: number, index: number} | null} rng seed and index of the random numbers
 * @property {string} caption its difference from the canvases beside it
 * @property {import("../state/request.js").Compare | null} [compared] the comparison that it is part of
 * @property {Verdict | null} verdict
 * @property {Allowed[]} allowed @property {Filled | null} filled @property {Api.Variation | null} variation of another image
 */

/** @typedef {{levels: Levels, known: Uint8Array}} CanvasImage */

/** Return the settings among the fields of a request; the usual ones where it has none. @param {Partial<Settings>} request */
export const settingsFrom = (request) => /** @type {Settings} */ (Object.fromEntries(Object.entries(SETTINGS).map(([name, usual]) => [name, request[/** @type {keyof Settings} */ (name)] ?? usual])));

/**
 * Make an empty canvas.
 * @param {string} model @param {Api.ModelDetails} details @param {[number, number]} [size]
 * @returns {Canvas}
 */
export function blankCanvas(model, details, size = [details.image.height, details.image.width]) {
  const [height, width] = size;
  return {
    model, details, conditions: {}, settings: SETTINGS, height, width,
    levels: blankLevels(details.image, details.image.channels * height * width),
    known: new Uint8Array(height * width), trace: null, rng: null, caption: "", verdict: null, allowed: [], filled: null, variation: null,
  };
}

/** @typedef {{trace: PaintingTrace, until: number, image: CanvasImage}} Cached the image shown last, to continue from */
/** @type {WeakMap<Canvas, Cached>} */
const completeImages = new WeakMap();
/** @type {WeakMap<Canvas, Cached>} */
const partialImages = new WeakMap();

/**
 * Return the image of a canvas after `at` pixels of its trace. The arrays are shared: copy them before changing them.
 * @param {Canvas} canvas @param {number} at
 * @returns {CanvasImage}
 */
export function visibleImage(canvas, at = Infinity) {
  const { trace } = canvas;
  if (!trace) return canvas;
  const until = Math.min(Math.floor(at), trace.arrived);
  const cache = until === trace.arrived ? completeImages : partialImages;
  let cached = cache.get(canvas);
  if (!cached || cached.trace !== trace || cached.until > until) {
    cached = { trace, until: 0, image: { levels: canvas.levels.slice(), known: canvas.known.slice() } };
    cache.set(canvas, cached);
  }
  const { levels, known } = cached.image;
  const { channels, sequence } = trace;
  for (let position = cached.until; position < until; position++) {
    const pixel = sequence[position];
    known[pixel] = 1;
    for (let c = 0; c < channels; c++) levels[c * known.length + pixel] = trace.levels[position * channels + c];
  }
  cached.until = until;
  return cached.image;
}

/** Return true if every pixel is known. @param {CanvasImage} image */
export const isComplete = (image) => !image.known.includes(0);

/** Return true if a painting was stopped before its last pixel. @param {Canvas} canvas */
export const isStopped = ({ trace }) => trace !== null && trace.over && trace.arrived < trace.length;

/** Return true if a canvas has a hole that nobody is about to paint. @param {Canvas} canvas */
export const hasHole = (canvas) => holdsAnything(canvas) && (canvas.trace ? isStopped(canvas) : canvas.known.includes(0));

/** Return true if any pixel is known or on its way. @param {Canvas} canvas */
export const holdsAnything = (canvas) => canvas.trace !== null || canvas.known.includes(1);

/**
 * Replace the image of a canvas; conditions and settings are kept.
 * @param {Canvas} canvas @param {Levels} levels @param {Uint8Array} known
 * @returns {Canvas}
 */
export const withImage = (canvas, levels, known) => ({ ...canvas, levels, known, trace: null, verdict: null, filled: null, variation: null });

/**
 * Make the trace of an image as if the model had painted it, or all of it but what was known.
 * @param {Api.ModelDetails} details @param {Levels} levels @param {Api.ScoreMaps} maps @param {Uint8Array | null} [known]
 */
export function traceImage(details, levels, maps, known = null) {
  const size = levels.length / details.image.channels;
  const before = levels.map((level, i) => (known?.[i % size] ? level : 0));
  return { trace: PaintingTrace.fromImage(details.image, levels, maps, known), known: known ?? new Uint8Array(size), levels: before };
}

/** Return the levels of one pixel. @param {CanvasImage} image @param {number} pixel @returns {number[]} */
export function levelsAt(image, pixel) {
  const size = image.known.length;
  return Array.from({ length: image.levels.length / size }, (_, c) => image.levels[c * size + pixel]);
}

/** Return true if two models paint the same kind of image. @param {Api.ImageKind} a @param {Api.ImageKind} b */
export const sameGrid = (a, b) =>
  a.channels === b.channels && a.height === b.height && a.width === b.width && a.levels === b.levels &&
  a.mode === b.mode && JSON.stringify(a.palette) === JSON.stringify(b.palette);
