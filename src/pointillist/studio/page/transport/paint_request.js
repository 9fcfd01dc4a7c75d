// Canvases of a paint job, and the request that paints them.

import { encodeArray } from "./encoded_arrays.js";
import { blankCanvas } from "../canvas/canvas_model.js";
import { PaintingTrace } from "../canvas/painting_trace.js";

export const PLAIN = { best_of: 1, seamless: null }; // what is painted from its first pixel on
const MAX_PROBABILITIES = 3_000_000; // probabilities to stream with a painting, for the chart during playback

/**
 * @param {Job} job @param {import("../state/paint_jobs.js").CanvasSpec} spec @param {number} seed
 * @param {[number, number] | undefined} size @param {CanvasImage | null} start
 * @returns {Canvas}
 */
export function newCanvas(job, spec, seed, size, start) {
  const canvas = blankCanvas(job.model.id, /** @type {Api.ModelDetails} */ (job.model.details), size);
  const known = start ? start.known : canvas.known;
  const levels = start ? start.levels : canvas.levels;
  return { ...canvas, known, levels, conditions: spec.conditions, settings: job.settings, caption: spec.caption, compared: job.compared, rng: { seed, index: spec.index }, variation: spec.variation };
}

/** @param {Canvas} canvas @param {Api.Started} event @param {boolean} distributions */
export function begin(canvas, event, distributions) {
  canvas.trace = new PaintingTrace(canvas.details.image, event.sequence, event.height * event.width, distributions);
  return canvas.trace;
}

/** @param {Canvas[]} canvases of one model, with the same settings and known pixels @param {boolean} starts whether they are partly known @returns {Api.SampleRequest} */
export function requestOf(canvases, starts) {
  const [canvas] = canvases;
  const { channels, levels } = canvas.details.image;
  const numbers = canvases.length * canvas.height * canvas.width * channels * levels;
  /** @type {Api.SampleRequest} */
  const request = {
    ...canvas.settings,
    samples: canvases.map(({ rng, conditions, variation }) => ({ seed: rng?.seed, index: rng?.index, conditions, variation })),
    distributions: numbers <= MAX_PROBABILITIES,
  };
  if (!starts) return { ...request, size: [canvas.height, canvas.width] };
  const same = canvases.every((one) => one.levels === canvas.levels);
  const shape = [channels, canvas.height, canvas.width];
  const start = {
    levels: same ? encodeArray(canvas.levels, shape) : encodeArray(joined(canvases), [canvases.length, ...shape]),
    known: encodeArray(canvas.known, [canvas.height, canvas.width]),
  };
  return { ...request, ...PLAIN, rules: null, start };
}

/** Divide canvases among workers: what each of them paints. @template {{canvases: Canvas[]}} G @param {G[]} groups @param {number} workers @returns {G[]} */
export const divided = (groups, workers) =>
  groups.flatMap((group) => {
    const size = Math.ceil(group.canvases.length / workers);
    return Array.from({ length: Math.ceil(group.canvases.length / size) }, (_, i) => ({ ...group, canvases: group.canvases.slice(i * size, (i + 1) * size) }));
  });

/** Join the levels of canvases of one size. @param {Canvas[]} canvases */
function joined(canvases) {
  const [{ levels }] = canvases;
  const all = levels instanceof Uint8Array ? new Uint8Array(levels.length * canvases.length) : new Uint16Array(levels.length * canvases.length);
  canvases.forEach((canvas, i) => all.set(canvas.levels, i * levels.length));
  return all;
}
