// Overlays: a number for each pixel of a canvas, and the colours of the numbers.

import { decodeArray } from "../transport/encoded_arrays.js";
import { isComplete, levelsAt, visibleImage } from "./canvas_model.js";
import { balance, balanceOver, colourOf, heat } from "../shared/colour.js";

/** @typedef {{at: (pixel: number) => number | null, colour: (value: number, pixel: number) => number[]}} Overlay null for pixels without a number */

/** Return the mean over channels. @param {Float32Array} values `[c h w]` @param {number} size @param {(value: number) => number} [of] */
function meanOf(values, size, of = (value) => value) {
  const channels = values.length / size;
  return (/** @type {number} */ pixel) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += of(values[c * size + pixel]);
    return sum / channels;
  };
}

/**
 * @param {State} state @param {import("../transport/queries.js").Queries} queries @param {Canvas} canvas @param {boolean} isActive
 * @returns {Overlay | null}
 */
export function overlayOf(state, queries, canvas, isActive) {
  if (state.word?.canvas === canvas) return wordOverlay(queries, canvas, state.word);
  if (state.view === "image") return null;
  if (state.view === "entropy" || state.view === "surprisal") return bitsOverlay(state, queries, canvas, state.view);
  if (state.view === "differences") return isActive ? differencesOverlay(state, canvas) : null;
  return isActive && state.heldPixel ? heldPixelOverlay(state, queries, canvas, state.heldPixel) : null;
}

/**
 * Make the overlay of the bits that a word of the prompt saves, over the image in grey.
 * @param {import("../transport/queries.js").Queries} queries @param {Canvas} canvas @param {import("../state/state.js").ShownWord} shown
 * @returns {Overlay | null}
 */
function wordOverlay(queries, canvas, shown) {
  const maps = queries.words(canvas, shown.exchange), word = shown.exchange ? 0 : shown.word;
  if (!maps || maps instanceof Error || !maps.words.length) return null;
  const values = decodeArray(maps.saved), size = canvas.known.length, top = canvas.details.bits_top * canvas.details.image.channels;
  const image = visibleImage(canvas), kind = canvas.details.image;
  return { at: (pixel) => values[word * size + pixel], colour: (value, pixel) => balanceOver(colourOf(kind, levelsAt(image, pixel)), -value / top) };
}

/**
 * Make the overlay of entropy or surprisal, from the stream if possible, else from a query.
 * @param {State} state @param {import("../transport/queries.js").Queries} queries @param {Canvas} canvas @param {"entropy" | "surprisal"} kind
 * @returns {Overlay}
 */
function bitsOverlay(state, queries, canvas, kind) {
  const top = canvas.details.bits_top;
  const colour = (/** @type {number} */ bits) => heat(bits / top);
  const { trace } = canvas;
  const size = canvas.known.length;
  const needsScore = (trace === null || trace.length < size) && state.stroke === 0 && isComplete(visibleImage(canvas));
  const maps = needsScore ? queries.score(canvas) : null;
  const scored = maps && !(maps instanceof Error) ? meanOf(decodeArray(maps[kind]), size) : null;
  return {
    colour,
    at: (pixel) => {
      const position = trace ? trace.positions[pixel] : -1;
      if (!trace || position < 0) return scored ? scored(pixel) : null;
      if (position >= Math.min(state.at, trace.arrived)) return null;
      let sum = 0;
      for (let c = 0; c < trace.channels; c++) sum += trace[kind][position * trace.channels + c];
      return sum / trace.channels;
    },
  };
}

/** Make the overlay of the probability that two candidates of a fill differ at a pixel. @param {State} state @param {Canvas} canvas @returns {Overlay | null} */
function differencesOverlay({ fill }, canvas) {
  if (!fill?.canvases.includes(canvas)) return null;
  const images = fill.canvases.map((one) => visibleImage(one));
  const total = fill.counts.reduce((sum, count) => sum + count, 0);
  return {
    colour: heat,
    at: (pixel) => {
      if (fill.hole.known[pixel]) return null;
      /** @type {Map<string, number>} */
      const counts = new Map();
      images.forEach((image, i) => counts.set(String(levelsAt(image, pixel)), (counts.get(String(levelsAt(image, pixel))) ?? 0) + fill.counts[i]));
      return 1 - [...counts.values()].reduce((sum, count) => sum + (count / total) ** 2, 0);
    },
  };
}

/**
 * Make the overlay of the held pixel: its saliency map, or the shift of other distributions.
 * @param {State} state @param {import("../transport/queries.js").Queries} queries @param {Canvas} canvas @param {import("../state/state.js").HeldPixel} heldPixel
 * @returns {Overlay | null}
 */
function heldPixelOverlay(state, queries, canvas, heldPixel) {
  const size = canvas.known.length;
  if (state.view === "saliency") {
    const saliency = queries.saliency(canvas, heldPixel.pixel);
    return saliency && !(saliency instanceof Error) ? saliencyOverlay(saliency, size) : null;
  }
  const levels = chosenLevels(canvas, heldPixel);
  const edit = levels ? queries.edit(canvas, heldPixel.pixel, levels) : null;
  if (!edit || edit instanceof Error) return null;
  const top = canvas.details.bits_top;
  return { at: meanOf(decodeArray(edit.shift), size), colour: (bits) => heat(Math.sqrt(Math.max(0, bits) / top)) };
}

/** Make the overlay of a saliency map, on a square-root scale so that small values show. @param {Api.Saliency} saliency @param {number} size @returns {Overlay} */
export function saliencyOverlay(saliency, size) {
  const top = saliency.top || 1;
  const values = /** @type {Float32Array} */ (decodeArray(saliency.values));
  const root = (/** @type {number} */ value) => Math.sign(value) * Math.sqrt(Math.abs(value) / top);
  if (!saliency.signed) return { at: meanOf(values, size, Math.abs), colour: (value) => heat(root(value)) };
  return { at: meanOf(values, size), colour: (value) => balance(root(value)) };
}

/** Return the levels chosen for the held pixel; null if they are the observed ones. @param {Canvas} canvas @param {import("../state/state.js").HeldPixel} heldPixel */
export function chosenLevels(canvas, heldPixel) {
  const image = visibleImage(canvas);
  const size = canvas.known.length;
  const levels = heldPixel.choice.map((level, c) => level ?? image.levels[c * size + heldPixel.pixel]);
  return levels.some((level, c) => level !== image.levels[c * size + heldPixel.pixel]) ? levels : null;
}
