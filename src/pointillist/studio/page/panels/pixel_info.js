// Data of a pixel: from the stream during playback, exact from the server otherwise.

import { levelsAt, visibleImage } from "../canvas/canvas_model.js";
import { probabilities, subPixel } from "../canvas/distributions.js";

/**
 * @typedef {object} SubPixel
 * @property {string} name @property {number} observed level, or -1
 * @property {ArrayLike<number>} probs @property {ArrayLike<number> | null} sampling_probs
 * @property {number | null} entropy @property {number | null} surprisal @property {number | null} rank
 * @property {number | null} mean
 * @property {Record<string, number> | null} quantiles @property {Api.Component[] | null} components
 */

/**
 * @typedef {object} PixelInfo
 * @property {Canvas} canvas @property {number} pixel @property {number} row @property {number} column
 * @property {"held" | "hovered" | "latest"} source
 * @property {number | null} position in the generation order, from 0 @property {boolean} painted
 * @property {number[] | null} levels
 * @property {SubPixel[] | null} channels null until the server answers
 * @property {string | null} error
 */

/** Return the pixel to describe: held, hovered, or painted last. @param {State} state @returns {{canvas: Canvas, pixel: number, source: PixelInfo["source"]} | null} */
export function activePixel(state) {
  const { canvas } = state;
  if (!canvas) return null;
  if (state.heldPixel) return { canvas, pixel: state.heldPixel.pixel, source: "held" };
  const hovered = state.hover && state.canvases[state.hover.index];
  if (state.hover && hovered && !state.playing) return { canvas: hovered, pixel: state.hover.pixel, source: "hovered" };
  const last = canvas.trace ? Math.min(Math.floor(state.at), canvas.trace.arrived) : 0;
  const atEnd = !state.playing && last === canvas.trace?.length; // the summary of the image is shown then
  return canvas.trace && last > 0 && !atEnd ? { canvas, pixel: canvas.trace.sequence[last - 1], source: "latest" } : null;
}

/**
 * @param {State} state @param {import("../transport/queries.js").Queries} queries
 * @returns {PixelInfo | null}
 */
export function pixelInfoOf(state, queries) {
  const active = activePixel(state);
  if (!active) return null;
  const { canvas, pixel, source } = active;
  const image = visibleImage(canvas, state.at);
  const { trace } = canvas;
  const position = trace && trace.positions[pixel] >= 0 ? trace.positions[pixel] : null;
  const painted = image.known[pixel] === 1;
  const info = {
    canvas, pixel, source, position, painted, row: Math.floor(pixel / canvas.width), column: pixel % canvas.width,
    levels: painted ? levelsAt(image, pixel) : null, error: null,
  };
  // an unpainted pixel has a distribution only if it is next
  if (!painted && position !== Math.floor(state.at)) return { ...info, channels: null };
  const streamed = trace && position !== null && position < trace.arrived ? fromTrace(canvas, position, painted) : null;
  if (state.playing || state.stroke || !painted) return { ...info, channels: streamed };
  const result = queries.pixel(canvas, pixel);
  if (result instanceof Error) return { ...info, channels: streamed, error: result.message };
  return { ...info, channels: result ? result.channels : streamed };
}

/** @param {Canvas} canvas @param {number} position @param {boolean} painted @returns {SubPixel[] | null} */
function fromTrace(canvas, position, painted) {
  const { details: { image }, trace } = canvas;
  if (!trace?.probs) return null;
  return Array.from({ length: image.channels }, (_, channel) => {
    const at = position * image.channels + channel, observed = painted ? trace.levels[at] : -1;
    const described = subPixel(image, channel, probabilities(/** @type {Float64Array} */ (trace.distribution(position, channel))), observed);
    return { ...described, entropy: trace.entropy[at], surprisal: painted ? trace.surprisal[at] : null, rank: painted ? described.rank : null };
  });
}
