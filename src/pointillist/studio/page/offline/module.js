// What an exported module for JavaScript offers: a model that paints, in a browser or in Node.

import { colourOf } from "../shared/colour.js";
import { draws } from "../runtime/pointillist.js";
import { World } from "../runtime/world.js";
import { blankLevels } from "../transport/encoded_arrays.js";
import { OfflineModel } from "./model.js";
import { probabilities } from "../canvas/distributions.js";
/**
 * @typedef {object} Request @property {number} [seed] @property {number} [index] @property {string | number | null} [label] @property {string | null} [text]
 * @property {number} [guidance] @property {number} [temperature] @property {number} [topP] @property {number} [height] @property {number} [width]
 * @property {ArrayLike<number | null> | null} [known] @property {string} [order]
 * @property {ArrayLike<number> | null} [hint] @property {import("../runtime/rules.js").Rules | null} [rules]
 */

/** What a request may name, and the settings of a world. */
const REQUEST = ["seed", "index", "label", "text", "guidance", "temperature", "topP", "height", "width", "known", "order", "hint", "rules"];

const WORLD = ["label", "chunkSize", "margin", "remembered", "rules"];

/** Throw for a request that is not an object, or has unknown settings. @param {object | null} request @param {string[]} names */
function checkRequest(request, names) {
  if (typeof request !== "object" || request === null) throw new Error(`The request (=${JSON.stringify(request)}) must be an object, such as { seed: 1 }.`);
  const unknown = Object.keys(request).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`There is no setting ${unknown}: choose from ${names.join(", ")}.`);
}

/** Throw for a setting that is given and no number of a range. @param {string} name @param {unknown} value @param {(value: number) => boolean} fits @param {string} range */
function checkNumber(name, value, fits, range) {
  if (value !== undefined && value !== null && !(typeof value === "number" && fits(value))) throw new Error(`The ${name} (=${JSON.stringify(value)}) must be a number, ${range}.`);
}

export class Model {
  /** @param {OfflineModel} opened */
  constructor(opened) {
    const { contents, details, model } = opened, { image, conditions } = details;
    this.opened = opened;
    this.name = contents.model.name;
    this.license = contents.license;
    this.fingerprint = model.fingerprint;
    this.labels = conditions.labels;
    this.channels = image.channels;
    this.levels = image.levels;
    this.height = image.height;
    this.width = image.width;
    this.compiled = opened.compiled !== null;
  }

  /** @param {string | Uint8Array} packed what `pointillist export` wrote, or its bytes @param {Promise<WebAssembly.Module>} [library] */
  static async open(packed, library) {
    return new Model(await OfflineModel.open(packed, library));
  }

  /** Options of `draws`, whose values are checked. @param {Request} request @returns {Options} */
  options({ label = null, text = null, topP, guidance, temperature, rules: _, ...rest }) {
    const { generation } = this.opened.details;
    if (text !== null && typeof text !== "string") throw new Error(`The text (=${JSON.stringify(text)}) must be a string, or null for none.`);
    if (text !== null && !this.opened.details.conditions.text) throw new Error("This model takes no text: leave it out.");
    const known = label === null || (typeof label === "number" ? Number.isInteger(label) && label >= 0 && label < this.labels.length : this.labels.includes(label));
    if (!known) throw new Error(`There is no label ${label}: ${this.labels.length ? `choose from ${this.labels.join(", ")}` : "this model takes none"}.`);
    checkNumber("guidance", guidance, (value) => value >= 0 && value <= 1000, "from 0 to 1000");
    checkNumber("temperature", temperature, (value) => value >= 0 && Number.isFinite(value), "0 or more");
    checkNumber("topP", topP, (value) => value > 0 && value <= 1, "above 0, at most 1");
    const settings = { guidance: guidance ?? generation.guidance, temperature: temperature ?? generation.temperature, topP: topP ?? generation.top_p };
    return { ...this.opened.conditions({ label, text }), ...settings, ...rest };
  }

  /** Paint a picture. @param {Request} [request] */
  paint(request = {}) {
    const steps = this.steps(request);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }

  /** Paint a picture sub-pixel by sub-pixel; what is known has no probabilities. @param {Request} [request] */
  *steps(request = {}) {
    checkRequest(request, REQUEST);
    const { image } = this.opened.details, { height = this.height, width = this.width } = request, options = this.options(request);
    const observed = request.rules ? this.#obeying(request.rules, options) : null;
    this.opened.compiled?.release();
    const run = draws(this.opened.model, observed ? { ...options, observed } : options);
    let step = run.next();
    for (; !step.done; step = run.next()) {
      const { at, level, frequencies } = step.value;
      yield { at, level, probabilities: frequencies && probabilities(frequencies) };
    }
    const levels = blankLevels(image, step.value.levels.length);
    levels.set(step.value.levels);
    return { levels, channels: this.channels, height, width, rgba: this.rgba(levels), notes: this.opened.names.notes([request.text]) };
  }

  /** Levels of a map that obeys rules. @param {import("../runtime/rules.js").Rules} rules @param {Options} options */
  #obeying(rules, options) {
    if (options.known) throw new Error("Rules bind whole maps here, and pixels are known: use `fixed` for these.");
    return this.opened.drawByRules(rules, options).levels;
  }

  /** An endless map, of a model that completes maps of one channel. @param {number} seed
   *  @param {{label?: string, chunkSize?: number, margin?: number, remembered?: number, rules?: import("../runtime/rules.js").Rules | null}} [settings] */
  world(seed, settings = {}) {
    checkRequest(settings, WORLD);
    const { model, begin, compiled, levels, open } = this.opened;
    return new World(model, seed, { ...settings, begin, levels, open, ready: () => compiled?.release() });
  }

  /** Colours of levels `[channels, height, width]`, for `ImageData`. @param {ArrayLike<number>} levels */
  rgba(levels) {
    const { image } = this.opened.details, size = levels.length / this.channels, result = new Uint8ClampedArray(4 * size);
    for (let pixel = 0; pixel < size; pixel++) result.set(colourOf(image, Array.from({ length: this.channels }, (_, c) => levels[c * size + pixel])), 4 * pixel);
    return result;
  }
}
