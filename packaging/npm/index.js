// The Python API in JavaScript: pictures of a seed, completions, endless maps, archives and likelihoods.
//
//   import digits from "@pointillist/digits";
//   const threes = await sample(digits, 4, { label: "3", seed: 7 }); // the levels of `pt.sample("digits", 4, 3, seed=7)`

import { Model } from "./offline/module.js";
import { Painting } from "./offline/painting.js";
import { WORDS, decodeArchive } from "./runtime/archive.js";
import { draws, joined } from "./runtime/pointillist.js";
import { bytesOf } from "./shared/bytes.js";
import { blankLevels, decodeArray, encodeArray } from "./transport/encoded_arrays.js";
import { pictureOf, png } from "./transport/picture_files.js";
import library from "./library.js";

/** @typedef {{name: string, fingerprint: string, data: string}} Packed what a package of a model exports */
/** @typedef {string | URL | Uint8Array | ArrayBuffer | Packed | Model} ModelSource */
/** @typedef {{signal?: AbortSignal, onProgress?: (progress: {done: number, total: number, levels: Levels}) => void}} Watched `onProgress` gets the share of the pictures that is done, and the levels of the newest one so far */
/** @typedef {Uint8Array | Uint16Array} Levels */
/** @typedef {{scale?: number, tiles?: boolean}} Shown `tiles`: a map is shown by its tiles, not by a colour of each */

const LARGEST = 2 ** 28, MOST_METADATA = 2 ** 24, SLICE = 12; // bytes, bytes, milliseconds between two looks at the signal
const TYPES = ["|u1", "|i1", "|b1", ...["<", ">"].flatMap((order) => ["u2", "i2", "u4", "i4", "i8"].map((kind) => order + kind))];
/** @type {Record<string, any>} */
const ARRAYS = { u1: Uint8Array, i1: Int8Array, b1: Uint8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array, i8: BigInt64Array };

/** Throw a sentence. @param {unknown} fine @param {string} sentence @returns {asserts fine} */
function demand(fine, sentence) {
  if (!fine) throw new Error(sentence);
}
/** @param {string} name @param {unknown} value @param {number} low */
const demandWhole = (name, value, low) => demand(Number.isSafeInteger(value) && Number(value) >= low, `\`${name}\` (=${value}) must be a whole number, ${low} or more.`);

/** Decompress bytes of zlib, or of raw deflate that begin with 0, as long as they are not more than a limit. @param {Uint8Array} bytes @param {number} most */
async function inflated(bytes, most) {
  const reader = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new DecompressionStream(bytes[0] ? "deflate" : "deflate-raw")).getReader(), chunks = [];
  for (let size = 0, part = await reader.read(); !part.done; part = await reader.read()) {
    demand((size += part.value.length) <= most, `it is larger than ${most.toLocaleString("en")} bytes`);
    chunks.push(part.value);
  }
  return joined(...chunks);
}

// ---- models ----
/** @type {Map<string, Promise<Model>>} of models by name, which may be loaded as a package or by an address */
const models = new Map();
/** @type {Promise<WebAssembly.Module> | undefined} */
let compiled;

/** Load a model: by the name of its package, as the package, from an address, or from bytes.
 *  @param {ModelSource} model @param {{fingerprint?: string | null, signal?: AbortSignal}} [settings] `fingerprint` that it must have, or its first digits @returns {Promise<Model>} */
export async function load(model, { fingerprint = null, signal } = {}) {
  const name = typeof model === "string" || model instanceof URL ? String(model) : "data" in model ? model.name : null;
  const loading = model instanceof Model ? Promise.resolve(model) : (name !== null && models.get(name)) || open(model, signal);
  if (name !== null) models.set(name, loading);
  const opened = await loading.catch((error) => { throw (name !== null && models.delete(name), error); });
  const expected = fingerprint ?? (typeof model === "object" && "data" in model ? model.fingerprint : "");
  demand(opened.fingerprint.startsWith(expected), `The model ${opened.name} has the fingerprint ${opened.fingerprint.slice(0, 8)}, and the one that is asked for is ${expected.slice(0, 8)}: load that model.`);
  return opened;
}

/** @param {Exclude<ModelSource, Model>} model @param {AbortSignal} [signal] @returns {Promise<Model>} */
async function open(model, signal) {
  if (typeof model === "string" || model instanceof URL) return open(await fetched(String(model), signal), signal);
  compiled ??= inflated(bytesOf(library), LARGEST).then((bytes) => WebAssembly.compile(bytes));
  compiled.catch(() => {}); // `Model.open` says that it paints in JavaScript
  try {
    const bytes = "data" in model ? bytesOf(model.data) : model instanceof ArrayBuffer ? new Uint8Array(model) : model;
    return await Model.open(await inflated(bytes, LARGEST), compiled);
  } catch (error) {
    throw new Error(`The model is damaged or cut off (${error instanceof Error ? error.message : error}): download it again.`, { cause: error });
  }
}

/** @param {string} address or the name of a package @param {AbortSignal} [signal] @returns {Promise<Packed | Uint8Array>} */
async function fetched(address, signal) {
  const named = /^[\w-]+$/.test(address), where = named ? `@pointillist/${address}` : address, found = `There is no model ${address}`;
  if (named || /\.m?js$/.test(new URL(address, globalThis.location?.href ?? "file:///").pathname)) {
    const module = await import(/* @vite-ignore */ /* webpackIgnore: true */ where).catch((cause) => {
      throw new Error(named ? `${found} here: \`npm install ${where}\`, and where there is no bundler name it in the import map; or import it, and pass it to \`load\`.` : `${found}: check the address.`, { cause });
    });
    demand(typeof module.default?.data === "string", `${address} exports no model: give a package, or what \`pointillist export --js\` wrote.`);
    return module.default;
  }
  const answer = await fetch(address, { signal });
  demand(answer.ok, `${found}: the server answers ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** @type {WeakMap<Model, Promise<any>>} */
const turns = new WeakMap();
/** Run one painting of a model at a time, as they share its memory. @template T @param {Model} model @param {() => T | Promise<T>} run @returns {Promise<T>} */
function inTurn(model, run) {
  const result = (turns.get(model) ?? Promise.resolve()).then(run);
  turns.set(model, result.catch(() => {}));
  return result;
}

/** Take all steps, and let others work between them. @template S, R @param {Generator<S, R>} steps @param {AbortSignal} [signal] @param {(step: S) => void} [each] @returns {Promise<R>} */
async function walk(steps, signal, each) {
  for (let step = steps.next(), due = performance.now() + SLICE; ; step = steps.next()) {
    if (step.done) return step.value;
    each?.(step.value);
    if (performance.now() < due) continue;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    due = performance.now() + SLICE;
  }
}

// ---- pictures ----
/** Encode the levels of a picture. @param {Model} model @param {ArrayLike<number>} levels @param {number} width */
function encoded({ channels, height, opened: { details: { image } } }, levels, width) {
  const array = (image.dtype === "uint8" ? Uint8Array : Uint16Array).from(levels), high = levels.length / channels / width;
  demand(Number.isInteger(high) && high > 0, `${levels.length} levels are no picture of ${channels} channels and a width of ${width}, such as ${height}: give its width.`);
  return { image, levels: encodeArray(array, [channels, high, width]) };
}
/** Colours of levels `[channels, height, width]`. @param {Model} model @param {ArrayLike<number>} levels @param {Shown & {width?: number}} [shown] @returns {ImageData} in Node an object with `data`, `width` and `height` */
export function toImageData(model, levels, { width = model.width, scale = 1, tiles = true } = {}) {
  const { image, levels: array } = encoded(model, levels, width), { pixels, ...size } = pictureOf(image, array, tiles, scale), data = Uint8ClampedArray.from(pixels);
  return globalThis.ImageData ? new ImageData(data, size.width, size.height) : /** @type {any} */ ({ data, ...size });
}
/** Draw levels on a canvas, by default a new one. @param {Model} model @param {ArrayLike<number>} levels @param {Shown & {width?: number, canvas?: HTMLCanvasElement | OffscreenCanvas}} [shown] */
export function toCanvas(model, levels, { canvas, ...shown } = {}) {
  const data = toImageData(model, levels, shown), drawn = canvas ?? (globalThis.document ? document.createElement("canvas") : new OffscreenCanvas(1, 1));
  [drawn.width, drawn.height] = [data.width, data.height];
  /** @type {CanvasRenderingContext2D} */ (drawn.getContext("2d")).putImageData(data, 0, 0);
  return drawn;
}

/** Pictures of a model. */
export class Samples {
  /** @param {Model} model @param {Levels} levels @param {number[]} shape `[n, channels, height, width]` @param {{seed?: number, notes?: string[], nats?: number[] | null, message?: string}} [facts] */
  constructor(model, levels, shape, { seed = 0, notes = [], nats = null, message = "" } = {}) {
    this.model = model; this.levels = levels; this.shape = shape; this.length = shape[0];
    this.seed = seed; this.notes = notes; this.nats = nats; this.message = message;
  }
  /** Levels of a picture. @param {number} index */
  at(index) {
    demand(Number.isInteger(index) && index >= 0 && index < this.length, `There is no ${index} among ${this.length} pictures: give a number from 0 to ${this.length - 1}.`);
    return this.levels.slice((index * this.levels.length) / this.length, ((index + 1) * this.levels.length) / this.length);
  }
  /** @param {number} [index] @param {Shown} [shown] */
  toImageData(index = 0, shown = {}) { return toImageData(this.model, this.at(index), { ...shown, width: this.shape[3] }); }
  /** @param {number} [index] @param {Shown & {canvas?: HTMLCanvasElement | OffscreenCanvas}} [shown] */
  toCanvas(index = 0, shown = {}) { return toCanvas(this.model, this.at(index), { ...shown, width: this.shape[3] }); }
  /** A file of a picture, PNG. @param {number} [index] @param {{scale?: number}} [shown] */
  async toPNG(index = 0, { scale = 1 } = {}) {
    const { image, levels } = encoded(this.model, this.at(index), this.shape[3]);
    return new Uint8Array(await (await png(image, { levels, scale })).arrayBuffer());
  }
}

const SEEDS = 2 ** 31;
/** Levels of pictures, one after the other. @param {{levels: Levels}[]} pictures @returns {Levels} */
function stacked(pictures) {
  const [{ levels: { length, constructor } }] = pictures, all = new (/** @type {any} */ (constructor))(pictures.length * length);
  pictures.forEach(({ levels }, at) => all.set(levels, at * length));
  return all;
}
/** @typedef {Omit<import("./offline/module.js").Request, "label" | "text"> & Watched & {label?: string | number | null | (string | number | null)[], text?: string | null | (string | null)[], size?: number[]}} SampleSettings */
/** Sample `n` pictures; by default one for each label or text, or one. @param {ModelSource} source @param {number | null} [n] @param {SampleSettings} [settings] */
export async function sample(source, n = null, { label = null, text = null, seed = Math.floor(Math.random() * SEEDS), index = 0, size: shape, signal, onProgress, ...rest } = {}) {
  signal?.throwIfAborted();
  const model = await load(source, { signal }), lists = /** @type {[string, any[]][]} */ (Object.entries({ label, text }).filter(([, value]) => Array.isArray(value))), count = n ?? Math.max(1, ...lists.map(([, { length }]) => length));
  demandWhole("n", count, 1);
  for (const [name, { length }] of lists) demand(length === count, `\`${name}\` has ${length} values, and there are ${count} pictures: give one for each.`);
  const [high, wide] = shape ?? [rest.height ?? model.height, rest.width ?? model.width], size = model.channels * high * wide, each = (/** @type {any} */ value, /** @type {number} */ at) => (Array.isArray(value) ? value[at] : value);
  return inTurn(model, async () => {
    const notes = /** @type {Set<string>} */ (new Set()), drawn = /** @type {any[]} */ ([]);
    while (drawn.length < count) {
      const at = drawn.length, steps = model.steps({ ...rest, height: high, width: wide, seed, index: index + at, label: each(label, at), text: each(text, at) });
      const levels = blankLevels(model.opened.details.image, size);
      let done = 0;
      const picture = await walk(steps, signal, ({ at: to, level }) => {
        levels[to] = level;
        if (++done % wide === 0) onProgress?.({ done: at + done / size, total: count, levels });
      });
      drawn.push(picture);
      for (const note of picture.notes) notes.add(note);
    }
    return new Samples(model, stacked(drawn), [count, model.channels, high, wide], { seed, notes: [...notes] });
  });
}

/** Complete a picture `n` times: levels `[channels, height, width]`, and which pixels `[height, width]` are kept; the most probable completion comes first.
 *  @param {ModelSource} source @param {ArrayLike<number>} image @param {ArrayLike<boolean | number>} known @param {number} [n]
 *  @param {Pick<SampleSettings, "seed" | "size" | "guidance" | "temperature" | "topP" | "order" | "signal" | "onProgress"> & {label?: string | number | null, text?: string | null, method?: "auto" | "known" | "order" | "sequential"}} [settings] */
export async function inpaint(source, image, known, n = 8, { label = null, text = null, seed = Math.floor(Math.random() * SEEDS), size, order, method = "auto", signal, onProgress, ...rest } = {}) {
  signal?.throwIfAborted();
  const model = await load(source, { signal }), { opened, channels } = model, [height, width] = size ?? [model.height, model.width];
  demandWhole("n", n, 1);
  demand(image.length === channels * height * width && known.length === height * width, `\`image\` of ${image.length} levels and \`known\` of ${known.length} pixels must be [${channels}, ${height}, ${width}] and [${height}, ${width}].`);
  const { guidance, temperature, topP } = model.options({ label, text, ...rest }), number = typeof label === "string" ? model.labels.indexOf(label) : label, painting = new Painting(opened);
  const start = { levels: encoded(model, image, width).levels, known: encodeArray(Uint8Array.from(known, Number), [height, width]) };
  const request = { start, conditions: { label: number, text }, candidates: n, seed, guidance, temperature, top_p: topP, order, method };
  return inTurn(model, async () => {
    const drawn = [];
    for (let at = 0; at < n; at++) {
      const result = await painting.fill(/** @type {any} */ ({ ...request, numbers: [at] }));
      drawn.push({ levels: decodeArray(result.candidates[0].image.levels), nats: -result.candidates[0].bits * Math.LN2, message: result.message });
      onProgress?.({ done: at + 1, total: n, levels: drawn[at].levels });
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
    }
    drawn.sort((a, b) => b.nats - a.nats);
    return new Samples(model, stacked(drawn), [n, channels, height, width], { seed, notes: opened.names.notes([text]), nats: drawn.map(({ nats }) => nats), message: drawn[0].message });
  });
}

/** Log-probability of each sub-pixel of a picture given those before it, in nats. @param {ModelSource} source @param {ArrayLike<number>} levels @param {{label?: string | number | null, text?: string | null, order?: string, size?: number[], signal?: AbortSignal}} [settings] @returns {Promise<Float64Array>} */
export async function logProb(source, levels, { size, signal, ...rest } = {}) {
  const model = await load(source, { signal }), { opened } = model, [height, width] = size ?? [model.height, model.width];
  demand(levels.length === model.channels * height * width, `${levels.length} levels must be [${model.channels}, ${height}, ${width}].`);
  demand(Array.prototype.every.call(levels, (level) => Number.isInteger(level) && level >= 0 && level < model.levels), `The levels must be whole numbers, 0 to ${model.levels - 1}.`);
  const options = { ...model.options(rest), guidance: 1, temperature: 1, topP: 1, height, width, observed: Array.from(levels), all: true, tables: false };
  return inTurn(model, async () => {
    opened.compiled?.release();
    const { frequencies } = await walk(draws(opened.model, options), signal);
    return frequencies.map((frequency) => Math.log(frequency / 2 ** opened.model.programs[0].head.precision));
  });
}

/** How a model reads a prompt: what is sampled, and a sentence for each word that it replaces or leaves out. @param {ModelSource} source @param {string} text */
export async function readPrompt(source, text) {
  const { opened } = await load(source);
  return { text: opened.names.read(text).text, notes: opened.notes([{ text }]) };
}

/** An endless map, chunk by chunk: the tiles of `pt.World`. */
export class World {
  #world;
  /** @param {Model} model that is loaded @param {number} [seed] @param {Parameters<Model["world"]>[1]} [settings] */
  constructor(model, seed = 0, settings = {}) {
    demand(model instanceof Model, "A world needs a model that is loaded: `new World(await load(dungeons), 7)`.");
    this.model = model;
    this.#world = model.world(seed, settings);
  }
  /** Levels of the chunk in column x and row y, which may be sent to another thread. @param {number} x @param {number} y @param {{signal?: AbortSignal}} [watched] */
  chunk(x, y, { signal } = {}) { return inTurn(this.model, () => (signal?.throwIfAborted(), this.#world.chunk(x, y).slice())); }
  /** Levels `[height, width]` of a rectangle. @param {number} row @param {number} column @param {number} height @param {number} width @param {{signal?: AbortSignal}} [watched] */
  tiles(row, column, height, width, { signal } = {}) { return inTurn(this.model, () => (signal?.throwIfAborted(), this.#world.tiles(row, column, height, width))); }
}

// ---- archives ----
/** Decompress an archive of `pointillist compress`: its pictures, one after the other; `values` are those of an array, else the levels.
 *  @param {Uint8Array} archive @param {ModelSource} source @returns {Promise<{levels: Uint16Array, values: any, dtype: string | null, channels: number, height: number, width: number, label: number}[]>} */
export async function decompress(archive, source) {
  const model = await load(source), { opened } = model, facts = /** @type {any[]} */ ([]);
  const records = await inTurn(model, () => {
    opened.compiled?.release();
    return decodeArchive(archive, opened.model, { begin: opened.begin, about: (each) => void facts.push(each) });
  });
  const [dtype, first, table] = await valuesOf(facts), kind = dtype && ARRAYS[dtype.slice(1)], { channels } = model;
  const valueOf = (/** @type {number} */ level) => {
    demand(!table || level < table.length, "The archive has a level without a value: it was not written by this package.");
    return dtype?.endsWith("i8") ? BigInt(table ? table[level] : level + first) : table ? table[level] : level + first;
  };
  return records.flatMap(({ levels, labels, height, width }) => labels.map((label, n) => {
    const size = channels * height * width, own = levels.slice(n * size, (n + 1) * size);
    return { levels: own, values: kind ? kind.from(own, valueOf) : own, dtype, channels, height, width, label };
  }));
}

/** Read type, first value and table of the values of an array. @param {any[]} facts of the header and of metadata @returns {Promise<[string | null, number, number[] | null]>} */
async function valuesOf(facts) {
  for (const each of facts) {
    const values = each instanceof Uint8Array ? JSON.parse(new TextDecoder().decode((await inflated(each, MOST_METADATA)).subarray(each[0] ? 0 : WORDS.length))).values : [TYPES[each[0] % 16], each[1] % 2 ? -(each[1] + 1) / 2 : each[1] / 2];
    if (!values) continue;
    const [dtype, first, packed] = values, gaps = packed && (await inflated(bytesOf(packed), MOST_METADATA));
    demand(TYPES.includes(dtype) && Number.isSafeInteger(first) && !(gaps?.length % 4), "The archive has no valid values of its levels: it was not written by this package.");
    let sum = first;
    return [dtype, first, gaps ? [first, ...Array.from(new Uint32Array(gaps.buffer), (gap) => (sum += gap))] : null];
  }
  return [null, 0, null];
}
