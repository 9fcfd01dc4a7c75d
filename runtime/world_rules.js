// Rules of endless maps: what a window of a world obeys. A second reading of `src/pointillist/sampling/worlds/rules.py`.

import { KIND } from "./mask.js";
import { generator } from "./pointillist.js";
import { adjacencyTable, atLeast, levelNumber, levelSet, readRules, withoutRules, words } from "./rules.js";

/** A chunk and the window around it: rows and columns of the world.
 *  @typedef {{x: number, y: number, size: number, top: number, left: number, height: number, width: number}} Window */

export const FREE_TRIES = 6; // before straight paths join the passages of a chunk
const TILES = 0, PASSAGE = 1, CORNER = 4, HALF = 2n ** 32n;

/** Map integers to natural numbers: 0, -1, 1, -2, ... to 0, 1, 2, 3, ... @param {number} n */
const natural = (n) => (n >= 0 ? 2 * n : -2 * n - 1);
/** What a chunk is seeded with, for a purpose. @param {number} seed @param {number} x @param {number} y */
export const numbersOf = (seed, x, y, purpose = TILES) => [seed, natural(x), natural(y), natural(purpose)];

/** Numbers in low .. high - 1, as numpy draws them: Lemire 2019, "Fast random integer generation in an interval". @param {number[]} numbers */
function integers(numbers) {
  const next = generator(numbers);
  /** @type {bigint | null} */
  let half = null; // of 64 bits the lower half comes first
  return (/** @type {number} */ low, /** @type {number} */ high) => {
    const count = BigInt(high - low);
    let product = 0n;
    if (count > 1n) do {
      const bits = half ?? next();
      half = half === null ? bits / HALF : null;
      product = (bits % HALF) * count;
    } while (product % HALF < (HALF - count) % count);
    return low + Number(product / HALF);
  };
}

export class WorldRules {
  /** @param {import("./rules.js").Rules} rules @param {import("./rules.js").Levels} of */
  constructor(rules, of) {
    const read = readRules(rules), { border, paths, regions, mirror, adjacency } = read;
    for (const [name, { length }] of Object.entries({ border, paths, regions })) if (length) throw new Error(`\`${name}\` (=${length}) is not a rule of worlds, which have no border: leave it out.`);
    if (mirror !== "none") throw new Error(`\`mirror\` (=${mirror}) is not a rule of worlds, which have no middle: leave it out.`);
    this.of = of; this.tries = read.tries;
    this.adjacency = adjacency === null ? null : adjacencyTable(/** @type {import("./rules.js").Adjacency} */ (adjacency), of);
    this.fixed = read.fixed.map(({ row, column, level }) => ({ row, column, level: levelNumber(level, of) }));
    this.counts = read.counts.map(({ levels, at_least: least = 0, at_most: most = null }) => ({ set: levelSet(levels, of), name: words(levels), least, most }));
    this.connected = read.connected.map(({ levels }) => ({ set: levelSet(levels, of), name: words(levels), passage: levelNumber(levels[0], of) }));
  }
  /** Whether draws are restricted, and not only tiles fixed. */
  get binds() {
    return this.adjacency !== null || this.counts.length + this.connected.length > 0;
  }
  /** The fixed tiles in a window: its sites and their levels. @param {Window} window @returns {[number, number][]} */
  fixedTiles({ top, left, height, width }) {
    return this.fixed.map(({ row, column, level }) => ({ row: row - top, column: column - left, level }))
      .filter(({ row, column }) => row >= 0 && row < height && column >= 0 && column < width).map(({ row, column, level }) => [row * width + column, level]);
  }
  /** The tiles on both sides of the right and the lower seams of chunks, in the window. @param {Window} window @param {number} seed @param {number} rule @param {number} around */
  *#atSeams({ x, y, size, top, left }, seed, rule, around) {
    const away = Math.min(CORNER, Math.floor((size - 1) / 2)), first = -1 - around;
    for (let dy = first; dy < 1 + around; dy++) for (let dx = first; dx < 1 + around; dx++) {
      const r = (y + dy) * size - top, c = (x + dx) * size - left;
      const [row, column] = [0, 1].map((side) => integers(numbersOf(seed, x + dx, y + dy, PASSAGE + 2 * rule + side))(away, size - away));
      yield* [[r + row, c + size - 1], [r + row, c + size], [r + size - 1, c + column], [r + size, c + column]];
    }
  }
  /** The tiles of passages in a window; of two rules at a tile the later one counts. @param {Window} window @param {number} seed @returns {[number, number][]} */
  passageTiles(window, seed) {
    const { height, width } = window;
    return this.connected.flatMap(({ passage }, rule) => [...this.#atSeams(window, seed, rule, 1)]
      .filter(([row, column]) => row >= 0 && row < height && column >= 0 && column < width).map(([row, column]) => /** @type {[number, number]} */ ([row * width + column, passage])));
  }
  /** Rows and columns of the chunk at which its passages begin. @param {Window} window @param {number} seed @param {number} rule */
  #passages(window, seed, rule) {
    const top = window.y * window.size - window.top, left = window.x * window.size - window.left;
    return [...this.#atSeams(window, seed, rule, 0)].filter(([row, column]) => row >= top && row < top + window.size && column >= left && column < left + window.size);
  }
  /** Straight paths from the passages of a chunk to a tile in its middle, of the first rule of `connected`. @param {Window} window @param {number} seed @returns {[number, number][]} */
  pathTiles(window, seed) {
    const { x, y, size, width } = window, top = y * size - window.top, left = x * size - window.left, low = Math.floor(size / 4);
    const draw = integers(numbersOf(seed, x, y, -1)), [middle, centre] = [top, left].map((from) => from + draw(low, Math.max(low + 1, size - low)));
    /** @type {[number, number][]} */
    const tiles = [], { passage } = this.connected[0];
    for (const [row, column] of this.#passages(window, seed, 0)) {
      const sideways = column === left || column === left + size - 1;
      for (let c = Math.min(column, centre); c <= Math.max(column, centre); c++) tiles.push([(sideways ? row : middle) * width + c, passage]);
      for (let r = Math.min(row, middle); r <= Math.max(row, middle); r++) tiles.push([r * width + (sideways ? centre : column), passage]);
    }
    return tiles;
  }
  /** Open the mask of a window. @param {Window} window @param {(number | null)[]} known @param {number} seed @param {import("./mask.js").Open} open */
  open(window, known, seed, open) {
    const { x, y, size, height, width } = window, top = y * size - window.top, left = x * size - window.left, constraints = withoutRules(height, width, this.of.count);
    const { allowed, sets, limits, checks } = constraints, names = this.adjacency ? ["`adjacency`"] : [], chunk = `Chunk ${x},${y}: the rule `;
    const outside = known.map((_, site) => Math.floor(site / width) < top || Math.floor(site / width) >= top + size || site % width < left || site % width >= left + size);
    constraints.adjacency = this.adjacency;
    known.forEach((level, site) => { if (level !== null) allowed[site] = allowed[site].map((_, k) => k === level); });
    for (const { set, name, least, most } of this.counts) {
      const there = known.filter((level, site) => level !== null && outside[site] && set[level]).length;
      if (!set.every(Boolean)) known.forEach((level, site) => { // tiles of later chunks, which count for themselves
        if (level === null && outside[site]) allowed[site] = allowed[site].map((may, k) => may && !set[k]);
      });
      if (most !== null) {
        sets.push(set);
        limits.push(most + there);
        names.push(`\`counts\` ${name} at most ${most}`);
      }
      if (least) checks.push(atLeast(`\`counts\` ${name} at least ${least}`, set, least + there));
    }
    this.connected.forEach(({ set, name }, rule) => {
      const passages = this.#passages(window, seed, rule).map(([row, column]) => row * width + column);
      checks.push({ name: `\`connected\` ${name}`, kind: KIND.entered, levels: set, repairable: true, top, left, height: size, width: size, passages });
    });
    const mask = open(constraints), site = mask.propagate(), around = "cannot be met with the fixed tiles and the chunks around it";
    if (site >= 0) throw new Error(`${chunk}${names.join(" or ")} ${around}: no level is left at row ${window.top + Math.floor(site / width)}, column ${window.left + (site % width)} of the world: change one of them.`);
    const broken = mask.broken();
    if (broken >= 0) throw new Error(`${chunk}${checks[broken].name} ${around}: change one of them.`);
    return { mask, constraints };
  }
}
