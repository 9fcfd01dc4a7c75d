// Rules of maps, as `pt.Rules` takes them: read a declaration, open the mask of a map, draw until a map obeys.
// A second reading of `src/pointillist/sampling/rules`; the sentences are the same.

import { KIND } from "./mask.js";

/** @typedef {import("./mask.js").Constraints} Constraints */
/** @typedef {import("./mask.js").Mask} Mask */
/** @typedef {number | string} Level a level by its number or its name */
/** @typedef {{observed?: boolean | string, right?: [Level, Level][] | null, down?: [Level, Level][] | null, never?: [Level, Level][]}} Adjacency */
/** @typedef {{regions?: {levels: Level[], rows?: string, columns?: string}[], fixed?: {row: number, column: number, level: Level}[], border?: Level[],
 *    mirror?: string, adjacency?: "observed" | Adjacency | null, counts?: {levels: Level[], at_least?: number, at_most?: number | null}[],
 *    connected?: {levels: Level[]}[], paths?: {from: Level | Level[], to: Level | Level[], through?: Level[]}[], tries?: number}} Rules */
/** What a model says of its levels: their number, their names, and the pairs of neighbours in its training maps.
 *  @typedef {{count: number, names?: string[] | null, pairs?: {right: number[][], down: number[][]} | null}} Levels */

const MOST_LEVELS = 1024, MOST_TRIES = 1e6, MOST = 2 ** 40; // of levels with pairs, of tries, of a number of sites
const KEYS = {
  rules: ["regions", "fixed", "border", "mirror", "adjacency", "counts", "connected", "paths", "tries"], regions: ["levels", "rows", "columns"],
  fixed: ["row", "column", "level"], adjacency: ["observed", "right", "down", "never"], counts: ["levels", "at_least", "at_most"],
  connected: ["levels"], paths: ["from", "to", "through"],
};
/** @param {boolean} fine @param {string} sentence @returns {asserts fine} */
function demand(fine, sentence) {
  if (!fine) throw new Error(sentence);
}
/** @param {unknown} value @param {number} low @param {number} high */
const isInteger = (value, low, high) => Number.isInteger(value) && /** @type {number} */ (value) >= low && /** @type {number} */ (value) <= high;
/** @param {unknown} value */
const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @param {Level[]} levels */
export const words = (levels) => levels.join(", ");

/** The number of a level. @param {Level} level @param {Levels} of */
export function levelNumber(level, of) {
  const names = of.names ?? [], named = typeof level === "string" ? names.indexOf(level) : -1;
  const number = named >= 0 ? named : typeof level === "number" || /^\d+$/.test(level) ? Number(level) : -1;
  demand(isInteger(number, 0, of.count - 1), `The level ${typeof level === "string" ? `'${level}'` : level} of a rule is not one of this model: give ${names.length ? "a name or " : ""}0 to ${of.count - 1}.`);
  return number;
}
/** Mark levels among all. @param {Level[]} levels @param {Levels} of */
export function levelSet(levels, of) {
  const numbers = new Set(levels.map((level) => levelNumber(level, of)));
  return Array.from({ length: of.count }, (_, level) => numbers.has(level));
}

/** Check the form of rules, and fill in what is not given. @param {any} given @returns {Required<Rules>} */
export function readRules(given) {
  demand(isTable(given), "`rules` must be an object.");
  for (const name of Object.keys(given)) demand(KEYS.rules.includes(name), `There is no rule \`${name}\`: choose from ${KEYS.rules.join(", ")}.`);
  const { mirror = "none", border = [], tries = 100 } = given, adjacency = given.adjacency === "observed" ? { observed: true } : given.adjacency ?? null;
  const isLevels = (/** @type {unknown} */ levels, least = 1) => Array.isArray(levels) && levels.length >= least && levels.every((level) => typeof level === "string" || Number.isInteger(level));
  /** @type {Record<string, any[]>} */
  const tables = {};
  for (const name of /** @type {const} */ (["regions", "fixed", "counts", "connected", "paths"])) {
    tables[name] = given[name] ?? [];
    demand(Array.isArray(tables[name]) && tables[name].every((row) => isTable(row) && Object.keys(row).every((key) => KEYS[name].includes(key))), `\`${name}\` must be a list of objects with ${KEYS[name].join(", ")}.`);
  }
  for (const name of ["regions", "counts", "connected"]) demand(tables[name].every(({ levels }) => isLevels(levels)), `\`levels\` of \`${name}\` must be a list of levels.`);
  demand(tables.fixed.every(({ row, column, level }) => isInteger(row, -MOST, MOST) && isInteger(column, -MOST, MOST) && isLevels([level])), "A tile of `fixed` must have a row, a column and a level.");
  for (const { at_least: least = 0, at_most: most = null } of tables.counts) {
    demand(isInteger(least, 0, MOST) && (most === null || isInteger(most, 0, MOST)), "`at_least` and `at_most` of `counts` must be numbers of sites.");
    demand(most === null || most >= least, `\`at_least\` (=${least}) of \`counts\` must be at most \`at_most\` (=${most}): change one.`);
  }
  demand(tables.paths.every(({ from, to, through = [] }) => [[from].flat(), [to].flat()].every((levels) => isLevels(levels)) && isLevels(through, 0)), "`paths` must name levels in `from`, `to` and `through`.");
  demand(isLevels(border, 0), "`border` must be a list of levels.");
  demand(["none", "x", "y", "both"].includes(mirror), `\`mirror\` (=${mirror}) must be none, x, y or both.`);
  demand(isInteger(tries, 1, MOST_TRIES), `\`tries\` (=${tries}) must lie in 1 to ${MOST_TRIES}.`);
  if (adjacency !== null) {
    demand(isTable(adjacency) && Object.keys(adjacency).every((key) => KEYS.adjacency.includes(key)), `\`adjacency\` must be "observed", or an object with ${KEYS.adjacency.join(", ")}.`);
    demand(typeof (adjacency.observed ?? false) === "boolean", "`adjacency.observed` must be true or false here: files are read in Python alone.");
    for (const pairs of [adjacency.right, adjacency.down, adjacency.never])
      demand(pairs == null || (Array.isArray(pairs) && pairs.every((pair) => isLevels(pair) && pair.length === 2)), "`adjacency` must list pairs of levels.");
  }
  return /** @type {Required<Rules>} */ ({ mirror, border, tries, adjacency, ...tables });
}

/** Levels that may follow each one to the right, below, to the left and above. @param {Adjacency} rule @param {Levels} of @returns {boolean[][][]} */
export function adjacencyTable({ observed = false, right = null, down = null, never = [] }, of) {
  const { count, pairs } = of, table = [0, 1, 2, 3].map(() => Array.from({ length: count }, () => Array(count).fill(true)));
  demand(count <= MOST_LEVELS, `\`adjacency\` takes at most ${MOST_LEVELS} levels, and the model has ${count}: leave it out.`);
  demand(!observed || pairs != null, "`adjacency` (=observed) needs the pairs of the training maps, which this model does not store: leave it out.");
  const fits = (/** @type {unknown} */ rows) => Array.isArray(rows) && rows.length <= count && rows.every((others) => Array.isArray(others) && others.every((other) => isInteger(other, 0, count - 1)));
  demand(!observed || (fits(pairs?.right) && fits(pairs?.down)), "The pairs of neighbours that are stored with the model are damaged: export it again.");
  for (const [d, name, listed] of /** @type {const} */ ([[0, "right", right], [1, "down", down]])) {
    if (observed || listed) for (const row of table[d]) row.fill(false);
    if (observed && pairs) pairs[name].forEach((others, level) => others.forEach((other) => { table[d][level][other] = true; }));
    for (const [first, other] of listed ?? []) table[d][levelNumber(first, of)][levelNumber(other, of)] = true;
    for (const [first, other] of never) {
      const [a, b] = [levelNumber(first, of), levelNumber(other, of)];
      table[d][a][b] = table[d][b][a] = false;
    }
    table[d + 2] = table[d].map((_, level) => table[d].map((row) => row[level]));
  }
  return table;
}

/** A range of rows or columns: FIRST:END. @param {string} text @param {number} length @param {string} what */
function rangeOf(text, length, what) {
  const match = /^(-?\d+)?:(-?\d+)?$/.exec(String(text).replaceAll(" ", "")), ends = [match?.[1], match?.[2]].map((end) => (end === undefined ? null : Number(end)));
  const [first, last] = ends.map((end, n) => (end === null ? n * length : end < 0 ? end + length : end)), inside = ends.every((end) => end === null || Math.abs(end) <= length);
  demand(match !== null && inside && first < last, `\`${what}\` (='${text}') of a region must be FIRST:END within 0:${length}, for example 0:${length}.`);
  return [first, last];
}

/** Constraints without rules. @param {number} height @param {number} width @param {number} levels @returns {Constraints} */
export const withoutRules = (height, width, levels) => ({
  height, width, levels, allowed: Array.from({ length: height * width }, () => Array(levels).fill(true)), adjacency: null, partners: [], sets: [], limits: [], checks: [],
});

/** The rule that sites are at least so many. Drawing the last rows again does not help. @param {string} name @param {boolean[]} levels @param {number} number */
export const atLeast = (name, levels, number) => ({ name, kind: KIND.atLeast, levels, number, repairable: false });

/** Open the mask of a map that obeys rules. @param {Required<Rules>} rules @param {Levels} of @param {number} height @param {number} width
 *  @param {import("./mask.js").Open} open @returns {{mask: Mask, constraints: Constraints}} */
export function openMap(rules, of, height, width, open) {
  const constraints = withoutRules(height, width, of.count), { allowed, sets, limits, checks } = constraints, size = `${height}x${width}`;
  /** @type {string[]} */
  const names = [], others = () => (names.length ? `with ${names.join(", ")}` : `in a grid of ${size}`);
  const add = (/** @type {string} */ name) => {
    const site = open(constraints).propagate();
    demand(site < 0, `The rule ${name} cannot be met ${others()}: no level is left at row ${Math.floor(site / width)}, column ${site % width}: change it or one of the others.`);
    names.push(name);
  };
  /** @param {(row: number, column: number) => boolean} where @param {Level[]} levels */
  const allow = (where, levels) => {
    const set = levelSet(levels, of);
    allowed.forEach((site, n) => { if (where(Math.floor(n / width), n % width)) allowed[n] = site.map((may, level) => may && set[level]); });
  };
  for (const { levels, rows = ":", columns = ":" } of rules.regions) {
    const [top, bottom] = rangeOf(rows, height, "rows"), [left, right] = rangeOf(columns, width, "columns");
    allow((row, column) => row >= top && row < bottom && column >= left && column < right, levels);
    add(`\`regions\` ${rows},${columns}`);
  }
  for (const { row, column, level } of rules.fixed) {
    demand(row >= -height && row < height && column >= -width && column < width, `\`fixed\` at row ${row}, column ${column} lies outside the grid of ${size}: move it.`);
    allow((r, c) => r === (row + height) % height && c === (column + width) % width, [level]);
    add(`\`fixed\` ${level} at row ${row}, column ${column}`);
  }
  if (rules.border.length) {
    allow((row, column) => row === 0 || column === 0 || row === height - 1 || column === width - 1, rules.border);
    add(`\`border\` ${words(rules.border)}`);
  }
  const sites = [...allowed.keys()], turned = { x: sites.map((n) => n - (n % width) + width - 1 - (n % width)), y: sites.map((n) => (height - 1 - Math.floor(n / width)) * width + (n % width)) };
  for (const side of /** @type {const} */ (["x", "y"])) if ([side, "both"].includes(rules.mirror)) constraints.partners.push(turned[side]);
  if (rules.mirror !== "none") add(`\`mirror\` ${rules.mirror}`);
  for (const { levels, at_most: most = null } of rules.counts) if (most !== null) {
    sets.push(levelSet(levels, of));
    limits.push(most);
    add(`\`counts\` ${words(levels)} at most ${most}`);
  }
  if (rules.adjacency !== null) {
    constraints.adjacency = adjacencyTable(/** @type {Adjacency} */ (rules.adjacency), of);
    add("`adjacency`");
  }
  for (const { levels, at_least: least = 0 } of rules.counts) if (least) checks.push(atLeast(`\`counts\` ${words(levels)} at least ${least}`, levelSet(levels, of), least));
  for (const { levels } of rules.connected) checks.push({ name: `\`connected\` ${words(levels)}`, kind: KIND.onePiece, levels: levelSet(levels, of), repairable: true });
  for (const { from, to, through = [] } of rules.paths)
    checks.push({ name: `\`paths\` from ${words([from].flat())} to ${words([to].flat())}`, kind: KIND.path, levels: levelSet(through, of), start: levelSet([from].flat(), of), end: levelSet([to].flat(), of), repairable: true });
  const mask = open(constraints);
  mask.propagate();
  const broken = mask.broken();
  demand(broken < 0, `The rule ${checks[broken]?.name} cannot be met ${others()}: change it or another one.`);
  return { mask, constraints };
}

/** Draw a map until it obeys the rules. @param {{mask: Mask, constraints: Constraints}} opened @param {number} tries @param {import("./pointillist.js").Prepared} prepared */
export function drawUntilAccepted({ mask, constraints: { checks } }, tries, prepared) {
  /** @type {Map<string, number>} */
  const reasons = new Map();
  for (let attempt = 0; attempt < tries; attempt++) {
    const result = mask.sample(attempt, prepared), name = checks[result.reason]?.name ?? "a dead end of the rules between neighbours";
    if (result.obeys) return result;
    reasons.set(name, (reasons.get(name) ?? 0) + 1);
  }
  const [name] = [...reasons].reduce((most, each) => (each[1] > most[1] ? each : most));
  throw new Error(`1 of 1 maps did not obey the rules in ${tries} tries (most often ${name}): loosen the rule, or raise \`tries\`.`);
}
