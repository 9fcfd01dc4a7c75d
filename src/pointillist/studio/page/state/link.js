// The state as a link: `#model=icons&text=heart&label=tabler&seed=7`. The studio and exported pages read and write the same
// links. This module depends on nothing, so that it can be copied into any page.
//
//   model        id of the model; where there is one model only it may be left out
//   text         prompt; left out or empty: none            label     name of the class; left out: any
//   letters      1 if the prompt is read by its letters alone, as an exported page reads a prompt that it does not hold
//   not          negative prompt                            a.NAME    name of the value of the attribute NAME
//   c.NAME       a further condition NAME, as its field takes it
//   seed         whole number below 2^53; image i of a seed uses the uniforms of numpy's `default_rng([seed, i])`
//   n            number of images, those from 0 to n - 1 of the seed; left out: 1
//   index        of the image that is active; with n = 1 it alone is painted. Of a fill: number of the candidate
//   guidance, temperature, top_p   numbers; left out: those of the model's generation_config.json
//   order        generation order; left out: the model's     size      HEIGHTxWIDTH; left out: the model's
//   rules        of maps, with commas between them: walls, stairs, reachable; of an endless map: observed, passages; left out: none
//   declared     other rules of maps, as JSON, in their place
//   tiles        sides at which images tile: x, y, both      best      candidates of each image, of which the best is shown
//   compare, values, compare2, values2   what is compared in rows and columns, and its values
//   vary         STRENGTH,KIND,SEED,INDEX of a variation of an image of a seed; without INDEX, of the image `origin`
//   of           conditions of `origin` as JSON, where they differ
//   world, at    seed of an endless map, and ROW,COLUMN of the place in it; nothing is painted then
//   edits        ROW.COLUMN.LEVEL of each changed cell of it, then `.h` if it was drawn by hand, with `_` between them
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

/** @typedef {{strength: number, kind: "interpolate" | "replace" | "regions", seed: number, index?: number}} Vary */
/** @typedef {{by: string, values: string, by2: string, values2: string}} Compared */
/**
 * @typedef {object} Link
 * @property {string} [model] @property {string} [text] @property {boolean} [letters] @property {string} [not] @property {string} [label]
 * @property {Record<string, string>} [attributes] @property {Record<string, string>} [others] @property {number} [seed] @property {number} [n] @property {number} [index]
 * @property {number} [guidance] @property {number} [temperature] @property {number} [top_p]
 * @property {number} [world] @property {[number, number]} [at] row and column
 * @property {string[]} [rules] @property {string} [order] @property {[number, number]} [size] height and width @property {string} [hint] packed levels
 * @property {"x" | "y" | "both"} [tiles] @property {number} [best] @property {Compared} [compare] @property {Vary} [vary] @property {string} [origin] packed levels
 * @property {string} [declared] JSON @property {string} [edits] packed cells @property {string} [palette] hexadecimal @property {number[]} [numbers]
 * @property {string} [of] JSON @property {string} [known] packed levels @property {string} [fill] @property {{levels: number[], region: string}[]} [allow]
 */

const MAX_PACKED = 6000; // letters; more do not fit a link that every program takes
const MAX_TEXT = 10_000, MAX_BEST = 16, MAX_INDEX = 2 ** 31;
const TEXTS = /** @type {const} */ (["model", "text", "not", "label", "order"]);
const SETTINGS = /** @type {const} */ (["guidance", "temperature", "top_p"]);
const LONG = /** @type {const} */ ({
  hint: "your hint", origin: "the image that was varied", of: "the conditions of the image that was varied", known: "your drawing", declared: "the rules of this map", edits: "the cells that you changed",
});
const PACKED = /** @type {const} */ (["hint", "origin", "known"]);
const TILES = ["x", "y", "both"], KINDS = ["interpolate", "replace", "regions"], FILLS = ["paint", "known", "order", "smc", "sequential"];
const AXES = ["label", "text", "guidance", "temperature", "top_p", "model"];

/** @param {string | undefined} packed */
const isLong = (packed) => packed !== undefined && packed.length > MAX_PACKED;

/** Name what is too long for a link, in words. @param {Link} link @returns {string[]} */
export function leftOut(link) {
  const names = Object.entries(LONG).filter(([name]) => isLong(link[/** @type {"hint"} */ (name)])).map(([, text]) => text);
  return link.allow?.some(({ region }) => isLong(region)) ? [...names, "the levels that you allowed"] : names;
}

/** Write a link, from `#` on. @param {Link} link */
export function writeLink(link) {
  const values = new URLSearchParams();
  for (const name of TEXTS) if (link[name]) values.set(name, /** @type {string} */ (link[name]));
  for (const [name, value] of Object.entries(link.attributes ?? {})) values.set(`a.${name}`, value);
  if (link.letters) values.set("letters", "1");
  for (const [name, value] of Object.entries(link.others ?? {})) values.set(`c.${name}`, value);
  for (const name of /** @type {const} */ (["seed", ...SETTINGS])) if (link[name] !== undefined) values.set(name, String(link[name]));
  for (const name of /** @type {const} */ (["n", "best"])) if ((link[name] ?? 1) > 1) values.set(name, String(link[name]));
  if (link.world !== undefined) values.set("world", String(link.world));
  if (link.at) values.set("at", link.at.join(","));
  if (link.index) values.set("index", String(link.index));
  if (link.size) values.set("size", link.size.join("x"));
  if (link.rules?.length) values.set("rules", link.rules.join(","));
  if (link.tiles) values.set("tiles", link.tiles);
  const { by, values: rows, by2, values2: columns } = link.compare ?? {};
  for (const [name, value] of [["compare", by], ["values", rows], ["compare2", by2], ["values2", columns]]) if (value) values.set(/** @type {string} */ (name), value);
  if (link.vary) values.set("vary", [link.vary.strength, link.vary.kind, link.vary.seed, ...(link.vary.index === undefined ? [] : [link.vary.index])].join(","));
  if (link.palette) values.set("palette", link.palette);
  if (link.numbers) values.set("numbers", link.numbers.join(","));
  if (link.fill) values.set("fill", link.fill);
  for (const { levels, region } of link.allow ?? []) if (!isLong(region)) values.append("allow", `${levels.join("-")}.${region}`);
  for (const name of /** @type {(keyof typeof LONG)[]} */ (Object.keys(LONG))) if (link[name] && !isLong(link[name])) values.set(name, /** @type {string} */ (link[name]));
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
  for (const [prefix, group] of /** @type {const} */ ([["a.", "attributes"], ["c.", "others"]]))
    for (const [name, value] of values) if (name.startsWith(prefix)) link[group] = { ...link[group], [name.slice(2)]: value.slice(0, MAX_TEXT) };
  for (const name of SETTINGS) {
    const number = numberOf(values.get(name));
    if (number !== null && number >= 0 && number <= (name === "top_p" ? 1 : 1000) && (name !== "top_p" || number > 0)) link[name] = number;
  }
  for (const [name, least, most] of /** @type {const} */ ([["seed", 0, Number.MAX_SAFE_INTEGER], ["n", 1, 16], ["index", 0, MAX_INDEX], ["best", 2, MAX_BEST]])) {
    const number = wholeOf(values.get(name), least, most);
    if (number !== null) link[name] = number;
  }
  const world = wholeOf(values.get("world"), 0, Number.MAX_SAFE_INTEGER), at = /^(-?\d{1,9}),(-?\d{1,9})$/.exec(values.get("at") ?? "");
  if (world !== null) Object.assign(link, { world }, at && { at: [Number(at[1]), Number(at[2])] });
  if (values.get("letters") === "1") link.letters = true;
  const size = /^(\d{1,4})x(\d{1,4})$/.exec(values.get("size") ?? "");
  if (size && Number(size[1]) && Number(size[2])) link.size = [Number(size[1]), Number(size[2])];
  const rules = (values.get("rules") ?? "").split(",").filter((name) => /^\w{1,32}$/.test(name));
  if (rules.length) link.rules = rules;
  return readDrawn(values, readComparison(values, link));
}

/** Read tiles, comparison and variation. @param {URLSearchParams} values @param {Link} link */
function readComparison(values, link) {
  const text = (/** @type {string} */ name) => (values.get(name) ?? "").slice(0, MAX_TEXT);
  const [tiles, by, by2] = [text("tiles"), text("compare"), text("compare2")];
  if (TILES.includes(tiles)) link.tiles = /** @type {"x"} */ (tiles);
  if (AXES.includes(by)) link.compare = { by, values: text("values"), by2: AXES.includes(by2) ? by2 : "", values2: AXES.includes(by2) ? text("values2") : "" };
  const [strength, kind, seed, index] = text("vary").split(",");
  const numbers = [numberOf(strength), wholeOf(seed, 0, Number.MAX_SAFE_INTEGER), wholeOf(index, 0, MAX_INDEX)];
  if (KINDS.includes(kind) && numbers[0] !== null && numbers[0] >= 0 && numbers[0] <= 1 && numbers[1] !== null)
    link.vary = { strength: numbers[0], kind: /** @type {"replace"} */ (kind), seed: numbers[1], ...(numbers[2] !== null && { index: numbers[2] }) };
  for (const name of /** @type {const} */ (["of", "declared"])) if (text(name)) link[name] = text(name);
  if (/^([0-9a-f]{6})+$/.test(text("palette"))) link.palette = text("palette");
  if (/^-?\d{1,9}\.-?\d{1,9}\.\d{1,5}(\.h)?(_-?\d{1,9}\.-?\d{1,9}\.\d{1,5}(\.h)?)*$/.test(text("edits"))) link.edits = text("edits");
  return link;
}

/** Read packed levels, and what was painted around them. @param {URLSearchParams} values @param {Link} link @returns {Link | null} */
function readDrawn(values, link) {
  const isPacked = (/** @type {string} */ text) => text.length <= MAX_PACKED && /^[\w-]+$/.test(text);
  for (const name of PACKED) {
    const packed = values.get(name);
    if (packed && isPacked(packed)) link[name] = packed;
  }
  const numbers = values.get("numbers")?.slice(0, MAX_TEXT).split(",").map(numberOf) ?? [];
  if (numbers.length && numbers.every((number) => number !== null)) link.numbers = numbers;
  const fill = values.get("fill") ?? "";
  if (FILLS.includes(fill)) link.fill = fill;
  for (const allowed of values.getAll("allow")) {
    const [levels, region = ""] = allowed.split("."), numbers = levels.split("-").map((level) => wholeOf(level, 0, 65535));
    if (isPacked(region) && numbers.every((level) => level !== null)) link.allow = [...(link.allow ?? []), { levels: numbers, region }];
  }
  return Object.keys(link).length ? link : null;
}

/** @param {string | null | undefined} text */
const numberOf = (text) => (text?.trim() && Number.isFinite(Number(text)) ? Number(text) : null);

/** @param {string | null | undefined} text @param {number} least @param {number} most */
function wholeOf(text, least, most) {
  const number = numberOf(text);
  return number !== null && Number.isInteger(number) && number >= least && number <= most ? number : null;
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

/** @param {Uint8Array} bytes */
const textOf = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Read base64url; null if it is none. @param {string} text */
function bytesOf(text) {
  try {
    return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Pack numbers of float32 for a link. @param {ArrayLike<number>} values */
export function packNumbers(values) {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i], true);
  return textOf(new Uint8Array(view.buffer));
}

/** Unpack numbers of a link; null if they are not as many as expected, or not finite. @param {string} text @param {number} count @returns {number[] | null} */
export function unpackNumbers(text, count) {
  const bytes = bytesOf(text);
  if (bytes?.length !== 4 * count) return null;
  const view = new DataView(bytes.buffer), values = Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
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
