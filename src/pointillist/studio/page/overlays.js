// What can lie over an image: for each board a number a pixel, and how numbers are coloured.

import { unpackFloats } from "./arrays.js";
import { isComplete, shown } from "./board.js";
import { balance, heat } from "./colour.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */
/** @typedef {{at: (pixel: number) => number | null, colour: (value: number) => number[]}} Overlay null where there is nothing to say */

/** The mean over channels. @param {Float32Array} values `[c h w]` @param {number} size @param {(value: number) => number} [of] */
function meanOf(values, size, of = (value) => value) {
  const channels = values.length / size;
  return (/** @type {number} */ pixel) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += of(values[c * size + pixel]);
    return sum / channels;
  };
}

/**
 * @param {State} state @param {import("./questions.js").Questions} questions @param {Board} board @param {boolean} inHand
 * @returns {Overlay | null}
 */
export function overlayOf(state, questions, board, inHand) {
  if (state.view === "image") return null;
  if (state.view === "entropy" || state.view === "surprise") return bitsOf(state, questions, board, state.view);
  return inHand && state.pin ? fromPin(state, questions, board, state.pin) : null;
}

/**
 * Entropy or surprise: from the stream as far as it goes, else from a score of the whole.
 * @param {State} state @param {import("./questions.js").Questions} questions @param {Board} board @param {"entropy" | "surprise"} kind
 * @returns {Overlay}
 */
function bitsOf(state, questions, board, kind) {
  const top = board.details.bits_top;
  const colour = (/** @type {number} */ bits) => heat(bits / top);
  const { trace } = board;
  const size = board.known.length;
  const needsScore = (trace === null || trace.length < size) && state.stroke === 0 && isComplete(shown(board));
  const maps = needsScore ? questions.score(board) : null;
  const scored = maps && !(maps instanceof Error) ? meanOf(unpackFloats(maps[kind]), size) : null;
  return {
    colour,
    at: (pixel) => {
      const place = trace ? trace.places[pixel] : -1;
      if (!trace || place < 0) return scored ? scored(pixel) : null;
      if (place >= Math.min(state.at, trace.arrived)) return null;
      let sum = 0;
      for (let c = 0; c < trace.channels; c++) sum += trace[kind][place * trace.channels + c];
      return sum / trace.channels;
    },
  };
}

/**
 * What the pinned pixel looked at, or what moves if it is another.
 * @param {State} state @param {import("./questions.js").Questions} questions @param {Board} board @param {import("./state.js").Pin} pin
 * @returns {Overlay | null}
 */
function fromPin(state, questions, board, pin) {
  const size = board.known.length;
  if (state.view === "look") {
    const look = questions.look(board, pin.pixel);
    return look && !(look instanceof Error) ? lookOverlay(look, size) : null;
  }
  const levels = chosenLevels(board, pin);
  const change = levels ? questions.change(board, pin.pixel, levels) : null;
  if (!change || change instanceof Error) return null;
  const top = board.details.bits_top;
  return { at: meanOf(unpackFloats(change.shift), size), colour: (bits) => heat(Math.sqrt(Math.max(0, bits) / top)) };
}

/** Slopes, on a scale of roots, so that small ones show. @param {Api.Look} look @param {number} size @returns {Overlay} */
export function lookOverlay(look, size) {
  const top = look.top || 1;
  const values = unpackFloats(look.values);
  const root = (/** @type {number} */ value) => Math.sign(value) * Math.sqrt(Math.abs(value) / top);
  if (!look.signed) return { at: meanOf(values, size, Math.abs), colour: (value) => heat(root(value)) };
  return { at: meanOf(values, size), colour: (value) => balance(root(value)) };
}

/** The pinned pixel with what was chosen for it; null if that is what is there. @param {Board} board @param {import("./state.js").Pin} pin */
export function chosenLevels(board, pin) {
  const there = shown(board);
  const size = board.known.length;
  const levels = pin.choice.map((level, c) => level ?? there.levels[c * size + pin.pixel]);
  return levels.some((level, c) => level !== there.levels[c * size + pin.pixel]) ? levels : null;
}
