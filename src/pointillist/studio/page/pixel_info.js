// What is known of a pixel: from the stream as it plays, exact from the server once the hand rests.

import { levelsAt, shown } from "./board.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./board.js").Board} Board */

/**
 * @typedef {object} SubPixel
 * @property {string} name @property {number} observed level, or -1
 * @property {ArrayLike<number>} probs @property {ArrayLike<number> | null} drawn
 * @property {number | null} entropy @property {number | null} surprise @property {number | null} rank
 * @property {number | null} mean
 * @property {Record<string, number> | null} quantiles @property {Api.Component[] | null} components
 */

/**
 * @typedef {object} Facts
 * @property {Board} board @property {number} pixel @property {number} row @property {number} column
 * @property {"pinned" | "pointed" | "now"} why
 * @property {number | null} place in the order of painting, from 0 @property {boolean} painted
 * @property {number[] | null} levels
 * @property {SubPixel[] | null} channels null while they are on their way
 * @property {string | null} trouble
 */

/** The pixel that is in question: held, pointed at, or painted last. @param {State} state @returns {{board: Board, pixel: number, why: Facts["why"]} | null} */
export function inQuestion(state) {
  const { board } = state;
  if (!board) return null;
  if (state.pin) return { board, pixel: state.pin.pixel, why: "pinned" };
  const pointed = state.hover && state.boards[state.hover.place];
  if (state.hover && pointed && !state.playing) return { board: pointed, pixel: state.hover.pixel, why: "pointed" };
  const last = board.trace ? Math.min(Math.floor(state.at), board.trace.arrived) : 0;
  const atEnd = !state.playing && last === board.trace?.length; // then the image as a whole is what one looks at
  return board.trace && last > 0 && !atEnd ? { board, pixel: board.trace.sequence[last - 1], why: "now" } : null;
}

/**
 * @param {State} state @param {import("./questions.js").Questions} questions
 * @returns {Facts | null}
 */
export function factsOf(state, questions) {
  const found = inQuestion(state);
  if (!found) return null;
  const { board, pixel, why } = found;
  const image = shown(board, state.at);
  const { trace } = board;
  const place = trace && trace.places[pixel] >= 0 ? trace.places[pixel] : null;
  const painted = image.known[pixel] === 1;
  const facts = {
    board, pixel, why, place, painted, row: Math.floor(pixel / board.width), column: pixel % board.width,
    levels: painted ? levelsAt(image, pixel) : null, trouble: null,
  };
  // what is not there yet has a distribution only if it is next
  if (!painted && place !== Math.floor(state.at)) return { ...facts, channels: null };
  const streamed = trace && place !== null && place < trace.arrived ? fromTrace(board, place, painted) : null;
  if (state.playing || state.stroke || !painted) return { ...facts, channels: streamed };
  const answer = questions.pixel(board, pixel);
  if (answer instanceof Error) return { ...facts, channels: streamed, trouble: answer.message };
  return { ...facts, channels: answer ? answer.channels.map(fromAnswer) : streamed };
}

/** @param {Api.SubPixel} one @returns {SubPixel} */
const fromAnswer = (one) => one;

/** @param {Board} board @param {number} place @param {boolean} painted @returns {SubPixel[] | null} */
function fromTrace(board, place, painted) {
  const { image } = board.details;
  const { trace } = board;
  if (!trace?.probs) return null;
  return Array.from({ length: image.channels }, (_, channel) => {
    const probs = /** @type {Float64Array} */ (trace.distribution(place, channel));
    const at = place * image.channels + channel;
    const observed = painted ? trace.levels[at] : -1;
    const ordered = image.ordered ? spread(probs) : { mean: null, quantiles: null };
    return {
      name: image.channel_names[channel] ?? "", observed, probs, drawn: null, components: null, ...ordered,
      entropy: trace.entropy[at], surprise: painted ? trace.surprise[at] : null,
      rank: painted ? 1 + probs.filter((p) => p > probs[observed]).length : null,
    };
  });
}

const SHARES = ["0.05", "0.25", "0.5", "0.75", "0.95"];

/** Mean and quantiles. @param {Float64Array} probs */
function spread(probs) {
  const total = probs.reduce((a, b) => a + b, 0);
  /** @type {Record<string, number>} */
  const quantiles = {};
  let [mean, below, next] = [0, 0, 0];
  probs.forEach((p, level) => {
    mean += (p * level) / total;
    below += p / total;
    for (; next < SHARES.length && below >= Number(SHARES[next]) - 1e-9; next++) quantiles[SHARES[next]] = level;
  });
  return { mean, quantiles };
}
