// Answers of an exported page that draw: sampling with events, filling, painting a manifest again.

import { POWERS } from "../runtime/arithmetic.js";
import { draws, uniforms } from "../runtime/pointillist.js";
import { blankLevels, decodeArray, encodeArray, sha256Of } from "../transport/encoded_arrays.js";
import { information, probabilities } from "../canvas/distributions.js";
import { bestOf, seamless } from "./advanced.js";
import { holeOf, varied } from "./variations.js";

const INTERVAL = 30; // milliseconds between events
const SEEDS = 2 ** 31;
const PARTICLES = "An exported page completes images by models that were trained to, or where the hole comes last in the order: use `pointillist studio`.";

/** Whether a model completes images: it reads all known pixels before the first draw, and they cost nothing. @param {import("../runtime/pointillist.js").Model} model */
const completes = (model) => model.parts[0].some(({ known }) => known);

/** Count the known pixels that come after the first unknown one. @param {number[]} pixels in generation order @param {ArrayLike<number>} mask of known pixels */
const latePixels = (pixels, mask) => pixels.slice(pixels.findIndex((pixel) => !mask[pixel])).filter((pixel) => mask[pixel]).length;

/** Choose the method of a fill. @param {string} method @param {boolean} trained to complete images @param {number} late known pixels after the first unknown one @param {string} order */
function chosenMethod(method, trained, late, order) {
  if (method === "auto") return trained ? "known" : late ? "sequential" : "order";
  if (method === "known" && !trained) throw new Error("`method` (='known') cannot complete this image: the model was not trained to, with `--completion`. Use auto.");
  if (method === "smc") throw new Error(PARTICLES);
  if (method === "order" && late) throw new Error(`\`method\` (='order') cannot complete this image: known pixels come after unknown ones in the order ${order}. Use auto.`);
  return /** @type {"known" | "order" | "sequential"} */ (method);
}

/** The known pixels of a start as `draws` takes them. @param {Api.StartImage | null | undefined} start @param {number} index of the sample */
function knownOf(start, index) {
  if (!start) return null;
  const levels = decodeArray(start.levels), known = decodeArray(start.known), size = known.length;
  const each = levels.length / (start.levels.shape.length > 3 ? start.levels.shape[0] : 1), from = levels.length > each ? index * each : 0;
  return Array.from({ length: each }, (_, at) => (known[at % size] ? levels[from + at] : null));
}

/** Pixels as events carry them: of all samples, of some pixels. */
class Batch {
  /** @param {Api.ModelDetails} details @param {number} samples @param {number[]} pixels of the image, in generation order @param {number} size of the image @param {boolean} distributions */
  constructor(details, samples, pixels, size, distributions) {
    const { channels, levels } = details.image;
    this.image = details.image; this.samples = samples; this.pixels = pixels; this.size = size;
    this.place = new Map(pixels.map((pixel, n) => [pixel, n]));
    const numbers = samples * pixels.length * channels;
    this.levels = blankLevels(details.image, numbers);
    this.entropy = new Float32Array(numbers); this.surprisal = new Float32Array(numbers);
    this.probs = distributions ? new Uint16Array(numbers * levels) : null;
    this.sent = 0; this.due = performance.now() + INTERVAL; this.reached = -1;
  }

  /** Take a draw of a sample. @param {number} sample @param {Draw} draw */
  take(sample, { at, frequencies, level }) {
    const { channels, levels } = this.image, n = this.place.get(at % this.size);
    if (n === undefined || !frequencies) return;
    const to = (sample * this.pixels.length + n) * channels + Math.floor(at / this.size), { entropy, surprisal } = information(frequencies, level);
    this.levels[to] = level;
    this.entropy[to] = entropy;
    this.surprisal[to] = surprisal;
    const probs = this.probs && probabilities(frequencies);
    if (this.probs && probs) for (let k = 0; k < levels; k++) this.probs[to * levels + k] = Math.round(65535 * probs[k]);
  }

  /** The event of the pixels up to one. @param {number} stop @returns {Api.Pixels} */
  event(stop) {
    const { channels, levels } = this.image, first = this.sent, count = stop - first;
    /** Pixels of all samples. @template {Uint8Array | Uint16Array | Float32Array} T @param {T} array @param {number} width */
    const cut = (array, width) => {
      const size = count * width, part = /** @type {T} */ (new (/** @type {any} */ (array.constructor))(this.samples * size));
      for (let s = 0; s < this.samples; s++) {
        const from = (s * this.pixels.length + first) * width;
        part.set(/** @type {any} */ (array.subarray(from, from + size)), s * size);
      }
      return encodeArray(part, [this.samples, count, width]);
    };
    this.sent = stop; this.due = performance.now() + INTERVAL;
    const probs = this.probs && cut(this.probs, channels * levels);
    return { type: "pixels", first, count, levels: cut(this.levels, channels), entropy: cut(this.entropy, channels), surprisal: cut(this.surprisal, channels), probs };
  }
}

/** Bits of an image under the model, sub-pixel by sub-pixel, as the maps of the studio show them. */
export class Score {
  bits = 0;
  expected = 0;
  variance = 0;

  /** @param {number[]} shape of the levels */
  constructor(shape) {
    const size = shape.reduce((a, b) => a * b);
    this.shape = shape;
    this.surprisal = new Float32Array(size);
    this.entropy = new Float32Array(size);
  }

  /** @param {Draw} draw of each sub-pixel */
  take({ at, frequencies, level }) {
    const { entropy, variance, surprisal } = information(/** @type {Float64Array} */ (frequencies), level);
    this.surprisal[at] = surprisal;
    this.entropy[at] = entropy;
    this.bits += surprisal;
    this.expected += entropy;
    this.variance += variance;
  }

  /** @param {number[]} sequence of the pixels @returns {Api.ScoreMaps} */
  maps(sequence) {
    const { shape, surprisal, entropy, bits, expected, variance } = this, z = variance > 0 ? (bits - expected) / Math.sqrt(variance) : 0;
    return { surprisal: encodeArray(surprisal, shape), entropy: encodeArray(entropy, shape), bits, bits_per_dim: bits / surprisal.length, expected, z, sequence };
  }
}

/** Name an image and what it is conditioned on, for what was computed of it before. @param {Api.CanvasQuery} query @param {string} order */
export const nameOfQuery = ({ levels, conditions = {} }, order) => JSON.stringify([levels.data, levels.shape, conditions, order]);

/** @typedef {{levels: Uint16Array, frequencies: Float64Array, score: Score | null}} Drawn levels, the frequency of each, and bits under the model */

/** Name a completed image. @param {Api.SampleRequest | Api.FillRequest} request @param {Api.ConditionValues} conditions @param {number} seed @param {string} order */
const nameOfCompletion = ({ start, guidance, temperature, top_p: topP }, conditions, seed, order) => JSON.stringify([start?.levels.data, start?.known.data, guidance ?? 1, temperature ?? 1, topP ?? 1, conditions, seed, order]);

export class Painting {
  /** @param {OfflineModel} opened */
  constructor(opened) {
    this.opened = opened;
    /** @type {Map<string, Score>} of the first candidate of the last fill, of which the page asks next */
    this.scores = new Map();
    /** @type {{name: string, drawn: Drawn} | null} the last image that was completed: the first candidate of its fill */
    this.completed = null;
  }

  /**
   * Sample images, and tell of each event; all samples are drawn row by row together.
   * @param {Api.SampleRequest} request @param {(event: Api.Event) => void} emit @param {() => Promise<boolean>} stopped asked after every row
   */
  async sample(request, emit, stopped) {
    const { opened } = this, { details, model, compiled } = opened, { image } = details;
    const { guidance = 1, temperature = 1, top_p: topP = 1, start = null, distributions = false, rules = null } = request;
    const [height, width] = start ? start.known.shape : request.size ?? [image.height, image.width];
    const { name: order, pixels } = opened.sequence(request.order, height, width), mask = start && decodeArray(start.known);
    const sequence = pixels.filter((pixel) => !mask?.[pixel]);
    const samples = request.samples.map((spec) => {
      const variation = spec.variation ? { ...spec.variation, conditions: opened.asRead(spec.variation.conditions ?? {}) } : null;
      return { ...spec, variation, seed: spec.seed ?? Math.floor(Math.random() * SEEDS), index: spec.index ?? 0, conditions: opened.asRead(spec.conditions ?? {}) };
    });
    emit({ type: "queued", job: "", ahead: 0 });
    emit({ type: "started", engine: "integer", order, height, width, seeds: samples.map(({ seed }) => seed), sequence, notes: opened.notes(samples.map(({ conditions }) => conditions)) });
    const began = performance.now(), size = height * width;
    const batch = new Batch(details, samples.length, sequence, size, distributions);
    const negative = opened.negative(request.negative_prompt), shared = { guidance, temperature, topP, order, height, width };
    const numbers = samples.map(({ seed, index, variation }) => (variation && variation.kind !== "regions" ? varied(opened, variation, uniforms([seed, index], image.channels * size), shared) : undefined));
    const settings = samples.map(({ seed, index, conditions }, n) =>
      ({ ...opened.conditions(conditions), ...shared, negative, seed, index, uniforms: numbers[n], known: knownOf(start, n), all: start !== null && !completes(model) }));
    const redrawing = samples.some(({ variation }) => variation?.kind === "regions");
    if (rules && request.seamless) throw new Error("`rules` concern whole maps, and bands make an image tile: leave `seamless` out.");
    if (rules && (start || redrawing)) throw new Error(`\`rules\` bind whole maps, and ${start ? "a start is given" : "parts of an image are drawn again"}: leave one out.`);
    /** @type {(ArrayLike<number> | undefined)[]} levels that are drawn before the first event */
    const ready = [];
    if (rules || redrawing || request.seamless || (request.best_of ?? 1) > 1) for (const [n, each] of settings.entries()) {
      const levels = redrawing ? this.#redrawn(samples[n], each) : await this.#inAdvance(request, each, stopped);
      if (!levels) return;
      ready.push(levels);
    }
    compiled?.release();
    const runs = settings.map((each, n) => draws(model, ready[n] ? { ...each, observed: Array.from(ready[n]), all: true } : each));
    const score = start && runs.length === 1 && !completes(model) ? new Score([image.channels, height, width]) : null;
    const results = [], rowOfDraws = Math.ceil(size / (order.includes("-columns") ? width : height)) * image.channels;
    while (results.length < runs.length) {
      for (const [n, run] of runs.entries()) for (let i = 0; i < rowOfDraws; i++) {
        const { done, value } = run.next();
        if (done) { results[n] = value; break; }
        batch.take(n, value);
        score?.take(value);
        batch.reached = value.at % size;
      }
      if (await stopped()) return;
      const next = results.length ? sequence.length : Math.max(batch.sent, (batch.place.get(batch.reached) ?? -1) + 1);
      if (next > batch.sent && (results.length || performance.now() > batch.due)) emit(batch.event(next));
    }
    const images = await Promise.all(results.map((result) => this.#image(result, height, width)));
    if (start && samples.length === 1 && samples[0].index === 0) this.completed = { name: nameOfCompletion(request, samples[0].conditions, samples[0].seed, order), drawn: { ...results[0], score } };
    const literal = samples.map((spec) => ({ ...spec, conditions: { ...spec.conditions, text: opened.names.literal(spec.conditions.text) } }));
    const manifest = this.#manifest({ ...request, samples: literal, order, size: [height, width], engine: "integer" }, images);
    emit({ type: "finished", seconds: (performance.now() - began) / 1000, images, manifest });
  }

  /** Draw parts of an image again, given the rest: a variation of `pt.vary`. @param {Api.SampleSpec} sample @param {import("../runtime/pointillist.js").Options} settings */
  #redrawn({ variation, seed: first, index }, settings) {
    const { height = 1, width = 1 } = settings, { levels: encoded = null, strength = 0 } = variation ?? {};
    if (!encoded || !strength) throw new Error("`variation` of the kind regions needs `levels`, and a `strength` above 0: give both.");
    return this.#completed(settings, { levels: decodeArray(encoded), ...holeOf(first ?? 0, index ?? 0, strength, height, width) });
  }

  /**
   * Complete an image by an exact method, as `inpaint` does.
   * @param {import("../runtime/pointillist.js").Options} settings @param {{levels: ArrayLike<number>, mask: ArrayLike<number>, seed: number, number?: number}} hole `mask`: pixels that are kept
   * @throws {Error} if the model has none for this hole
   */
  #completed(settings, { levels, mask, seed, number = 0 }) {
    const { opened } = this, { height = 1, width = 1 } = settings, { name: order, pixels } = opened.sequenceAround(mask, null, height, width);
    const options = { ...settings, order, seed, index: number, uniforms: undefined }, observed = Array.from(levels, (level, at) => (mask[at % mask.length] ? level : null));
    if (completes(opened.model)) return this.#drawn({ ...options, known: observed }).levels;
    if (!latePixels(pixels, mask)) return this.#drawn({ ...options, observed }).levels;
    throw new Error(PARTICLES);
  }

  /** Draw an image that obeys rules, that is the best of several, or that tiles. @param {Api.SampleRequest} request @param {import("../runtime/pointillist.js").Options} settings @param {() => Promise<boolean>} stopped */
  async #inAdvance({ rules = null, best_of: count = 1, seamless: sides = null }, settings, stopped) {
    const draw = (/** @type {import("../runtime/pointillist.js").Options} */ each) => (rules ? { levels: this.opened.drawByRules(rules, each).levels, frequencies: null } : this.#drawn(each));
    const levels = count > 1 ? await bestOf(this.opened, count, settings, draw, stopped) : draw(settings).levels, { seed = 0, index: number = 0, height = 1, width = 1 } = settings;
    return sides && levels ? seamless(levels, sides, seed, height, width, (hole) => this.#completed(settings, { ...hole, number })) : levels;
  }

  /** Score an image as a whole, without known pixels. @param {Api.FillRequest} request @param {Uint16Array} levels @param {string} order @param {number} height @param {number} width @returns {Drawn} */
  #scored({ conditions = {} }, levels, order, height, width) {
    const { opened } = this, score = new Score([opened.details.image.channels, height, width]);
    return { ...opened.run({ ...opened.conditions(conditions), observed: Array.from(levels), order, height, width, all: true }, (draw) => score.take(draw)), score };
  }

  /** Draw an image. @param {import("../runtime/pointillist.js").Options} options @returns {Drawn} */
  #drawn(options) {
    return { ...this.opened.run({ ...options, tables: false }), score: null };
  }

  /** Encode a finished image, with its bits. @param {{levels: ArrayLike<number>, frequencies: Float64Array}} result @param {number} height @param {number} width @returns {Promise<Api.SampledImage>} */
  async #image({ levels, frequencies }, height, width) {
    const { details: { image }, model } = this.opened, encoded = blankLevels(image, levels.length);
    encoded.set(levels);
    const bits = frequencies.reduce((sum, f) => sum + Math.log2(POWERS[model.programs[0].head.precision] / f), 0);
    return { levels: encodeArray(encoded, [image.channels, height, width]), bits, bits_per_dim: bits / levels.length, sha256: await sha256Of(encoded) };
  }

  /** @param {Api.SampleRequest | Api.FillRequest} request @param {Api.SampledImage[]} images @returns {Api.SampleManifest} */
  #manifest(request, images) {
    const { details, contents, compiled } = this.opened;
    return {
      format: "pointillist-manifest", version: /** @type {any} */ (1), model: { name: contents.model.name, sha256: details.sha256 },
      environment: { processor: compiled ? "WebAssembly" : "JavaScript", pointillist: contents.version, torch: "none", numpy: "none" },
      request, sha256: images.map((one) => one.sha256),
    };
  }

  /** Draw candidates for unknown pixels; those to which the known pixels after them fit best come first. @param {Api.FillRequest & {numbers?: number[]}} request `numbers`: of the candidates to draw, where several workers share them @returns {Promise<Api.FillResult>} */
  async fill({ conditions: typed = {}, numbers, ...rest }) {
    const { opened } = this, request = { ...rest, conditions: this.opened.asRead(typed) }, { details, model } = opened, { image } = details, began = performance.now();
    const { start, candidates: count = 8, guidance = 1, temperature = 1, top_p: topP = 1 } = request;
    const [height, width] = start.known.shape, mask = decodeArray(start.known), size = height * width;
    const seed = request.seed ?? Math.floor(Math.random() * SEEDS), { name: order, pixels } = opened.sequenceAround(mask, request.order, height, width);
    const regions = (request.allowed ?? []).map(({ region, levels }) => ({ region: decodeArray(region), levels: new Set(levels) }));
    const allowed = !regions.length ? null : (/** @type {number} */ at) => {
      const here = regions.filter(({ region }) => region[at % size]);
      return here.length ? Array.from({ length: image.levels }, (_, level) => here.every(({ levels }) => levels.has(level))) : null;
    };
    const late = latePixels(pixels, mask), method = chosenMethod(request.method ?? "auto", completes(model), late, order), completing = method === "known", total = POWERS[model.programs[0].head.precision];
    const from = new Set(pixels.slice(pixels.findIndex((pixel) => !mask[pixel]))); // where bits count: the hole, and what is drawn after it
    const settings = { ...opened.conditions(request.conditions ?? {}), guidance, temperature, topP, order, height, width };
    const { completed } = this, name = regions.length || method !== "known" && completes(model) ? "" : nameOfCompletion(request, request.conditions, seed, order);
    const drawn = (numbers ?? Array.from({ length: count }, (_, number) => number)).map((number) => {
      const own = number === 0 && completed?.name === name ? completed.drawn
        : this.#drawn({ ...settings, seed, index: number, known: completing ? knownOf(start, 0) : null, observed: knownOf(start, 0), allowed, all: !completing });
      const bits = own.frequencies.reduce((sum, f, at) => sum + (from.has(at % size) ? Math.log2(total / f) : 0), 0);
      const result = completing ? this.#scored(request, own.levels, order, height, width) : own;
      return { result, bits, number };
    });
    const all = await Promise.all(drawn.map(async ({ result, bits, number }) => ({ image: await this.#image(result, height, width), bits, number })));
    const [{ result, number: first }] = drawn;
    if (!first) this.scores.clear();
    if (result.score && !first) this.scores.set(nameOfQuery({ levels: all[0].image.levels, conditions: request.conditions }, order), result.score);
    const conditions = { ...request.conditions, text: opened.names.literal(request.conditions?.text) };
    const manifest = this.#manifest({ ...request, conditions, candidates: count, seed, order, method, engine: "integer" }, all.map((one) => one.image));
    const candidates = all.filter(({ number }) => (request.pick ?? number) === number).sort((a, b) => (completing ? a.number - b.number : a.bits - b.bits));
    const message = {
      known: "Exact: the model was trained to complete images, and every known pixel counts.",
      order: `Exact: the hole comes last in the order ${order}, so every known pixel counts.`,
      sequential: late ? `In the order ${order}: the candidates that fit the ${late} known pixels after the hole come first.` : `In the order ${order}.`,
    }[method];
    const ignored = method === "sequential" ? late : 0, exact = completing || !late;
    return { candidates, method, exact, order, seed, ignored, ess: count, seconds: (performance.now() - began) / 1000, message, manifest };
  }

  /** Paint the images of a manifest again. @param {Api.ReproduceRequest} request @returns {Promise<Api.ReproduceResult>} */
  async reproduce({ manifest }) {
    /** @type {Api.SampledImage[]} */
    let images = [];
    const { request } = manifest;
    if ("samples" in request) await this.sample(request, (event) => { if (event.type === "finished") images = event.images; }, async () => false);
    else images = (await this.fill(request)).candidates.sort((a, b) => a.number - b.number).map((one) => one.image);
    const same = manifest.model.sha256 === this.opened.details.sha256;
    const identical = images.map((image, i) => same && image.sha256 === manifest.sha256[i]), all = identical.every(Boolean);
    const message = !same ? "Not reproduced: the model is not the model of the manifest." : all ? "Identical to the bit." : "The image differs from the image of the manifest.";
    return { identical, same_model: same, same_environment: false, message, images };
  }
}
