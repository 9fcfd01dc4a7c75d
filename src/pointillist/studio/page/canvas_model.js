// A board: one image on the stage. Boards are never changed, only replaced, so that undo is a list of what was there.

import { blankLevels } from "./arrays.js";
import { Trace } from "./trace.js";

/** @typedef {import("./arrays.js").Levels} Levels */
/** @typedef {{guidance: number, temperature: number, top_p: number, order: string | null}} Settings */
/** @typedef {{same: boolean, text: string}} Verdict what painting a recipe again showed */

/**
 * @typedef {object} Board
 * @property {string} model its id
 * @property {Api.Details} details of the model
 * @property {Api.Told} told @property {Settings} settings
 * @property {number} height @property {number} width
 * @property {Levels} levels `[c h w]`, before the trace; 0 where nothing is known
 * @property {Uint8Array} known `[h w]`, before the trace
 * @property {Trace | null} trace what was painted on top, from its first pixel on
 * @property {{seed: number, index: number} | null} draw the random numbers
 * @property {string} caption what sets it apart from its neighbours
 * @property {Verdict | null} verdict
 */

/** @typedef {{levels: Levels, known: Uint8Array}} Shown */

/**
 * An empty board.
 * @param {string} model @param {Api.Details} details @param {[number, number]} [size]
 * @returns {Board}
 */
export function blankBoard(model, details, size = [details.image.height, details.image.width]) {
  const [height, width] = size;
  return {
    model, details, told: {}, settings: { guidance: 1, temperature: 1, top_p: 1, order: null }, height, width,
    levels: blankLevels(details.image, details.image.channels * height * width),
    known: new Uint8Array(height * width), trace: null, draw: null, caption: "", verdict: null,
  };
}

/** @typedef {{trace: Trace, until: number, image: Shown}} Made what was shown last, to go on from */
/** @type {WeakMap<Board, Made>} */
const wholes = new WeakMap();
/** @type {WeakMap<Board, Made>} */
const parts = new WeakMap();

/**
 * What a board shows when so many pixels of its trace are there. The arrays are shared: copy them before changing them.
 * @param {Board} board @param {number} at
 * @returns {Shown}
 */
export function shown(board, at = Infinity) {
  const { trace } = board;
  if (!trace) return board;
  const until = Math.min(Math.floor(at), trace.arrived);
  const kept = until === trace.arrived ? wholes : parts;
  let made = kept.get(board);
  if (!made || made.trace !== trace || made.until > until) {
    made = { trace, until: 0, image: { levels: board.levels.slice(), known: board.known.slice() } };
    kept.set(board, made);
  }
  const { levels, known } = made.image;
  const { channels, sequence } = trace;
  for (let place = made.until; place < until; place++) {
    const pixel = sequence[place];
    known[pixel] = 1;
    for (let c = 0; c < channels; c++) levels[c * known.length + pixel] = trace.levels[place * channels + c];
  }
  made.until = until;
  return made.image;
}

/** Whether every pixel is there. @param {Shown} image */
export const isComplete = (image) => !image.known.includes(0);

/** Whether anything is there, or coming. @param {Board} board */
export const holdsAnything = (board) => board.trace !== null || board.known.includes(1);

/**
 * A board that holds an image as it is, with what was known about how it came about.
 * @param {Board} board @param {Levels} levels @param {Uint8Array} known
 * @returns {Board}
 */
export const holding = (board, levels, known) => ({ ...board, levels, known, trace: null, verdict: null });

/**
 * Everything of an image as if it had been painted.
 * @param {Api.Details} details @param {Levels} levels @param {Api.Maps} maps
 */
export function traced(details, levels, maps) {
  const size = levels.length / details.image.channels;
  return { trace: Trace.of(details.image, levels, maps), known: new Uint8Array(size), levels: levels.slice().fill(0) };
}

/** The levels of one pixel. @param {Shown} image @param {number} pixel @returns {number[]} */
export function levelsAt(image, pixel) {
  const size = image.known.length;
  return Array.from({ length: image.levels.length / size }, (_, c) => image.levels[c * size + pixel]);
}

/**
 * The question that every other is made of.
 * @param {Board} board @param {Api.Packed} levels
 * @returns {Api.ImageQuestion}
 */
export const questionOf = (board, levels) => ({ levels, told: board.told, order: board.settings.order });

/** Whether two models paint the same kind of grid. @param {Api.ImageKind} a @param {Api.ImageKind} b */
export const sameGrid = (a, b) =>
  a.channels === b.channels && a.height === b.height && a.width === b.width && a.levels === b.levels &&
  a.mode === b.mode && JSON.stringify(a.palette) === JSON.stringify(b.palette);
