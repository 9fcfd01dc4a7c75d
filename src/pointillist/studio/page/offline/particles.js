// Completions by Sequential Monte Carlo and single-pixel moves in an exported page, to the bit as in Python: particles are drawn by
// the library in C. `completion/smc.py`, `completion/moves.py` and `engine/particles.py` explain what is computed, with references.

import { POWERS, largest } from "../runtime/arithmetic.js";
import { generator, prepare, siteOf, uniforms } from "../runtime/pointillist.js";

/** @typedef {import("./model.js").OfflineModel} OfflineModel */
/** @typedef {import("../runtime/pointillist.js").Options} Options conditions, guidance, temperature, top-p, order and size */
/** @typedef {{levels: ArrayLike<number>, mask: ArrayLike<number>, seed: number, number?: number, count: number, particles?: number}} Hole an image `[channels, height, width]` whose pixels are kept where the mask is set, and how it is completed; `number`: of the first completion, from which uniforms follow */
/** @typedef {() => Promise<boolean>} Stopped Asks whether to stop, between rows and moves. */

const ABOVE = 3, BELOW = 2, SHARE = 8, MOVES = 4, FACTORS = 32, SMALLEST = -1000;
const [DRAWN, WEIGHED, CERTAIN] = [0, 1, 2];
const SIZE_OF_PARTICLES = 64;

/** @param {number} x @param {number} exponent @returns {number} x 2^exponent */
function scaled(x, exponent) {
  for (; exponent > 0; exponent--) x *= 2;
  for (; exponent < 0; exponent++) x /= 2;
  return x;
}

/** Add one number after the other, as Python does. @param {Float64Array} numbers */
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Numbers of 0 or more as mantissas, in [1/2, 1) or 0, and exponents: products of them do not underflow. */
class Scaled {
  /** Ones. @param {number} count */
  constructor(count) {
    this.mantissas = new Float64Array(count).fill(0.5);
    this.exponents = new Int32Array(count).fill(1);
  }
  /** @param {number} i @param {number} factor */
  multiply(i, factor) {
    let mantissa = this.mantissas[i] * factor;
    for (; mantissa > 0 && mantissa < 0.5; this.exponents[i]--) mantissa *= 2;
    for (; mantissa >= 1; this.exponents[i]++) mantissa /= 2;
    this.mantissas[i] = mantissa;
  }
  /** The exponent of the largest number. */
  get most() {
    return this.exponents.reduce((best, e, i) => (this.mantissas[i] > 0 ? Math.max(best, e) : best), -Infinity);
  }
  /** Return the numbers over the power of two of the largest of them. */
  relative() {
    const { most } = this;
    return this.mantissas.map((m, i) => (m === 0 || this.exponents[i] - most < SMALLEST ? 0 : scaled(m, this.exponents[i] - most)));
  }
  /** The binary logarithm of their mean. */
  get logMean() {
    return Math.log2(sum(this.relative()) / this.mantissas.length) + this.most;
  }
}

/** Draw indices in proportion to weights by one uniform. @param {Float64Array} weights @param {number} count @param {number} uniform */
function systematic(weights, count, uniform) {
  let total = 0;
  const cumulative = weights.map((weight) => (total += weight));
  return Array.from({ length: count }, (_, i) => {
    const index = cumulative.findIndex((each) => each > ((i + uniform) / count) * total);
    return index < 0 ? weights.length - 1 : index;
  });
}

/** Draw the first index whose cumulative weight exceeds the uniform times the total. @param {Float64Array} weights @param {number} uniform */
function pick(weights, uniform) {
  const total = sum(weights);
  let reached = 0;
  const index = weights.findIndex((weight) => (reached += weight) > uniform * total), last = weights.findLastIndex((weight) => weight > 0);
  return index >= 0 ? index : last >= 0 ? last : weights.length - 1;
}

/** Particles in each row of the raster frame: most of them where unknown pixels lie above known ones. @param {number} mean @param {Uint8Array} drawn of each site @param {number} rows @param {number} columns */
function particlesByRow(mean, drawn, rows, columns) {
  const share = new Float64Array(rows).fill(1), first = Math.floor(drawn.indexOf(1) / columns);
  for (let row = 1; row < rows; row++) {
    const isEdge = Array.from({ length: columns }, (_, c) => row * columns + c).some((site) => drawn[site - columns] && !drawn[site]);
    if (isEdge) share.fill(SHARE, Math.max(0, row - ABOVE), row + BELOW);
  }
  share.fill(0, 0, first);
  const total = sum(share);
  return Array.from(share, (each) => Math.floor(Math.max((mean * rows * each) / total, 1)));
}

/** Arrays of an image in the raster frame of the library. @param {ReturnType<typeof prepare>} prepared @param {number} channels */
function framed({ order, rows, columns, height, width }, channels) {
  const places = Array.from({ length: channels * rows * columns }, (_, at) => {
    const site = at % (rows * columns), [y, x] = siteOf(order, Math.floor(site / columns), site % columns, height, width);
    return Math.floor(at / (rows * columns)) * height * width + y * width + x;
  });
  return { places, sites: places.slice(0, rows * columns) };
}

/**
 * Draw completions: some of many weighted histories, and changed by moves where nothing changes the distribution of the model.
 * @param {OfflineModel} opened @param {Options} options @param {Hole} hole @param {Stopped} stopped
 * @returns {Promise<{images: Uint16Array[], ess: number, evidence: number} | null>} evidence of the known pixels in bits; null if it was stopped
 */
export async function completeByParticles(opened, options, hole, stopped) {
  const { compiled } = opened, { levels, mask, seed, number = 0, count } = hole;
  if (!compiled)
    throw new Error(`Known pixels after the hole are weighed by particles, which need WebAssembly, and it does not run here: use \`pointillist studio\`.`);
  compiled.release();
  const drawn = await new Particles(opened, options, hole).draw(stopped);
  if (!drawn) return null;
  const next = generator([seed, number, 0, 2]), random = () => Number(next() >> 11n) / 2 ** 53;
  const weights = drawn.weights.relative(), ess = sum(weights) ** 2 / sum(weights.map((weight) => weight * weight));
  const images = systematic(weights, count, random()).map((index) => drawn.images[index]), { evidence } = drawn;
  const { guidance = 1, temperature = 1, topP = 1 } = options;
  if (guidance !== 1 || temperature !== 1 || topP !== 1) return { images, ess, evidence };
  const size = mask.length, unknown = Array.from(levels, (_, at) => at).filter((at) => !mask[at % size]);
  const moved = await move(opened, options, images, unknown, random, stopped);
  return moved && { images: moved, ess, evidence };
}

/** Weighted histories of one image. */
class Particles {
  /** @param {OfflineModel} opened @param {Options} options @param {Hole} hole */
  constructor({ model, compiled, begin }, options, { levels, mask, seed, number = 0, particles = 64 }) {
    const { channels } = model.image, prepared = prepare(model, { ...options, begin }), { rows, columns } = prepared;
    this.compiled = /** @type {import("../runtime/webassembly.js").CompiledPrograms} */ (compiled);
    this.prepared = prepared; this.number = model.programs.indexOf(prepared.program);
    const { places, sites } = framed(prepared, channels), drawn = Uint8Array.from(sites, (site) => Number(!mask[site]));
    const orderOf = (/** @type {number} */ site) => { // turns at the end of each row in an S-curve
      const row = Math.floor(site / columns);
      return prepared.program.sCurve && row % 2 ? (2 * row + 1) * columns - 1 - site : site;
    };
    const first = -largest(sites.map((_, site) => (drawn[site] ? -orderOf(site) : -Infinity)));
    this.places = places; this.counts = particlesByRow(particles, drawn, rows, columns); this.most = largest(this.counts);
    this.roles = Int8Array.from(places, (_, at) => (drawn[at % sites.length] ? DRAWN : orderOf(at % sites.length) < first ? CERTAIN : WEIGHED));
    this.levels = new BigInt64Array(this.most * places.length).map((_, at) => BigInt(levels[places[at % places.length]]));
    this.uniforms = new Float64Array(this.most * places.length);
    for (let n = 0; n < this.most; n++) {
      const own = uniforms([seed, number * this.most + n], places.length);
      this.uniforms.set(places.map((place) => own[place]), n * places.length);
    }
    this.draws = uniforms([seed, number, 0, 1], rows * (columns + 1));
    this.weights = new Scaled(1);
  }

  /** Draw them row by row; all of one row continue from the state of their ancestors. @param {Stopped} stopped */
  async draw(stopped) {
    const { compiled, counts, places, prepared: { rows, columns, reference, temperature, topP } } = this, { exports } = compiled;
    const copies = reference ? 2 : 1, plain = !reference && temperature === 1 && topP === 1;
    const at = { levels: compiled.put(this.levels), roles: compiled.put(this.roles), uniforms: compiled.put(this.uniforms), draws: compiled.put(this.draws),
      weights: compiled.allocate(8 * this.most), exponents: compiled.allocate(8 * this.most), particles: compiled.allocate(SIZE_OF_PARTICLES), signal: compiled.put(new BigInt64Array(2)) };
    const transform = plain ? 0 : compiled.transform(this.prepared);
    const view = (/** @type {any} */ kind, /** @type {number} */ address, /** @type {number} */ length) => new kind(compiled.memory.buffer, address, length);
    let run = null, evidence = 0;
    const marginal = () => Math.log2(view(Float64Array, at.particles + 32, 1)[0]) + Number(view(BigInt64Array, at.particles + 40, 1)[0]);
    for (let row = 0, count = 0, scratch = 0; row < rows; row++) {
      if (counts[row] !== count) {
        count = counts[row];
        const ancestors = systematic(this.weights.relative(), count, this.draws[row * (columns + 1) + columns]);
        const levels = view(BigInt64Array, at.levels, this.levels.length), before = levels.slice();
        ancestors.forEach((ancestor, n) => levels.set(before.subarray(ancestor * places.length, (ancestor + 1) * places.length), n * places.length));
        evidence += row ? marginal() + this.weights.logMean : 0;
        this.weights = new Scaled(count);
        run = this.#begin(count, copies, ancestors, run);
        view(BigInt64Array, at.particles, 1)[0] = BigInt(count);
        view(Uint32Array, at.particles + 8, 6).set([at.levels, at.roles, at.uniforms, at.draws, at.weights, at.exponents]);
        view(Float64Array, at.particles + 32, 1)[0] = 0.5; // the marginal likelihood, 2^-1 2^1
        view(BigInt64Array, at.particles + 40, 3).set([1n, 0n, 0n]); // its exponent, no mask
        scratch = compiled.allocate(Number(exports.pt_particles_memory(run.address, at.particles)));
        view(Float64Array, at.weights, count).set(this.weights.mantissas);
        view(BigInt64Array, at.exponents, count).set(Array.from(this.weights.exponents, BigInt));
      }
      if (!exports.pt_draw_particles(/** @type {Run} */ (run).address, at.particles, transform, BigInt(row), BigInt(row + 1), scratch, at.signal)) throw new Error("The particles do not fit the program.");
      this.weights.mantissas.set(view(Float64Array, at.weights, count));
      this.weights.exponents.set(Array.from(view(BigInt64Array, at.exponents, count), Number));
      if (await stopped()) return null;
    }
    const levels = view(BigInt64Array, at.levels, this.levels.length), images = this.weights.relative();
    return { weights: this.weights, evidence: evidence + marginal() + this.weights.logMean, images: Array.from(images, (_, n) => this.#image(levels.subarray(n * places.length, (n + 1) * places.length))) };
  }

  /** @param {ArrayLike<bigint>} levels in the raster frame */
  #image(levels) {
    const image = new Uint16Array(levels.length);
    this.places.forEach((place, at) => (image[place] = Number(levels[at])));
    return image;
  }

  /** @typedef {ReturnType<import("../runtime/webassembly.js").CompiledPrograms["run"]>} Run */
  /** Begin the run of so many particles. @param {number} count @param {number} copies @param {number[]} ancestors @param {Run | null} before @returns {Run} */
  #begin(count, copies, ancestors, before) {
    const { compiled, number, prepared: { program, rows, columns, inputs, reference } } = this, { exports } = compiled, batch = copies * count;
    const all = Object.fromEntries(Object.keys(program.inputs).map((name) => {
      const own = inputs[name], joined = new Int32Array(own.length * batch);
      for (let n = 0; n < batch; n++) joined.set(n < count || !reference ? own : reference[name], n * own.length);
      return [name, joined];
    }));
    const run = compiled.run(number, program, batch, rows, columns, all), { workspace } = run;
    if (!before) return run;
    const out = compiled.put(new BigInt64Array(3)), bytes = new Uint8Array(compiled.memory.buffer);
    const block = (/** @type {Run} */ holder, /** @type {number} */ index) => {
      exports.pt_block(holder.address, BigInt(index), out);
      return Array.from(new BigInt64Array(compiled.memory.buffer, out, 3), Number);
    };
    for (let index = 0; index < Number(exports.pt_block(run.address, -1n, out)); index++) {
      const [to, slots, length] = block(run, index), [from] = block(before, index);
      for (let slot = 0; slot < slots; slot++) for (let n = 0; n < batch; n++) {
        const source = ancestors[n % count] + (n < count ? 0 : before.batch / copies), start = before.workspace + from + (slot * before.batch + source) * length;
        bytes.copyWithin(workspace + to + (slot * batch + n) * length, start, start + length);
      }
    }
    return run;
  }
}

/** An image at a move: the probabilities of its sub-pixels and of all of it, that each unknown one has another level, and, where levels are few enough for them, tables. @typedef {{levels: Uint16Array, chosen: Float64Array, probability: Scaled, others: Float64Array, tables: Float64Array[]}} State */

/** Score an image. @param {OfflineModel} opened @param {Options} options @param {Uint16Array} levels @param {number[]} unknown @returns {State} */
function stateOf(opened, options, levels, unknown) {
  const total = POWERS[opened.model.programs[0].head.precision], probability = new Scaled(1), wanted = new Set(unknown);
  /** @type {Float64Array[]} */
  const tables = [];
  const drawn = opened.run({ ...options, observed: levels, all: true, tables: false }, ({ at, frequencies }) => {
    if (frequencies && wanted.has(at)) tables[at] = frequencies.map((f) => f / total);
  });
  const chosen = drawn.frequencies.map((f) => f / total);
  for (let first = 0; first < levels.length; first += FACTORS)
    probability.multiply(0, chosen.subarray(first, first + FACTORS).reduce((product, factor) => product * factor, 1));
  return { levels, chosen, probability, others: Float64Array.from(unknown, (at) => 1 - chosen[at]), tables };
}

/** Return the probabilities of all levels of a sub-pixel; of 65,536 levels they are computed for it alone, as the tables of an image of 64x64 take two gigabytes.
 *  @param {OfflineModel} opened @param {Options} options @param {State} state @param {number} at @returns {Float64Array} */
function tableOf(opened, options, { levels, tables }, at) {
  if (!tables[at]) opened.run({ ...options, observed: Array.from(levels, (level, place) => (place === at ? null : level)) }, ({ frequencies }) => {
    if (frequencies) tables[at] = frequencies.map((f) => f / POWERS[opened.model.programs[0].head.precision]);
  });
  return tables[at];
}

/** Propose changes of single sub-pixels, and keep each with the right probability. @param {OfflineModel} opened @param {Options} options
 *  @param {Uint16Array[]} images @param {number[]} unknown @param {() => number} random @param {Stopped} stopped */
async function move(opened, options, images, unknown, random, stopped) {
  const all = () => images.map(random), states = images.map((levels) => stateOf(opened, options, levels, unknown));
  for (let number = 0; number < MOVES; number++) {
    const places = all(), choices = all();
    const changes = states.map((state, n) => {
      const { levels, others } = state, at = unknown[pick(others, places[n])], table = tableOf(opened, options, state, at);
      const weights = table.slice(), changed = levels.slice();
      weights[levels[at]] = 0;
      changed[at] = pick(weights, choices[n]);
      return { state: stateOf(opened, options, changed, unknown), odds: table[changed[at]] / table[levels[at]] };
    });
    const proposed = all(), kept = all();
    changes.forEach(({ state, odds }, n) => {
      const [before, after] = [states[n].probability, state.probability];
      const ratio = (after.mantissas[0] / before.mantissas[0] / odds) * (sum(states[n].others) / sum(state.others));
      if (proposed[n] < (number ? 1 : 0.5) && kept[n] < scaled(ratio, after.exponents[0] - before.exponents[0])) states[n] = state;
    });
    if (await stopped()) return null;
  }
  return states.map(({ levels }) => levels);
}
