// Bits of the words of a prompt in an exported page, by its integer program: those of `pointillist/analysis/condition_gain.py`.

import { encodeArray } from "../transport/encoded_arrays.js";
import { MAX_WORDS, promptWith, promptWords } from "../state/prompt_words.js";
import { probabilities } from "../canvas/distributions.js";
/** @typedef {(query: Api.CanvasQuery, take: (draw: Draw) => void) => void} Pass runs over an image */

/** A prompt as it is, whatever names it has. @param {string} prompt */
const quoted = (prompt) => (prompt && !prompt.includes('"') ? `"${prompt}"` : prompt);

/** @param {OfflineModel} opened @param {Api.WordQuery} query @param {Pass} over @returns {Api.WordMaps} */
export function wordMaps(opened, query, over) {
  const { names } = opened, prompt = names.read(query.conditions?.text ?? "").text, all = promptWords(prompt), { exchange = null } = query;
  const [, height, width] = query.levels.shape, size = height * width;
  const chosen = exchange ? all.filter(({ index }) => index === exchange.index) : all.length > MAX_WORDS ? [] : all;
  if (exchange && !chosen.length) throw new Error(`\`index\` (=${exchange.index}) must be of a word of the prompt '${prompt}'.`);
  const replacement = exchange && names.read(exchange.replacement).text;
  /** @type {string[]} */
  const unread = [];
  let note = all.length > MAX_WORDS && !exchange ? `The prompt has ${all.length.toLocaleString("en")} words, over the limit of ${MAX_WORDS} whose bits are computed one by one: shorten it.` : "";
  if (exchange && replacement !== exchange.replacement) note = names.notes([exchange.replacement]).join(" ");
  const measured = replacement === "" ? [] : chosen;
  const bitsOf = (/** @type {string} */ text) => surprisal(over, { ...query, conditions: { ...query.conditions, text: quoted(text) } }, size);
  const featuresOf = (/** @type {string} */ text) => JSON.stringify(opened.conditions({ text: quoted(text) }).features ?? null);
  const whole = measured.length ? bitsOf(prompt) : null, features = featuresOf(prompt), saved = new Float32Array(measured.length * size);
  const words = measured.map((word, n) => {
    const other = promptWith(prompt, word, replacement), known = opened.reads(prompt) && opened.reads(other);
    if (!known) unread.push(other || prompt);
    const read = known && featuresOf(other) !== features;
    if (read && whole) bitsOf(other).forEach((bits, pixel) => (saved[n * size + pixel] = bits - whole[pixel]));
    const bits = saved.subarray(n * size, (n + 1) * size).reduce((sum, each) => sum + each, 0);
    return { ...word, replacement, bits, read };
  });
  if (unread.length) note = `This page has no sentence encoder, and cannot read '${unread[0]}': pointillist studio can.`;
  return { prompt, words, saved: encodeArray(saved, [measured.length, height, width]), note };
}

/** Bits of each pixel of an image, summed over its channels. @param {Pass} over @param {Api.CanvasQuery} query @param {number} size */
function surprisal(over, query, size) {
  const bits = new Float64Array(size);
  over(query, ({ at, frequencies, level }) => {
    bits[at % size] -= Math.log2(probabilities(/** @type {Float64Array} */ (frequencies))[level]);
  });
  return bits;
}
