// Draw maps that obey rules: the second reading of solver.c, in the same steps, so that the maps are the same to the bit.
//
// A domain is the set of levels that a site may still have, the bits of a BigInt. It is kept arc consistent while a map is
// drawn (Mackworth 1977, "Consistency in networks of relations"); at a dead end the draw returns to an earlier row.

import { Run, draw, siteOf, transform } from "./pointillist.js";

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
/** Masks, by this file or by WebAssembly. @typedef {{propagate(): number, broken(): number, sample(attempt: number, prepared: import("./pointillist.js").Prepared): Attempt}} Solver */
/** @typedef {(constraints: Constraints) => Solver} Open */

/** Kinds of rules of the whole map, in the order of solver.h. */
export const KIND = { atLeast: 0, onePiece: 1, path: 2, entered: 3 };
const [ALIVE, DEAD, REJECTED] = [0, 1, 2], [RIGHT, BELOW, LEFT] = [0, 1, 2];
const EVERY = 4, SLOTS = 4, MOST_ATTEMPTS = 24, TRIES = 1024, WORD = (1n << 64n) - 1n;

/** @param {boolean[]} levels */
const toBits = (levels) => levels.reduce((bits, has, level) => (has ? bits | (1n << BigInt(level)) : bits), 0n);

/** Uniform number k of a draw: the given one, and then those that follow from it by SplitMix64. @param {number} uniform @param {number} k */
function redraw(uniform, k) {
  if (k === 0) return uniform;
  let z = (BigInt(Math.floor(uniform * 2 ** 53)) + BigInt(k) * 0x9e3779b97f4a7c15n) & WORD;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & WORD;
  return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53;
}

/** The mask of a map. @implements {Solver} */
export class Mask {
  /** @param {Constraints} constraints */
  constructor(constraints) {
    const { height, width, levels, allowed, adjacency, partners, sets, limits, checks } = constraints;
    this.constraints = constraints; this.sites = height * width; this.full = (1n << BigInt(levels)) - 1n;
    this.table = adjacency && adjacency.map((rows) => rows.map(toBits));
    this.reach = this.table && this.table.map((rows) => rows.reduce((all, row) => all | row, 0n));
    /** @type {Map<bigint, bigint>[]} */
    this.supports = [0, 1, 2, 3].map(() => new Map()); // by direction, the levels that may follow a domain
    this.partners = partners; this.limits = limits; this.sets = sets.map(toBits);
    this.checks = checks.map((check) => {
      const start = toBits(check.start ?? []), end = toBits(check.end ?? []);
      return { top: 0, left: 0, height, width, number: 0, passages: [], ...check, start, end, levels: toBits(check.levels) | start | end };
    });
    this.tracks = Boolean(adjacency || partners.length || sets.length || checks.length);
    this.domains = allowed.map(toBits);
    this.counts = this.sets.map(() => [0, 0]); // sites that must, and that may, have a level of each set
    if (this.tracks) for (const domain of this.domains) this.#count(domain, 1);
    /** @type {number[]} */
    this.stack = []; // sites whose domains have changed
    this.stacked = new Uint8Array(this.sites);
    /** @type {Map<number, bigint>} */
    this.trail = new Map(); // domains before the last assignment
    this.status = ALIVE; this.attempt = 0; this.site = 0; this.reason = -1;
  }

  /** Make the domains arc consistent; return a site without levels, or -1. */
  propagate() {
    return !this.tracks ? this.domains.indexOf(0n) : this.#restrict([...this.domains.keys()], null) ? -1 : this.site;
  }
  /** The first rule of the whole map that no choice from the domains obeys; or -1. */
  broken() {
    return this.checks.findIndex((check) => !this.#mayHold(check));
  }

  // ---- arc consistency ----
  /** Count a domain in, or out, of the sets that it lies in and the sets that it meets. @param {bigint} domain @param {number} sign */
  #count(domain, sign) {
    this.sets.forEach((set, s) => {
      if (!(domain & ~set)) this.counts[s][0] += sign;
      if (domain & set) this.counts[s][1] += sign;
    });
  }
  /** @param {number} site @param {bigint} domain */
  #change(site, domain) {
    this.#count(this.domains[site], -1);
    this.domains[site] = domain;
    this.#count(domain, 1);
  }
  /** @param {number} site */
  #push(site) {
    if (!this.stacked[site]) this.stack.push(site);
    this.stacked[site] = 1;
  }
  /** Intersect a domain; return false if nothing is left. @param {number} site @param {bigint} allowed */
  #narrow(site, allowed) {
    const domain = this.domains[site];
    if (domain & ~allowed) {
      if (!this.trail.has(site)) this.trail.set(site, domain);
      this.#change(site, domain & allowed);
      this.#push(site);
    }
    if (this.domains[site]) return true;
    this.site = site;
    return false;
  }
  /** Levels that may follow some level of a domain. @param {bigint} domain @param {number} direction @param {bigint[]} rows */
  #supported(domain, direction, rows) {
    const known = domain === this.full ? this.reach?.[direction] : this.supports[direction].get(domain);
    if (known !== undefined) return known;
    const result = rows.reduce((all, row, level) => ((domain >> BigInt(level)) & 1n ? all | row : all), 0n);
    this.supports[direction].set(domain, result);
    return result;
  }
  /** The neighbour of a site; -1 beyond the border. @param {number} site @param {number} direction */
  #neighbour(site, direction) {
    const { height, width } = this.constraints, row = Math.floor(site / width), column = site % width;
    if (direction === RIGHT) return column + 1 < width ? site + 1 : -1;
    if (direction === LEFT) return column > 0 ? site - 1 : -1;
    if (direction === BELOW) return row + 1 < height ? site + width : -1;
    return row > 0 ? site - width : -1;
  }
  /** Take a set from all open sites once as many sites have one of its levels as may; return false if more must. */
  #enforceLimits() {
    for (const [s, set] of this.sets.entries()) {
      const [must, may] = this.counts[s], outside = this.full & ~set;
      if (must > this.limits[s]) return false;
      if (must < this.limits[s] || may <= this.limits[s]) continue;
      for (let site = 0; site < this.sites; site++) if (this.domains[site] & outside) this.#narrow(site, outside);
    }
    return true;
  }
  /** Propagate from the sites on the stack; return false if a domain has become empty. */
  #makeConsistent() {
    let consistent = true;
    while (consistent) {
      const site = this.stack.pop();
      if (site === undefined) {
        consistent = this.#enforceLimits();
        if (!this.stack.length) break;
        continue;
      }
      this.stacked[site] = 0;
      for (const [d, rows] of (this.table ?? []).entries()) {
        const other = consistent ? this.#neighbour(site, d) : -1;
        if (other >= 0) consistent = this.#narrow(other, this.#supported(this.domains[site], d, rows));
      }
      for (const sites of this.partners) consistent = consistent && this.#narrow(sites[site], this.domains[site]);
    }
    this.#clear();
    return consistent;
  }
  #clear() {
    for (const site of this.stack) this.stacked[site] = 0;
    this.stack.length = 0;
  }
  /** Give sites their levels, or leave them as they are, and propagate from them. @param {number[]} sites @param {number[] | null} levels */
  #restrict(sites, levels) {
    this.trail.clear();
    for (const [n, site] of sites.entries()) {
      if (!this.#narrow(site, levels ? 1n << BigInt(levels[n]) : this.full)) {
        this.#clear();
        return false;
      }
      this.#push(site);
    }
    return this.#makeConsistent();
  }
  /** Give a site its level, and propagate; or else undo it, and take the level away. @param {number} site @param {number} level */
  #assign(site, level) {
    const only = 1n << BigInt(level);
    this.trail.clear();
    this.#push(site);
    if (this.#narrow(site, only) && this.#makeConsistent()) return true;
    this.#clear();
    for (const [each, domain] of this.trail) this.#change(each, domain);
    this.#change(site, this.domains[site] & ~only);
    return false;
  }

  // ---- rules of the whole map, over the levels that its sites may still have ----
  /** @typedef {Mask["checks"][number]} BitCheck */
  /** Spread from reached sites of a rectangle to its passable ones. @param {Uint8Array} passable @param {Uint8Array} reached @param {BitCheck} area */
  #flood(passable, reached, { top, left, height, width }) {
    const sites = [...reached.keys()].filter((site) => reached[site]), across = this.constraints.width;
    for (let site = sites.pop(); site !== undefined; site = sites.pop()) for (let d = 0; d < 4; d++) {
      const other = this.#neighbour(site, d), row = Math.floor(other / across) - top, column = (other % across) - left;
      if (other < 0 || !passable[other] || reached[other] || row < 0 || column < 0 || row >= height || column >= width) continue;
      reached[other] = 1;
      sites.push(other);
    }
  }
  /** @param {BitCheck} check */
  #mayHold({ kind, levels, number, start, end, passages, ...area }) {
    const { domains } = this, across = this.constraints.width, { top, left, height, width } = area;
    const passable = Uint8Array.from(domains, (domain) => Number((domain & levels) !== 0n)), reached = new Uint8Array(this.sites);
    if (kind === KIND.atLeast) return passable.reduce((a, b) => a + b, 0) >= number;
    const must = (/** @type {number} */ site) => !(domains[site] & ~levels), rectangle = /** @type {BitCheck} */ (area);
    if (kind === KIND.path) {
      domains.forEach((domain, site) => { reached[site] = Number((domain & start) !== 0n); });
      this.#flood(passable, reached, rectangle);
      return domains.some((domain, site) => reached[site] && (domain & end) !== 0n);
    }
    const first = kind === KIND.onePiece ? domains.findIndex((_, site) => must(site)) : passages[0];
    if (first < 0) return true;
    reached[first] = passable[first];
    this.#flood(passable, reached, rectangle);
    const inside = Array.from({ length: height * width }, (_, n) => (top + Math.floor(n / width)) * across + left + (n % width));
    if (kind === KIND.entered) {
      if (passages.some((site) => !reached[site])) return false;
      for (const site of inside) for (let d = 0; d < 4; d++) { // pieces that lead out; beyond the grid nothing is known
        const other = this.#neighbour(site, d), row = Math.floor(site / across) - top, column = (site % across) - left;
        const leaves = [column === width - 1, row === height - 1, column === 0, row === 0][d];
        if (leaves && passable[site] && (other < 0 || passable[other])) reached[site] = 1;
      }
      this.#flood(passable, reached, rectangle);
    }
    return inside.every((site) => !must(site) || reached[site]);
  }

  // ---- draws, and the return to earlier rows ----
  /** A copy whose attempts are others. @param {number} attempt */
  #attempt(attempt) {
    const copy = new Mask({ ...this.constraints, allowed: [] });
    copy.domains = this.domains.slice();
    copy.counts = this.counts.map((pair) => pair.slice());
    copy.supports = this.supports;
    copy.attempt = attempt * 2 ** 20;
    return copy;
  }
  /** Draw a map within the mask, which stays as it is. @param {number} attempt its number: each draws from other uniforms
   *  @param {import("./pointillist.js").Prepared} prepared @returns {Attempt} */
  sample(attempt, prepared) {
    const mask = this.#attempt(attempt), { known } = prepared, sites = [...mask.domains.keys()].filter((site) => known?.[site] != null);
    if (mask.tracks && sites.length && !mask.#restrict(sites, sites.map((site) => Number(known?.[site])))) mask.status = DEAD;
    return mask.#rows(prepared);
  }
  /** @param {import("./pointillist.js").Prepared} prepared @returns {Attempt} */
  #rows(prepared) {
    const { order, program, height, width, rows, columns, inputs, reference, known } = prepared, start = { domains: this.domains.slice(), counts: this.counts.map((pair) => pair.slice()) };
    const runs = [inputs, ...(reference ? [reference] : [])].map((each) => new Run(program, rows, columns, each));
    const levels = Uint16Array.from({ length: this.sites }, (_, site) => known?.[site] ?? 0), frequencies = new Float64Array(this.sites).fill(2 ** program.head.precision);
    /** @type {number[]} */
    const saved = []; // rows to return to
    let row = 0, failures = 0, furthest = -1;
    const siteAt = (/** @type {number} */ r, /** @type {number} */ c) => siteOf(order, r, c, height, width).reduce((y, x) => y * width + x);
    while (row < rows && this.status !== REJECTED) {
      if (this.tracks && row % EVERY === 0 && (saved.at(-1) ?? -1) < row) {
        if (saved.length === SLOTS) saved.shift();
        saved.push(row);
      }
      while (runs[0].row === row) {
        const site = siteAt(row, runs[0].column);
        if (known?.[site] == null) {
          const [conditional, other = null] = runs.map((run) => run.frequencies());
          levels[site] = this.#draw(site, conditional, other, prepared);
          frequencies[site] = conditional[levels[site]];
        }
        for (const run of runs) run.observe(levels[site]);
      }
      this.#finish();
      if (this.status === DEAD) {
        if (row > furthest) { failures = 0; furthest = row; }
        if (!this.tracks || ++failures > MOST_ATTEMPTS) this.status = REJECTED;
      }
      if (this.status !== DEAD) { row++; continue; }
      saved.length -= Math.min(failures, saved.length) - 1;
      row = saved[saved.length - 1];
      for (const run of runs) run.rewind(row);
      this.#goBack(start, Array.from({ length: row * columns }, (_, n) => siteAt(Math.floor(n / columns), n % columns)), levels);
    }
    return { levels, frequencies, obeys: this.status === ALIVE, reason: this.reason };
  }
  /** Check the rules of the whole map after a row. */
  #finish() {
    const broken = this.status === ALIVE ? this.broken() : -1;
    if (broken < 0) return;
    this.reason = broken;
    this.status = this.checks[broken].repairable ? DEAD : REJECTED;
  }
  /** Take the map back to the rows that are final: other uniforms will draw the others. @param {{domains: bigint[], counts: number[][]}} start
   *  @param {number[]} sites @param {Uint16Array} levels */
  #goBack(start, sites, levels) {
    this.domains = start.domains.slice();
    this.counts = start.counts.map((pair) => pair.slice());
    this.status = ALIVE;
    this.attempt++;
    this.trail.clear();
    for (const site of sites) {
      if (!this.#narrow(site, 1n << BigInt(levels[site]))) break;
      this.#push(site);
    }
    this.#makeConsistent();
  }
  /** Draw a level of a domain, and propagate. A level that leaves a site without levels is taken away, and another is drawn.
   *  @param {number} site @param {Float64Array} conditional @param {Float64Array | null} reference @param {import("./pointillist.js").Prepared} prepared */
  #draw(site, conditional, reference, { uniforms, guidance, temperature, topP }) {
    for (let tries = 0; ; tries++) {
      if (this.status === ALIVE && !this.domains[site]) { this.status = DEAD; this.site = site; }
      const alive = this.status === ALIVE, may = Array.from(conditional, (_, level) => !alive || Boolean((this.domains[site] >> BigInt(level)) & 1n));
      const weights = transform(conditional, reference, guidance, temperature, topP, may);
      const level = draw(weights, redraw(uniforms[site], this.attempt * TRIES + tries), 30);
      if (!alive || !this.tracks || this.#assign(site, level)) return level;
    }
  }
}
