// The state as a link: `#model=icons&text=heart&label=tabler&seed=7`. The studio and exported pages read and write the same
// links. This module depends on nothing, so that it can be copied into any page.
//
//   model        id of the model; where there is one model only it may be left out
//   text         prompt; left out or empty: none            label     name of the class; left out: any
//   not          negative prompt                            a.NAME    name of the value of the attribute NAME
//   seed         whole number below 2^53; image i of a seed uses the uniforms of numpy's `default_rng([seed, i])`
//   n            number of images, those from 0 to n - 1 of the seed; left out: 1
//   guidance, temperature, top_p   numbers; left out: those of the model's generation_config.json
//   order        generation order; left out: the model's     size      HEIGHTxWIDTH; left out: the model's
//   rules        of maps, with commas between them: walls, stairs, reachable; left out: none
//   hint         levels of the hint, channel by channel, row by row, each in ceil(log2(levels)) bits, the most significant bit
//                first, padded with zeros to whole bytes, in base64url without `=`
//
// A value that is not valid is left out, as links are typed by hand and cut by mail programs. Unknown names are ignored.

/**
 * @typedef {object} Link
 * @property {string} [model] @property {string} [text] @property {string} [not] @property {string} [label]
 * @property {Record<string, string>} [attributes] @property {number} [seed] @property {number} [n]
 * @property {number} [guidance] @property {number} [temperature] @property {number} [top_p]
 * @property {string[]} [rules] @property {string} [order] @property {[number, number]} [size] height and width @property {string} [hint] packed levels
 */

export const MAX_HINT = 6000; // letters; a longer hint does not fit a link that every program takes
const MAX_TEXT = 10_000;
const TEXTS = /** @type {const} */ (["model", "text", "not", "label", "order"]);
const SETTINGS = /** @type {const} */ (["guidance", "temperature", "top_p"]);

/** Write a link, from `#` on. @param {Link} link */
export function writeLink(link) {
  const values = new URLSearchParams();
  for (const name of TEXTS) if (link[name]) values.set(name, /** @type {string} */ (link[name]));
  for (const [name, value] of Object.entries(link.attributes ?? {})) values.set(`a.${name}`, value);
  for (const name of /** @type {const} */ (["seed", ...SETTINGS])) if (link[name] !== undefined) values.set(name, String(link[name]));
  if (link.n && link.n > 1) values.set("n", String(link.n));
  if (link.size) values.set("size", link.size.join("x"));
  if (link.rules?.length) values.set("rules", link.rules.join(","));
  if (link.hint && link.hint.length <= MAX_HINT) values.set("hint", link.hint);
  return `#${values}`;
}

/** Read a link; null if it names nothing. @param {string} hash such as `location.hash` @returns {Link | null} */
export function readLink(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Link} */
  const link = {};
  for (const name of TEXTS) {
    const text = values.get(name)?.slice(0, MAX_TEXT);
    if (text) link[name] = text;
  }
  for (const [name, value] of values) if (name.startsWith("a.")) link.attributes = { ...link.attributes, [name.slice(2)]: value };
  for (const name of SETTINGS) {
    const number = numberOf(values.get(name));
    if (number !== null && number >= 0 && number <= (name === "top_p" ? 1 : 1000) && (name !== "top_p" || number > 0)) link[name] = number;
  }
  const [seed, n] = [numberOf(values.get("seed")), numberOf(values.get("n"))];
  if (seed !== null && Number.isSafeInteger(seed) && seed >= 0) link.seed = seed;
  if (n !== null && Number.isInteger(n) && n >= 1 && n <= 16) link.n = n;
  const size = /^(\d{1,4})x(\d{1,4})$/.exec(values.get("size") ?? "");
  if (size && Number(size[1]) && Number(size[2])) link.size = [Number(size[1]), Number(size[2])];
  const rules = (values.get("rules") ?? "").split(",").filter((name) => /^\w{1,32}$/.test(name));
  if (rules.length) link.rules = rules;
  const hint = values.get("hint");
  if (hint && hint.length <= MAX_HINT && /^[\w-]+$/.test(hint)) link.hint = hint;
  return Object.keys(link).length ? link : null;
}

/** @param {string | null} text */
const numberOf = (text) => (text !== null && text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);

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
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Unpack the levels of a link; null if they are not as many as expected, or too large. @param {string} text @param {number} levels @param {number} count @returns {number[] | null} */
export function unpackLevels(text, levels, count) {
  const bits = bitsOf(levels);
  let letters;
  try {
    letters = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  } catch {
    return null;
  }
  if (letters.length !== Math.ceil((count * bits) / 8)) return null;
  const values = Array.from({ length: count }, (_, i) => {
    let value = 0;
    for (let at = i * bits; at < (i + 1) * bits; at++) value = 2 * value + ((letters.charCodeAt(at >> 3) >> (7 - (at & 7))) & 1);
    return value;
  });
  return values.every((value) => value < levels) ? values : null;
}
