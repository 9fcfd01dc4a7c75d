// Masks of maps by solver.c, compiled to WebAssembly: the maps of solver.js, many times faster.

import { POWERS } from "./arithmetic.js";
import { siteOf } from "./pointillist.js";

/** @typedef {import("./solver.js").Constraints} Constraints */
/** @typedef {import("./solver.js").Solver} Solver */
/** @typedef {import("./webassembly.js").CompiledPrograms} CompiledPrograms */

const BEST = -1, DEAD = 1, [STATUS, ATTEMPT, SITE, BROKEN] = [0, 1, 2, 3]; // columns of the state
const ORIGIN = 40, ROW_STEP = 48, COLUMN_STEP = 56, STATE = 80; // where `pt_mask` holds them, in 32 bits
const RULE = 88, RULES = 96; // bytes of `pt_rule` and of `pt_rules`

/** @implements {Solver} */
export class CompiledMask {
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
  /** Draw a map within the mask. @param {number} attempt @param {import("./pointillist.js").Prepared} prepared @returns {import("./solver.js").Attempt} */
  sample(attempt, prepared) {
    const { owner } = this, { exports } = owner, { order, height, width, columns, known, uniforms } = prepared, { top } = owner;
    const sites = Array.from({ length: height * width }, (_, n) => siteOf(order, Math.floor(n / columns), n % columns, height, width).reduce((y, x) => y * width + x));
    const mask = exports.pt_mask_begin(this.rules, 1n, owner.allocate(Number(this.bytes)));
    exports.pt_mask_copy(mask, 0n, this.mask, 0n);
    this.#state(mask)[ATTEMPT] = BigInt(attempt) << 20n;
    const view = new DataView(owner.memory.buffer, mask);
    for (const [at, site] of [[ORIGIN, sites[0]], [ROW_STEP, (sites[columns] ?? sites[0]) - sites[0]], [COLUMN_STEP, (columns > 1 ? sites[1] : sites[0]) - sites[0]]]) view.setBigInt64(at, BigInt(site), true);
    const held = [...sites.keys()].filter((site) => known?.[site] != null), levels = held.map((site) => BigInt(Number(known?.[site])));
    if (held.length && !exports.pt_mask_fix(mask, 0n, this.#put(BigInt64Array.from(held, BigInt)), this.#put(BigInt64Array.from(levels)), BigInt(held.length))) {
      this.#state(mask)[STATUS] = BigInt(DEAD);
      this.#state(mask)[BROKEN] = -1n;
    }
    exports.pt_mask_keep(mask, 0n, 1n);
    const run = this.#begin(prepared), drawn = this.#put(BigInt64Array.from(sites, (site) => BigInt(known?.[site] ?? 0)));
    const fixed = this.#put(Uint8Array.from(sites, (site) => Number(known?.[site] != null))), numbers = this.#put(Float64Array.from(sites, (site) => uniforms[site]));
    const { precision } = prepared.program.head, sizes = this.#put(new BigInt64Array(sites.length).fill(BigInt(POWERS[precision]))), signal = this.#put(new BigInt64Array(2));
    const space = owner.allocate(Number(exports.pt_search_memory(run, mask))), transform = this.#put(this.#transform(prepared));
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
    const { owner, model } = this, { exports } = owner, address = owner.programs[model.programs.indexOf(program)], batch = reference ? 2n : 1n, size = [BigInt(rows), BigInt(columns)];
    const arrays = Object.keys(program.inputs).map((name) => this.#put(Int32Array.from([...inputs[name], ...(reference ? reference[name] : [])])));
    const pointers = this.#put(Uint32Array.from([...arrays, 0])), workspace = owner.allocate(Number(exports.pt_workspace(address, batch, ...size, 0)));
    return exports.pt_begin(address, batch, ...size, 0, pointers, workspace, BEST);
  }
  /** `pt_transform`. @param {import("./pointillist.js").Prepared} prepared */
  #transform({ reference, guidance, temperature, topP }) {
    const inverse = temperature < 2 ** -10 ? 0 : Math.max(1, Math.floor(65536 / temperature + 0.5));
    return BigInt64Array.from([Number(reference !== null), Math.floor(guidance * 65536 + 0.5), inverse, Math.max(1, Math.floor(topP * 2 ** 30 + 0.5))], BigInt);
  }
  /** The state of the image of a mask. @param {number} mask */
  #state(mask) {
    const { buffer } = this.owner.memory;
    return new BigInt64Array(buffer, new DataView(buffer, mask).getUint32(STATE, true), BROKEN + 1);
  }
  /** Copy an array into the memory. @param {BigInt64Array | BigUint64Array | Uint32Array | Int32Array | Uint8Array | Float64Array} array */
  #put(array) {
    const address = this.owner.allocate(Math.max(1, array.byteLength));
    new Uint8Array(this.owner.memory.buffer, address, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return address;
  }
  /** Copy sets of levels, 64 in a word. @param {boolean[][]} sets */
  #sets(sets) {
    const words = Math.ceil(this.constraints.levels / 64), bits = new BigUint64Array(sets.length * words);
    sets.forEach((set, n) => set.forEach((has, level) => { if (has) bits[n * words + Math.floor(level / 64)] |= 1n << BigInt(level % 64); }));
    return this.#put(bits);
  }
  /** Write `pt_rules`, as C lays it out for addresses of 32 bits. @param {Constraints} constraints */
  #write({ height, width, levels, allowed, adjacency, partners, sets, limits, checks }) {
    const numbers = (/** @type {number[]} */ array) => this.#put(BigInt64Array.from(array, BigInt)), join = (/** @type {boolean[]} */ a, /** @type {boolean[]} */ b = []) => a.map((has, k) => has || Boolean(b[k]));
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
