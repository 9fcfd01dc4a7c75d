// The state as a link: `#model=icons&text=heart&label=tabler&seed=7`. The studio and exported pages read and write the same
// links. The fields of a request have their own names and bounds (`request_fields.js`, made from the server's schemas); besides them
//
//   model        id of the model; where there is one model only it may be left out
//   letters      1 if the prompt is read by its letters alone, as an exported page reads a prompt that it does not hold
//   a.NAME       name of the value of the attribute NAME    c.NAME    a further condition NAME, as its field takes it
//   seed         image i of a seed uses the uniforms of numpy's `default_rng([seed, i])`
//   n            number of images, those from 0 to n - 1 of the seed; left out: 1
//   index        of the image that is active; with n = 1 it alone is painted. Of a fill: number of the candidate
//   size         HEIGHTxWIDTH; left out: the model's
//   rules        of maps, as JSON, or with commas between them: walls, stairs, reachable; of an endless map: observed, passages
//   compare, values, compare2, values2   what is compared in rows and columns, and its values
//   vary         STRENGTH,KIND,SEED,INDEX of a variation of an image of a seed; without INDEX, of the image `origin`
//   of           conditions of `origin` as JSON, where they differ
//   world, at    seed of an endless map, and ROW,COLUMN of the place in it; nothing is painted then
//   edits        ROW.COLUMN.LEVEL of each changed cell of it, then `.h` if it was drawn by hand, with `_` between them
//   game, moves  day of a dungeon to be won, such as 20261203, and the moves of a round: `game/round.js`; nothing else counts then
//   palette      RRGGBB of each colour, one after the other; left out: the model's own
//   hint         levels of the hint, channel by channel, row by row, each in ceil(log2(levels)) bits, the most significant bit
//                first, padded with zeros to whole bytes, in base64url without `=`
//                left out: the first example; none: no hint; of a hint of numbers, float32 of little-endian byte order in base64url
//   numbers      a hint of numbers or codes that is the same everywhere: one for each channel, with commas between them
//   origin       levels of an image, packed in the same way
//   known        drawn levels, packed in the same way: level + 1, and 0 for a pixel that is unknown
//   fill         how the unknown pixels came: `paint`, or a method of fills; left out: they are still unknown
//   allow        LEVELS.REGION, once for each region in which a fill may use some levels only: levels with `-` between them,
//                and a packed map of bits
//
// A value that is not valid is left out, as links are typed by hand and cut by mail programs. Unknown names are ignored.

import { FIELDS, KINDS, METHODS } from "../request_fields.js";
import { bytesOf as decode } from "../shared/bytes.js";
import { encodeArray } from "../transport/encoded_arrays.js";
import { CELLS } from "./map_edits.js";

/** @typedef {{strength: number, kind: "interpolate" | "replace" | "regions", seed: number, index?: number}} Vary */
/** @typedef {Omit<Partial<import("../request_fields.js").Settings>, "rules"> & LinkParts} Link */
/**
 * @typedef {object} LinkParts
 * @property {string} [model] @property {string} [text] @property {boolean} [letters] @property {string} [label]
 * @property {Record<string, string>} [attributes] @property {Record<string, string>} [others] @property {number} [seed] @property {number} [n] @property {number} [index]
 * @property {number} [world] @property {[number, number]} [at] row and column @property {string} [edits] packed cells
 * @property {number} [game] day @property {string} [moves] packed
 * @property {string} [rules] @property {[number, number]} [size] height and width @property {string} [palette] hexadecimal
 * @property {string} [compare] @property {string} [values] @property {string} [compare2] @property {string} [values2] @property {Vary} [vary]
 * @property {string} [hint] packed levels @property {number[]} [numbers] @property {string} [origin] packed levels @property {string} [of] JSON
 * @property {string} [known] packed levels @property {string} [fill] @property {{levels: number[], region: string}[]} [allow]
 */
/** @typedef {{type: string, enum?: readonly string[], minimum?: number, exclusiveMinimum?: number, maximum?: number, maxLength?: number, pattern?: RegExp}} Rule what a value may be, as in JSON Schema */

const MAX_PACKED = 6000; // letters; more do not fit a link that every program takes
const MAX_TEXT = 10_000, MAX_INDEX = 2 ** 31;
const LONG = /** @type {const} */ ({
  hint: "your hint", origin: "the image that was varied", of: "the conditions of the image that was varied", known: "your drawing", rules: "the rules of this map", edits: "the cells that you changed",
});
const TEXT = { type: "string", maxLength: MAX_TEXT }, PACKED = { type: "string", maxLength: MAX_PACKED, pattern: /^[\w-]+$/ };
const AXIS = { type: "string", enum: ["label", "text", "guidance", "temperature", "top_p", "model"] };
/** @type {Record<string, Rule>} */
const RULES = {
  model: TEXT, ...FIELDS, index: { ...FIELDS.index, maximum: MAX_INDEX }, n: { type: "integer", minimum: 1, maximum: 16 },
  world: FIELDS.seed, rules: { type: "string", maxLength: MAX_PACKED }, compare: AXIS, values: TEXT, compare2: AXIS, values2: TEXT, palette: { type: "string", maxLength: MAX_TEXT, pattern: /^([0-9a-f]{6})+$/ },
  fill: { type: "string", enum: ["paint", ...METHODS] }, edits: { type: "string", maxLength: MAX_PACKED, pattern: CELLS },
  game: { type: "integer", minimum: 0, maximum: 99_999_999 }, moves: { type: "string", maxLength: MAX_PACKED },
  hint: PACKED, origin: PACKED, known: PACKED, of: { type: "string", maxLength: MAX_PACKED },
};
/** @type {Record<string, unknown>} */
const DEFAULTS = { n: 1, best_of: 1, index: 0, letters: false };
/** Values with several parts: how they are written, and read. @type {Record<string, {write: (value: any) => string, read: (text: string) => unknown}>} */
const PARTS = {
  size: { write: (size) => size.join("x"), read: (text) => pairOf(/^0*([1-9]\d{0,3})x0*([1-9]\d{0,3})$/.exec(text)) },
  at: { write: String, read: (text) => pairOf(/^(-?\d{1,9}),(-?\d{1,9})$/.exec(text)) },
  numbers: { write: String, read: (text) => numbersOf(text.slice(0, MAX_TEXT).split(",")) },
  vary: { write: ({ strength, kind, seed, index }) => [strength, kind, seed, ...(index === undefined ? [] : [index])].join(), read: varyOf },
};
const GROUPS = /** @type {const} */ ([["a.", "attributes"], ["c.", "others"]]);

/** @param {string | undefined} packed */
const isLong = (packed) => packed !== undefined && packed.length > MAX_PACKED;

/** Name what is too long for a link, in words. @param {Link} link @returns {string[]} */
export function leftOut(link) {
  const names = Object.entries(LONG).filter(([name]) => isLong(link[/** @type {"hint"} */ (name)])).map(([, text]) => text);
  return link.allow?.some(({ region }) => isLong(region)) ? [...names, "the levels that you allowed"] : names;
}

/** Write a link, from `#` on. @param {Link} link */
export function writeLink(link) {
  const values = new URLSearchParams(), all = /** @type {Record<string, any>} */ (link);
  for (const name of Object.keys(RULES)) {
    const value = all[name];
    if ((value ?? "") !== "" && value !== DEFAULTS[name] && !(name in LONG && isLong(value))) values.set(name, value === true ? "1" : String(value));
  }
  for (const [prefix, group] of GROUPS) for (const [name, value] of Object.entries(link[group] ?? {})) values.set(prefix + name, value);
  for (const [name, { write }] of Object.entries(PARTS)) if (all[name]) values.set(name, write(all[name]));
  for (const { levels, region } of link.allow ?? []) if (!isLong(region)) values.append("allow", `${levels.join("-")}.${region}`);
  return `#${values}`;
}

/** Read a link; null if it names nothing. @param {string} hash such as `location.hash` @returns {Link | null} */
export function readLink(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Record<string, any>} */
  const link = {};
  for (const [name, rule] of Object.entries(RULES)) {
    const value = valueOf(values.get(name) ?? "", rule);
    if (value !== null && value !== DEFAULTS[name]) link[name] = value;
  }
  for (const [prefix, group] of GROUPS)
    for (const [name, value] of values) if (name.startsWith(prefix)) link[group] = { ...link[group], [name.slice(2)]: value.slice(0, MAX_TEXT) };
  for (const [name, { read }] of Object.entries(PARTS)) {
    const value = read(values.get(name) ?? "");
    if (value) link[name] = value;
  }
  for (const allowed of values.getAll("allow")) {
    const [levels, text = ""] = allowed.split("."), region = valueOf(text, PACKED), numbers = levels.split("-").map((level) => wholeOf(level, 65535));
    if (region && numbers.every((level) => level !== null)) link.allow = [...(link.allow ?? []), { levels: numbers, region }];
  }
  return Object.keys(link).length ? link : null;
}

/** Read a value; null if it is not valid, or empty. @param {string} text @param {Rule} rule */
function valueOf(text, { type, enum: choices, minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity, maxLength = MAX_TEXT, pattern }) {
  if (type === "boolean") return text === "1" || null;
  if (type === "string") return text && text.length <= maxLength && (!choices || choices.includes(text)) && (!pattern || pattern.test(text)) ? text : null;
  const number = numberOf(text), within = number !== null && number >= minimum && number > exclusiveMinimum && number <= maximum;
  return within && (type !== "integer" || Number.isInteger(number)) ? number : null;
}

/** @param {string | undefined} text */
const numberOf = (text) => (text?.trim() && Number.isFinite(Number(text)) ? Number(text) : null);

/** @param {string} text @param {number} maximum */
const wholeOf = (text, maximum) => /** @type {number | null} */ (valueOf(text, { type: "integer", minimum: 0, maximum }));

/** @param {RegExpExecArray | null} match */
const pairOf = (match) => match && [Number(match[1]), Number(match[2])];

/** @param {string[]} texts */
function numbersOf(texts) {
  const numbers = texts.map(numberOf);
  return numbers.every((number) => number !== null) ? numbers : null;
}

/** @param {string} text */
function varyOf(text) {
  const [amount, kind, ...places] = text.split(","), strength = valueOf(amount, { type: "number", minimum: 0, maximum: 1 });
  const seed = wholeOf(places[0] ?? "", Number.MAX_SAFE_INTEGER), index = wholeOf(places[1] ?? "", MAX_INDEX);
  return KINDS.includes(kind) && strength !== null && seed !== null ? { strength, kind, seed, ...(index !== null && { index }) } : null;
}

/** Count the bits of a level. @param {number} levels */
const bitsOf = (levels) => Math.max(1, Math.ceil(Math.log2(levels)));

/** Pack levels for a link. @param {ArrayLike<number>} values @param {number} levels number of levels of a value */
export function packLevels(values, levels) {
  const bits = bitsOf(levels);
  const bytes = new Uint8Array(Math.ceil((values.length * bits) / 8));
  for (let i = 0; i < values.length; i++)
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      if ((values[i] >> (bits - 1 - bit)) & 1) bytes[at >> 3] |= 128 >> (at & 7);
    }
  return textOf(bytes);
}

/** Write an array in base64url. @param {Uint8Array | Float32Array} array */
const textOf = (array) => encodeArray(array, []).data.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Read base64url; null if it is none. @param {string} text */
function bytesOf(text) {
  try {
    return decode(text.replace(/-/g, "+").replace(/_/g, "/"));
  } catch {
    return null;
  }
}

/** Pack numbers of float32 for a link. @param {ArrayLike<number>} values */
export const packNumbers = (values) => textOf(Float32Array.from(values));

/** Unpack numbers of a link; null if they are not as many as expected, or not finite. @param {string} text @param {number} count @returns {number[] | null} */
export function unpackNumbers(text, count) {
  const bytes = bytesOf(text);
  if (bytes?.length !== 4 * count) return null;
  const values = Array.from(new Float32Array(bytes.buffer));
  return values.every(Number.isFinite) ? values : null;
}

/** Unpack the levels of a link; null if they are not as many as expected, or too large. @param {string} text @param {number} levels @param {number} count @returns {number[] | null} */
export function unpackLevels(text, levels, count) {
  const bits = bitsOf(levels), bytes = bytesOf(text);
  if (bytes?.length !== Math.ceil((count * bits) / 8)) return null;
  const values = Array.from({ length: count }, (_, i) => {
    let value = 0;
    for (let at = i * bits; at < (i + 1) * bits; at++) value = 2 * value + ((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    return value;
  });
  return values.every((value) => value < levels) ? values : null;
}
