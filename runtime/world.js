// Endless maps: a chunk is a function of the program, the seed, the rules and its coordinates, as in `pt.World`;
// docs/reference/program_format.md, "Worlds".

import { check } from "./arithmetic.js";
import { prepare, sample, uniforms } from "./pointillist.js";
import { drawUntilAccepted } from "./rules.js";
import { FREE_TRIES, WorldRules, numbersOf } from "./world_rules.js";

const LARGEST = 2 ** 31;
/** @param {number} n */
const parity = (n) => Math.abs(n % 2);
/** Phase in which a chunk is drawn. @param {number} x @param {number} y */
const phase = (x, y) => parity(x) + 2 * parity(y);

export class World {
  /** @param {import("./pointillist.js").Model} model that completes maps of one channel @param {number} seed
   *  @param {{label?: string | null, chunkSize?: number, margin?: number, remembered?: number, begin?: import("./pointillist.js").Begin, ready?: () => void,
   *    rules?: import("./rules.js").Rules | null, levels?: Omit<import("./rules.js").Levels, "count">, open?: import("./mask.js").Open}} [settings]
   *  `ready` is called before each draw; `levels`: their names and pairs, for rules; `open` opens masks (`mask.js`), for rules */
  constructor(model, seed, { label, chunkSize = 32, margin = 8, remembered = 64, begin, ready, rules, levels, open } = {}) {
    const names = model.parts[0].find(({ name }) => name === "label")?.names ?? [];
    if (!model.parts[0].some(({ known }) => known) || model.image.channels !== 1) throw new Error("Worlds need a model that completes maps of one channel.");
    if (!(Number.isInteger(chunkSize) && Number.isInteger(margin) && chunkSize >= 2 && margin >= 1 && margin <= chunkSize))
      throw new Error(`The margin (=${margin}) must lie in 1 to the side of a chunk (=${chunkSize}), which must be 2 or more.`);
    if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`The seed (=${seed}) must be a whole number, 0 to 2^53 - 1.`);
    if (label != null && !names.includes(label)) throw new Error(`There is no label ${label}: choose from ${names.join(", ")}.`);
    this.model = model; this.seed = seed; this.size = chunkSize; this.margin = margin;
    this.label = label ?? (names.includes("window") ? "window" : null);
    this.most = remembered; this.begin = begin; this.ready = ready;
    this.rules = new WorldRules(rules ?? {}, { ...levels, count: model.image.levels });
    this.open = open ?? (() => { throw new Error("Rules need masks of WebAssembly: give `open`."); });
    /** @type {Map<string, Uint16Array>} */
    this.chunks = new Map();
  }

  /** Levels `[size, size]` of the chunk in column x and row y; y grows downwards. @param {number} x @param {number} y @returns {Uint16Array} */
  chunk(x, y) {
    if (!(Number.isInteger(x) && Number.isInteger(y) && Math.max(Math.abs(x), Math.abs(y)) < LARGEST)) throw new Error(`There is no chunk ${x},${y}.`);
    return this.keep(x, y, this.chunks.get(`${x},${y}`) ?? this.#draw(x, y));
  }

  /** Remember a chunk, which another world of the same seed and rules may have drawn. @param {number} x @param {number} y @param {Uint16Array} levels */
  keep(x, y, levels) {
    const name = `${x},${y}`;
    this.chunks.delete(name);
    this.chunks.set(name, levels);
    if (this.chunks.size > this.most) this.chunks.delete(/** @type {string} */ (this.chunks.keys().next().value));
    return levels;
  }

  /** Levels `[height, width]` of a rectangle, from a row and a column on. @param {number} row @param {number} column @param {number} height @param {number} width */
  tiles(row, column, height, width) {
    const { size } = this, result = new Uint16Array(height * width);
    for (let y = Math.floor(row / size); y * size < row + height; y++) for (let x = Math.floor(column / size); x * size < column + width; x++) {
      const levels = this.chunk(x, y);
      this.#shared(row, column, height, width, x, y, (to, from) => (result[to] = levels[from]));
    }
    return result;
  }

  /** Visit the tiles that a rectangle shares with a chunk. @param {number} top @param {number} left @param {number} height @param {number} width
   *  @param {number} x @param {number} y @param {(to: number, from: number) => void} visit */
  #shared(top, left, height, width, x, y, visit) {
    const { size } = this, rows = [Math.max(top, y * size), Math.min(top + height, (y + 1) * size)], columns = [Math.max(left, x * size), Math.min(left + width, (x + 1) * size)];
    for (let row = rows[0]; row < rows[1]; row++) for (let column = columns[0]; column < columns[1]; column++)
      visit((row - top) * width + column - left, (row - y * size) * size + column - x * size);
  }

  /** Choose the window of a chunk: a side has a margin if an earlier chunk or a fixed tile lies there. @param {number} x @param {number} y
   *  @param {number[][]} earlier @returns {import("./world_rules.js").Window} */
  #window(x, y, earlier) {
    const { size, margin, rules } = this, whole = { x, y, size, top: y * size - margin, left: x * size - margin, height: size + 2 * margin, width: size + 2 * margin };
    const tiles = rules.fixedTiles(whole).map(([site]) => [site % whole.width, Math.floor(site / whole.width)].map((at) => (at < margin ? -1 : at < margin + size ? 0 : 1)));
    const here = [...earlier, ...tiles], has = (/** @type {number} */ axis, /** @type {number} */ side) => Number(here.some((each) => each[axis] === side));
    const [left, right, above, below] = [has(0, -1), has(0, 1), has(1, -1), has(1, 1)];
    return { x, y, size, top: y * size - margin * above, left: x * size - margin * left, height: size + margin * (above + below), width: size + margin * (left + right) };
  }

  /** Draw a chunk in a window, with what earlier phases drew next to it. @param {number} x @param {number} y */
  #draw(x, y) {
    const { model, size, rules, seed } = this, earlier = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dx, dy])).filter(([dx, dy]) => phase(x + dx, y + dy) < phase(x, y));
    const window = this.#window(x, y, earlier), { top, left, height, width } = window;
    /** @type {(number | null)[]} */
    const known = Array(height * width).fill(null);
    for (const [site, level] of rules.fixedTiles(window)) known[site] = level;
    for (const [dx, dy] of earlier) {
      const levels = this.chunk(x + dx, y + dy);
      this.#shared(top, left, height, width, x + dx, y + dy, (to, from) => (known[to] = levels[from]));
    }
    /** @type {Map<number, number>} */
    const passages = new Map(rules.passageTiles(window, seed));
    for (const [site, level] of passages) known[site] ??= level;
    check(!model.fixedSize, "the model has one size");
    const levels = this.#filled(window, known, uniforms(numbersOf(seed, x, y), height * width)), result = new Uint16Array(size * size);
    this.#shared(top, left, height, width, x, y, (to, from) => (result[from] = levels[to]));
    return result;
  }

  /** Draw the tiles of a window that are not known; where the passages of a chunk are not joined soon, around straight paths.
   *  @param {import("./world_rules.js").Window} window @param {(number | null)[]} known @param {Float64Array} drawn */
  #filled(window, known, drawn) {
    const { model, label, begin, rules, seed } = this, { height, width } = window, options = { uniforms: drawn, height, width, known, label };
    this.ready?.();
    if (!rules.binds) return sample(model, { ...options, begin }).levels;
    for (let joined = !rules.connected.length; ; joined = true) {
      const opened = rules.open(window, known, seed, this.open);
      try {
        return drawUntilAccepted(opened, joined ? rules.tries : Math.min(rules.tries, FREE_TRIES), prepare(model, options)).levels;
      } catch (error) {
        if (joined) throw new Error(`Chunk ${window.x},${window.y}: ${error instanceof Error ? error.message : error}`);
      }
      for (const [site, level] of rules.pathTiles(window, seed)) known[site] ??= level;
    }
  }
}
