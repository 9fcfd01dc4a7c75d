// Masks of maps that obey rules, by solver.c, compiled to WebAssembly.

import { POWERS } from "./arithmetic.js";
import { siteOf } from "./pointillist.js";

/** A rule of the whole map: at least `number` sites have one of the levels; all sites of the levels are one piece; a path of
 *  them leads from a level of `start` to one of `end`; in a rectangle they join all `passages`, and no piece of them is closed.
 *  @typedef {{name: string, kind: number, levels: boolean[], number?: number, repairable: boolean, start?: boolean[], end?: boolean[],
 *    top?: number, left?: number, height?: number, width?: number, passages?: number[]}} Check */
/** What a map obeys: levels of each site, levels that may follow each one right, below, left and above, sites that have the same
 *  level, sets of levels and how many sites may have one of each.
 *  @typedef {{height: number, width: number, levels: number, allowed: boolean[][], adjacency: boolean[][][] | null,
 *    partners: number[][], sets: boolean[][], limits: number[], checks: Check[]}} Constraints */
/** What an attempt drew: `reason` is the number of the rule that it broke last, -1 for a dead end.
 *  @typedef {{levels: Uint16Array, frequencies: Float64Array, obeys: boolean, reason: number}} Attempt */
/** @typedef {(constraints: Constraints) => Mask} Open */
/** @typedef {import("./webassembly.js").CompiledPrograms} CompiledPrograms */

/** Kinds of rules of the whole map, in the order of solver.h. */
export const KIND = { atLeast: 0, onePiece: 1, path: 2, entered: 3 };

const DEAD = 1, [STATUS, ATTEMPT, SITE, BROKEN] = [0, 1, 2, 3]; // columns of the state
const ORIGIN = 40, ROW_STEP = 48, COLUMN_STEP = 56, STATE = 80; // where `pt_mask` holds them, in 32 bits
const RULE = 88, RULES = 96; // bytes of `pt_rule` and of `pt_rules`

export class Mask {
  /** Ends all runs and masks of `owner`. @param {CompiledPrograms} owner @param {import("./pointillist.js").Model} model @param {Constraints} constraints */
  constructor(owner, model, constraints) {
    owner.release();
    this.owner = owner; this.model = model; this.constraints = constraints;
    this.rules = this.#write(constraints);
    this.bytes = owner.exports.pt_mask_memory(this.rules, 1n);
    const { height, width, levels } = constraints;
    if (this.bytes < 0n) throw new Error(`The rules do not fit a map of ${height}x${width} and ${levels} levels: it is too large.`);
    this.mask = owner.exports.pt_mask_begin(this.rules, 1n, owner.allocate(Number(this.bytes)));
  }
  propagate() {
    const consistent = this.owner.exports.pt_mask_propagate(this.mask, 0n);
    return consistent ? this.constraints.allowed.findIndex((levels) => !levels.includes(true)) : Number(this.#state(this.mask)[SITE]);
  }
  broken() {
    return Number(this.owner.exports.pt_mask_broken(this.mask, 0n));
  }
  /** Draw a map within the mask. @param {number} attempt @param {import("./pointillist.js").Prepared} prepared @returns {Attempt} */
  sample(attempt, prepared) {
    const { owner } = this, { exports } = owner, { order, height, width, columns, known, uniforms } = prepared, { top } = owner;
    const sites = Array.from({ length: height * width }, (_, n) => siteOf(order, Math.floor(n / columns), n % columns, height, width).reduce((y, x) => y * width + x));
    const mask = exports.pt_mask_begin(this.rules, 1n, owner.allocate(Number(this.bytes)));
    exports.pt_mask_copy(mask, 0n, this.mask, 0n);
    this.#state(mask)[ATTEMPT] = BigInt(attempt) << 20n;
    const view = new DataView(owner.memory.buffer, mask);
    for (const [at, site] of [[ORIGIN, sites[0]], [ROW_STEP, (sites[columns] ?? sites[0]) - sites[0]], [COLUMN_STEP, (columns > 1 ? sites[1] : sites[0]) - sites[0]]]) view.setBigInt64(at, BigInt(site), true);
    const held = [...sites.keys()].filter((site) => known?.[site] != null), levels = held.map((site) => BigInt(Number(known?.[site])));
    if (held.length && !exports.pt_mask_fix(mask, 0n, owner.put(BigInt64Array.from(held, BigInt)), owner.put(BigInt64Array.from(levels)), BigInt(held.length))) {
      this.#state(mask)[STATUS] = BigInt(DEAD);
      this.#state(mask)[BROKEN] = -1n;
    }
    exports.pt_mask_keep(mask, 0n, 1n);
    const run = this.#begin(prepared), drawn = owner.put(BigInt64Array.from(sites, (site) => BigInt(known?.[site] ?? 0)));
    const fixed = owner.put(Uint8Array.from(sites, (site) => Number(known?.[site] != null))), numbers = owner.put(Float64Array.from(sites, (site) => uniforms[site]));
    const { precision } = prepared.program.head, sizes = owner.put(new BigInt64Array(sites.length).fill(BigInt(POWERS[precision]))), signal = owner.put(new BigInt64Array(2));
    const space = owner.allocate(Number(exports.pt_search_memory(run, mask))), transform = owner.transform(prepared);
    if (!exports.pt_sample_in_mask(run, mask, 0n, drawn, fixed, numbers, sizes, 0, transform, space, signal)) throw new Error("The rules do not fit the map.");
    const result = { levels: new Uint16Array(sites.length), frequencies: new Float64Array(sites.length) };
    const [ofLevels, ofSizes] = [drawn, sizes].map((at) => new BigInt64Array(owner.memory.buffer, at, sites.length)), state = this.#state(mask);
    sites.forEach((site, n) => {
      result.levels[site] = Number(ofLevels[n]);
      result.frequencies[site] = Number(ofSizes[n]);
    });
    owner.top = top; // the memory of the attempt is used again
    return { ...result, obeys: state[STATUS] === 0n, reason: Number(state[BROKEN]) };
  }

  /** Begin a run: under guidance of the image under its conditions, and without them. @param {import("./pointillist.js").Prepared} prepared */
  #begin({ program, rows, columns, inputs, reference }) {
    const both = Object.fromEntries(Object.keys(program.inputs).map((name) => [name, Int32Array.from([...inputs[name], ...(reference ? reference[name] : [])])]));
    return this.owner.run(this.model.programs.indexOf(program), program, reference ? 2 : 1, rows, columns, both).address;
  }
  /** The state of the image of a mask. @param {number} mask */
  #state(mask) {
    const { buffer } = this.owner.memory;
    return new BigInt64Array(buffer, new DataView(buffer, mask).getUint32(STATE, true), BROKEN + 1);
  }
  /** Copy sets of levels, 64 in a word. @param {boolean[][]} sets */
  #sets(sets) {
    const words = Math.ceil(this.constraints.levels / 64), bits = new BigUint64Array(sets.length * words);
    sets.forEach((set, n) => set.forEach((has, level) => { if (has) bits[n * words + Math.floor(level / 64)] |= 1n << BigInt(level % 64); }));
    return this.owner.put(bits);
  }
  /** Write `pt_rules`, as C lays it out for addresses of 32 bits. @param {Constraints} constraints */
  #write({ height, width, levels, allowed, adjacency, partners, sets, limits, checks }) {
    const numbers = (/** @type {number[]} */ array) => this.owner.put(BigInt64Array.from(array, BigInt)), join = (/** @type {boolean[]} */ a, /** @type {boolean[]} */ b = []) => a.map((has, k) => has || Boolean(b[k]));
    const rows = checks.map(({ kind, repairable, number = 0, levels: set, start, end, top = 0, left = 0, height: h = 0, width: w = 0, passages = [] }) => ({
      integers: [[0, kind], [8, Number(repairable)], [16, number], [40, top], [48, left], [56, h], [64, w], [72, passages.length]],
      addresses: [[24, this.#sets([join(join(set, start), end)])], [28, start ? this.#sets([start]) : 0], [32, end ? this.#sets([end]) : 0], [80, numbers(passages)]],
    }));
    const list = this.owner.allocate(Math.max(1, RULE * rows.length)), address = this.owner.allocate(RULES), table = {
      integers: [[0, 1], [8, height], [16, width], [24, levels], [32, 0], [48, partners.length], [64, sets.length], [80, checks.length]],
      addresses: [[40, this.#sets(allowed)], [44, adjacency ? this.#sets(adjacency.flat()) : 0], [56, numbers(partners.flat())], [72, this.#sets(sets)], [76, numbers(limits)], [88, list]],
    };
    for (const [from, { integers, addresses }] of [...rows.map((row, n) => /** @type {const} */ ([list + RULE * n, row])), /** @type {const} */ ([address, table])]) {
      const view = new DataView(this.owner.memory.buffer, from);
      for (const [at, value] of integers) view.setBigInt64(at, BigInt(value), true);
      for (const [at, value] of addresses) view.setUint32(at, value, true);
    }
    return address;
  }
}
