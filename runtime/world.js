// Endless maps: a chunk is a function of the program, the seed and its coordinates, as in `pt.World` without rules;
// docs/reference/program_format.md, "Worlds".

import { check } from "./arithmetic.js";
import { sample, uniforms } from "./pointillist.js";

const TILES = 0, LARGEST = 2 ** 31;
/** @param {number} n */
const parity = (n) => Math.abs(n % 2);
/** Phase in which a chunk is drawn. @param {number} x @param {number} y */
const phase = (x, y) => parity(x) + 2 * parity(y);
/** Map integers to natural numbers: 0, -1, 1, -2, ... to 0, 1, 2, 3, ... @param {number} n */
const natural = (n) => (n >= 0 ? 2 * n : -2 * n - 1);

export class World {
  /** @param {import("./pointillist.js").Model} model that completes maps of one channel @param {number} seed
   *  @param {{label?: string | null, chunkSize?: number, margin?: number, remembered?: number, begin?: import("./pointillist.js").Begin, ready?: () => void}} [settings]
   *  `ready` is called before each draw */
  constructor(model, seed, { label, chunkSize = 32, margin = 8, remembered = 64, begin, ready } = {}) {
    const names = model.parts[0].find(({ name }) => name === "label")?.names ?? [];
    if (!model.parts[0].some(({ known }) => known) || model.image.channels !== 1) throw new Error("Worlds need a model that completes maps of one channel.");
    if (!(Number.isInteger(chunkSize) && Number.isInteger(margin) && chunkSize >= 2 && margin >= 1 && margin <= chunkSize))
      throw new Error(`The margin (=${margin}) must lie in 1 to the side of a chunk (=${chunkSize}), which must be 2 or more.`);
    if (label != null && !names.includes(label)) throw new Error(`There is no label ${label}: choose from ${names.join(", ")}.`);
    this.model = model; this.seed = seed; this.size = chunkSize; this.margin = margin;
    this.label = label ?? (names.includes("window") ? "window" : null);
    this.most = remembered; this.begin = begin; this.ready = ready;
    /** @type {Map<string, Uint16Array>} */
    this.chunks = new Map();
  }

  /** Levels `[size, size]` of the chunk in column x and row y; y grows downwards. @param {number} x @param {number} y @returns {Uint16Array} */
  chunk(x, y) {
    if (!(Number.isInteger(x) && Number.isInteger(y) && Math.max(Math.abs(x), Math.abs(y)) < LARGEST)) throw new Error(`There is no chunk ${x},${y}.`);
    const name = `${x},${y}`, levels = this.chunks.get(name) ?? this.#draw(x, y);
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

  /** Draw a chunk in a window, with what earlier phases drew next to it. @param {number} x @param {number} y */
  #draw(x, y) {
    const { model, size, margin, label, begin } = this, earlier = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dx, dy])).filter(([dx, dy]) => phase(x + dx, y + dy) < phase(x, y));
    const sides = { above: earlier.some(([, dy]) => dy < 0), below: earlier.some(([, dy]) => dy > 0), left: earlier.some(([dx]) => dx < 0), right: earlier.some(([dx]) => dx > 0) };
    const top = y * size - (sides.above ? margin : 0), left = x * size - (sides.left ? margin : 0);
    const height = size + margin * (Number(sides.above) + Number(sides.below)), width = size + margin * (Number(sides.left) + Number(sides.right));
    /** @type {(number | null)[]} */
    const known = Array(height * width).fill(null);
    for (const [dx, dy] of earlier) {
      const levels = this.chunk(x + dx, y + dy);
      this.#shared(top, left, height, width, x + dx, y + dy, (to, from) => (known[to] = levels[from]));
    }
    const drawn = uniforms([this.seed, natural(x), natural(y), natural(TILES)], height * width);
    check(!model.fixedSize, "the model has one size");
    this.ready?.();
    const { levels } = sample(model, { uniforms: drawn, height, width, known, label, begin }), result = new Uint16Array(size * size);
    this.#shared(top, left, height, width, x, y, (to, from) => (result[from] = levels[to]));
    return result;
  }
}
