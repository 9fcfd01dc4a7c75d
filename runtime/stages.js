// Models of several stages: each is a program over a grid of the picture, and takes a map that a network computes from the
// grid before. docs/reference/program_format.md, "Version 4". Sums of integers and doubles rounded once: the same everywhere.

import { check, clamp, largest } from "./arithmetic.js";
import { convolve } from "./grid.js";

/** @typedef {import("./pointillist.js").Program} Program */
/** @typedef {import("./pointillist.js").TensorReader} TensorReader */
/** @typedef {{matrix: any, scale: any, bias: any, cut: any, taps: number, inputs: number, outputs: number}} Layer */
/** @typedef {{factor: number[], levels: any, each: number, first: Layer, blocks: Layer[], dilations: number[], spread: Layer,
 *   conditions: Record<string, Layer>, heads: number}} Upsampler */
/** @typedef {{step: number[], upsampler: Upsampler | null}} Stage */

const ONE = 2 ** 13, LIMIT = 2 ** 21, LAST = 2 ** 14;
const EXP = Float64Array.from({ length: LAST + 1 }, (_, i) => Math.floor(2 ** 20 * Math.exp(-i / 1024) + 0.5));
const cut = (/** @type {number} */ x) => clamp(x, -LIMIT, LIMIT);
const fixed = (/** @type {number} */ x) => cut(Math.floor(x * ONE + 0.5));

/** Read a layer. @param {any} stored @param {TensorReader} tensor @param {string} dtype @param {(number | null)[]} shape @returns {Layer} */
function readLayer(stored, tensor, dtype, shape) {
  const { data: matrix, shape: [taps, inputs, outputs] } = tensor(stored.matrix, dtype, shape);
  const { data: scale } = tensor(stored.scale, "F32", [outputs]), { data: bias } = tensor(stored.bias, "I32", [outputs]), { data: lost } = tensor(stored.cut, "I8", [inputs]);
  check(taps * inputs * outputs > 0 && taps * inputs <= (dtype === "I8" ? 2 ** 16 : 2 ** 17), "the weights of an upsampler");
  check([...lost].every((by) => by >= 0 && by <= (dtype === "I8" ? 21 : 0)), "the bits that an upsampler cuts off");
  check([...scale].every((s) => Number.isFinite(Number(s)) && s > 0) && [...bias].every((b) => Math.abs(Number(b)) <= LIMIT), "a scale of an upsampler");
  return { matrix, scale, bias, cut: lost, taps, inputs, outputs };
}
/** Read the stages of a model. @param {any} document @param {Program[]} programs @param {TensorReader} tensor @returns {Stage[]} */
export function readStages({ stages: stored, orders }, programs, tensor) {
  if (!stored) return [{ step: [1, 1], upsampler: null }];
  check(stored.length > 1 && programs.length % stored.length === 0 && !stored[0].upsampler, "its stages");
  check(Object.values(orders).every((number) => number % stored.length === 0), "an order");
  const { inputs, head } = programs[0];
  const stages = stored.map((/** @type {any} */ { step, upsampler: u }, /** @type {number} */ number) => {
    if (number === 0) return { step, upsampler: null };
    const before = stored[number - 1].step, dim = u.first, channels = (/** @type {string} */ name) => inputs[name]?.channels ?? -1;
    check([0, 1].every((axis) => u.factor[axis] * step[axis] === before[axis]) && u.blocks.length === u.dilations.length, "the factor of an upsampler");
    const { data: levels, shape: [, each] } = tensor(u.levels, "I32", [head.levels, null]), first = readLayer(dim, tensor, "I16", [9, each * head.channels, null]);
    const m = first.outputs, square = [9, m, m], shapes = { vector: [1, channels("vector"), m], map: [1, channels("map"), m], query: [1, m, null] };
    const inner = u.conditions.query ? readLayer(u.conditions.query, tensor, "I16", shapes.query).outputs : 0;
    /** @type {Record<string, (number | null)[]>} */
    const all = { ...shapes, keys: [1, null, inner], values: [1, null, inner], out: [1, inner, m] };
    return { step, upsampler: {
      ...u, levels, each, first, blocks: u.blocks.map((/** @type {any} */ block) => readLayer(block, tensor, "I8", square)),
      spread: readLayer(u.spread, tensor, "I8", [(2 * u.factor[0] - 1) * (2 * u.factor[1] - 1), m, null]),
      conditions: Object.fromEntries(Object.entries(u.conditions).map(([name, layer]) => [name, readLayer(layer, tensor, "I16", all[name])])),
    } };
  });
  check(stages[stages.length - 1].step.every((/** @type {number} */ step) => step === 1), "the step of the last stage");
  return stages;
}

/** Compute a layer at `size` sites: `gather` gives the numbers that meet its taps. @param {Layer} layer @param {number} size
 *  @param {(add: (to: number, tap: number, x: ArrayLike<number>, from: number) => void) => void} gather */
function compute({ matrix, scale, bias, inputs: n, outputs: m }, size, gather) {
  const sums = new Float64Array(size * m);
  gather((to, tap, x, from) => {
    for (let i = 0; i < n; i++) {
      const value = x[from + i], row = (tap * n + i) * m;
      if (value) for (let o = 0; o < m; o++) sums[to * m + o] += value * matrix[row + o];
    }
  });
  return sums.map((sum, k) => Math.floor(sum * scale[k % m] + 0.5) + bias[k % m]);
}
/** Inputs of a layer of bytes. @param {Layer} layer @param {Float64Array} x */
const bytes = ({ cut: lost, inputs }, x) => x.map((value, k) => clamp(Math.floor(value / 2 ** lost[k % inputs] + 0.5), 0, 255));

/** The map `[rows, columns, m]` of a coarse picture `[channels, height, width]` on a finer grid.
 *  @param {Upsampler} u @param {ArrayLike<number>} coarse @param {number} height @param {number} width @param {number} rows @param {number} columns
 *  @param {Record<string, Float64Array>} features of the conditions; a map on the coarse grid */
function upsample(u, coarse, height, width, rows, columns, features) {
  const size = height * width, channels = coarse.length / size, { each, first, conditions, spread } = u, m = first.outputs;
  const canvas = Float64Array.from({ length: size * channels * each }, (_, k) => {
    const site = Math.floor(k / (channels * each)), inside = k % (channels * each);
    return u.levels[coarse[Math.floor(inside / each) * size + site] * each + (inside % each)];
  });
  /** @type {(layer: Layer, x: Float64Array, dilation: number) => Float64Array} */
  const around = (layer, x, dilation) => compute(layer, size, (add) =>
    convolve(height, width, Math.sqrt(layer.taps), dilation, (to, tap, from) => add(to, tap, x, from * layer.inputs)));
  let x = around(first, canvas, 1).map(cut);
  const add = (/** @type {Float64Array} */ more) => { x = x.map((value, k) => cut(value + more[k % more.length])); };
  if (conditions.vector) { const v = features.vector.map(fixed); add(compute(conditions.vector, 1, (put) => put(0, 0, v, 0))); }
  if (conditions.map) add(around(conditions.map, features.map.map(fixed), 1));
  if (u.heads) add(attend(u, x, features.tokens));
  u.blocks.forEach((block, n) => add(around(block, bytes(block, x), u.dilations[n])));
  const [down, right] = u.factor, across = 2 * right - 1, small = bytes(spread, x);
  return compute(spread, rows * columns, (put) => {
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++)
      for (let y = Math.floor(row / down), a = row % down; y < height && y * down < row + down; y++)
        for (let z = Math.floor(column / right), b = column % right; z < width && z * right < column + right; z++) {
          const tap = (y * down > row ? a - 1 : a + down - 1) * across + (z * right > column ? b - 1 : b + right - 1);
          put(row * columns + column, tap, small, (y * width + z) * m);
        }
  }).map(cut);
}
/** Attend from each pixel to the tokens. @param {Upsampler} u @param {Float64Array} x @param {Float64Array} tokens */
function attend({ conditions: { query, keys, values, out }, heads }, x, tokens) {
  const sites = x.length / query.inputs, count = tokens.length / (1 + keys.inputs), states = tokens.slice(count).map(fixed), d = keys.outputs / heads;
  const [k, v] = [keys, values].map((layer) => compute(layer, count, (add) => { for (let t = 0; t < count; t++) add(t, 0, states, t * layer.inputs); }).map(cut));
  const q = compute(query, sites, (add) => { for (let n = 0; n < sites; n++) add(n, 0, x, n * query.inputs); }).map(cut), mean = new Float64Array(sites * values.outputs);
  const chosen = [...Array(count).keys()].filter((t) => tokens[t] > 0), step = 2 ** -16 / Math.sqrt(d);
  for (let n = 0; n < sites; n++) for (let head = 0; head < heads; head++) {
    const scores = chosen.map((t) => { let sum = 0; for (let i = head * d; i < (head + 1) * d; i++) sum += q[n * keys.outputs + i] * k[t * keys.outputs + i]; return sum; });
    const best = largest(scores), weights = scores.map((s) => EXP[Math.min(Math.floor((best - s) * step + 0.5), LAST)]), total = Math.max(1, weights.reduce((a, b) => a + b, 0));
    for (let i = head * d; i < (head + 1) * d; i++) mean[n * values.outputs + i] = Math.floor(weights.reduce((sum, w, j) => sum + w * v[chosen[j] * values.outputs + i], 0) / total + 0.5);
  }
  return compute(out, sites, (add) => { for (let n = 0; n < sites; n++) add(n, 0, mean, n * out.inputs); });
}

/** Open the programs of an order. @param {import("./pointillist.js").Model} model @param {import("./pointillist.js").Order} order @param {number} rows @param {number} columns
 *  of the raster frame @param {import("./pointillist.js").Inputs} inputs @param {import("./pointillist.js").Begin} begin opens a program @returns {import("./pointillist.js").Steps} */
export function open(model, order, rows, columns, inputs, begin) {
  const number = model.orders[order.name];
  return model.stages.length > 1 ? new StagedRun(model, number, rows, columns, inputs, begin) : begin(model.programs[number], rows, columns, inputs);
}

/** All stages at work on an image, as `Run`: rows and columns are those of the picture. */
export class StagedRun {
  /** @param {import("./pointillist.js").Model} model @param {number} first the program of the first stage @param {number} height @param {number} width
   *  @param {import("./pointillist.js").Inputs} inputs @param {import("./pointillist.js").Begin} begin */
  constructor(model, first, height, width, inputs, begin) {
    this.model = model; this.first = first; this.height = height; this.width = width; this.inputs = inputs; this.begin = begin;
    this.levels = new Int32Array(model.image.channels * height * width);
    this.known = new Uint8Array(height * width);
    this.number = 0;
    this.steps = this.open(0);
    this.passOver();
  }
  get row() { return this.steps.row * this.stage.step[0]; }
  get column() { return this.steps.column * this.stage.step[1]; }
  get step() { return this.steps.step; }
  get done() { return this.steps.done; }
  get stage() { return this.model.stages[this.number]; }
  /** Rows and columns of a grid, and its sites in the picture. @param {Stage} stage */
  gridOf({ step: [down, right] }) {
    const [rows, columns] = [Math.ceil(this.height / down), Math.ceil(this.width / right)];
    return { rows, columns, sites: Array.from({ length: rows * columns }, (_, n) => Math.floor(n / columns) * down * this.width + (n % columns) * right) };
  }
  /** Open a stage. @param {number} number */
  open(number) {
    const { model, inputs } = this, program = model.programs[this.first + number], conditions = model.programs[this.first].inputs, { upsampler } = model.stages[number];
    const { rows, columns, sites } = this.gridOf(model.stages[number]);
    /** @type {(name: string, at: number[]) => Int32Array} */
    const on = (name, at) => {
      const { kind, channels } = conditions[name], all = inputs[name];
      return kind !== "map" ? all : Int32Array.from({ length: at.length * channels }, (_, k) => all[at[Math.floor(k / channels)] * channels + (k % channels)]);
    };
    const own = Object.fromEntries(Object.keys(conditions).map((name) => [name, on(name, sites)]));
    if (upsampler) {
      const before = this.gridOf(model.stages[number - 1]), size = this.height * this.width, { unit, channels } = program.inputs.map, m = upsampler.spread.outputs;
      const features = Object.fromEntries(Object.entries(conditions).map(([name, taken]) =>
        [name, Float64Array.from(on(name, before.sites), (value, k) => value * taken.unit[k % taken.channels])]));
      const coarse = Array.from({ length: model.image.channels }, (_, c) => before.sites.map((site) => this.levels[c * size + site])).flat();
      const map = upsample(upsampler, coarse, before.rows, before.columns, rows, columns, features), start = channels - m;
      own.map = Int32Array.from({ length: sites.length * channels }, (_, k) => {
        const site = Math.floor(k / channels), c = k % channels;
        return c < start ? own.map[site * start + c] : clamp(Math.floor(map[site * m + c - start] / ONE / unit[c] + 0.5), -128, 127);
      });
    }
    return this.begin(program, rows, columns, own);
  }
  /** Observe the pixels that an earlier stage has, and open the next stage at the end of one. */
  passOver() {
    for (;;) {
      while (!this.steps.done && this.known[this.row * this.width + this.column])
        this.steps.observe(this.levels[(this.step * this.height + this.row) * this.width + this.column]);
      if (!this.steps.done || this.number === this.model.stages.length - 1) return;
      for (const site of this.gridOf(this.stage).sites) this.known[site] = 1;
      this.steps = this.open(++this.number);
    }
  }
  /** Frequencies of the levels of the current sub-pixel. @returns {Float64Array} */
  frequencies() { return this.steps.frequencies(); }
  /** Its distribution where the levels are too many for a table; null elsewhere. */
  intervals() { return this.steps.intervals(); }
  /** Take the level of the current sub-pixel, and go to the next. @param {number} level */
  observe(level) {
    this.levels[(this.step * this.height + this.row) * this.width + this.column] = level;
    this.steps.observe(level);
    this.passOver();
  }
}
